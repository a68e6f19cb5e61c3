/* Checked on the way, because libconfig would not, or too late: names set twice, strings where no value
 * may stand (it would lose their memory), words without quotes, depth, and that a value stands in the file
 * of its key, so that a secret's file is known by its key's line. All other grammar is libconfig's. */
#include "config/emit.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

bool pqr__emit_fail(struct pqr__emitter *emitter, const char *text)
{
    struct pqr__document *document = emitter->document;
    document->error_line = document->line;
    snprintf(document->error, sizeof(document->error), "%s", text);
    return false;
}

bool pqr__emit_no_memory(struct pqr__emitter *emitter)
{
    emitter->no_memory = true;
    return false;
}

void pqr__emit_finish(struct pqr__emitter *emitter)
{
    pqr__free(emitter->names);
    emitter->names = NULL;
}

static bool in_group(const struct pqr__emitter *emitter)
{
    char open = emitter->scopes[emitter->depth].open;
    return open == 0 || open == '{';
}

static bool value_may_stand(const struct pqr__emitter *emitter)
{
    if (in_group(emitter))
        return emitter->previous == '=';
    return emitter->previous == '(' || emitter->previous == '[' || emitter->previous == ',';
}

/* A value in another file than its key, or a string continued in another file. */
static bool torn(const struct pqr__emitter *emitter, const struct pqr__word *word, uint32_t file)
{
    if (emitter->previous_file == file)
        return false;
    return emitter->previous == 'n' || emitter->previous == '=' ||
           (emitter->previous == '"' && word->kind == PQR__WORD_STRING);
}

static bool remember(struct pqr__emitter *emitter)
{
    if (emitter->n_names == emitter->names_capacity) {
        uint32_t capacity = emitter->names_capacity ? 2 * emitter->names_capacity : 32;
        struct pqr__seen *names = pqr__realloc(emitter->names, capacity * sizeof(*names));
        if (!names)
            return pqr__emit_no_memory(emitter);
        emitter->names = names;
        emitter->names_capacity = capacity;
    }
    emitter->names[emitter->n_names++] = emitter->key;
    return true;
}

static const struct pqr__seen *seen_before(const struct pqr__emitter *emitter, const struct pqr__word *word)
{
    for (uint32_t i = emitter->scopes[emitter->depth].first_name; i < emitter->n_names; i++)
        if (emitter->names[i].length == word->length &&
            memcmp(emitter->names[i].start, word->start, word->length) == 0)
            return &emitter->names[i];
    return NULL;
}

static int cut(size_t length)
{
    return length < 80 ? (int)length : 80;
}

/* "servers[1]." before the keys of the innermost scope. */
static void write_path(const struct pqr__emitter *emitter, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 1; i <= emitter->depth && at < size; i++) {
        const struct pqr__scope *scope = &emitter->scopes[i];
        const char *end = scope->open == '{' ? "." : "";
        if (scope->name)
            at += (size_t)snprintf(out + at, size - at, "%.*s%s", cut(scope->name_length), scope->name, end);
        else
            at += (size_t)snprintf(out + at, size - at, "[%u]%s", (unsigned)scope[-1].element, end);
    }
}

static void tell_duplicate(
    struct pqr__emitter *emitter, const struct pqr__word *word, const struct pqr__seen *first)
{
    char path[200];
    struct pqr__origin origin = pqr__document_origin(emitter->document, first->line);
    write_path(emitter, path, sizeof(path));
    pqr__problem_add(emitter->problems, emitter->document->line,
        "%s%.*s is set twice; keep either this one or that of %s:%u", path, cut(word->length), word->start,
        origin.file, (unsigned)origin.line);
}

static bool emit_key(struct pqr__emitter *emitter, const struct pqr__word *word)
{
    struct pqr__document *document = emitter->document;
    const struct pqr__seen *first = seen_before(emitter, word);
    if (emitter->previous == 'n')
        return pqr__emit_fail(
            emitter, "a word where '=' is due; write name = value, and put text into quotes");
    /* libconfig compares each name with all others of its group. */
    if (++emitter->names_total > PQR__MAX_NAMES)
        return pqr__emit_fail(emitter, "more than 2000 settings; there are not that many to set");
    emitter->previous = 'n';
    emitter->key = (struct pqr__seen){.start = word->start, .length = word->length, .line = document->line};
    if (!first) {
        pqr__text_append(&document->text, word->start, word->length);
        return remember(emitter);
    }
    tell_duplicate(emitter, word, first);
    pqr__text_printf(&document->text, "%c%u", PQR__DUPLICATE_PREFIX, (unsigned)++emitter->duplicates);
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

static bool emit_name(struct pqr__emitter *emitter, const struct pqr__word *word)
{
    if (in_group(emitter) && emitter->previous != '=')
        return emit_key(emitter, word);
    if (!word_is(word, "true") && !word_is(word, "false"))
        return pqr__emit_fail(emitter, "a word where a value is due; put text into quotes");
    pqr__text_append(&emitter->document->text, word->start, word->length);
    emitter->previous = 'w';
    return true;
}

static bool emit_number(struct pqr__emitter *emitter, const struct pqr__word *word)
{
    struct pqr__text *text = &emitter->document->text;
    struct pqr__number number;
    if (emitter->previous == 'n' && *word->start == '.')
        return pqr__emit_fail(
            emitter, "a dot in a name; what belongs to a group stands in its braces: pool = { max = 20; };");
    if (!pqr__scan_number(word, &number))
        return pqr__emit_fail(emitter, "this is no number; put text, and a number with a unit, into quotes");
    if (!value_may_stand(emitter))
        return pqr__emit_fail(emitter, "a number where no value may stand; write name = value");
    emitter->previous = '1';
    if (!number.integer)
        pqr__text_puts(text, "0.5"); /* no key takes one: that it is one is all that counts */
    else if (number.fits)
        pqr__text_printf(text, "%d", (int)number.value);
    else
        pqr__text_printf(text, "\"%s%.*s\"", PQR__WIDE_INTEGER, cut(word->length), word->start);
    return true;
}

static void emit_quoted(struct pqr__text *text, const char *bytes, size_t length)
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

bool pqr__emit_printable(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t')
            return false;
    return true;
}

static bool emit_string(struct pqr__emitter *emitter, const struct pqr__word *word)
{
    if (emitter->previous != '"' && !value_may_stand(emitter))
        return pqr__emit_fail(emitter, "a string where no value may stand; write name = \"value\"");
    char *bytes = pqr__malloc(word->length);
    if (!bytes)
        return pqr__emit_no_memory(emitter);
    size_t length = pqr__scan_string(word, bytes);
    bool fine = pqr__emit_printable(bytes, length);
    if (fine)
        emit_quoted(&emitter->document->text, bytes, length);
    pqr__free_wiped(bytes, word->length);
    emitter->previous = '"';
    return fine || pqr__emit_fail(emitter, "a string holds a control character; remove it");
}

static bool enter(struct pqr__emitter *emitter, char open)
{
    bool of_key = emitter->previous == '=';
    if (emitter->depth + 1 == PQR__MAX_NESTING)
        return pqr__emit_fail(emitter, "brackets nest too deep; no key needs this");
    emitter->scopes[++emitter->depth] = (struct pqr__scope){.open = open,
        .name = of_key ? emitter->key.start : NULL,
        .name_length = of_key ? emitter->key.length : 0,
        .first_name = emitter->n_names};
    return true;
}

static void leave(struct pqr__emitter *emitter)
{
    if (emitter->depth == 0)
        return; /* libconfig tells */
    emitter->n_names = emitter->scopes[emitter->depth].first_name;
    emitter->depth--;
}

static bool emit_mark(struct pqr__emitter *emitter, const struct pqr__word *word)
{
    bool fine = true;
    char mark = *word->start;
    if (mark == ':')
        mark = '=';
    if (emitter->previous == ',' && (mark == ')' || mark == ']'))
        return pqr__emit_fail(emitter, "a comma before the closing bracket; remove it");
    pqr__text_append(&emitter->document->text, &mark, 1);
    if (mark == '{' || mark == '(' || mark == '[')
        fine = enter(emitter, mark);
    else if (mark == '}' || mark == ')' || mark == ']')
        leave(emitter);
    else if (mark == ',')
        emitter->scopes[emitter->depth].element++;
    emitter->previous = mark;
    return fine;
}

bool pqr__emit_word(struct pqr__emitter *emitter, const struct pqr__word *word, uint32_t file)
{
    if (torn(emitter, word, file))
        return pqr__emit_fail(emitter, "a value in another file than its key; put both into one");
    pqr__text_puts(&emitter->document->text, " ");
    emitter->previous_file = file;
    switch (word->kind) {
    case PQR__WORD_NAME:
        return emit_name(emitter, word);
    case PQR__WORD_NUMBER:
        return emit_number(emitter, word);
    case PQR__WORD_STRING:
        return emit_string(emitter, word);
    case PQR__WORD_MARK:
        return emit_mark(emitter, word);
    case PQR__WORD_INCLUDE:
    case PQR__WORD_BAD:
    case PQR__WORD_END:
        break;
    }
    return true;
}
