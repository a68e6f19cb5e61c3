/* How much of an unfinished reply has been read from a socket: libpq holds it all in memory and shows no partial
 * size.
 *
 * It starts with the first read that did not complete a flight, so that short replies cost no system call; what
 * that read took (one buffer of libpq's) is not counted. On TCP the rest is exact, by the kernel's own counter (or
 * less, by what came within a few system calls; never more). A Unix socket has none: there each read counts as what was
 * available before less what is left, but at least as a buffer of 16 kB (or all that was there), since the server may
 * have refilled the socket meanwhile.
 *
 * Of a result that is read in parts only what is held counts: what came less the rows that were given up since. Where
 * the count is not exact the errors of a long result would add up, so that it starts again with each part there.
 */
#ifndef PQR_POSTGRES_METER_H
#define PQR_POSTGRES_METER_H

#include <stdbool.h>
#include <stdint.h>

struct pqr__meter {
    bool running;
    bool tcp;
    uint64_t base;   /* TCP: what had been read when it started */
    uint64_t before; /* Unix: available before the read */
    uint64_t bytes;
    uint64_t results; /* what of it is known to have gone into results */
    uint64_t parts;   /* what was sent for rows that have been given up */
};

/* What is read from now on belongs to something else. */
void pqr__meter_stop(struct pqr__meter *meter);
/* Around a read. The answer is the bytes of the flight so far, without those of its parts. */
void pqr__meter_before(struct pqr__meter *meter, int fd);
uint64_t pqr__meter_after(struct pqr__meter *meter, int fd);
/* A result was made of so many of them. */
static inline void pqr__meter_result(struct pqr__meter *meter, uint64_t bytes)
{
    meter->results += bytes;
}
/* Rows are given up, for which so many were sent. */
void pqr__meter_part(struct pqr__meter *meter, uint64_t bytes);
/* Much came that is in no result: libpq keeps parameters for good. */
static inline bool pqr__meter_is_swollen(const struct pqr__meter *meter)
{
    enum { MUCH = 1024 * 1024 };
    return meter->running && meter->bytes > meter->results + meter->parts + MUCH;
}

#endif
