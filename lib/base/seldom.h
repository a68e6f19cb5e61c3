/* Of a function that hardly ever runs, called by one that always does: inlined there by the compiler it would cost that
   one registers to save, and code between what runs. */
#ifndef PQR_BASE_SELDOM_H
#define PQR_BASE_SELDOM_H

#define PQR__SELDOM __attribute__((cold, noinline))

#endif
