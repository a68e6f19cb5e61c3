#include "texts.h"

#include <stdio.h>

/* A text is kept when it comes twice in a row, of those that share a place for that. */
enum { FAMILIAR = 8 };

static const enum sim_kind kinds[] = {SIM_READ, SIM_READ, SIM_READ, SIM_READ, SIM_READ, SIM_READ, SIM_READ,
    SIM_READ, SIM_WRITE, SIM_WRITE, SIM_WRITE, SIM_WRITE, SIM_LOCK_READ, SIM_FUNCTION, SIM_HIDDEN, SIM_CALL,
    SIM_CALL};

/* Digits stay few: seven of them would be the number of an execution. */
static const char *const patterns[SIM_KINDS] = {
    [SIM_READ] = "select v from r%u where k = $1",
    [SIM_WRITE] = "insert into w%u (k) values ($1)",
    [SIM_LOCK_READ] = "select v from r%u where k = $1 for update",
    [SIM_FUNCTION] = "select f%u($1)",
    [SIM_HIDDEN] = "/*pqr:replica*/ select f%u($1)",
    [SIM_CALL] = "call p%u($1)",
};

static void init_text(struct sim_texts *texts, struct sim_text *text, unsigned number)
{
    struct sim_world *world = texts->world;
    /* The one that comes most often is a read. */
    enum sim_kind kind =
        number == 0 ? SIM_READ : kinds[sim_between(world, 0, sizeof(kinds) / sizeof(kinds[0]) - 1)];
    *text = (struct sim_text){.number = number, .kind = kind};
    text->n_params = (int)sim_skewed(world, 1, 4);
    text->service_us = sim_skewed(world, 50, 2000);
    text->fails = sim_chance(world, 300) ? (unsigned)sim_between(world, 10, 150) : 0;
    text->hangs = sim_chance(world, 100) ? 10 : 0;
    text->dawdles = sim_chance(world, 200) ? (unsigned)sim_between(world, 10, 50) : 0;
    text->no_standby = kind == SIM_READ && sim_chance(world, 100);
    char line[sizeof(text->sql)];
    int cut = 0;
    while (patterns[kind][cut] != '%')
        cut++;
    snprintf(line, sizeof(line), "%.*s%u%s", cut, patterns[kind], number, patterns[kind] + cut + 2);
    for (size_t i = 0; i < sizeof(line); i++)
        text->sql[i] = line[i];
    if (sim_chance(world, 300) && pqr_statement_new(&text->statement, text->sql) != 0)
        text->statement = NULL; /* no memory: as text then */
}

void sim_texts_init(struct sim_texts *texts, struct sim_world *world)
{
    *texts = (struct sim_texts){.world = world};
    texts->count = (unsigned)sim_between(world, 1, SIM_MAX_TEXTS);
    for (unsigned i = 0; i < texts->count; i++)
        init_text(texts, &texts->all[i], i);
}

void sim_texts_finish(struct sim_texts *texts)
{
    for (unsigned i = 0; i < texts->count; i++) {
        pqr_statement_free(texts->all[i].statement);
        texts->all[i].statement = NULL;
    }
}

struct sim_text *sim_texts_pick(struct sim_texts *texts, unsigned among)
{
    struct sim_text *fit[SIM_MAX_TEXTS];
    unsigned n = 0;
    for (unsigned i = 0; i < texts->count; i++)
        if (among >> texts->all[i].kind & 1)
            fit[n++] = &texts->all[i];
    return n > 0 ? fit[sim_skewed(texts->world, 0, n - 1)] : NULL;
}

static enum sim_fate fate_of(struct sim_world *world, const struct sim_text *text)
{
    if (sim_chance(world, text->fails)) {
        if (text->kind == SIM_CALL && sim_chance(world, 500))
            return SIM_HALF;
        if (sim_kind_writes(text->kind) && sim_chance(world, 400))
            return SIM_DEFERRED;
        return sim_chance(world, 700) ? SIM_BAD : SIM_CONFLICT;
    }
    if (sim_chance(world, text->hangs))
        return sim_chance(world, 800) ? SIM_ENDLESS : SIM_STUCK;
    return text->no_standby ? SIM_NO_STANDBY : SIM_FINE;
}

struct sim_entry *sim_text_entry(struct sim_texts *texts, struct sim_text *text, struct sim_ledger *ledger)
{
    struct sim_world *world = texts->world;
    struct sim_entry *entry = sim_ledger_add_text(ledger, text, fate_of(world, text));
    entry->service_us = sim_skewed(world, text->service_us / 2, 2 * text->service_us);
    if (sim_chance(world, text->dawdles))
        entry->service_us = sim_skewed(world, 10000, 500000);
    entry->familiar = text->asked++ >= FAMILIAR;
    entry->other_types = sim_chance(world, 30);
    return entry;
}
