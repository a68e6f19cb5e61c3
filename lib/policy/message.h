/* How long the messages are that a request is sent in (PostgreSQL manual, section 55.7), and what is taken.
 *
 * The server ends the session of who sends a longer one, whoever else is on the connection; libpq counts in ints, and
 * does not always notice before. So it has to be known before anything is sent.
 */
#ifndef PQR_POLICY_MESSAGE_H
#define PQR_POLICY_MESSAGE_H

#include <stdint.h>

/* PQ_LARGE_MESSAGE_LIMIT of PostgreSQL's libpq/libpq.h, the four bytes of the length included. */
#define PQR__MESSAGE_MAX UINT64_C(0x3ffffffe)

/* The longer one of Parse and Bind (or Query, which is shorter than Parse), at most: whether it is sent by a name, and
   with types, is not known yet. text_bytes without its NUL; values_bytes with a NUL each or without. At the extremes of
   its arguments it does not wrap around. */
uint64_t pqr__message_bytes(uint64_t text_bytes, uint32_t n_params, uint64_t values_bytes);

#endif
