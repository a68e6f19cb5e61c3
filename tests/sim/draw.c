/* What is asked for, at random: kinds, fates, deadlines, and inputs in memory that is gone when the call is over. */
#include <stdlib.h>
#include <string.h>

#include "load.h"

static enum sim_kind random_kind(struct sim_world *world, bool in_tx, bool read_only)
{
    static const enum sim_kind anywhere[] = {SIM_READ, SIM_READ, SIM_READ, SIM_READ, SIM_READ, SIM_READ,
        SIM_READ, SIM_WRITE, SIM_WRITE, SIM_WRITE, SIM_WRITE, SIM_LOCK_READ, SIM_FUNCTION, SIM_HIDDEN,
        SIM_SEVERAL, SIM_CALL, SIM_ODD, SIM_SESSION, SIM_COPY, SIM_CONTROL};
    static const enum sim_kind inside[] = {SIM_READ, SIM_READ, SIM_WRITE, SIM_WRITE, SIM_WRITE, SIM_FUNCTION,
        SIM_LOCK_READ, SIM_CALL, SIM_SESSION, SIM_COPY, SIM_CONTROL};
    if (read_only)
        return SIM_READ;
    if (in_tx)
        return inside[sim_between(world, 0, sizeof(inside) / sizeof(inside[0]) - 1)];
    return anywhere[sim_between(world, 0, sizeof(anywhere) / sizeof(anywhere[0]) - 1)];
}

enum sim_fate sim_fate_random(struct sim_load *load, enum sim_kind kind, bool admin)
{
    struct sim_world *world = load->world;
    if (load->siege)
        return admin ? SIM_FINE : SIM_ENDLESS;
    if (kind == SIM_READ && sim_chance(world, 30))
        return SIM_NO_STANDBY;
    if (kind == SIM_FUNCTION && sim_chance(world, 50))
        return SIM_ENDS_TX;
    if (kind == SIM_CALL && sim_chance(world, 300))
        return SIM_HALF;
    if (sim_kind_writes(kind) && sim_chance(world, 40))
        return SIM_DEFERRED;
    if (sim_chance(world, load->units / 6)) /* the body saves itself from it, or runs again */
        return SIM_CONFLICT;
    if (sim_chance(world, 850))
        return SIM_FINE;
    static const enum sim_fate bad[] = {SIM_BAD, SIM_BAD, SIM_CONFLICT, SIM_CONFLICT, SIM_ENDLESS, SIM_STUCK};
    return bad[sim_between(world, 0, sizeof(bad) / sizeof(bad[0]) - 1)];
}

static struct sim_text *random_text(struct sim_load *load, const struct sim_tx *tx)
{
    unsigned reads = 1u << SIM_READ,
             inside = reads | 1u << SIM_WRITE | 1u << SIM_FUNCTION | 1u << SIM_LOCK_READ;
    return sim_texts_pick(&load->texts, !tx ? ~0u : tx->read_only ? reads : inside);
}

struct sim_entry *sim_entry_random(struct sim_load *load, bool admin, const struct sim_tx *tx)
{
    struct sim_text *text = sim_chance(load->world, load->repeats) ? random_text(load, tx) : NULL;
    if (text && !load->siege) {
        struct sim_entry *again = sim_text_entry(&load->texts, text, load->ledger);
        again->in_tx = tx != NULL;
        return again;
    }
    enum sim_kind kind = random_kind(load->world, tx != NULL, tx && tx->read_only);
    struct sim_entry *entry = sim_ledger_add(load->ledger, kind, sim_fate_random(load, kind, admin));
    entry->in_tx = tx != NULL;
    if (kind != SIM_SEVERAL)
        entry->n_params = (int)sim_skewed(load->world, 0, 4);
    entry->service_us = sim_skewed(load->world, 100, sim_chance(load->world, 100) ? 2000000 : 50000);
    return entry;
}

uint32_t sim_timeout_random(const struct sim_load *load)
{
    if (load->siege)
        return UINT32_MAX;
    if (sim_chance(load->world, 400))
        return 0;
    return sim_chance(load->world, 100) ? UINT32_MAX : (uint32_t)sim_skewed(load->world, 1, 5000);
}

void sim_inputs_init(struct sim_inputs *inputs, pqr_query *query, const struct sim_entry *entry)
{
    *inputs = (struct sim_inputs){.sql = sim_alloc(sizeof(entry->text))};
    memcpy(inputs->sql, entry->text, sizeof(entry->text));
    if (entry->of && entry->of->statement)
        query->statement = entry->of->statement;
    else
        query->sql = inputs->sql;
    query->n_params = entry->n_params;
    if (entry->n_params == 0)
        return;
    for (int i = 0; i < entry->n_params; i++) {
        char text[60];
        if (sim_entry_value(entry, i, text, sizeof(text))) {
            inputs->values[i] = sim_alloc(sizeof(text));
            memcpy(inputs->values[i], text, sizeof(text));
        }
        inputs->types[i] = sim_entry_type(entry, i);
        inputs->lengths[i] = i;
    }
    query->param_values = (const char *const *)inputs->values;
    query->param_types = inputs->types;
    query->param_lengths = inputs->lengths;
    query->param_formats = inputs->formats;
}

/* Overwritten too: it may have been on the caller's stack. */
void sim_inputs_finish(struct sim_inputs *inputs)
{
    free(inputs->sql);
    for (int i = 0; i < 4; i++)
        free(inputs->values[i]);
    memset(inputs, 0xEE, sizeof(*inputs));
}
