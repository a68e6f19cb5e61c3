/* A reply as JSON. */
#ifndef CLI_REPLY_H
#define CLI_REPLY_H

#include "pqrouter.h"
#include "text.h"

/* One object and a newline: status, sqlstate, outcome, server, reason; error and affected when there are any;
   columns, rows; notices when there are any. */
void reply_json(struct text *out, const pqr_reply *reply);

#endif
