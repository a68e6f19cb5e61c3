#include "policy/shortage.h"

#include <string.h>

enum {
    WAIT_US = 250 * 1000,
    WAIT_MAX_US = 15 * 1000 * 1000,
};

void pqr__shortage_init(struct pqr__shortage *shortage)
{
    *shortage = (struct pqr__shortage){.wait_us = WAIT_US};
}

static bool is_of_class(const char *sqlstate, const char *class)
{
    return strncmp(sqlstate, class, 2) == 0;
}

void pqr__shortage_refused(
    struct pqr__shortage *shortage, const char *sqlstate, uint32_t open, uint32_t max, uint64_t now_us)
{
    bool full = is_of_class(sqlstate, "53"); /* insufficient resources */
    bool trouble = *sqlstate == '\0' || is_of_class(sqlstate, "08") || strcmp(sqlstate, "57P03") == 0;
    if (open == 0 || (!full && !trouble)) /* it takes nobody: that tells nothing of how many it would */
        return;
    if (full && shortage->limit > open) /* it had crept too far */
        shortage->wait_us = shortage->wait_us * 2 > WAIT_MAX_US ? WAIT_MAX_US : shortage->wait_us * 2;
    shortage->limit = open < max ? open : max;
    shortage->at_us = now_us;
    shortage->failed = !full;
}

void pqr__shortage_connected(struct pqr__shortage *shortage, uint32_t open)
{
    if (!shortage->limit || open <= shortage->limit)
        return;
    shortage->limit = 0;
    shortage->wait_us = WAIT_US;
}

void pqr__shortage_creep(struct pqr__shortage *shortage, uint32_t max, uint64_t now_us)
{
    if (!shortage->limit || now_us - shortage->at_us < shortage->wait_us)
        return;
    shortage->at_us = now_us;
    shortage->limit++;
    if (shortage->limit >= max) {
        shortage->limit = 0;
        shortage->wait_us = WAIT_US;
    }
}

uint64_t pqr__shortage_within(const struct pqr__shortage *shortage, uint64_t limit)
{
    return shortage->limit && shortage->limit < limit ? shortage->limit : limit;
}

bool pqr__shortage_is_recent(const struct pqr__shortage *shortage, uint64_t within_us, uint64_t now_us)
{
    return shortage->limit > 0 && now_us - shortage->at_us < within_us;
}
