/* Logging through the application's callback; nothing is formatted when the level is off. */
#ifndef PQR_BASE_LOG_H
#define PQR_BASE_LOG_H

#include <stdbool.h>

#include "pqrouter.h"

struct pqr__log {
    void (*write)(void *data, pqr_log_level level, const char *text); /* NULL: off */
    void *data;
    pqr_log_level level;
    bool
        *busy; /* true while write runs: a line that comes of what write does is dropped; NULL: nobody asks */
};

/* One line of at most 1,000 bytes; control characters in it come out escaped. */
void pqr__log_write(const struct pqr__log *log, pqr_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline bool pqr__log_takes(const struct pqr__log *log, pqr_log_level level)
{
    return log->write && level <= log->level;
}

#define pqr__log(log, at_level, ...)                        \
    do {                                                    \
        if (pqr__log_takes((log), (at_level)))              \
            pqr__log_write((log), (at_level), __VA_ARGS__); \
    } while (0)

#endif
