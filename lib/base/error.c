/* Codes, names and texts come from the X-macro lists of pqrouter.h and nowhere else. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

const char *pqr_error_name(int code)
{
    switch (code) {
#define XX(name, number, text) \
    case PQR_##name:           \
        return "PQR_" #name;
        PQR_ERRNO_MAP(XX)
#undef XX
    case 0:
        return "PQR_OK";
    default:
        return "PQR_UNKNOWN";
    }
}

const char *pqr_error_text(int code)
{
    switch (code) {
#define XX(name, number, text) \
    case PQR_##name:           \
        return (text);
        PQR_ERRNO_MAP(XX)
#undef XX
    case 0:
        return "success";
    default:
        return "unknown error";
    }
}

const char *pqr_status_name(pqr_status status)
{
    switch (status) {
#define XX(name, word)      \
    case PQR_STATUS_##name: \
        return #word;
        PQR_STATUS_MAP(XX)
#undef XX
    }
    return "unknown";
}

const char *pqr_outcome_name(pqr_outcome outcome)
{
    switch (outcome) {
#define XX(name, word)       \
    case PQR_OUTCOME_##name: \
        return #word;
        PQR_OUTCOME_MAP(XX)
#undef XX
    }
    return "unknown";
}

const char *pqr_role_name(pqr_role role)
{
    static const char *const names[] = {
        [PQR_ROLE_UNKNOWN] = "unknown",
        [PQR_ROLE_PRIMARY] = "primary",
        [PQR_ROLE_REPLICA] = "replica",
        [PQR_ROLE_DOWN] = "down",
        [PQR_ROLE_WRONG_CLUSTER] = "wrong_cluster",
        [PQR_ROLE_FENCED] = "fenced",
    };
    return (unsigned)role < sizeof(names) / sizeof(names[0]) ? names[role] : "unknown";
}

const char *pqr_log_level_name(pqr_log_level level)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    return (unsigned)level < sizeof(names) / sizeof(names[0]) ? names[level] : "unknown";
}

const char *pqr_class_name(pqr_class route)
{
    static const char *const names[] = {"primary", "replica", "session"};
    return (unsigned)route < sizeof(names) / sizeof(names[0]) ? names[route] : "unknown";
}

int pqr__error_set(pqr_error *error, int code, const char *format, ...)
{
    if (!error)
        return code;
    va_list args;
    va_start(args, format);
    error->code = code;
    vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
    return code;
}
