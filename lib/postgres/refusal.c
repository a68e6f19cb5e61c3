/* libpq gives no SQLSTATE for a failed connect but in its text: "FATAL:  28P01: password ...", the word before it
   translated. The text comes from the server in part, so any bytes may be in it. */
#include "postgres/refusal.h"

#include <stdbool.h>
#include <string.h>

static bool is_sqlstate(const char *text)
{
    for (int i = 0; i < 5; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z')))
            return false;
    return text[5] == ':' && text[6] == ' ';
}

/* A line that is left out: where in the server's source it was, or what libpq suggests (behind a tab). */
static bool skipped(const char *text)
{
    return strncmp(text, "\nLOCATION:", 10) == 0 || strncmp(text, "\n\t", 2) == 0;
}

void pqr__refusal_read(char sqlstate[6], char *out, size_t size, const char *text)
{
    size_t used = 0;
    sqlstate[0] = '\0';
    while (*text && used + 1 < size) {
        if (skipped(text)) {
            text += 1 + strcspn(text + 1, "\n");
        } else if (*text == '\n' || *text == '\t') {
            text++;
            if (used > 0 && out[used - 1] != ' ')
                out[used++] = ' ';
        } else if (strncmp(text, ":  ", 3) == 0 && is_sqlstate(text + 3)) {
            memcpy(sqlstate, text + 3, 5);
            sqlstate[5] = '\0';
            out[used++] = ':';
            text += 3 + 6;
        } else {
            out[used++] = *text++;
        }
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
}
