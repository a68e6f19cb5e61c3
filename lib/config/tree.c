/* libconfig 1.5 leaves the thread with the global locale, whichever it had: it is put back here. */
#include "config/tree.h"

#include <locale.h>
#include <string.h>

#include "base/alloc.h"

static void wipe(config_setting_t *setting)
{
    if (setting->type == CONFIG_TYPE_STRING && setting->value.sval)
        pqr__wipe(setting->value.sval, strlen(setting->value.sval));
    for (int i = 0; config_setting_is_aggregate(setting) && i < config_setting_length(setting); i++)
        wipe(config_setting_get_elem(setting, (unsigned)i));
}

void pqr__tree_destroy(config_t *tree)
{
    wipe(config_root_setting(tree));
    config_destroy(tree);
}

/* The first of two: what stopped the expander, and what libconfig found before that. */
static void tell_first(
    const struct pqr__document *document, bool parsed, const config_t *tree, struct pqr__problems *problems)
{
    uint32_t line = parsed ? 0 : (uint32_t)config_error_line(tree);
    const char *found = parsed ? NULL : config_error_text(tree);
    const char *text = found ? found : "syntax error"; /* the parser's word when it knows no better */
    if (document->error_line && (parsed || line >= document->error_line))
        pqr__problem_add(problems, document->error_line, "%s", document->error);
    else
        pqr__problem_add(problems, line > document->line ? document->line : line,
            "%s%s; write name = value; with a value that is a number, true, false, \"text\", "
            "[ array ], ( list ) or { group }",
            text, strcmp(text, "syntax error") == 0 ? ", here or just before" : "");
}

bool pqr__tree_parse(config_t *tree, const struct pqr__document *document, struct pqr__problems *problems)
{
    config_init(tree);
    locale_t locale = uselocale((locale_t)0);
    bool parsed = config_read_string(tree, document->text.bytes) == CONFIG_TRUE;
    uselocale(locale);
    if (parsed && !document->error_line)
        return true;
    tell_first(document, parsed, tree, problems);
    pqr__tree_destroy(tree);
    return false;
}
