/* The classifier beside PostgreSQL's own scanner and parser (libpg_query), on the statements of a folder and on IN
   lists: see tests/bench/classifier.

     bench_classifier FOLDER time ROUNDS     a table; nanoseconds are the process's CPU time, rounds take turns
     bench_classifier FOLDER count           each side once on each text, for callgrind, which writes what it counted

   catalog is classify with a database's names loaded, as it is in production. libpg_query's three: lex is its flex
   scanner alone, scan is pg_query_scan (which makes a message of the tokens), parse is pg_query_parse_protobuf. */
#include <pg_query.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_CALLGRIND
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION (void)0
#define CALLGRIND_ZERO_STATS            (void)0
#define CALLGRIND_DUMP_STATS_AT(name)   (void)(name)
#endif

#include "bench.h"
#include "policy/catalog.h"
#include "policy/known.h"
#include "policy/lexer.h"
#include "pqrouter.h"

/* PostgreSQL 15's src/include/parser/scanner.h, which Debian's libpg-query-dev leaves out; the first struct is only
   handed through, and smaller than this. */
struct scanner_extra {
    _Alignas(16) char bytes[1024];
};
union scanner_value {
    int ival;
    char *str;
    const char *keyword;
};
extern const char ScanKeywords[];
extern const uint16_t ScanKeywordTokens[];
void *scanner_init(
    const char *text, struct scanner_extra *extra, const void *keywords, const uint16_t *keyword_tokens);
int core_yylex(union scanner_value *value, int *location, void *scanner);
void scanner_finish(void *scanner);
void *pg_query_enter_memory_context(void);
void pg_query_exit_memory_context(void *context);

static const char *const files[] = {"select", "join", "insert", "cte", "report"};

enum { FILES = 5, LISTS = 2, TEXTS = FILES + LISTS, MEGABYTE = 1000000 };

struct text {
    const char *name;
    char *sql;
    size_t length;
};

/* --- Texts --- */

static struct text read_file(const char *folder, const char *name)
{
    char path[1000];
    struct text text = {.name = name, .sql = malloc(100000)};
    (void)snprintf(path, sizeof(path), "%s/%s.sql", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL || text.sql == NULL)
        bench_fail("%s cannot be read", path);
    text.length = fread(text.sql, 1, 99999, file);
    (void)fclose(file);
    text.sql[text.length] = '\0';
    return text;
}

/* where id in (100000, 107919, ...), or ('code-100000', 'code-107919', ...) */
static struct text in_list(const char *name, size_t size, bool strings)
{
    struct text text = {.name = name, .sql = malloc(size + 100)};
    if (text.sql == NULL)
        bench_fail("no memory");
    char *at = text.sql + sprintf(text.sql, "select id, name from articles where id in (");
    for (unsigned i = 0; (size_t)(at - text.sql) < size; i++)
        at +=
            sprintf(at, "%s%u%s, ", strings ? "'code-" : "", 100000 + i * 7919 % 900000, strings ? "'" : "");
    memcpy(at - 2, ")", 2);
    text.length = strlen(text.sql);
    return text;
}

/* --- The sides --- */

static const struct pqr__dialect dialect = {.standard_conforming_strings = true, .ascii_safe = true};
static volatile unsigned sink; /* so that nothing is left out */

static void classify(const struct text *text)
{
    struct pqr__verdict verdict;
    pqr__classify(&verdict, text->sql, text->length, &dialect);
    sink += (unsigned)verdict.route + verdict.word_offset;
}

/* 5,000 functions, every third volatile as PostgreSQL makes them unless told otherwise; 5,000 relations, every tenth a
   view, sequence or foreign table that is harmful; 100 types. None of them is in the texts. */
static struct pqr__catalog names;
static const struct pqr__dialect loaded = {
    .standard_conforming_strings = true, .ascii_safe = true, .catalog = &names};

static void add_names(enum pqr__catalog_kind kind, const char *stem, unsigned count, unsigned harmful_every)
{
    char name[64];
    for (unsigned i = 0; i < count; i++) {
        int length = snprintf(name, sizeof(name), "%s_%u", stem, i);
        bool harmful = i % harmful_every == 0;
        if (!pqr__catalog_add(
                &names, kind, name, (size_t)length, harmful ? PQR__CATALOG_HARMFUL : PQR__CATALOG_HARMLESS))
            bench_fail("no memory");
    }
}

static void load_names(void)
{
    pqr__catalog_init(&names, 1 << 24);
    add_names(PQR__CATALOG_FUNCTION, "compute_order", 5000, 3);
    add_names(PQR__CATALOG_RELATION, "warehouse", 5000, 10);
    add_names(PQR__CATALOG_TYPE, "state", 100, 10);
    pqr__catalog_seal(&names);
}

static void classify_loaded(const struct text *text)
{
    struct pqr__verdict verdict;
    pqr__classify(&verdict, text->sql, text->length, &loaded);
    sink += (unsigned)verdict.route + verdict.word_offset;
}

static void tokens(const struct text *text)
{
    struct pqr__lexer lexer;
    struct pqr__token token;
    pqr__lexer_init(&lexer, text->sql, text->length, true);
    do {
        pqr__lexer_next(&lexer, &token);
        sink += token.length;
    } while (token.kind != PQR__TOKEN_END);
}

static void lex(const struct text *text)
{
    void *context = pg_query_enter_memory_context();
    struct scanner_extra extra;
    union scanner_value value;
    int location = 0;
    void *scanner = scanner_init(text->sql, &extra, ScanKeywords, ScanKeywordTokens);
    while (core_yylex(&value, &location, scanner) != 0)
        sink += (unsigned)location;
    scanner_finish(scanner);
    pg_query_exit_memory_context(context);
}

static void scan(const struct text *text)
{
    PgQueryScanResult result = pg_query_scan(text->sql);
    if (result.error != NULL)
        bench_fail("pg_query_scan: %s", result.error->message);
    pg_query_free_scan_result(result);
}

static void parse(const struct text *text)
{
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(text->sql);
    if (result.error != NULL)
        bench_fail("pg_query_parse_protobuf: %s", result.error->message);
    pg_query_free_protobuf_parse_result(result);
}

typedef void side(const struct text *);
enum { CLASSIFY, CATALOG, TOKENS, LEX, SCAN, PARSE, SIDES };
static const struct {
    const char *name;
    side *run;
} sides[SIDES] = {{"classify", classify}, {"catalog", classify_loaded}, {"tokens", tokens}, {"lex", lex},
    {"scan", scan}, {"parse", parse}};

/* --- Time --- */

static double now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds of one run, of as many as fill a millisecond. */
static double measure(side *run, const struct text *text, unsigned *times)
{
    for (;;) {
        double begin = now_ns();
        for (unsigned i = 0; i < *times; i++)
            run(text);
        double spent = now_ns() - begin;
        if (spent >= 1e6 || *times > 1u << 24)
            return spent / *times;
        *times *= 2;
    }
}

static int by_value(const void *a, const void *b)
{
    double left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return left < right ? -1 : left > right;
}

enum { ROUNDS_MAX = 1000 };

static double median(const double *values, unsigned count)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), by_value);
    return sorted[count / 2];
}

static double spent[SIDES][ROUNDS_MAX], ratios[ROUNDS_MAX];

/* The median of the rounds' ratios: what else the machine does hits both of a round. */
static double ratio(unsigned above, unsigned below, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        ratios[i] = spent[above][i] / spent[below][i];
    return median(ratios, rounds);
}

/* A parse that may overflow its stack or eat the memory: in a process of its own. Nanoseconds; 0: it died. */
static double parse_apart(const struct text *text)
{
    int ends[2];
    double result = 0;
    if (pipe(ends) != 0)
        return 0;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_AS, &(struct rlimit){2000000000, 2000000000});
        (void)setrlimit(RLIMIT_CPU, &(struct rlimit){60, 60});
        unsigned once = 1;
        double taken = measure(parse, text, &once);
        _exit(write(ends[1], &taken, sizeof(taken)) == (ssize_t)sizeof(taken) ? 0 : 1);
    }
    (void)close(ends[1]);
    if (child < 0 || read(ends[0], &result, sizeof(result)) != (ssize_t)sizeof(result))
        result = 0;
    (void)close(ends[0]);
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    return result;
}

static void print_cell(double nanoseconds, const struct text *text)
{
    if (nanoseconds > 0)
        printf("%9.2f", nanoseconds / (double)text->length);
    else
        printf("%9s", "-");
}

static void time_text(const struct text *text, unsigned rounds)
{
    unsigned times[SIDES] = {1, 1, 1, 1, 1, 1};
    bool list = text->length > MEGABYTE / 2;
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < SIDES; i++) {
            unsigned which = (i + round) % SIDES;
            if (which == PARSE && list)
                spent[which][round] = round < 3 ? parse_apart(text) : spent[which][round - 3];
            else
                spent[which][round] = measure(sides[which].run, text, &times[which]);
        }
    }
    printf("%-12s %8zu", text->name, text->length);
    for (unsigned which = 0; which < SIDES; which++)
        print_cell(median(spent[which], rounds), text);
    printf("   %6.1f %6.1f %6.1f\n", ratio(LEX, CLASSIFY, rounds), ratio(SCAN, CLASSIFY, rounds),
        ratio(PARSE, CLASSIFY, rounds));
}

static void time_texts(const struct text *texts, unsigned rounds)
{
    printf("nanoseconds a byte (median of %u rounds)%37s times classify's\n", rounds, "");
    printf("%-12s %8s", "", "bytes");
    for (unsigned which = 0; which < SIDES; which++)
        printf("%9s", sides[which].name);
    printf("   %6s %6s %6s\n", "lex", "scan", "parse");
    for (unsigned i = 0; i < TEXTS; i++)
        time_text(&texts[i], rounds);
}

/* --- The same text again --- */

static struct pqr__known_table table;

static void recall(const struct text *text)
{
    struct pqr__verdict verdict;
    pqr__known_unref(pqr__known_classify(&table, &verdict, text->sql, text->length, &dialect));
    sink += (unsigned)verdict.route + verdict.word_offset;
}

static void hash(const struct text *text)
{
    sink += (unsigned)pqr__known_hash(text->sql, text->length, table.seed);
}

static void time_known(const struct text *texts, unsigned rounds)
{
    pqr__known_init(&table, 42, MEGABYTE);
    printf("\na text read before, nanoseconds           found    hash   found / hash   classify / found\n");
    for (unsigned i = 0; i < FILES; i++) {
        unsigned times[3] = {1, 1, 1};
        recall(&texts[i]);
        recall(&texts[i]);
        for (unsigned round = 0; round < rounds; round++) {
            spent[0][round] = measure(recall, &texts[i], &times[0]);
            spent[1][round] = measure(hash, &texts[i], &times[1]);
            spent[2][round] = measure(classify, &texts[i], &times[2]);
        }
        printf("%-12s %8zu %24.1f %7.1f %14.2f %18.1f\n", texts[i].name, texts[i].length,
            median(spent[0], rounds), median(spent[1], rounds), ratio(0, 1, rounds), ratio(2, 0, rounds));
    }
}

/* --- Linear, and without the heap --- */

static void time_sizes(unsigned rounds)
{
    for (unsigned i = 0; i < LISTS; i++) {
        struct text one = in_list(i == 0 ? "numbers" : "strings", MEGABYTE, i == 1);
        struct text large = in_list(one.name, 16 * MEGABYTE, i == 1);
        unsigned times[2] = {1, 1};
        for (unsigned round = 0; round < rounds; round++) {
            spent[0][round] = measure(classify, &large, &times[0]) / (double)large.length;
            spent[1][round] = measure(classify, &one, &times[1]) / (double)one.length;
        }
        printf("%sIN list of %s: %.2f ns a byte at 16 MB, %.2f at 1 MB: ratio %.2f\n", i == 0 ? "\n" : "",
            one.name, median(spent[0], rounds), median(spent[1], rounds), ratio(0, 1, rounds));
    }
}

static unsigned long allocations;

static void *count_malloc(size_t size)
{
    allocations++;
    return malloc(size);
}

static void *count_calloc(size_t count, size_t size)
{
    allocations++;
    return calloc(count, size);
}

static void *count_realloc(void *memory, size_t size)
{
    allocations++;
    return realloc(memory, size);
}

static void count_allocations(const struct text *texts)
{
    unsigned long begin = allocations;
    for (unsigned i = 0; i < TEXTS; i++) {
        classify(&texts[i]);
        classify_loaded(&texts[i]);
    }
    printf("allocations, all texts classified once: %lu", allocations - begin);
    begin = allocations;
    for (unsigned i = 0; i < FILES; i++)
        recall(&texts[i]);
    printf("; found once: %lu; kept: %lu\n", allocations - begin, begin);
}

/* --- Instructions --- */

static void count_instructions(const struct text *texts)
{
    char name[64];
    CALLGRIND_START_INSTRUMENTATION;
    for (unsigned i = 0; i < TEXTS; i++) {
        for (unsigned which = 0; which < SIDES; which++) {
            if (which == PARSE && i >= FILES)
                continue;
            sides[which].run(&texts[i]); /* what is set up once */
            (void)snprintf(
                name, sizeof(name), "%s %zu %s", texts[i].name, texts[i].length, sides[which].name);
            CALLGRIND_ZERO_STATS;
            sides[which].run(&texts[i]);
            CALLGRIND_DUMP_STATS_AT(name);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        bench_fail("usage: bench_classifier FOLDER time ROUNDS | count");
    (void)pqr_set_allocator(count_malloc, count_calloc, count_realloc, free);
    load_names();
    allocations = 0;
    struct text texts[TEXTS];
    for (unsigned i = 0; i < FILES; i++)
        texts[i] = read_file(argv[1], files[i]);
    texts[FILES] = in_list("IN numbers", MEGABYTE, false);
    texts[FILES + 1] = in_list("IN strings", MEGABYTE, true);
    if (strcmp(argv[2], "count") == 0) {
        count_instructions(texts);
        return 0;
    }
    unsigned rounds = argc > 3 ? bench_number(argv[3]) : 21;
    rounds = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
    time_texts(texts, rounds);
    time_known(texts, rounds);
    count_allocations(texts);
    time_sizes(rounds < 7 ? rounds : 7);
    return 0;
}
