/* libFuzzer: any bytes as what a server says when it refuses a connection, as a text of a server for a log, and as a
   duration and a size of a configuration, and as a token. Beside memory errors it looks for texts without an end,
   control characters that get through, an SQLSTATE that is none, and values that are written in another way than they
   are read.

     CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
     ninja -C build-fuzz
     build-fuzz/tests/fuzz/fuzz_texts -max_total_time=300 /tmp/found tests/fuzz/corpus_texts */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "policy/token.h"
#include "postgres/refusal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_refusal(const char *text)
{
    char sqlstate[6], out[100];
    memset(out, 'x', sizeof(out));
    pqr__refusal_read(sqlstate, out, sizeof(out), text);
    check(memchr(out, '\0', sizeof(out)) != NULL && strpbrk(out, "\n\t") == NULL);
    check(sqlstate[0] == '\0' || (strlen(sqlstate) == 5 && strstr(text, sqlstate)));
}

static void check_escape(const char *text)
{
    char out[64];
    for (size_t size = 1; size <= sizeof(out); size += 7) {
        memset(out, 'x', sizeof(out));
        pqr__text_escape(out, size, text);
        const char *end = memchr(out, '\0', size);
        check(end != NULL);
        for (const char *p = out; p < end; p++)
            check((unsigned char)*p >= ' ' && *p != 127);
    }
}

static void check_json(const char *bytes, size_t length)
{
    struct pqr__text text = {0};
    pqr__text_json(&text, bytes, length);
    check(!text.failed && text.length >= 2 && text.bytes[0] == '"' && text.bytes[text.length - 1] == '"');
    for (size_t i = 1; i + 1 < text.length; i++) {
        check((unsigned char)text.bytes[i] >= ' ' && text.bytes[i] != '"');
        i += text.bytes[i] == '\\'; /* and what it stands before, a quote perhaps */
    }
    pqr__text_finish(&text);
}

static void check_duration(const char *text)
{
    char out[32];
    uint64_t value = 77, again = 78;
    if (pqr__duration_parse(text, &value) != PQR__UNIT_FINE) {
        check(value == 77);
        return;
    }
    pqr__duration_format(out, sizeof(out), value);
    check(pqr__duration_parse(out, &again) == PQR__UNIT_FINE && again == value);
}

static void check_size(const char *text)
{
    char out[32];
    uint64_t value = 77, again = 78;
    if (pqr__size_parse(text, &value) != PQR__UNIT_FINE) {
        check(value == 77);
        return;
    }
    pqr__size_format(out, sizeof(out), value);
    check(pqr__size_parse(out, &again) == PQR__UNIT_FINE && again == value);
}

/* One text a token, so that no two cookies mean the same. */
static void check_token(const char *text)
{
    char out[PQR_TOKEN_SIZE];
    pqr_token token = {.lsn = 77};
    if (pqr_token_parse(&token, text) != 0) {
        check(token.lsn == 77);
        return;
    }
    check(pqr_token_print(&token, out, sizeof(out)) == 0 && strcmp(out, text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    check(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_refusal(text);
    check_escape(text);
    check_json(text, size);
    check_duration(text);
    check_size(text);
    check_token(text);
    free(text);
    return 0;
}
