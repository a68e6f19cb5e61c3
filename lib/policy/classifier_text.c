/* Reasons, in words for people. The deciding word comes from the text, so it is escaped and cut. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/classifier_sql.h"

/* %s is the word: as it stands, or in capitals when it is SQL's. */
static const struct {
    const char *format, *without;
    bool capitals;
} texts[] = {
    [PQR__REASON_NOT_RECOGNISED] = {"not recognised: %s", "not recognised", false},
    [PQR__REASON_READ] = {NULL, "read", false},
    [PQR__REASON_EMPTY] = {NULL, "empty", false},
    [PQR__REASON_STATEMENT] = {"%s", "not recognised", true},
    [PQR__REASON_COMMAND] = {"session: %s", "session", true},
    [PQR__REASON_SESSION] = {"session: %s", "session", false},
    [PQR__REASON_WITH] = {"WITH … %s", "WITH", true},
    [PQR__REASON_INTO] = {"SELECT %s", "SELECT INTO", true},
    [PQR__REASON_LOCKING] = {"FOR %s", "FOR UPDATE", true},
    [PQR__REASON_FUNCTION + PQR__FUNCTION_UNKNOWN] = {"unknown function %s", "unknown function", false},
    [PQR__REASON_FUNCTION + PQR__FUNCTION_WRITE] = {"volatile function %s", "volatile function", false},
    [PQR__REASON_FUNCTION + PQR__FUNCTION_LOCK] = {"lock: %s", "lock", false},
    [PQR__REASON_FUNCTION +
        PQR__FUNCTION_STANDBY] = {"refused by a standby: %s", "refused by a standby", false},
    [PQR__REASON_FUNCTION +
        PQR__FUNCTION_OTHERS] = {"other sessions or the server: %s", "other sessions", false},
    [PQR__REASON_FUNCTION + PQR__FUNCTION_FILES] = {"files of the server: %s", "files", false},
    [PQR__REASON_FUNCTION + PQR__FUNCTION_SQL] = {"runs SQL of its own: %s", "runs SQL", false},
    [PQR__REASON_FUNCTION +
        PQR__FUNCTION_SERVER] = {"one server's own state: %s", "one server's own state", false},
    [PQR__REASON_OPERATOR] = {"unknown operator %s", "unknown operator", false},
    [PQR__REASON_TYPE] = {"unknown type %s", "unknown type", false},
    [PQR__REASON_VIEW] = {"one server's own state: %s", "one server's own state", false},
    [PQR__REASON_SEQUENCE] = {"sequence: %s", "sequence", false},
    [PQR__REASON_TEMPORARY] = {"session: temporary (%s)", "session: temporary", false},
    [PQR__REASON_DEEP] = {NULL, "nested too deeply", false},
    [PQR__REASON_LONG] = {NULL, "too long", false},
    [PQR__REASON_ENCODING] = {NULL,
        "not safe to read: client encoding, or servers disagree on standard_conforming_strings", false},
    [PQR__REASON_RELATION] = {"relation %s: a volatile view, sequence, foreign or unlogged table",
        "relation that a replica can't be trusted with", false},
    [PQR__REASON_TYPE_VOLATILE] = {"type %s: volatile functions", "type with volatile functions", false},
    [PQR__REASON_OPERATOR_VOLATILE] = {"volatile operator %s", "volatile operator", false},
    [PQR__REASON_CONFIGURED] = {"reads.harmful_functions: %s", "reads.harmful_functions", false},
};

static void copy_word(char *out, size_t size, const char *word, size_t length, bool capitals)
{
    size_t kept = length < size - 1 ? length : size - 1;
    memcpy(out, word, kept);
    out[kept] = '\0';
    for (size_t i = 0; capitals && i < kept; i++)
        out[i] = (char)toupper((unsigned char)out[i]);
}

/* FOR NO says less than FOR NO KEY UPDATE. */
static const char *locking(const char *word)
{
    if (strcmp(word, "NO") == 0)
        return "NO KEY UPDATE";
    return strcmp(word, "KEY") == 0 ? "KEY SHARE" : word;
}

void pqr__verdict_text(const struct pqr__verdict *verdict, const char *sql, char *out, size_t size)
{
    char word[64], line[160], clean[256];
    if (verdict->reason == PQR__REASON_READ && !verdict->several) { /* most of all */
        pqr__text_copy(out, size, "read");
        return;
    }
    size_t known = verdict->reason < sizeof(texts) / sizeof(texts[0]) ? verdict->reason : 0;
    copy_word(word, sizeof(word), sql == NULL ? "" : sql + verdict->word_offset,
        sql == NULL ? 0 : verdict->word_length, texts[known].capitals);
    const char *shown = known == PQR__REASON_LOCKING ? locking(word) : word;
    const char *several = verdict->several && known != PQR__REASON_EMPTY ? "several statements: " : "";
    if (texts[known].format == NULL || shown[0] == '\0')
        (void)snprintf(line, sizeof(line), "%s%s", several, texts[known].without);
    else {
        char reason[120];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(reason, sizeof(reason), texts[known].format, shown);
#pragma GCC diagnostic pop
        (void)snprintf(line, sizeof(line), "%s%s", several, reason);
    }
    pqr__text_escape(clean, sizeof(clean), line);
    pqr__text_copy(out, size, clean);
}
