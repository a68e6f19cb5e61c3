/* How one item is sent, by its text or by the name of a prepared statement, and what came of the preparing.
 *
 * Before an item that has to be prepared go up to two messages of our own, whose results are ours: an older statement
 * is given up (Close, or DEALLOCATE where libpq has no Close), the new one is parsed. When one of them fails, its
 * error is the item's answer, and the item itself comes back aborted, as does all that follows in its flight. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/seldom.h"
#include "postgres/conn.h"
#include "postgres/newer.h"

/* What precedes an item. */
enum { GIVE_UP = 1, PARSE = 2 };

static bool send_text(PGconn *pg, const struct pqr__item *item)
{
    return PQsendQueryParams(pg, item->sql, item->n_params, item->param_types, item->param_values,
        item->param_lengths, item->param_formats, item->result_format);
}

static bool send_name(PGconn *pg, const struct pqr__item *item, const char *name)
{
    return PQsendQueryPrepared(pg, name, item->n_params, item->param_values, item->param_lengths,
        item->param_formats, item->result_format);
}

static bool send_give_up(PGconn *pg, uint64_t statement)
{
    char name[PQR__PREPARED_NAME_SIZE], sql[sizeof("DEALLOCATE ") + sizeof(name)];
    pqr__prepared_name(name, statement);
#if PQR__HAVE_NEWER
    if (PQsendClosePrepared)
        return PQsendClosePrepared(pg, name);
#endif
    snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
    return PQsendQueryParams(pg, sql, 0, NULL, NULL, NULL, NULL, 0);
}

static PQR__SELDOM bool prepare(
    struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item, const char *name)
{
    conn->preparing = flight;
    item->steps = PARSE;
    if (item->given_up) {
        item->steps |= GIVE_UP;
        if (!send_give_up(conn->pg, item->given_up))
            return false;
    }
    return PQsendPrepare(conn->pg, name, item->sql, item->n_params, item->param_types);
}

/* Where it can't be kept it is parsed as the statement without a name, so that its error is told all the same. */
static PQR__SELDOM bool send_prepare_only(
    struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item, enum pqr__prepared_how how)
{
    char name[PQR__PREPARED_NAME_SIZE];
    if (how == PQR__PREPARED_TEXT)
        return PQsendPrepare(conn->pg, "", item->sql, item->n_params, item->param_types);
    pqr__prepared_name(name, item->statement);
    return (how == PQR__PREPARED_NAME || prepare(conn, flight, item, name)) &&
           PQsendDescribePrepared(conn->pg, name);
}

static const char *name_of(struct pqr__conn *conn, uint64_t statement)
{
    if (conn->name.statement != statement) {
        pqr__prepared_name(conn->name.text, statement);
        conn->name.statement = statement;
    }
    return conn->name.text;
}

static __attribute__((noinline)) bool send_first(
    struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item)
{
    enum pqr__prepared_how how = PQR__PREPARED_TEXT;
    if (item->statement != 0 && flight->kind == PQR__FLIGHT_PIPELINE)
        how = pqr__prepared_use(
            &conn->prepared, item->statement, !conn->preparing || conn->preparing == flight, &item->given_up);
    item->by_name = how == PQR__PREPARED_NAME;
    if (item->own == PQR__OWN_PREPARE)
        return send_prepare_only(conn, flight, item, how);
    if (how == PQR__PREPARED_TEXT)
        return send_text(conn->pg, item);
    const char *name = name_of(conn, item->statement);
    return (how == PQR__PREPARED_NAME || prepare(conn, flight, item, name)) &&
           send_name(conn->pg, item, name);
}

bool pqr__item_send(struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item)
{
    item->steps = 0;
    item->refused = false;
    bool same = item->statement != 0 && item->statement == conn->prepared.latest &&
                item->statement == conn->name.statement;
    if (!same || item->own != PQR__OWN_NONE || flight->kind != PQR__FLIGHT_PIPELINE)
        return send_first(conn, flight, item);
    item->by_name = true; /* as the one before it in this flight */
    item->given_up = 0;
    return send_name(conn->pg, item, conn->name.text);
}

bool pqr__item_ask_for_parts(struct pqr__conn *conn, const struct pqr__item *item)
{
    assert(conn->state == PQR__CONN_PIPELINE && conn->flights.count == 1 && !item->next);
#if PQR__HAVE_NEWER
    if (PQsetChunkedRowsMode)
        return PQsetChunkedRowsMode(conn->pg, item->rows_at_once) == 1;
#endif
    (void)item;
    return PQsetSingleRowMode(conn->pg) == 1;
}

/* --- Results of what precedes an item ------------------------------------------------------------------- */

bool pqr__item_is_preceded(const struct pqr__item *item)
{
    return item->steps != 0;
}

void pqr__item_step_over(struct pqr__item *item)
{
    item->steps &= item->steps & GIVE_UP ? (uint8_t)~GIVE_UP : 0;
}

static bool is_error(const PGresult *result, const char *sqlstate)
{
    char own[6];
    pqr__result_sqlstate(own, result);
    return strcmp(own, sqlstate) == 0;
}

static bool names(const PGresult *result, uint64_t statement)
{
    char name[PQR__PREPARED_NAME_SIZE];
    pqr__prepared_name(name, statement);
    return strstr(pqr__result_message(result), name) != NULL;
}

/* invalid_sql_statement_name, of this statement; one that the statement's own functions met is another one's. */
static bool is_unknown(const PGresult *result, uint64_t statement)
{
    return is_error(result, "26000") && names(result, statement);
}

/* duplicate_prepared_statement: there is one of this name, which the application made, or we had lost sight of. */
static bool is_taken(const PGresult *result, uint64_t statement)
{
    return is_error(result, "42P05") && names(result, statement);
}

/* feature_not_supported is much; the text may be in any language; the place where it is raised has one name. */
static bool is_outdated(const PGresult *result)
{
    const char *raised_by = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    return is_error(result, "0A000") && raised_by && strcmp(raised_by, "RevalidateCachedQuery") == 0;
}

void pqr__item_preceded(struct pqr__conn *conn, struct pqr__item *item, const PGresult *result)
{
    bool giving_up = item->steps & GIVE_UP, failed = PQresultStatus(result) != PGRES_COMMAND_OK;
    uint64_t kept = giving_up ? item->given_up : 0;
    if (!failed && giving_up)
        return;
    if (!failed)
        pqr__prepared_done(&conn->prepared, item->statement);
    else if (giving_up && is_unknown(result, item->given_up))
        pqr__prepared_undone(&conn->prepared, item->statement, 0);
    else if (!giving_up && is_taken(result, item->statement))
        pqr__prepared_undone(&conn->prepared, item->statement, item->statement);
    else
        pqr__prepared_undone(&conn->prepared, item->statement, kept);
    item->refused |= pqr__result_is_error(result);
}

bool pqr__item_is_stale(struct pqr__conn *conn, const struct pqr__item *item, const PGresult *error)
{
    if (item->refused)
        return is_taken(error, item->statement) || (item->given_up && is_unknown(error, item->given_up));
    if (!item->by_name)
        return false;
    if (is_unknown(error, item->statement))
        pqr__prepared_lost(&conn->prepared, item->statement);
    else if (is_outdated(error))
        pqr__prepared_stale(&conn->prepared, item->statement);
    else
        return false;
    return true;
}
