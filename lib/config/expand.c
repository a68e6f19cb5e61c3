/* Writes a document's text from the words of its files.
 *
 * Checked on the way, because libconfig would not, or too late: names set twice, strings where no value may
 * stand, words without quotes, depth, and that a value stands in the file of its key (so that a secret's file is known by
 * the key's line). All other grammar is libconfig's. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/document.h"
#include "config/scan.h"

enum { MAX_DEPTH = 32, MAX_NAMES = 10000 };

struct seen {
    const char *start;
    size_t length;
    uint32_t line; /* of the text */
};

struct scope {
    char open; /* '{', '(', '[', or 0 at the top */
    uint32_t first_name;
};

struct expander {
    struct pqr__document *document;
    struct pqr__problems *problems;
    struct scope scopes[MAX_DEPTH];
    uint32_t depth; /* index of the innermost scope */
    struct seen *names;
    uint32_t n_names, names_capacity, names_total, duplicates;
    char previous; /* the last word: its mark, or 'n'ame, 'w'ord as value, '"', '1'; 0 at the start */
    uint32_t previous_file;
    uint32_t including[PQR__MAX_INCLUDE_DEPTH + 1]; /* files being read, outermost first */
    uint32_t n_including;
    uint32_t file_line; /* the line of the file that document->line stands for */
    bool no_memory;
};

static bool fail(struct expander *expander, const char *text)
{
    struct pqr__document *document = expander->document;
    document->error_line = document->line;
    snprintf(document->error, sizeof(document->error), "%s", text);
    return false;
}

static bool out_of_memory(struct expander *expander)
{
    expander->no_memory = true;
    return false;
}

static bool add_segment(struct expander *expander, uint32_t file, uint32_t file_line)
{
    struct pqr__document *document = expander->document;
    if (document->n_segments == document->segments_capacity) {
        uint32_t capacity = document->segments_capacity ? 2 * document->segments_capacity : 8;
        struct pqr__segment *segments = pqr__realloc(document->segments, capacity * sizeof(*segments));
        if (!segments)
            return out_of_memory(expander);
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
    while (expander->file_line < file_line && !expander->document->text.failed)
        new_line(expander);
}

static bool in_group(const struct expander *expander)
{
    char open = expander->scopes[expander->depth].open;
    return open == 0 || open == '{';
}

static bool value_may_stand(const struct expander *expander)
{
    return in_group(expander) ? expander->previous == '='
                              : strchr("([,", expander->previous) && expander->previous;
}

/* A value in another file than its key, or a string continued in another file. */
static bool torn(const struct expander *expander, const struct pqr__word *word, uint32_t file)
{
    if (expander->previous_file == file)
        return false;
    return expander->previous == 'n' || expander->previous == '=' ||
           (expander->previous == '"' && word->kind == PQR__WORD_STRING);
}

static bool remember_name(struct expander *expander, const struct pqr__word *word)
{
    if (++expander->names_total > MAX_NAMES)
        return fail(expander, "more than 10000 settings; there are not that many to set");
    if (expander->n_names == expander->names_capacity) {
        uint32_t capacity = expander->names_capacity ? 2 * expander->names_capacity : 32;
        struct seen *names = pqr__realloc(expander->names, capacity * sizeof(*names));
        if (!names)
            return out_of_memory(expander);
        expander->names = names;
        expander->names_capacity = capacity;
    }
    expander->names[expander->n_names++] =
        (struct seen){.start = word->start, .length = word->length, .line = expander->document->line};
    return true;
}

static const struct seen *seen_before(const struct expander *expander, const struct pqr__word *word)
{
    for (uint32_t i = expander->scopes[expander->depth].first_name; i < expander->n_names; i++)
        if (expander->names[i].length == word->length &&
            memcmp(expander->names[i].start, word->start, word->length) == 0)
            return &expander->names[i];
    return NULL;
}

static bool write_key(struct expander *expander, const struct pqr__word *word)
{
    struct pqr__document *document = expander->document;
    const struct seen *first = seen_before(expander, word);
    if (expander->previous == 'n' || expander->previous == '=')
        return fail(expander, "a word where a value or '=' is due; put text into quotes");
    expander->previous = 'n';
    if (!first) {
        pqr__text_append(&document->text, word->start, word->length);
        return remember_name(expander, word);
    }
    struct pqr__origin origin = pqr__document_origin(document, first->line);
    pqr__problem_add(expander->problems, document->line, "%.*s is set twice; keep this one or that of %s:%u",
        (int)(word->length < 100 ? word->length : 100), word->start, origin.file, (unsigned)origin.line);
    pqr__text_printf(&document->text, "%c%u", PQR__DUPLICATE_PREFIX, (unsigned)++expander->duplicates);
    return true;
}

static bool word_is(const struct pqr__word *word, const char *lower)
{
    size_t length = strlen(lower);
    if (word->length != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((word->start[i] | 0x20) != lower[i])
            return false;
    return true;
}

static bool write_name(struct expander *expander, const struct pqr__word *word)
{
    if (in_group(expander) && expander->previous != '=')
        return write_key(expander, word);
    if (!word_is(word, "true") && !word_is(word, "false"))
        return fail(expander, "a word where a value is due; put text into quotes");
    pqr__text_append(&expander->document->text, word->start, word->length);
    expander->previous = 'w';
    return true;
}

static bool write_number(struct expander *expander, const struct pqr__word *word)
{
    struct pqr__text *text = &expander->document->text;
    bool integer;
    bool fits;
    int32_t value = 0;
    if (!pqr__scan_number(word, &integer, &fits, &value))
        return fail(expander, "this is no number; put text, and numbers with a unit, into quotes");
    if (!value_may_stand(expander))
        return fail(expander, "a number where no value may stand; write it as name = value");
    expander->previous = '1';
    if (!integer)
        pqr__text_puts(text, "0.5"); /* no setting takes one: that it is one is all that counts */
    else if (fits)
        pqr__text_printf(text, "%d", (int)value);
    else
        pqr__text_printf(
            text, "\"%s%.*s\"", PQR__WIDE_INTEGER, word->length < 40 ? (int)word->length : 40, word->start);
    return true;
}

static void write_quoted(struct pqr__text *text, const char *bytes, size_t length)
{
    pqr__text_puts(text, "\"");
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            pqr__text_printf(text, "\\%c", bytes[i]);
        else if (bytes[i] == '@' || bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t')
            pqr__text_printf(text, "\\x%02x", (unsigned)bytes[i]);
        else
            pqr__text_append(text, &bytes[i], 1);
    }
    pqr__text_puts(text, "\"");
}

static bool printable(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)bytes[i] < 0x20 && (bytes[i] == '\0' || !strchr("\n\r\t", bytes[i])))
            return false;
    return true;
}

static bool write_string(struct expander *expander, const struct pqr__word *word)
{
    if (expander->previous != '"' && !value_may_stand(expander))
        return fail(expander, "a string where no value may stand; write it as name = \"value\"");
    char *bytes = pqr__malloc(word->length);
    if (!bytes)
        return out_of_memory(expander);
    size_t length = pqr__scan_string(word, bytes);
    bool fine = printable(bytes, length);
    if (fine)
        write_quoted(&expander->document->text, bytes, length);
    pqr__free_wiped(bytes, word->length);
    expander->previous = '"';
    return fine || fail(expander, "a string holds a control character; remove it");
}

static bool enter(struct expander *expander, char open)
{
    if (expander->depth + 1 == MAX_DEPTH)
        return fail(expander, "brackets nest too deep; no setting needs this");
    expander->scopes[++expander->depth] = (struct scope){.open = open, .first_name = expander->n_names};
    return true;
}

static void leave(struct expander *expander)
{
    if (expander->depth == 0)
        return; /* libconfig tells */
    expander->n_names = expander->scopes[expander->depth].first_name;
    expander->depth--;
}

static bool write_mark(struct expander *expander, const struct pqr__word *word)
{
    char mark = *word->start == ':' ? '=' : *word->start;
    pqr__text_append(&expander->document->text, &mark, 1);
    expander->previous = mark;
    if (strchr("{([", mark))
        return enter(expander, mark);
    if (strchr("})]", mark))
        leave(expander);
    return true;
}

static bool expand_file(struct expander *expander, uint32_t index);

/* Relative to the file that includes it. NULL: no memory. */
static char *resolve(const char *including, const char *name)
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

static bool admit(struct expander *expander, const struct pqr__file *file)
{
    const struct pqr__document *document = expander->document;
    for (uint32_t i = 0; i < expander->n_including; i++)
        if (pqr__file_same(&document->files[expander->including[i]], file))
            return fail(expander, "@include of a file from within itself; remove it");
    return true;
}

static bool include(struct expander *expander, const char *name)
{
    struct pqr__document *document = expander->document;
    struct pqr__file file;
    char why[120];
    char text[sizeof(document->error)];
    if (expander->n_including > PQR__MAX_INCLUDE_DEPTH || document->n_files == PQR__MAX_FILES)
        return fail(expander, "too many files include one another (at most 8 deep, 64 in all)");
    char *path = resolve(document->files[expander->including[expander->n_including - 1]].name, name);
    if (!path)
        return out_of_memory(expander);
    int status = pqr__file_read(&file, path, PQR__MAX_CONFIG_BYTES - document->bytes_read, why, sizeof(why));
    snprintf(
        text, sizeof(text), "@include \"%.60s\": %s; name a regular file, relative to this one", path, why);
    pqr__free(path);
    if (status == PQR_ENOMEM)
        return out_of_memory(expander);
    if (status)
        return fail(expander, text);
    if (!admit(expander, &file)) {
        pqr__file_finish(&file);
        return false;
    }
    document->files[document->n_files] = file;
    return expand_file(expander, document->n_files++);
}

static bool expand_include(struct expander *expander, struct pqr__scanner *scanner, uint32_t file)
{
    struct pqr__word word = pqr__scan_next(scanner);
    if (word.kind != PQR__WORD_STRING)
        return fail(expander, "@include without a file; write @include \"file\"");
    if (expander->previous && strchr("n=", expander->previous))
        return fail(expander, "@include where a value is due; set it in the file of its key");
    char *name = pqr__malloc(word.length);
    if (!name)
        return out_of_memory(expander);
    size_t length = pqr__scan_string(&word, name);
    bool fine = printable(name, length) && length > 0 ? include(expander, name)
                                                      : fail(expander, "@include of a file without a name");
    pqr__free(name);
    if (!fine)
        return false;
    new_line(expander);
    return add_segment(expander, file, scanner->line);
}

static bool write_word(
    struct expander *expander, struct pqr__scanner *scanner, const struct pqr__word *word, uint32_t file)
{
    catch_up(expander, word->line);
    if (word->kind != PQR__WORD_INCLUDE && word->kind != PQR__WORD_BAD && word->kind != PQR__WORD_END) {
        if (torn(expander, word, file))
            return fail(expander, "a value in another file than its key; put both into one");
        pqr__text_puts(&expander->document->text, " ");
        expander->previous_file = file;
    }
    switch (word->kind) {
    case PQR__WORD_NAME:
        return write_name(expander, word);
    case PQR__WORD_NUMBER:
        return write_number(expander, word);
    case PQR__WORD_STRING:
        return write_string(expander, word);
    case PQR__WORD_MARK:
        return write_mark(expander, word);
    case PQR__WORD_INCLUDE:
        return expand_include(expander, scanner, file);
    case PQR__WORD_BAD:
        return fail(expander, word->problem);
    case PQR__WORD_END:
        break;
    }
    return true;
}

static bool expand_file(struct expander *expander, uint32_t index)
{
    struct pqr__document *document = expander->document;
    const struct pqr__file *file = &document->files[index];
    struct pqr__scanner scanner;
    struct pqr__word word;
    bool fine = true;
    document->bytes_read += file->length;
    if (document->n_segments > 0)
        new_line(expander);
    if (!add_segment(expander, index, 1))
        return false;
    expander->including[expander->n_including++] = index;
    pqr__scan_init(&scanner, file->text, file->length);
    do {
        word = pqr__scan_next(&scanner);
        fine = write_word(expander, &scanner, &word, index);
    } while (fine && word.kind != PQR__WORD_END && !document->text.failed);
    expander->n_including--;
    return fine;
}

int pqr__document_expand(struct pqr__document *document, struct pqr__problems *problems)
{
    struct expander expander = {.document = document, .problems = problems};
    expand_file(&expander, 0);
    pqr__text_puts(&document->text, "\n");
    pqr__free(expander.names);
    return expander.no_memory || document->text.failed ? PQR_ENOMEM : 0;
}
