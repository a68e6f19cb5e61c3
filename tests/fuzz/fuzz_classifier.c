/* libFuzzer: any bytes, both settings of standard_conforming_strings, with a catalog and without. Beside memory errors
   it looks for answers that cannot be: another one when the steps to it are asked for (no name is stepped over then), a
   word outside of the text, a harmless text that stays harmless when a write follows it, a reason that does not end.
   The first byte chooses the dialect.

     CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
     ninja -C build-fuzz
     build-fuzz/tests/fuzz/fuzz_classifier -max_total_time=300 -dict=tests/fuzz/sql.dict /tmp/found tests/fuzz/corpus */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/catalog.h"
#include "policy/classifier.h"
#include "policy/lexer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_tokens(const char *sql, size_t length, bool standard_strings)
{
    struct pqr__lexer lexer;
    struct pqr__token token;
    const char *end = sql;
    pqr__lexer_init(&lexer, sql, length, standard_strings);
    do {
        pqr__lexer_next(&lexer, &token);
        check(token.at >= end && token.at + token.length <= sql + length);
        check(token.length > 0 || token.kind == PQR__TOKEN_END);
        end = token.at + token.length;
    } while (token.kind != PQR__TOKEN_END);
    check(end == sql + length);
}

/* Text that ends whole, with a write after it. */
static void check_tail(const char *sql, size_t length, const struct pqr__dialect *dialect)
{
    static const char tail[] = "\n;delete from t";
    struct pqr__verdict verdict;
    char *longer = malloc(length + sizeof(tail));
    if (longer == NULL)
        return;
    memcpy(longer, sql, length);
    memcpy(longer + length, tail, sizeof(tail));
    pqr__classify(&verdict, longer, length + sizeof(tail) - 1, dialect);
    check(verdict.route != PQR_CLASS_REPLICA);
    free(longer);
}

static void see(const pqr_finding *finding, void *data)
{
    const size_t *length = data;
    check(finding->offset + finding->length <= *length);
}

static void check_steps(
    const struct pqr__verdict *verdict, const char *sql, size_t length, const struct pqr__dialect *dialect)
{
    struct pqr__verdict other;
    pqr__classify_explained(&other, sql, length, dialect, see, &length);
    check(other.route == verdict->route && other.effect == verdict->effect && other.hint == verdict->hint);
    check(other.reason == verdict->reason && other.word_offset == verdict->word_offset &&
          other.word_length == verdict->word_length);
    check(other.defines == verdict->defines && other.several == verdict->several);
}

/* Names that SQL has at hand, so that they are met. */
static const struct pqr__catalog *catalog(void)
{
    static const char *const names[] = {"f", "g", "t", "a", "b", "x", "id", "lower", "count", "position",
        "Foo", "a_name_of_more_than_sixteen_bytes", "\xc3\xa4"};
    static struct pqr__catalog filled;
    if (filled.count > 0)
        return &filled;
    pqr__catalog_init(&filled, 1 << 20);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        enum pqr__catalog_answer answer = i % 3 == 0 ? PQR__CATALOG_HARMFUL : PQR__CATALOG_HARMLESS;
        check(pqr__catalog_add(&filled, PQR__CATALOG_FUNCTION, names[i], strlen(names[i]), answer));
        if (i % 4 == 1)
            check(pqr__catalog_add(
                &filled, PQR__CATALOG_RELATION, names[i], strlen(names[i]), PQR__CATALOG_HARMFUL));
    }
    check(pqr__catalog_add(&filled, PQR__CATALOG_TYPE, "b", 1, PQR__CATALOG_HARMFUL));
    check(pqr__catalog_add_call(&filled, "g", 1, 2, 3) && pqr__catalog_add_call(&filled, "upper", 5, 1, 1));
    pqr__catalog_seal(&filled);
    return &filled;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct pqr__dialect dialect = {.standard_conforming_strings = data[0] % 2 == 0,
        .ascii_safe = true,
        .catalog = data[0] % 4 >= 2 ? catalog() : NULL};
    const char *sql = (const char *)data + 1;
    size_t length = size - 1;
    struct pqr__verdict verdict;
    char reason[120];
    pqr__classify(&verdict, sql, length, &dialect);
    check((size_t)verdict.word_offset + verdict.word_length <= length);
    check(verdict.route != PQR_CLASS_REPLICA || verdict.effect == PQR__EFFECT_READ ||
          verdict.effect == PQR__EFFECT_COPY);
    pqr__verdict_text(&verdict, sql, reason, sizeof(reason));
    check(memchr(reason, '\0', sizeof(reason)) != NULL && reason[0] != '\0');
    check_steps(&verdict, sql, length, &dialect);
    check_tokens(sql, length, dialect.standard_conforming_strings);
    check_tail(sql, length, &dialect);
    return 0;
}
