#include "policy/sharing.h"

enum {
    FLIGHTS_ONE = 3,     /* of one server: at work, on its way, and with the router */
    FEW = 4,             /* are answered by one server as soon as by two, since each has to be woken */
    FLIGHTS_MAX = 2,     /* one is answered while the next is on its way; more only makes later ones wait */
    QUICK_US = 1000,     /* by a mean that counts the way there and back too, as long as each goes alone */
    SLACK_US = 2 * 1000, /* for the way there and back, and for a machine that is busy otherwise */
    FRESH_US = 1000000,  /* firewalls and the like, which forget connections without a word, take longer */
};

bool pqr__sharing_joins(
    const struct pqr__sharing *sharing, const struct pqr__verdict *verdict, const struct pqr__known *known)
{
    return sharing->depth > 1 && verdict->effect == PQR__EFFECT_READ && !verdict->several && known &&
           pqr__history_is_fast(&known->history, sharing->fast_us);
}

bool pqr__sharing_follows(
    const struct pqr__sharing *sharing, const struct pqr__verdict *verdict, const struct pqr__known *known)
{
    return sharing->depth > 1 && verdict->effect == PQR__EFFECT_WRITE && !verdict->several &&
           !verdict->defines && known && pqr__history_is_fast(&known->history, sharing->fast_us);
}

bool pqr__sharing_begins(const struct pqr__verdict *verdict, bool vouched, uint64_t quiet_us)
{
    enum pqr__effect effect = verdict->effect;
    bool repeatable = effect == PQR__EFFECT_READ || vouched;
    bool undone = effect == PQR__EFFECT_READ || effect == PQR__EFFECT_WRITE || effect == PQR__EFFECT_SESSION;
    return undone && !verdict->several && (repeatable || quiet_us < FRESH_US);
}

bool pqr__sharing_groups(const struct pqr__known *first, const struct pqr__known *other, bool primary)
{
    return !primary || (first == other && first->fixed_locks);
}

uint32_t pqr__sharing_quick(const struct pqr__known *known)
{
    uint64_t mean_us = pqr__history_mean_us(&known->history);
    if (mean_us >= QUICK_US)
        return 1;
    return mean_us ? (uint32_t)(QUICK_US / mean_us) : QUICK_US;
}

uint32_t pqr__sharing_lot(
    const struct pqr__sharing *sharing, uint32_t outstanding, uint32_t servers, uint32_t connections)
{
    uint32_t wanted = servers > 1 ? servers : FLIGHTS_ONE, least = servers > 1 ? FEW : 1;
    uint32_t flights = wanted < connections ? wanted : connections;
    uint32_t part = flights > 0 ? (outstanding + flights - 1) / flights : outstanding;
    part = part > least ? part : least;
    return part < sharing->share_sync ? part : sharing->share_sync;
}

bool pqr__sharing_is_overdue(const struct pqr__known *head, uint32_t n_head, uint64_t age_us)
{
    return age_us > SLACK_US + n_head * pqr__history_bound_us(&head->history);
}

bool pqr__sharing_has_room(const struct pqr__sharing *sharing, uint32_t flying, uint32_t flights,
    const struct pqr__known *head, uint32_t n_head, uint64_t age_us)
{
    uint32_t most = sharing->share_sync > 1 ? FLIGHTS_MAX : sharing->depth;
    if (flights >= most || flying > sharing->depth / 2) /* refilled at half, several at once */
        return false;
    return !pqr__sharing_is_overdue(head, n_head, age_us);
}
