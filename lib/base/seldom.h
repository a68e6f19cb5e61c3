/* Of a function that hardly ever runs, called by one that always does: inlined there by the compiler it would cost that
   one registers to save, and code between what runs. */
#ifndef PQR_BASE_SELDOM_H
#define PQR_BASE_SELDOM_H

#define PQR__SELDOM __attribute__((cold, noinline))

/* Of a function that every request goes through, called from another file: where the whole is optimized when it is
   linked it is worth inlining, though it is longer than what the compiler would inline by itself. clang's inline
   functions may call none that is static. */
#if defined(__GNUC__) && !defined(__clang__)
#define PQR__OFTEN inline
#else
#define PQR__OFTEN
#endif

#endif
