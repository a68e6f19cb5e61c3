#include "policy/resizer.h"

#include <assert.h>

/* Of the smoothed rates: long enough for a steady number, short beside any window. */
enum { SMOOTHING_US = 1000000 };
/* Below it a rate counts as none. */
static const double least_rate = 0.01;

static const char *const texts[] = {
#define XX(name, text) text,
    PQR__WANTED_MAP(XX)
#undef XX
};

const char *pqr__wanted_text(enum pqr__wanted_reason reason)
{
    assert((unsigned)reason < PQR__WANTED_REASONS);
    return texts[reason];
}

void pqr__resizer_init(
    struct pqr__resizer *resizer, uint64_t window_us, uint32_t utilisation, uint64_t now_us)
{
    assert(window_us >= PQR__RESIZER_PARTS && utilisation > 0);
    *resizer = (struct pqr__resizer){.window_us = window_us,
        .utilisation = utilisation,
        .last_us = now_us,
        .last_shrink_us = now_us,
        .part = now_us / (window_us / PQR__RESIZER_PARTS)};
}

double pqr__resizer_service_us(const struct pqr__resizer *resizer)
{
    return resizer->served < least_rate ? 0 : resizer->busy / resizer->served * 1e6;
}

/* --- the window --- */

/* Parts that have gone by since are empty. */
static void turn(struct pqr__resizer *resizer, uint64_t now_us)
{
    uint64_t part = now_us / (resizer->window_us / PQR__RESIZER_PARTS);
    for (unsigned n = 0; resizer->part < part && n < PQR__RESIZER_PARTS; n++) {
        resizer->part++;
        resizer->load[resizer->part % PQR__RESIZER_PARTS] = 0;
        resizer->peak[resizer->part % PQR__RESIZER_PARTS] = 0;
    }
    if (resizer->part < part) { /* all of them */
        resizer->part = part;
        resizer->load[part % PQR__RESIZER_PARTS] = resizer->peak[part % PQR__RESIZER_PARTS] = 0;
    }
}

static uint32_t most(const uint32_t *parts)
{
    uint32_t found = 0;
    for (unsigned i = 0; i < PQR__RESIZER_PARTS; i++)
        found = parts[i] > found ? parts[i] : found;
    return found;
}

/* --- a sample --- */

static void blend(double *rate, double amount, double elapsed_us)
{
    double weight = elapsed_us / (SMOOTHING_US + elapsed_us);
    *rate += weight * (amount / elapsed_us * 1e6 - *rate);
}

static uint32_t needed(const struct pqr__resizer *resizer)
{
    double load = resizer->arrivals * pqr__resizer_service_us(resizer) / 1e6;
    double connections = load * 100 / resizer->utilisation;
    if (connections < least_rate)
        return 0;
    return connections > 1e6 ? 1000000 : (uint32_t)connections + 1;
}

void pqr__resizer_note(struct pqr__resizer *resizer, const struct pqr__load_sample *sample)
{
    if (sample->now_us > resizer->last_us) {
        double elapsed_us = (double)(sample->now_us - resizer->last_us);
        double arrived = (double)sample->started + (double)sample->waiting - (double)resizer->last_waiting;
        blend(&resizer->arrivals, arrived > 0 ? arrived : 0, elapsed_us);
        blend(&resizer->served, (double)sample->served, elapsed_us);
        blend(&resizer->busy, (double)sample->busy_us / 1e6, elapsed_us);
        resizer->last_us = sample->now_us;
        resizer->last_waiting = sample->waiting;
    }
    turn(resizer, sample->now_us);
    uint32_t *load = &resizer->load[resizer->part % PQR__RESIZER_PARTS];
    uint32_t *peak = &resizer->peak[resizer->part % PQR__RESIZER_PARTS];
    uint32_t now = needed(resizer);
    *load = now > *load ? now : *load;
    *peak = sample->peak > *peak ? sample->peak : *peak;
    uint32_t by_load = most(resizer->load), by_peak = most(resizer->peak);
    resizer->by_load = by_load;
    resizer->wanted = by_load > by_peak ? by_load : by_peak;
    resizer->reason = resizer->wanted == 0 ? PQR__WANTED_START
                      : by_load > by_peak  ? PQR__WANTED_LOAD
                                           : PQR__WANTED_PEAK;
}

/* --- shrinking --- */

bool pqr__resizer_shrinks(
    struct pqr__resizer *resizer, uint32_t open, uint32_t floor, uint32_t cap, uint64_t now_us)
{
    uint32_t wanted = resizer->wanted < cap ? resizer->wanted : cap;
    uint32_t target = wanted > floor ? wanted : floor;
    uint32_t slack = wanted > floor ? 1 + wanted / 8 : 0;
    if (open <= target + slack)
        return false;
    uint32_t surplus = open - target;
    if (now_us - resizer->last_shrink_us < resizer->window_us / 4 / surplus)
        return false;
    resizer->last_shrink_us = now_us;
    return true;
}

/* --- growing for who waits --- */

static uint32_t for_who_waits(const struct pqr__demand *demand)
{
    if (demand->waiting == 0)
        return 0;
    if (demand->in_use == 0 || demand->service_us <= 0 || demand->connect_us == 0)
        return demand->waiting; /* nothing is known, or nothing would come free */
    double connect_us = (double)demand->connect_us;
    double served = demand->in_use * connect_us / demand->service_us;
    double left = demand->waiting + demand->arrivals * connect_us / 1e6 - served;
    if (left <= 0)
        return 0;
    /* What is left then is to be gone in a few connect times more, beside what goes on arriving. Where those in use
       see to that, each connect would but take its part of the server's work from them. */
    double horizon_us = 4 * connect_us > 2 * demand->service_us ? 4 * connect_us : 2 * demand->service_us;
    double needed = (demand->arrivals / 1e6 + left / horizon_us) * demand->service_us;
    if (needed <= demand->in_use)
        return 0;
    double worth = needed - demand->in_use;
    return worth >= demand->waiting ? demand->waiting : (uint32_t)worth + 1;
}

/* Hardly one is left for who comes next, and of what is likely to come there are too few. By the time that the rate is
   sure a queue would stand, and each connect then takes of the work that is to end it. For the same reason no longer
   where one stands already: there what is sure decides. */
static uint32_t for_a_rush(const struct pqr__demand *demand)
{
    bool stands = demand->waiting > demand->in_use + demand->in_use / 2;
    double lacking = demand->likely * demand->service_us / 1e6 - demand->in_use - demand->idle;
    return demand->idle > 1 || stands || lacking <= 0 ? 0 : (uint32_t)lacking + 1;
}

uint32_t pqr__resizer_connects(const struct pqr__demand *demand)
{
    uint32_t now = for_who_waits(demand), soon = for_a_rush(demand);
    return now > soon ? now : soon;
}
