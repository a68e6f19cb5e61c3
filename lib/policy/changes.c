#include "policy/changes.h"

enum { LEAST_US = 2 * 1000 * 1000 };

bool pqr__changes_note(struct pqr__changes *changes, uint64_t count, uint64_t longest_us, uint64_t now_us)
{
    changes->pending |= changes->known && changes->count != count;
    changes->known = true;
    changes->count = count;
    if (!changes->pending || now_us < changes->not_before_us)
        return false;
    bool quiet = now_us - changes->not_before_us >= changes->wait_us;
    uint64_t longer_us = 2 * changes->wait_us < longest_us ? 2 * changes->wait_us : longest_us;
    changes->wait_us = quiet ? LEAST_US : longer_us;
    changes->not_before_us = now_us + changes->wait_us;
    changes->pending = false;
    return true;
}
