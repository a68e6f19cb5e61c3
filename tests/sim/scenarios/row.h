/* A row of the table: one scenario under one way of sizing pools, over several seeds, since one of them alone tells
   differences of a few percent by chance. */
#ifndef SCENARIO_ROW_H
#define SCENARIO_ROW_H

#include "run.h"

struct row {
    const struct scenario *scenario;
    const struct way *way;
    unsigned seeds;
    uint64_t offered, good;                                        /* of all streams and seeds */
    struct times latency;                                          /* of the first stream, all seeds */
    double mean_connections, opened, refused, grown_s, converge_s; /* the mean of all seeds */
    uint32_t most_connections;
};

/* Seeds from `first` on. What is demanded of ours is looked at in the first `checked` of them. */
void row_make(struct row *row, const struct scenario *scenario, const struct way *way, uint64_t first,
    unsigned seeds, unsigned checked);
void row_free(struct row *row);

double row_goodput(const struct row *row);
uint64_t row_p99_us(struct row *row);
/* The columns' names. */
void row_print_head(void);
void row_print(struct row *row);

#endif
