/* What newer versions of libpq have and the oldest that we run with (14) has not: each is asked for at run time, so
 * that one binary works with both. With a static libpq, and where there are no weak references, it is what the
 * linker finds.
 */
#ifndef PQR_POSTGRES_NEWER_H
#define PQR_POSTGRES_NEWER_H

#include <libpq-fe.h>

#if defined(__linux__) && defined(__GNUC__)
#define PQR__HAVE_NEWER 1
/* 17: Close of a prepared statement; without it: DEALLOCATE. */
extern int PQsendClosePrepared(PGconn *conn, const char *statement) __attribute__((weak));
#else
#define PQR__HAVE_NEWER 0
#endif

#endif
