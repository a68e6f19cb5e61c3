/* What is kept prepared under which number, and who learns of it when that goes stale. */
#include <string.h>

#include "base/text.h"
#include "checks.h"

static unsigned type_of(const struct pqr__item *item, int i)
{
    return item->param_types ? item->param_types[i] : 0;
}

static void note(struct sim_checks *checks, const struct pqr__item *item)
{
    unsigned at = checks->n_statements;
    if (at == SIM_MAX_NUMBERS || item->n_params > SIM_MAX_TYPES)
        sim_fail(checks->world, "prepared: too many statements for this simulator");
    checks->n_statements++;
    checks->statements[at].number = item->statement;
    checks->statements[at].n_params = item->n_params;
    pqr__text_copy(checks->statements[at].sql, sizeof(checks->statements[at].sql), item->sql);
    for (int i = 0; i < item->n_params; i++)
        checks->statements[at].types[i] = type_of(item, i);
}

void sim_check_statement(struct sim_checks *checks, const struct pqr__item *item)
{
    unsigned at = 0;
    while (at < checks->n_statements && checks->statements[at].number != item->statement)
        at++;
    if (at == checks->n_statements)
        note(checks, item);
    bool same = strcmp(checks->statements[at].sql, item->sql) == 0 &&
                checks->statements[at].n_params == item->n_params;
    for (int i = 0; same && i < item->n_params; i++)
        same = checks->statements[at].types[i] == type_of(item, i);
    if (!same)
        sim_fail(checks->world, "prepared: number %llu is \"%s\", and \"%s\", or has other types",
            (unsigned long long)item->statement, checks->statements[at].sql, item->sql);
    if (checks->config->statements.prepare_threshold == 0 && item->own == PQR__OWN_NONE)
        sim_fail(checks->world, "prepared: \"%s\", though nothing is to be", item->sql);
}

void sim_check_way(struct sim_checks *checks, enum pqr__prepared_how how)
{
    checks->flights.prepared += how == PQR__PREPARED_PARSE;
    checks->flights.by_name += how == PQR__PREPARED_NAME;
}

void sim_check_kept(const struct sim_checks *checks, unsigned count)
{
    if (count > checks->config->statements.max_prepared)
        sim_fail(checks->world, "promise 8: a backend keeps %u statements prepared, %u may be", count,
            checks->config->statements.max_prepared);
}

void sim_check_stale(struct sim_checks *checks, struct sim_entry *entry, bool in_group)
{
    checks->flights.stale++;
    checks->flights.stale_writes += sim_kind_writes(entry->kind);
    checks->flights.stale_in_group += in_group;
    checks->flights.stale_in_tx += entry->in_tx;
}
