/* Owns the files, the text and the map of its lines; config/expand.c writes them. */
#include "config/document.h"

#include "base/alloc.h"

void pqr__document_init(struct pqr__document *document, const char *label)
{
    *document = (struct pqr__document){.label = label, .line = 1, .text = {.secret = true}};
}

void pqr__document_finish(struct pqr__document *document)
{
    for (uint32_t i = 0; i < document->n_files; i++)
        pqr__file_finish(&document->files[i]);
    pqr__free(document->segments);
    pqr__text_finish(&document->text);
    *document = (struct pqr__document){0};
}

struct pqr__origin pqr__document_origin(const struct pqr__document *document, uint32_t line)
{
    const struct pqr__segment *found = NULL;
    for (uint32_t i = 0; line > 0 && i < document->n_segments && document->segments[i].line <= line; i++)
        found = &document->segments[i];
    if (!found)
        return (struct pqr__origin){
            .file = document->n_files ? document->files[0].name : document->label, .file_index = -1};
    return (struct pqr__origin){.file = document->files[found->file].name,
        .line = found->file_line + (line - found->line),
        .file_index = (int32_t)found->file};
}
