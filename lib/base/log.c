#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

void pqr__log_write(const struct pqr__log *log, pqr_log_level level, const char *format, ...)
{
    char raw[1000];
    char line[1000];
    va_list args;
    if (log->busy && *log->busy)
        return;
    va_start(args, format);
    vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    pqr__text_escape(line, sizeof(line), raw);
    if (log->busy)
        *log->busy = true;
    log->write(log->data, level, line);
    if (log->busy)
        *log->busy = false;
}
