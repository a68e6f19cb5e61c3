#include "policy/breadth.h"

#include <assert.h>
#include <string.h>

enum {
    MS = 1000,
    MOMENTS = 16,           /* of a trial, at least: what else happens on the machine hits both sides alike */
    ENOUGH = 3000,          /* requests of a trial, at least */
    LONGEST_US = 3000 * MS, /* of one: where so few end nothing is learned */
    WAIT_US = 500 * MS,
    LARGEST_PART = 2, /* a half of the connections are tried first, after a failure less */
    LEAST_PART = 8,
    WAIT_MAX_US = 30000 * MS,
};

/* Of a sample, in the smoothed share of crowded time; more than half of it is crowded. */
static const double weight = 0.25, is_crowded = 0.5;
/* Part of the connections that are at work then: what comes back goes out again nearly at once. */
static const double at_work = 0.5;
/* Requests that end with a trial in force over those without: chance alone is not to lead far. */
static const double worth = 1.03;

void pqr__breadth_init(struct pqr__breadth *breadth)
{
    *breadth =
        (struct pqr__breadth){.limit = UINT32_MAX, .usable = 1, .parts = LARGEST_PART, .wait_us = WAIT_US};
}

uint32_t pqr__breadth_limit(const struct pqr__breadth *breadth)
{
    if (breadth->crowded < is_crowded)
        return UINT32_MAX;
    return breadth->in_trial ? breadth->trial : breadth->limit;
}

static void stop(struct pqr__breadth *breadth)
{
    breadth->trial = 0;
    breadth->in_trial = false;
}

static uint32_t in_use(const struct pqr__breadth *breadth)
{
    return breadth->limit < breadth->usable ? breadth->limit : breadth->usable;
}

/* Where there is nothing to try in one direction it is the other's turn. */
static void begin(struct pqr__breadth *breadth)
{
    uint32_t limit = in_use(breadth), step = limit / breadth->parts;
    if (breadth->usable == 1)
        return;
    step = step > 0 ? step : 1;
    if (limit == breadth->usable || limit == 1)
        breadth->widens = limit == 1;
    breadth->trial = breadth->widens ? limit + step : limit - step;
    breadth->moments = 0;
    memset(breadth->served, 0, sizeof(breadth->served));
    memset(breadth->elapsed_us, 0, sizeof(breadth->elapsed_us));
}

static void fail(struct pqr__breadth *breadth, uint64_t now_us)
{
    breadth->widens = !breadth->widens;
    breadth->parts = breadth->parts < LEAST_PART ? 2 * breadth->parts : LARGEST_PART;
    breadth->next_us = now_us + breadth->wait_us;
    breadth->wait_us = 2 * breadth->wait_us < WAIT_MAX_US ? 2 * breadth->wait_us : WAIT_MAX_US;
    stop(breadth);
}

static void judge(struct pqr__breadth *breadth, uint64_t now_us)
{
    double with = (double)breadth->served[true] / (double)breadth->elapsed_us[true];
    double without = (double)breadth->served[false] / (double)breadth->elapsed_us[false];
    if (with < worth * without) {
        fail(breadth, now_us);
        return;
    }
    breadth->limit = breadth->trial < breadth->usable ? breadth->trial : UINT32_MAX;
    breadth->wait_us = WAIT_US;
    stop(breadth);
}

static void advance(struct pqr__breadth *breadth, const struct pqr__breadth_sample *sample)
{
    breadth->served[breadth->in_trial] += sample->served;
    breadth->elapsed_us[breadth->in_trial] += sample->elapsed_us;
    breadth->in_trial = !breadth->in_trial;
    breadth->moments++;
    if (breadth->moments < MOMENTS || breadth->moments % 2)
        return;
    if (breadth->served[false] + breadth->served[true] >= ENOUGH)
        judge(breadth, sample->now_us);
    else if (breadth->elapsed_us[false] + breadth->elapsed_us[true] >= LONGEST_US)
        fail(breadth, sample->now_us);
}

void pqr__breadth_note(struct pqr__breadth *breadth, const struct pqr__breadth_sample *sample)
{
    assert(sample->usable > 0);
    bool crowded = sample->behind && sample->at_work >= at_work;
    breadth->crowded += weight * ((crowded ? 1 : 0) - breadth->crowded);
    if (breadth->usable != sample->usable || breadth->crowded < is_crowded)
        stop(breadth);
    breadth->usable = sample->usable;
    if (breadth->crowded < is_crowded || sample->elapsed_us == 0)
        return;
    if (breadth->trial > 0)
        advance(breadth, sample);
    else if (sample->now_us >= breadth->next_us)
        begin(breadth);
}
