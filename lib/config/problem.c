#include "config/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "config/document.h"

/* More than a pqr_error can show of even the shortest ones. */
enum { KEPT = 500, LINE_SIZE = 1000, LAST_LINE_SIZE = 40 };

static bool make_room(struct pqr__problems *problems)
{
    if (problems->count < problems->capacity)
        return true;
    uint32_t capacity = problems->capacity ? 2 * problems->capacity : 8;
    struct pqr__problem *list = pqr__realloc(problems->list, capacity * sizeof(*list));
    if (!list)
        return false;
    problems->list = list;
    problems->capacity = capacity;
    return true;
}

void pqr__problem_add(struct pqr__problems *problems, uint32_t line, const char *format, ...)
{
    char raw[LINE_SIZE];
    char text[LINE_SIZE];
    va_list args;
    if (problems->count == KEPT) {
        problems->unkept++;
        return;
    }
    va_start(args, format);
    vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    pqr__text_escape(text, sizeof(text), raw);
    char *copy = pqr__strdup(text);
    if (!copy || !make_room(problems)) {
        pqr__free(copy);
        problems->failed = true;
        return;
    }
    problems->list[problems->count] =
        (struct pqr__problem){.line = line, .order = problems->count, .text = copy};
    problems->count++;
}

static int by_line(const void *left, const void *right)
{
    const struct pqr__problem *a = left;
    const struct pqr__problem *b = right;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* The length of the line written to out, 0 when it does not fit into size. */
static size_t write_line(
    char *out, size_t size, const struct pqr__problem *problem, const struct pqr__document *document)
{
    struct pqr__origin origin = pqr__document_origin(document, problem->line);
    char file[LINE_SIZE];
    int length;
    pqr__text_escape(file, sizeof(file), origin.file);
    if (origin.line)
        length = snprintf(out, size, "%s:%u: %s\n", file, (unsigned)origin.line, problem->text);
    else if (document->n_files > 0)
        length = snprintf(out, size, "%s: %s\n", file, problem->text);
    else
        length = snprintf(out, size, "%s\n", problem->text);
    return length > 0 && (size_t)length < size ? (size_t)length : 0;
}

int pqr__problems_report(
    struct pqr__problems *problems, const struct pqr__document *document, pqr_error *error)
{
    size_t at = 0;
    uint32_t shown = 0;
    pqr__error_set(error, PQR_ECONFIG, "%s", "");
    if (!error || problems->count == 0)
        return PQR_ECONFIG;
    qsort(problems->list, problems->count, sizeof(problems->list[0]), by_line);
    for (; shown < problems->count; shown++) {
        bool last = shown + 1 == problems->count && problems->unkept == 0;
        size_t size = sizeof(error->message) - at - (last ? 0 : LAST_LINE_SIZE);
        size_t length = write_line(error->message + at, size, &problems->list[shown], document);
        if (length == 0)
            break;
        at += length;
    }
    uint32_t rest = problems->count - shown + problems->unkept;
    if (rest > 0)
        snprintf(error->message + at, LAST_LINE_SIZE, "and %u more problem%s", (unsigned)rest,
            rest == 1 ? "" : "s");
    else
        error->message[at - 1] = '\0'; /* the last line has no end */
    return PQR_ECONFIG;
}

void pqr__problems_finish(struct pqr__problems *problems)
{
    for (uint32_t i = 0; i < problems->count; i++)
        pqr__free(problems->list[i].text);
    pqr__free(problems->list);
    *problems = (struct pqr__problems){0};
}
