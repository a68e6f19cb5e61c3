/* Durations and sizes as people write them: a whole number and a unit, "10min", "64 MB". */
#ifndef PQR_BASE_UNITS_H
#define PQR_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

enum pqr__unit_fault {
    PQR__UNIT_FINE = 0,
    PQR__UNIT_SYNTAX,   /* does not start with a whole number */
    PQR__UNIT_MISSING,  /* a number alone */
    PQR__UNIT_UNKNOWN,  /* a unit that there is not */
    PQR__UNIT_TOO_LARGE /* beyond 64 bits */
};

/* us, ms, s, min, h, d. "0" and "none" are 0. out is written only when all is fine. */
enum pqr__unit_fault pqr__duration_parse(const char *text, uint64_t *out_us);
/* B, kB, MB, GB, TB, each 1,024 of the one before, as in postgresql.conf. "0" and "none" are 0. */
enum pqr__unit_fault pqr__size_parse(const char *text, uint64_t *out_bytes);

/* In the largest unit that leaves a whole number; 32 bytes always suffice. */
void pqr__duration_format(char *out, size_t size, uint64_t us);
void pqr__size_format(char *out, size_t size, uint64_t bytes);

/* The units of each, for messages. */
extern const char pqr__duration_units[];
extern const char pqr__size_units[];

#endif
