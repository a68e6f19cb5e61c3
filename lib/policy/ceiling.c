#include "policy/ceiling.h"

#include <assert.h>
#include <string.h>

enum {
    MS = 1000,
    S = 1000 * MS,
    CLIMB_ENOUGH = 32,   /* requests served, for a doubling to be judged */
    TRIAL_ENOUGH = 1500, /* for a quarter: 1/sqrt of it is the error of the rate */
    TRIAL_LEAST = 150,   /* fewer than that say nothing */
    CLIMB_LEAST = 8,
    CLIMB_US = 200 * MS, /* it is judged after that time at the latest */
    TRIAL_US = 3 * S,
    STALE_US = 5 * S, /* nothing is compared with what is older */
    TRIAL_WAIT_US = 1 * S,
    TRIAL_WAIT_MAX_US = 60 * S,
    SURE = 3, /* standard errors */
    REFUSED_WAIT_US = 250 * MS,
    REFUSED_WAIT_MAX_US = 15 * S,
};

/* Throughput gained over connections gained, each relative: 1 below the knee, 0 past it. */
static const double climb_gain = 0.3, more_gain = 0.3, less_gain = 0.15;
/* A doubling that gains too little to go on from there may still be worth keeping, until less is tried. */
static const double keep_gain = 0.05;
/* Part of the connections that must be in use for a measurement to count. */
static const double used_up = 0.95;
/* Throughput at the same limit changed so much: another load or another server, what was learned is old. */
static const double changed = 0.35;

static const char *const texts[] = {
#define XX(name, text) text,
    PQR__CEILING_MAP(XX)
#undef XX
};

const char *pqr__ceiling_text(enum pqr__ceiling_reason reason)
{
    assert((unsigned)reason < PQR__CEILING_REASONS);
    return texts[reason];
}

void pqr__ceiling_init(struct pqr__ceiling *ceiling, uint32_t start, uint32_t max, uint64_t now_us)
{
    assert(start > 0 && max > 0);
    *ceiling = (struct pqr__ceiling){.max = max,
        .limit = start < max ? start : max,
        .next_more_us = now_us,
        .next_less_us = now_us,
        .more_wait_us = TRIAL_WAIT_US,
        .less_wait_us = TRIAL_WAIT_US,
        .refused_wait_us = REFUSED_WAIT_US};
}

uint32_t pqr__ceiling_limit(const struct pqr__ceiling *ceiling)
{
    if (ceiling->refused_at && ceiling->refused_at < ceiling->limit)
        return ceiling->refused_at;
    return ceiling->limit;
}

enum pqr__ceiling_reason pqr__ceiling_reason(const struct pqr__ceiling *ceiling)
{
    if (ceiling->refused_at && ceiling->refused_at < ceiling->limit)
        return ceiling->failed ? PQR__CEILING_FAILED : PQR__CEILING_REFUSED;
    if (ceiling->limit == ceiling->max)
        return PQR__CEILING_MAX;
    return ceiling->reason;
}

/* --- moving --- */

static void forget(struct pqr__ceiling *ceiling)
{
    ceiling->elapsed_us = ceiling->served = ceiling->busy_us = 0;
}

static void set(struct pqr__ceiling *ceiling, uint64_t limit, enum pqr__ceiling_reason reason)
{
    forget(ceiling);
    if (limit > ceiling->max)
        limit = ceiling->max;
    if (limit != ceiling->limit)
        ceiling->settling = true;
    ceiling->limit = limit ? (uint32_t)limit : 1;
    ceiling->reason = reason;
}

static void hold(struct pqr__ceiling *ceiling, uint32_t limit, uint64_t now_us)
{
    set(ceiling, limit, PQR__CEILING_KNEE);
    if (ceiling->next_less_us < now_us)
        ceiling->next_less_us = now_us;
    if (ceiling->next_more_us < now_us + ceiling->more_wait_us)
        ceiling->next_more_us = now_us + ceiling->more_wait_us;
}

static void climb(struct pqr__ceiling *ceiling, double served, uint64_t now_us)
{
    ceiling->base = (struct pqr__ceiling_level){.limit = ceiling->limit, .served = served};
    ceiling->base_us = now_us;
    if (ceiling->limit == ceiling->max)
        hold(ceiling, ceiling->limit, now_us);
    else
        set(ceiling, UINT64_C(2) * ceiling->limit, PQR__CEILING_CLIMBING);
}

static uint32_t step_of(uint32_t limit)
{
    return limit < 8 ? 1 : limit / 4;
}

static double gain(const struct pqr__ceiling_level *base, const struct pqr__ceiling_level *other)
{
    double connections = (double)other->limit / base->limit - 1;
    return base->served > 0 ? (other->served / base->served - 1) / connections : 1;
}

/* --- judging --- */

/* Which trial's gain decides, or a negative number: none is under way. */
static double wanted_gain(const struct pqr__ceiling *ceiling)
{
    if (ceiling->reason == PQR__CEILING_TRYING_MORE)
        return more_gain;
    return ceiling->reason == PQR__CEILING_TRYING_LESS ? less_gain : -1;
}

/* Already so far from where the verdict turns that chance is no explanation (the error of a rate is one over the
   root of what was counted): a bad trial costs throughput as long as it lasts. */
static bool decided(const struct pqr__ceiling *ceiling)
{
    const struct pqr__ceiling_level *base = &ceiling->base;
    double turns = wanted_gain(ceiling);
    if (turns < 0 || ceiling->served < CLIMB_LEAST || base->served <= 0)
        return false;
    double served = (double)ceiling->served / (double)ceiling->elapsed_us * S / base->served;
    double edge = 1 + turns * ((double)ceiling->limit / base->limit - 1);
    double error2 = 1.0 / (double)ceiling->served + 1.0 / TRIAL_ENOUGH;
    return (served - edge) * (served - edge) > SURE * SURE * error2;
}

static void longer(uint64_t *wait_us)
{
    *wait_us = *wait_us * 2 > TRIAL_WAIT_MAX_US ? TRIAL_WAIT_MAX_US : *wait_us * 2;
}

static void judge_climb(struct pqr__ceiling *ceiling, double served, uint64_t now_us)
{
    bool first = ceiling->base.limit == 0 || ceiling->base.limit >= ceiling->limit;
    ceiling->other = (struct pqr__ceiling_level){.limit = ceiling->limit, .served = served};
    double gained = first ? 1 : gain(&ceiling->base, &ceiling->other);
    bool stale = !first && now_us - ceiling->base_us > STALE_US;
    if (gained >= climb_gain && !stale)
        climb(ceiling, served, now_us);
    else
        hold(ceiling, gained >= keep_gain || stale ? ceiling->limit : ceiling->base.limit, now_us);
}

static void judge_more(struct pqr__ceiling *ceiling, double served, uint64_t now_us)
{
    ceiling->other = (struct pqr__ceiling_level){.limit = ceiling->limit, .served = served};
    if (gain(&ceiling->base, &ceiling->other) >= more_gain) {
        ceiling->more_wait_us = TRIAL_WAIT_US;
        climb(ceiling, served, now_us);
        return;
    }
    longer(&ceiling->more_wait_us);
    ceiling->next_more_us = now_us + ceiling->more_wait_us;
    set(ceiling, ceiling->base.limit, PQR__CEILING_KNEE);
}

static void judge_less(struct pqr__ceiling *ceiling, double served, uint64_t now_us)
{
    ceiling->other = (struct pqr__ceiling_level){.limit = ceiling->limit, .served = served};
    if (gain(&ceiling->base, &ceiling->other) <= less_gain) {
        ceiling->less_wait_us = TRIAL_WAIT_US;
        ceiling->base = ceiling->other;
        ceiling->next_less_us = now_us;
        set(ceiling, ceiling->limit, PQR__CEILING_KNEE);
        return;
    }
    longer(&ceiling->less_wait_us);
    ceiling->next_less_us = now_us + ceiling->less_wait_us;
    set(ceiling, ceiling->base.limit, PQR__CEILING_KNEE);
}

/* Measured where it holds: what the next trial is compared with, and which that is. */
static void judge_hold(struct pqr__ceiling *ceiling, double served, uint64_t now_us)
{
    struct pqr__ceiling_level *base = &ceiling->base;
    bool same = base->limit == ceiling->limit && served < base->served * (1 + changed) &&
                served > base->served * (1 - changed);
    if (base->limit == ceiling->limit && !same) {
        ceiling->more_wait_us = ceiling->less_wait_us = TRIAL_WAIT_US;
        climb(ceiling, served, now_us);
        return;
    }
    *base = (struct pqr__ceiling_level){
        .limit = ceiling->limit, .served = same ? (base->served + served) / 2 : served};
    if (now_us >= ceiling->next_less_us && ceiling->limit > 1)
        set(ceiling, ceiling->limit - step_of(ceiling->limit), PQR__CEILING_TRYING_LESS);
    else if (now_us >= ceiling->next_more_us && ceiling->limit < ceiling->max)
        set(ceiling, (uint64_t)ceiling->limit + step_of(ceiling->limit), PQR__CEILING_TRYING_MORE);
    else
        forget(ceiling);
}

/* All connections are taken, and hardly anything ends: they wait for something else than the server's work. */
static void judge_blind(struct pqr__ceiling *ceiling)
{
    ceiling->base.limit = 0;
    set(ceiling, (uint64_t)ceiling->limit + step_of(ceiling->limit), PQR__CEILING_UNCLEAR);
}

static bool climbing(const struct pqr__ceiling *ceiling)
{
    return ceiling->reason == PQR__CEILING_START || ceiling->reason == PQR__CEILING_CLIMBING ||
           ceiling->reason == PQR__CEILING_UNCLEAR;
}

static void judge(struct pqr__ceiling *ceiling, uint64_t now_us)
{
    double served = (double)ceiling->served / (double)ceiling->elapsed_us * S;
    uint64_t least = climbing(ceiling) ? CLIMB_LEAST : TRIAL_LEAST;
    if (ceiling->served < least && (climbing(ceiling) || ceiling->served < ceiling->limit))
        judge_blind(ceiling);
    else if (climbing(ceiling))
        judge_climb(ceiling, served, now_us);
    else if (ceiling->served < least &&
             !decided(ceiling)) /* too slow for small differences to show: it stays as it is */
        set(ceiling, ceiling->reason == PQR__CEILING_KNEE ? ceiling->limit : ceiling->base.limit,
            PQR__CEILING_KNEE);
    else if (ceiling->reason == PQR__CEILING_TRYING_MORE)
        judge_more(ceiling, served, now_us);
    else if (ceiling->reason == PQR__CEILING_TRYING_LESS)
        judge_less(ceiling, served, now_us);
    else
        judge_hold(ceiling, served, now_us);
}

/* --- samples --- */

static void creep(struct pqr__ceiling *ceiling, uint64_t now_us)
{
    if (!ceiling->refused_at || now_us - ceiling->refused_us < ceiling->refused_wait_us)
        return;
    ceiling->refused_us = now_us;
    ceiling->refused_at++;
    if (ceiling->refused_at >= ceiling->max) {
        ceiling->refused_at = 0;
        ceiling->refused_wait_us = REFUSED_WAIT_US;
    }
}

/* A trial that nobody needs any longer ends where it began. */
static void not_full(struct pqr__ceiling *ceiling, uint64_t elapsed_us)
{
    bool trying = ceiling->reason == PQR__CEILING_TRYING_MORE || ceiling->reason == PQR__CEILING_TRYING_LESS;
    forget(ceiling);
    ceiling->slack_us += elapsed_us;
    if (trying && ceiling->slack_us >= TRIAL_US)
        set(ceiling, ceiling->base.limit, PQR__CEILING_KNEE);
}

void pqr__ceiling_note(struct pqr__ceiling *ceiling, const struct pqr__ceiling_sample *sample)
{
    uint32_t limit = pqr__ceiling_limit(ceiling);
    bool full = sample->waiting && ceiling->waited &&
                (double)sample->busy_us >= used_up * limit * (double)sample->elapsed_us;
    ceiling->waited = sample->waiting;
    if (full)
        creep(ceiling, sample->now_us);
    if (!full || limit != ceiling->limit) {
        not_full(ceiling, sample->elapsed_us);
        return;
    }
    ceiling->slack_us = 0;
    if (ceiling->settling) { /* one service time, or one sample, is not counted */
        ceiling->settling = false;
        return;
    }
    ceiling->elapsed_us += sample->elapsed_us;
    ceiling->served += sample->served;
    ceiling->busy_us += sample->busy_us;
    uint64_t enough = climbing(ceiling) ? CLIMB_ENOUGH : TRIAL_ENOUGH;
    uint64_t latest_us = climbing(ceiling) ? CLIMB_US : TRIAL_US;
    if (enough < UINT64_C(4) * limit)
        enough = UINT64_C(4) * limit;
    if (ceiling->elapsed_us == 0)
        return;
    if (ceiling->served >= enough || ceiling->elapsed_us >= latest_us || decided(ceiling))
        judge(ceiling, sample->now_us);
}

static bool is_of_class(const char *sqlstate, const char *class)
{
    return strncmp(sqlstate, class, 2) == 0;
}

void pqr__ceiling_refused(struct pqr__ceiling *ceiling, const char *sqlstate, uint32_t open, uint64_t now_us)
{
    bool full = is_of_class(sqlstate, "53"); /* insufficient resources */
    bool trouble = *sqlstate == '\0' || is_of_class(sqlstate, "08") || strcmp(sqlstate, "57P03") == 0;
    if (open == 0 || (!full && !trouble)) /* it takes nobody: that tells nothing of how many it would */
        return;
    if (full && ceiling->refused_at > open) /* it had crept too far */
        ceiling->refused_wait_us = ceiling->refused_wait_us * 2 > REFUSED_WAIT_MAX_US
                                       ? REFUSED_WAIT_MAX_US
                                       : ceiling->refused_wait_us * 2;
    ceiling->refused_at = open < ceiling->max ? open : ceiling->max;
    ceiling->refused_us = now_us;
    ceiling->failed = !full;
}

void pqr__ceiling_connected(struct pqr__ceiling *ceiling, uint32_t open)
{
    if (!ceiling->refused_at || open <= ceiling->refused_at)
        return;
    ceiling->refused_at = 0;
    ceiling->refused_wait_us = REFUSED_WAIT_US;
}
