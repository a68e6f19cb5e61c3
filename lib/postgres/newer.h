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
/* 17: a Sync that is not flushed at once; without it every Sync is a system call. */
extern int PQsendPipelineSync(PGconn *conn) __attribute__((weak));
/* 17: rows in parts of several; without it each part is one row (PQsetSingleRowMode). */
extern int PQsetChunkedRowsMode(PGconn *conn, int rows) __attribute__((weak));
/* 17: a cancel that is as encrypted as its connection, and can be given up; without it: PQcancel. */
typedef struct pg_cancel_conn PGcancelConn;
extern PGcancelConn *PQcancelCreate(PGconn *conn) __attribute__((weak));
extern int PQcancelStart(PGcancelConn *cancel) __attribute__((weak));
extern PostgresPollingStatusType PQcancelPoll(PGcancelConn *cancel) __attribute__((weak));
extern int PQcancelSocket(const PGcancelConn *cancel) __attribute__((weak));
extern void PQcancelFinish(PGcancelConn *cancel) __attribute__((weak));
#else
#define PQR__HAVE_NEWER 0
#endif

/* The status of such a part, which older headers do not have: by its number, that of libpq's interface. */
#ifdef LIBPQ_HAS_CHUNK_MODE
#define PQR__TUPLES_CHUNK PGRES_TUPLES_CHUNK
#else
#define PQR__TUPLES_CHUNK ((ExecStatusType)12)
#endif

#endif
