/* Run again without asking: what was never sent, what the server refused before running it, and harmless reads of
 * which nothing was shown. Everything else is told as it is.
 */
#include "policy/settle.h"

#include <string.h>

/* What an ERROR confirmed by ReadyForQuery means for a statement that was sent alone. */
enum verdict {
    AS_REPORTED,
    READ_ONLY,    /* nothing ran: the server takes no writes */
    NO_STANDBY,   /* refused on a standby only */
    CONFLICT,     /* rolled back, may do better again */
    NOT_THERE_YET /* perhaps a replica that has not replayed the DDL */
};

static enum verdict verdict_of(const char *sqlstate)
{
    static const struct {
        char sqlstate[6];
        enum verdict verdict;
    } table[] = {
        {"25006", READ_ONLY},
        {"0A000", NO_STANDBY},    /* serializable by default, and features a standby lacks */
        {"55000", NO_STANDBY},    /* "recovery is in progress": functions that refuse a standby themselves */
        {"40001", CONFLICT},      /* also a conflict with recovery */
        {"40P01", CONFLICT},      /* deadlock */
        {"42P01", NOT_THERE_YET}, /* table */
        {"42703", NOT_THERE_YET}, /* column */
        {"42704", NOT_THERE_YET}, /* object */
        {"42883", NOT_THERE_YET}, /* function */
        {"3F000", NOT_THERE_YET}, /* schema */
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].sqlstate, sqlstate) == 0)
            return table[i].verdict;
    return AS_REPORTED;
}

pqr_status pqr__cause_status(enum pqr__cause cause)
{
    static const pqr_status statuses[] = {
        [PQR__CAUSE_NONE] = PQR_STATUS_LOST,
        [PQR__CAUSE_CANCEL] = PQR_STATUS_CANCELLED,
        [PQR__CAUSE_DEADLINE] = PQR_STATUS_TIMEOUT,
        [PQR__CAUSE_CLOSE] = PQR_STATUS_CLOSED,
    };
    return statuses[cause];
}

/* An error leaves nothing behind. */
static bool rolls_back_whole(enum pqr__effect effect)
{
    return effect == PQR__EFFECT_READ || effect == PQR__EFFECT_WRITE;
}

static struct pqr__decision finish(pqr_status status, pqr_outcome outcome)
{
    return (struct pqr__decision){.status = status, .outcome = outcome};
}

static struct pqr__decision elsewhere(pqr_status status, pqr_outcome outcome)
{
    return (struct pqr__decision){.again = true, .avoid = true, .status = status, .outcome = outcome};
}

/* What only its neighbours brought upon it. */
static struct pqr__decision apart(pqr_status status, pqr_outcome outcome)
{
    return (struct pqr__decision){.again = true, .alone = true, .status = status, .outcome = outcome};
}

static struct pqr__decision settle_lost(const struct pqr__facts *facts)
{
    pqr_outcome outcome = facts->sent ? PQR_OUTCOME_UNKNOWN : PQR_OUTCOME_NOT_EXECUTED;
    pqr_status status = pqr__cause_status(facts->cause);
    if (facts->cause == PQR__CAUSE_NONE && !facts->sent)
        status = PQR_STATUS_UNAVAILABLE;
    /* Of those that shared, which one is not known; those behind it are not to blame. */
    bool blameless = facts->shared || (facts->behind && facts->effect == PQR__EFFECT_READ);
    if (facts->cut_off && facts->cause == PQR__CAUSE_NONE)
        return blameless ? apart(status, outcome) : finish(status, outcome);
    bool repeatable = !facts->sent || facts->effect == PQR__EFFECT_READ || facts->vouched;
    struct pqr__decision decision =
        facts->cause == PQR__CAUSE_NONE && repeatable ? elsewhere(status, outcome) : finish(status, outcome);
    decision.probe = facts->cause == PQR__CAUSE_NONE;
    /* Closed, as like as not, because a neighbour was to end and did not. */
    decision.alone = decision.again && facts->cancel_near && facts->effect == PQR__EFFECT_READ;
    return decision;
}

/* A neighbour failed: it did not run, whatever became of the connection afterwards. */
static struct pqr__decision settle_aborted(const struct pqr__facts *facts)
{
    struct pqr__decision decision = apart(pqr__cause_status(facts->cause), PQR_OUTCOME_NOT_EXECUTED);
    decision.avoid = decision.probe = facts->lost && facts->cause == PQR__CAUSE_NONE;
    return decision;
}

/* Nothing ran, and by its text it can't happen again, on whichever connection. */
static struct pqr__decision settle_stale(const struct pqr__facts *facts)
{
    struct pqr__decision decision = finish(PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED);
    decision.again = decision.by_text = true;
    decision.avoid = decision.probe = facts->lost;
    return decision;
}

static struct pqr__decision to_primary(bool misroute)
{
    struct pqr__decision decision = elsewhere(PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED);
    decision.to_primary = true;
    decision.misroute = misroute;
    return decision;
}

/* The server's own error, taken as the answer. */
static struct pqr__decision as_reported(const struct pqr__facts *facts)
{
    /* A text the server could not parse never ran, whatever we took it for. */
    bool unparsed = facts->effect == PQR__EFFECT_UNKNOWN && strcmp(facts->sqlstate, "42601") == 0;
    return finish(PQR_STATUS_SQL_ERROR,
        rolls_back_whole(facts->effect) || unparsed ? PQR_OUTCOME_EXECUTED : PQR_OUTCOME_UNKNOWN);
}

static struct pqr__decision settle_read_only(const struct pqr__facts *facts)
{
    if (facts->on_replica && facts->in_recovery)
        return to_primary(facts->effect == PQR__EFFECT_READ);
    struct pqr__decision decision = as_reported(facts);
    if (facts->in_recovery && rolls_back_whole(facts->effect))
        decision = to_primary(false);
    decision.probe = facts->in_recovery;
    return decision;
}

/* An error after the router itself told the statement to end. */
static struct pqr__decision settle_ended(const struct pqr__facts *facts)
{
    if (strcmp(facts->sqlstate, "57014") != 0)
        return as_reported(facts);
    return finish(pqr__cause_status(facts->cause),
        rolls_back_whole(facts->effect) ? PQR_OUTCOME_NOT_EXECUTED : PQR_OUTCOME_UNKNOWN);
}

static struct pqr__decision settle_conflict(const struct pqr__facts *facts)
{
    struct pqr__decision decision = as_reported(facts);
    if (facts->effect == PQR__EFFECT_READ) {
        decision.again = facts->on_replica || facts->unit || facts->attempts < 2;
        decision.avoid = facts->on_replica;
    }
    decision.again |= facts->unit;
    return decision;
}

static struct pqr__decision settle_error(const struct pqr__facts *facts)
{
    bool read_on_replica = facts->on_replica && facts->effect == PQR__EFFECT_READ;
    if (facts->sqlstate[0] == '\0') /* libpq's own error: the statement may well have committed */
        return finish(PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
    if (facts->cause != PQR__CAUSE_NONE)
        return settle_ended(facts);
    if (facts->cancel_near && rolls_back_whole(facts->effect) && strcmp(facts->sqlstate, "57014") == 0)
        return apart(PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED);
    switch (verdict_of(facts->sqlstate)) {
    case READ_ONLY:
        return settle_read_only(facts);
    case NO_STANDBY:
        return read_on_replica ? to_primary(true) : as_reported(facts);
    case NOT_THERE_YET:
        return read_on_replica ? to_primary(false) : as_reported(facts);
    case CONFLICT:
        return settle_conflict(facts);
    case AS_REPORTED:
        break;
    }
    return as_reported(facts);
}

struct pqr__decision pqr__settle(const struct pqr__facts *facts)
{
    struct pqr__decision decision;
    if (facts->reply == PQR__REPLY_ABORTED)
        decision = settle_aborted(facts);
    else if (facts->stale && facts->reply == PQR__REPLY_ERROR && facts->cause == PQR__CAUSE_NONE)
        decision = settle_stale(facts);
    else if (facts->lost || facts->reply == PQR__REPLY_NONE)
        decision = settle_lost(facts);
    else if (facts->reply == PQR__REPLY_ERROR)
        decision = settle_error(facts);
    else if (facts->left_open)
        decision = finish(PQR_STATUS_SQL_ERROR, PQR_OUTCOME_UNKNOWN);
    else if (facts->withheld) /* it was faster than its cancel, and is not what was asked for all the same */
        decision = finish(pqr__cause_status(facts->cause), PQR_OUTCOME_EXECUTED);
    else
        decision = finish(PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    bool spent = !decision.alone && !decision.by_text && facts->attempts >= facts->max_attempts;
    if (spent || facts->shown)
        decision.again = decision.to_primary = decision.avoid = decision.alone = decision.by_text = false;
    return decision;
}
