#include "policy/fleet.h"

#include <assert.h>

void pqr__fleet_init(struct pqr__fleet *fleet, uint32_t least, uint32_t margin)
{
    *fleet = (struct pqr__fleet){.least = least, .margin = margin, .share = least, .last = least};
}

/* Of a limit that `members` have in common; those named before the others get one more of what does not go round. */
static uint32_t part_of(int64_t limit, uint32_t members, uint32_t before, uint32_t margin)
{
    assert(members > 0);
    if (limit < 0)
        return UINT32_MAX;
    int64_t shared = limit > margin ? limit - margin : 0;
    int64_t part = shared / members + (before < shared % members);
    return part > UINT32_MAX ? UINT32_MAX : (uint32_t)part;
}

static uint32_t least_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t pqr__fleet_part(const struct pqr__fleet_count *count, uint32_t margin)
{
    int64_t admitted = count->max_connections - count->reserved;
    uint32_t part = part_of(admitted > 0 ? admitted : 0, count->all, count->before, margin);
    /* Its place among those of its role or database is not known: the remainder stays free. */
    part = least_of(part, part_of(count->role_limit, count->of_role, UINT32_MAX, margin));
    return least_of(part, part_of(count->database_limit, count->of_database, UINT32_MAX, margin));
}

void pqr__fleet_counted(struct pqr__fleet *fleet, const struct pqr__fleet_count *count)
{
    uint32_t part = pqr__fleet_part(count, fleet->margin);
    if (part < fleet->least)
        part = fleet->least;
    fleet->share = least_of(part, fleet->last > fleet->share ? fleet->last : fleet->share);
    fleet->last = part;
    fleet->members = count->all;
}
