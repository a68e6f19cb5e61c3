/* Goes through the words of a document's first file and, at an @include, of the file that it names. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/emit.h"

struct expander {
    struct pqr__document *document;
    struct pqr__emitter emitter;
    uint32_t including[PQR__MAX_INCLUDE_DEPTH + 1]; /* the files being read, outermost first */
    uint32_t n_including;
    uint32_t file_line; /* the line of the innermost that document->line stands for */
};

static bool add_segment(struct expander *expander, uint32_t file, uint32_t file_line)
{
    struct pqr__document *document = expander->document;
    if (document->n_segments == document->segments_capacity) {
        uint32_t capacity = document->segments_capacity ? 2 * document->segments_capacity : 8;
        struct pqr__segment *segments = pqr__realloc(document->segments, capacity * sizeof(*segments));
        if (!segments)
            return pqr__emit_no_memory(&expander->emitter);
        document->segments = segments;
        document->segments_capacity = capacity;
    }
    document->segments[document->n_segments++] =
        (struct pqr__segment){.line = document->line, .file = file, .file_line = file_line};
    expander->file_line = file_line;
    return true;
}

static void new_line(struct expander *expander)
{
    pqr__text_puts(&expander->document->text, "\n");
    expander->document->line++;
    expander->file_line++;
}

static void catch_up(struct expander *expander, uint32_t file_line)
{
    while (expander->file_line < file_line)
        new_line(expander);
}

/* name, relative to the file that includes it. NULL: no memory. */
static char *locate(const char *including, const char *name)
{
    const char *slash = strrchr(including, '/');
    size_t folder = slash && *name != '/' ? (size_t)(slash - including) + 1 : 0;
    size_t length = strlen(name);
    char *path = pqr__malloc(folder + length + 1);
    if (!path)
        return NULL;
    memcpy(path, including, folder);
    memcpy(path + folder, name, length + 1);
    return path;
}

static int read_included(struct expander *expander, const char *path)
{
    struct pqr__document *document = expander->document;
    char why[120];
    char text[sizeof(document->error)];
    int status = pqr__file_read(&document->files[document->n_files], path,
        PQR__MAX_CONFIG_BYTES - document->bytes_read, why, sizeof(why));
    if (status == PQR_ENOMEM)
        pqr__emit_no_memory(&expander->emitter);
    if (status == PQR_EIO) {
        snprintf(text, sizeof(text), "@include \"%.100s\": %s; name a regular file, relative to this one",
            path, why);
        pqr__emit_fail(&expander->emitter, text);
    }
    return status;
}

static bool is_being_read(const struct expander *expander, const struct pqr__file *file)
{
    for (uint32_t i = 0; i < expander->n_including; i++)
        if (pqr__file_same(&expander->document->files[expander->including[i]], file))
            return true;
    return false;
}

static bool expand_file(struct expander *expander, uint32_t index);

static bool include(struct expander *expander, const char *name)
{
    struct pqr__document *document = expander->document;
    if (expander->n_including > PQR__MAX_INCLUDE_DEPTH || document->n_files == PQR__MAX_FILES)
        return pqr__emit_fail(
            &expander->emitter, "@include of too many files; at most 8 within one another, and 64 in all");
    char *path = locate(document->files[expander->including[expander->n_including - 1]].name, name);
    if (!path)
        return pqr__emit_no_memory(&expander->emitter);
    int status = read_included(expander, path);
    pqr__free(path);
    if (status)
        return false;
    uint32_t index = document->n_files++;
    if (is_being_read(expander, &document->files[index]))
        return pqr__emit_fail(&expander->emitter, "@include of a file from within itself; remove it");
    return expand_file(expander, index);
}

static bool expand_include(struct expander *expander, struct pqr__scanner *scanner, uint32_t file)
{
    struct pqr__word word = pqr__scan_next(scanner);
    if (word.kind != PQR__WORD_STRING)
        return pqr__emit_fail(&expander->emitter, "@include without a file; write @include \"file\"");
    char *name = pqr__malloc(word.length);
    if (!name)
        return pqr__emit_no_memory(&expander->emitter);
    size_t length = pqr__scan_string(&word, name);
    bool fine = length > 0 && pqr__emit_printable(name, length);
    fine = fine ? include(expander, name)
                : pqr__emit_fail(
                      &expander->emitter, "@include of a file without a name; write @include \"file\"");
    pqr__free(name);
    if (!fine)
        return false;
    new_line(expander);
    return add_segment(expander, file, scanner->line);
}

static bool expand_word(
    struct expander *expander, struct pqr__scanner *scanner, const struct pqr__word *word, uint32_t file)
{
    catch_up(expander, word->line);
    if (word->kind == PQR__WORD_INCLUDE)
        return expand_include(expander, scanner, file);
    if (word->kind == PQR__WORD_BAD)
        return pqr__emit_fail(&expander->emitter, word->problem);
    return word->kind == PQR__WORD_END || pqr__emit_word(&expander->emitter, word, file);
}

static bool expand_file(struct expander *expander, uint32_t index)
{
    struct pqr__document *document = expander->document;
    const struct pqr__file *file = &document->files[index];
    struct pqr__scanner scanner;
    struct pqr__word word;
    bool fine;
    document->bytes_read += file->length;
    if (document->n_segments > 0)
        new_line(expander);
    if (!add_segment(expander, index, 1))
        return false;
    assert(expander->n_including <= PQR__MAX_INCLUDE_DEPTH);
    expander->including[expander->n_including++] = index;
    pqr__scan_init(&scanner, file->text, file->length);
    do {
        word = pqr__scan_next(&scanner);
        fine = expand_word(expander, &scanner, &word, index);
    } while (fine && word.kind != PQR__WORD_END && !document->text.failed);
    expander->n_including--;
    return fine;
}

int pqr__document_expand(struct pqr__document *document, struct pqr__problems *problems)
{
    struct expander expander = {
        .document = document, .emitter = {.document = document, .problems = problems}};
    expand_file(&expander, 0);
    pqr__text_puts(&document->text, "\n");
    pqr__emit_finish(&expander.emitter);
    return expander.emitter.no_memory || document->text.failed ? PQR_ENOMEM : 0;
}
