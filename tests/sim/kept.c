#include "kept.h"

#include <assert.h>

static unsigned find(const struct sim_kept *kept, uint64_t number)
{
    unsigned at = 0;
    while (at < kept->count && kept->entries[at].number != number)
        at++;
    return at;
}

static void add(struct sim_kept *kept, uint64_t number, bool taken)
{
    assert(kept->count < SIM_KEPT_MAX);
    kept->entries[kept->count].number = number;
    kept->entries[kept->count].outdated = false;
    kept->entries[kept->count].taken = taken;
    kept->count++;
}

/* As exec_bind_message and what it calls do: the name first, then the transaction, then the plan. */
static const char *by_name(
    const struct sim_kept *kept, uint64_t number, bool in_failed, enum sim_kept_end *end)
{
    unsigned at = find(kept, number);
    if (at == kept->count) {
        *end = SIM_KEPT_UNKNOWN;
        return "26000";
    }
    if (in_failed)
        return "25P02";
    if (!kept->entries[at].outdated)
        return NULL;
    *end = SIM_KEPT_OUTDATED;
    return "0A000";
}

static const char *give_up(
    struct sim_kept *kept, uint64_t number, const struct sim_kept_rules *rules, enum sim_kept_end *end)
{
    unsigned at = find(kept, number);
    *end = SIM_KEPT_NOTHING_DONE;
    if (rules->in_failed && !rules->closes)
        return "25P02";
    *end = SIM_KEPT_OLD_UNKNOWN;
    if (at == kept->count && !rules->closes)
        return "26000";
    if (at < kept->count)
        kept->entries[at] = kept->entries[--kept->count];
    return NULL;
}

const char *sim_kept_use(struct sim_kept *kept, const struct sim_way *way, const struct sim_kept_rules *rules,
    enum sim_kept_end *end)
{
    *end = SIM_KEPT_AS_IT_WAS;
    if (way->how == PQR__PREPARED_TEXT)
        return NULL;
    if (way->how == PQR__PREPARED_NAME)
        return by_name(kept, way->number, rules->in_failed, end);
    const char *sqlstate = way->given_up ? give_up(kept, way->given_up, rules, end) : NULL;
    if (sqlstate)
        return sqlstate;
    *end = SIM_KEPT_NOT_PREPARED;
    if (rules->in_failed)
        return "25P02";
    if (rules->refuses)
        return "42P01";
    *end = SIM_KEPT_TAKEN;
    if (find(kept, way->number) < kept->count)
        return "42P05";
    add(kept, way->number, false);
    *end = SIM_KEPT_PREPARED;
    return NULL;
}

void sim_kept_forget(struct sim_kept *kept)
{
    kept->count = 0;
}

void sim_kept_outdate(struct sim_kept *kept)
{
    for (unsigned i = 0; i < kept->count; i++)
        kept->entries[i].outdated = true;
}

void sim_kept_take(struct sim_kept *kept, uint64_t number)
{
    if (find(kept, number) == kept->count)
        add(kept, number, true);
}

unsigned sim_kept_count(const struct sim_kept *kept)
{
    unsigned count = 0;
    for (unsigned i = 0; i < kept->count; i++)
        count += !kept->entries[i].taken;
    return count;
}

bool sim_kept_book(struct pqr__prepared *books, const struct sim_way *way, enum sim_kept_end end)
{
    switch (end) {
    case SIM_KEPT_AS_IT_WAS:
        return false;
    case SIM_KEPT_PREPARED:
        pqr__prepared_done(books, way->number);
        return false;
    case SIM_KEPT_NOT_PREPARED:
        pqr__prepared_undone(books, way->number, 0);
        return false;
    case SIM_KEPT_NOTHING_DONE:
        pqr__prepared_undone(books, way->number, way->given_up);
        return false;
    case SIM_KEPT_TAKEN:
        pqr__prepared_undone(books, way->number, way->number);
        return true;
    case SIM_KEPT_OLD_UNKNOWN:
        pqr__prepared_undone(books, way->number, 0);
        return true;
    case SIM_KEPT_UNKNOWN:
        pqr__prepared_lost(books, way->number);
        return true;
    case SIM_KEPT_OUTDATED:
        pqr__prepared_stale(books, way->number);
        return true;
    }
    return false;
}
