/* A flight and what it points to belong to the sender, and stay as they are from send to settled. The transport of
   libpq may look at them at any time in between: what it can't send at once it sends later. */
#include <string.h>

#include "checks.h"

static uint64_t sum(uint64_t state, const void *bytes, size_t size)
{
    for (const unsigned char *byte = bytes; size > 0; byte++, size--)
        state = (state ^ *byte) * UINT64_C(0x100000001B3); /* FNV-1a */
    return state;
}

static uint64_t sum_of_values(uint64_t state, const struct pqr__item *item)
{
    for (int i = 0; item->param_values && i < item->n_params; i++) {
        const char *value = item->param_values[i];
        state = value ? sum(state, value, strlen(value)) : sum(state, "", 1);
    }
    return item->param_types ? sum(state, item->param_types, (size_t)item->n_params * sizeof(Oid)) : state;
}

static uint64_t sum_of(const struct pqr__flight *flight)
{
    uint64_t state = UINT64_C(0xCBF29CE484222325);
    for (const struct pqr__item *item = flight->items; item; item = item->next)
        state = sum_of_values(sum(state, item->sql, strlen(item->sql)), item);
    return state;
}

void sim_check_memory_sent(struct sim_checks *checks, const struct pqr__flight *flight)
{
    if (checks->n_in_air == SIM_MAX_IN_AIR)
        sim_fail(checks->world, "memory: more flights are in the air than the checks have room for");
    checks->in_air[checks->n_in_air].flight = flight;
    checks->in_air[checks->n_in_air++].sum = sum_of(flight);
}

void sim_check_memory_settled(struct sim_checks *checks, const struct pqr__flight *flight)
{
    unsigned at = 0;
    while (at < checks->n_in_air && checks->in_air[at].flight != flight)
        at++;
    if (at == checks->n_in_air)
        sim_fail(checks->world, "memory: a flight is settled that was not sent");
    if (checks->in_air[at].sum != sum_of(flight))
        sim_fail(
            checks->world, "memory: a flight was changed while it was in the air: %s", flight->items->sql);
    checks->in_air[at] = checks->in_air[--checks->n_in_air];
}
