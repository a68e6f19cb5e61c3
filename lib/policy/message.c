#include "policy/message.h"

enum {
    FIXED = 4 + 40 + 20, /* length; a statement's name; counts, ends, result formats */
    EACH = 4 + 2,        /* Parse: its type; Bind: its length and format */
};

uint64_t pqr__message_bytes(uint64_t text_bytes, uint32_t n_params, uint64_t values_bytes)
{
    uint64_t longer = text_bytes > values_bytes ? text_bytes : values_bytes;
    uint64_t around = FIXED + (uint64_t)EACH * n_params;
    return longer > UINT64_MAX - around ? UINT64_MAX : longer + around;
}
