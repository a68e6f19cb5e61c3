/* Tokens: whether a replica has what a token stands for. How they are printed and read is in pqrouter.h. */
#ifndef PQR_POLICY_TOKEN_H
#define PQR_POLICY_TOKEN_H

#include "pqrouter.h"

enum pqr__there {
    PQR__THERE,
    PQR__THERE_NOT_YET, /* as far as is known; it will be, if it goes on */
    PQR__THERE_NEVER, /* not by what its LSN says: it is of another cluster, or of another timeline's history */
};

/* A server of that cluster and timeline has replayed up to replayed_lsn; 0: not known. */
enum pqr__there pqr__token_there(
    const pqr_token *token, uint64_t system_identifier, uint32_t timeline, uint64_t replayed_lsn);

/* It asks for something. */
static inline bool pqr__token_is(const pqr_token *token)
{
    return token && token->lsn != 0;
}

#endif
