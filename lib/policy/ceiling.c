#include "policy/ceiling.h"

#include <assert.h>

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
    CLIMB_SURE = 1,
    FALL_SURE = 2,
};

/* Throughput gained over connections gained, each relative: 1 below the knee, 0 past it. */
static const double climb_gain = 0.3, more_gain = 0.3, less_gain = 0.15;
/* As good as 1, by what few requests tell. */
static const double far_gain = 0.7;
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
        .less_wait_us = TRIAL_WAIT_US};
    pqr__shortage_init(&ceiling->shortage);
}

uint32_t pqr__ceiling_limit(const struct pqr__ceiling *ceiling)
{
    return (uint32_t)pqr__shortage_within(&ceiling->shortage, ceiling->limit);
}

uint32_t pqr__ceiling_opens(const struct pqr__ceiling *ceiling)
{
    uint64_t most = ceiling->reason == PQR__CEILING_START ? UINT64_C(2) * ceiling->limit : ceiling->limit;
    most = pqr__shortage_within(&ceiling->shortage, most);
    return most < ceiling->max ? (uint32_t)most : ceiling->max;
}

bool pqr__ceiling_is_learning(const struct pqr__ceiling *ceiling)
{
    bool under_way = ceiling->reason == PQR__CEILING_CLIMBING ||
                     ceiling->reason == PQR__CEILING_TRYING_MORE ||
                     ceiling->reason == PQR__CEILING_TRYING_LESS;
    return ceiling->elapsed_us > 0 || ceiling->settling || (under_way && ceiling->slack_us < TRIAL_US);
}

enum pqr__ceiling_reason pqr__ceiling_reason(const struct pqr__ceiling *ceiling)
{
    if (pqr__ceiling_limit(ceiling) < ceiling->limit)
        return ceiling->shortage.failed ? PQR__CEILING_FAILED : PQR__CEILING_REFUSED;
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
    ceiling->less_wait_us = TRIAL_WAIT_US; /* what was tried below another limit says nothing of this one */
    ceiling->next_less_us = now_us;
    if (ceiling->next_more_us < now_us + ceiling->more_wait_us)
        ceiling->next_more_us = now_us + ceiling->more_wait_us;
}

/* What the measurement under way has shown so far. */
static struct pqr__ceiling_level measured(const struct pqr__ceiling *ceiling)
{
    return (struct pqr__ceiling_level){.limit = ceiling->limit,
        .served = (double)ceiling->served / (double)ceiling->elapsed_us * S,
        .counted = ceiling->served};
}

static void climb(struct pqr__ceiling *ceiling, const struct pqr__ceiling_level *level, uint64_t now_us)
{
    ceiling->base = *level;
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

/* The gain is so far from this one that chance is no explanation (the error of a rate is one over the root of what was
   counted). */
static bool is_clear(const struct pqr__ceiling_level *base, const struct pqr__ceiling_level *other,
    double from_gain, double errors)
{
    if (base->served <= 0 || base->counted == 0 || other->counted == 0)
        return false;
    double edge = 1 + from_gain * ((double)other->limit / base->limit - 1);
    double off = other->served / base->served - edge;
    double error2 = 1.0 / (double)base->counted + 1.0 / (double)other->counted;
    return off * off > errors * errors * error2;
}

/* Which trial's gain decides, or a negative number: none is under way. */
static double wanted_gain(const struct pqr__ceiling *ceiling)
{
    if (ceiling->reason == PQR__CEILING_TRYING_MORE)
        return more_gain;
    return ceiling->reason == PQR__CEILING_TRYING_LESS ? less_gain : -1;
}

/* A bad trial costs throughput as long as it lasts. */
static bool decided(const struct pqr__ceiling *ceiling)
{
    double turns = wanted_gain(ceiling);
    struct pqr__ceiling_level other = measured(ceiling);
    return turns >= 0 && other.counted >= CLIMB_LEAST && is_clear(&ceiling->base, &other, turns, SURE);
}

static void longer(uint64_t *wait_us)
{
    *wait_us = *wait_us * 2 > TRIAL_WAIT_MAX_US ? TRIAL_WAIT_MAX_US : *wait_us * 2;
}

/* Too little to go on from here. What was counted on the way up may be too little for more than that: then it stays,
   since to serve less than comes costs more, measures anew, and tries the limit that it came from. */
static void end_climb(struct pqr__ceiling *ceiling, double gained, uint64_t now_us)
{
    uint32_t from = ceiling->base.limit;
    bool unclear = !is_clear(&ceiling->base, &ceiling->other, keep_gain, FALL_SURE);
    hold(ceiling, gained < keep_gain && !unclear ? from : ceiling->limit, now_us);
    ceiling->doubted = unclear ? from : 0;
}

/* More adds: so may still more. Not twice as many, where it adds but a part of what it would far below the knee:
   doubling opens connections past it that are closed again. */
static void go_on(
    struct pqr__ceiling *ceiling, const struct pqr__ceiling_level *level, double gained, uint64_t now_us)
{
    if (gained >= far_gain || ceiling->limit == ceiling->max) {
        climb(ceiling, level, now_us);
        return;
    }
    ceiling->base = *level;
    ceiling->base_us = now_us;
    set(ceiling, (uint64_t)ceiling->limit + step_of(ceiling->limit), PQR__CEILING_TRYING_MORE);
}

static void judge_climb(struct pqr__ceiling *ceiling, const struct pqr__ceiling_level *level, uint64_t now_us)
{
    bool first = ceiling->base.limit == 0 || ceiling->base.limit >= ceiling->limit;
    double gained = first ? 1 : gain(&ceiling->base, level);
    ceiling->other = *level;
    if (!first && now_us - ceiling->base_us > STALE_US)
        hold(ceiling, ceiling->limit, now_us);
    else if (gained >= climb_gain)
        go_on(ceiling, level, gained, now_us);
    else
        end_climb(ceiling, gained, now_us);
}

static void judge_more(struct pqr__ceiling *ceiling, const struct pqr__ceiling_level *level, uint64_t now_us)
{
    ceiling->other = *level;
    double gained = gain(&ceiling->base, level);
    if (gained >= more_gain) {
        ceiling->more_wait_us = TRIAL_WAIT_US;
        go_on(ceiling, level, gained, now_us);
        return;
    }
    longer(&ceiling->more_wait_us);
    ceiling->next_more_us = now_us + ceiling->more_wait_us;
    set(ceiling, ceiling->base.limit, PQR__CEILING_KNEE);
}

static void judge_less(struct pqr__ceiling *ceiling, const struct pqr__ceiling_level *level, uint64_t now_us)
{
    ceiling->other = *level;
    if (gain(&ceiling->base, level) <= less_gain) {
        ceiling->less_wait_us = TRIAL_WAIT_US;
        ceiling->base = *level;
        ceiling->next_less_us = now_us;
        set(ceiling, ceiling->limit, PQR__CEILING_KNEE);
        return;
    }
    longer(&ceiling->less_wait_us);
    ceiling->next_less_us = now_us + ceiling->less_wait_us;
    set(ceiling, ceiling->base.limit, PQR__CEILING_KNEE);
}

static void try_less(struct pqr__ceiling *ceiling)
{
    bool doubted = ceiling->doubted > 0 && ceiling->doubted < ceiling->limit;
    uint32_t less = doubted ? ceiling->doubted : ceiling->limit - step_of(ceiling->limit);
    ceiling->doubted = 0;
    set(ceiling, less, PQR__CEILING_TRYING_LESS);
}

/* Measured where it holds: what the next trial is compared with, and which that is. */
static void judge_hold(struct pqr__ceiling *ceiling, const struct pqr__ceiling_level *level, uint64_t now_us)
{
    struct pqr__ceiling_level *base = &ceiling->base;
    bool same = base->limit == ceiling->limit && level->served < base->served * (1 + changed) &&
                level->served > base->served * (1 - changed);
    if (base->limit == ceiling->limit && !same) {
        ceiling->more_wait_us = ceiling->less_wait_us = TRIAL_WAIT_US;
        climb(ceiling, level, now_us);
        return;
    }
    double before = same ? base->served : level->served;
    *base = *level;
    base->served = (before + level->served) / 2;
    if (now_us >= ceiling->next_less_us && ceiling->limit > 1)
        try_less(ceiling);
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
    struct pqr__ceiling_level level = measured(ceiling);
    uint64_t least = climbing(ceiling) ? CLIMB_LEAST : TRIAL_LEAST;
    bool few = level.counted < least && !decided(ceiling);
    if (few && (climbing(ceiling) || level.counted < ceiling->limit))
        judge_blind(ceiling);
    else if (climbing(ceiling))
        judge_climb(ceiling, &level, now_us);
    else if (few) /* too slow for small differences to show: it stays as it is */
        set(ceiling, ceiling->reason == PQR__CEILING_KNEE ? ceiling->limit : ceiling->base.limit,
            PQR__CEILING_KNEE);
    else if (ceiling->reason == PQR__CEILING_TRYING_MORE)
        judge_more(ceiling, &level, now_us);
    else if (ceiling->reason == PQR__CEILING_TRYING_LESS)
        judge_less(ceiling, &level, now_us);
    else
        judge_hold(ceiling, &level, now_us);
}

/* Between four and eight a step of one is less than a quarter: half the gain to be seen takes four times as many. */
static uint64_t enough_for_a_step(uint64_t limit)
{
    return limit <= 4 || limit >= 8 ? TRIAL_ENOUGH : TRIAL_ENOUGH * limit * limit / 16;
}

static uint64_t enough_of(const struct pqr__ceiling *ceiling)
{
    uint64_t enough = climbing(ceiling) ? CLIMB_ENOUGH : enough_for_a_step(ceiling->limit);
    if (ceiling->reason == PQR__CEILING_START) /* there is nothing to compare it with: it climbs anyway */
        return ceiling->limit > CLIMB_LEAST ? ceiling->limit : CLIMB_LEAST;
    return enough > UINT64_C(4) * ceiling->limit ? enough : UINT64_C(4) * ceiling->limit;
}

/* Enough was counted for a verdict, or it is time for one. */
static bool is_due(const struct pqr__ceiling *ceiling)
{
    uint64_t enough = enough_of(ceiling);
    if (ceiling->elapsed_us == 0)
        return false;
    if (ceiling->elapsed_us >= (climbing(ceiling) ? CLIMB_US : TRIAL_US))
        return true;
    if (ceiling->reason != PQR__CEILING_CLIMBING)
        return ceiling->served >= enough || decided(ceiling);
    struct pqr__ceiling_level level = measured(ceiling);
    return ceiling->served >= enough && is_clear(&ceiling->base, &level, climb_gain, CLIMB_SURE);
}

/* --- samples --- */

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
    /* By those whom it does not keep out: then it is not the limit that throughput follows from. */
    bool passed = sample->busy_us > ((uint64_t)limit + sample->beyond) * sample->elapsed_us;
    ceiling->waited = sample->waiting;
    if (full)
        pqr__shortage_creep(&ceiling->shortage, ceiling->max, sample->now_us);
    if (!full || passed || limit != ceiling->limit) {
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
    if (is_due(ceiling))
        judge(ceiling, sample->now_us);
}

void pqr__ceiling_refused(struct pqr__ceiling *ceiling, const char *sqlstate, uint32_t open, uint64_t now_us)
{
    pqr__shortage_refused(&ceiling->shortage, sqlstate, open, ceiling->max, now_us);
}

void pqr__ceiling_connected(struct pqr__ceiling *ceiling, uint32_t open)
{
    pqr__shortage_connected(&ceiling->shortage, open);
}
