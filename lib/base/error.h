/* Filling a caller's pqr_error. */
#ifndef PQR_BASE_ERROR_H
#define PQR_BASE_ERROR_H

#include "pqrouter.h"

/* Sets code and text; returns code, so that callers can `return pqr__error_set(...)`. error may be NULL. */
int pqr__error_set(pqr_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
