/* What libpq's text says about a failed connect. */
#ifndef PQR_POSTGRES_REFUSAL_H
#define PQR_POSTGRES_REFUSAL_H

#include <stddef.h>

/* text: PQerrorMessage of a connect that failed with PQERRORS_VERBOSE set, which puts the SQLSTATE between the
   severity and the message. sqlstate gets the last one named (several addresses may have been tried), or "".
   out gets the text on one line, without SQLSTATEs, source locations and libpq's own hints, cut to fit. */
void pqr__refusal_read(char sqlstate[6], char *out, size_t size, const char *text);

#endif
