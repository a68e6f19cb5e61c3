/* What to do about a server's problem. */
#ifndef CLI_MEND_H
#define CLI_MEND_H

#include "pqrouter.h"

/* A static sentence without its end, never NULL. */
const char *mend_for(const pqr_pool_stats *pool);

#endif
