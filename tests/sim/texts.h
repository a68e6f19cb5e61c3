/* Texts that come again and again, as an application's do: the number of an execution is its first parameter, not in
   the text. So a text gets a history, flies with others, is kept prepared, and is met by what goes wrong with that. */
#ifndef SIM_TEXTS_H
#define SIM_TEXTS_H

#include "ledger.h"
#include "pqrouter.h"

enum { SIM_MAX_TEXTS = 10, SIM_OTHER_TYPES = 700 };

struct sim_text {
    unsigned number;
    enum sim_kind kind;
    char sql[80];
    int n_params;
    uint64_t service_us;
    unsigned fails, hangs, dawdles; /* chances in a thousand */
    bool no_standby;                /* a standby refuses it, harmless as it looks */
    pqr_statement *statement;       /* NULL: it is given as text */
    unsigned asked;                 /* executions asked for */
    unsigned clean;                 /* kept by checks.c: executions since it failed last */
};

struct sim_texts {
    struct sim_world *world;
    struct sim_text all[SIM_MAX_TEXTS];
    unsigned count;
};

void sim_texts_init(struct sim_texts *texts, struct sim_world *world);
void sim_texts_finish(struct sim_texts *texts);
/* The first ones far more often than the last. NULL: none of these kinds is there. kinds: a bit each. */
struct sim_text *sim_texts_pick(struct sim_texts *texts, unsigned kinds);
/* An execution of it, with a fate and a duration at random. */
struct sim_entry *sim_text_entry(struct sim_texts *texts, struct sim_text *text, struct sim_ledger *ledger);

#endif
