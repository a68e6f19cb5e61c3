#include "policy/token.h"

#include <stdio.h>
#include <string.h>

enum pqr__there pqr__token_there(
    const pqr_token *token, uint64_t system_identifier, uint32_t timeline, uint64_t replayed_lsn)
{
    if (token->system_identifier != system_identifier || token->timeline != timeline)
        return PQR__THERE_NEVER;
    return replayed_lsn >= token->lsn ? PQR__THERE : PQR__THERE_NOT_YET;
}

int pqr_token_print(const pqr_token *token, char *out, size_t size)
{
    if (!token || !out || size < PQR_TOKEN_SIZE)
        return PQR_EINVAL;
    out[0] = '\0';
    if (pqr__token_is(token))
        snprintf(out, size, "%llu.%u.%llX", (unsigned long long)token->system_identifier, token->timeline,
            (unsigned long long)token->lsn);
    return 0;
}

static int digit(char c, unsigned base)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return base == 16 && c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to `end`, as it is printed: 1 to most, no zero in front. What follows, or NULL. */
static const char *number(uint64_t *out, const char *text, unsigned base, uint64_t most, char end)
{
    uint64_t value = 0;
    if (*text == '0')
        return NULL;
    for (; digit(*text, base) >= 0; text++) {
        uint64_t next = (uint64_t)digit(*text, base);
        if (value > (most - next) / base)
            return NULL;
        value = value * base + next;
    }
    *out = value;
    return value > 0 && *text == end ? text + 1 : NULL;
}

int pqr_token_parse(pqr_token *out, const char *text)
{
    uint64_t system_identifier = 0, timeline = 0, lsn = 0;
    if (!out || !text)
        return PQR_EINVAL;
    text = number(&system_identifier, text, 10, UINT64_MAX, '.');
    text = text ? number(&timeline, text, 10, UINT32_MAX, '.') : NULL;
    text = text ? number(&lsn, text, 16, UINT64_MAX, '\0') : NULL;
    if (!text)
        return PQR_EINVAL;
    *out = (pqr_token){.system_identifier = system_identifier, .timeline = (uint32_t)timeline, .lsn = lsn};
    return 0;
}

void pqr_token_merge(pqr_token *token, const pqr_token *other)
{
    if (!token || !pqr__token_is(other))
        return;
    bool same = token->system_identifier == other->system_identifier;
    bool later =
        other->timeline > token->timeline || (other->timeline == token->timeline && other->lsn > token->lsn);
    if (!same || later)
        *token = *other;
}
