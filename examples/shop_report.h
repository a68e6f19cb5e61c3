/* What examples/shop.c shows: events, a live table, a closing summary. Only printing; of pqrouter it uses the
   statistics. */
#ifndef SHOP_REPORT_H
#define SHOP_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <pqrouter.h>

enum { REPORT_SERVERS_MAX = 16 };

/* The reads each server had run, at one moment. */
struct reads_mark {
    bool taken;
    double at_s;
    uint64_t reads[REPORT_SERVERS_MAX];
};

struct report {
    bool terminal; /* the table is drawn over itself */
    int lines;     /* of the table on the screen, the cursor is below them */
    double now_s;  /* since the start; the shop sets it */
    double drawn_s, counted_s;
    uint64_t counted_reads[REPORT_SERVERS_MAX], reads_a_second[REPORT_SERVERS_MAX];
};

/* The same question asked twice while orders were queued: as anybody, and as the administrator. */
struct overtaking {
    uint32_t orders, waiting; /* placed at once; of them in the queue when the question was asked */
    uint64_t normal_us, admin_us;
    bool normal_done, admin_done;
};

struct summary {
    uint64_t reads, orders, failed;
    char first_failure[300];
    int64_t orders_found; /* rows in the table; -1: not counted */
    char stopped[64];     /* the server that was away; "": none */
    struct reads_mark begin, left, back, end;
    struct overtaking sale;
};

void report_init(struct report *report);
/* One line, above the table. */
void report_event(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Draws the table when it is due: four times a second on a terminal, else every five seconds. */
void report_table(struct report *report, const pqr_stats *stats, const struct summary *summary);
/* The next one is due at once. */
void report_want_table(struct report *report);
void report_mark(const struct report *report, struct reads_mark *mark, const pqr_stats *stats);
void report_summary(const struct report *report, const struct summary *summary, const pqr_stats *stats);

#endif
