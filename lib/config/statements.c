/* Values that are lists of SQL texts. */
#include <string.h>

#include "base/text.h"
#include "config/value.h"

/* Each in a line of its own, so that a comment at a statement's end does not swallow the next. */
void pqr__value_read_sql(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    struct pqr__text joined = {.secret = true};
    bool one = pqr__value_text(setting) != NULL;
    int n = one ? 1 : config_setting_length(setting);
    int type = config_setting_type(setting);
    if (!one && type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        pqr__value_wrong_type(
            reading, key, setting, "an array of statements: [\"set statement_timeout = '10s'\"]");
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *text = pqr__value_text(one ? setting : config_setting_get_elem(setting, (unsigned)i));
        if (!text || strspn(text, " \t\r\n;") == strlen(text)) {
            pqr__value_tell(reading, pqr__value_line(setting), key,
                "has as statement %d %s; it must be SQL in quotes", i + 1,
                text ? "an empty one" : "something that is no text");
            continue;
        }
        pqr__text_puts(&joined, joined.length ? ";\n" : "");
        pqr__text_puts(&joined, text);
    }
    if (n > 0)
        pqr__value_store_text(reading, key, pqr__text_take(&joined));
}

/* Statements that are to be prepared, one each. */
void pqr__value_read_texts(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    enum { LENGTH_MAX = 4096 };
    struct pqr__text joined = {0};
    int type = config_setting_type(setting), n = config_setting_length(setting);
    if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        pqr__value_wrong_type(
            reading, key, setting, "an array of statements: [\"select name from shop where id = $1\"]");
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *text = pqr__value_text(config_setting_get_elem(setting, (unsigned)i));
        bool empty = text && strspn(text, " \t\r\n;") == strlen(text);
        if (text && !empty && strlen(text) <= LENGTH_MAX)
            pqr__text_append(&joined, text, strlen(text) + 1);
        else
            pqr__value_tell(reading, pqr__value_line(setting), key,
                "has as statement %d %s; it must be SQL in quotes", i + 1,
                !text   ? "something that is no text"
                : empty ? "an empty one"
                        : "one of more than 4096 bytes");
    }
    if (joined.length > 0 || joined.failed)
        pqr__value_store_text(reading, key, pqr__text_take(&joined));
}
