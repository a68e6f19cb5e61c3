/* Reads that fly together, and how a test sees it: those under one Sync are one transaction to the server, so that
   now() tells them apart from all others. Their statements return it in the first column. Include after cmocka's
   headers. */
#ifndef PQR_TESTS_FLIGHTS_H
#define PQR_TESTS_FLIGHTS_H

#include "app.h"

/* One connection for requests a server, beside the probe's and the administrator's; nothing is too slow to share. */
#define FLIGHTS_ONE  "pool = { min = 1; max = 3; };"
#define FLIGHTS_SLOW FLIGHTS_ONE "reads = { share_limit = \"1h\"; };"

/* parameter: $1 as text, NULL: there is none. */
struct answer *flights_send(struct app *app, pqr_target target, const char *sql, const char *parameter);
/* Runs it alone, often enough to be known as a good neighbour. */
void flights_warm(struct app *app, pqr_target target, const char *sql, const char *parameter);
/* Both were answered with rows, under one Sync. */
bool flights_together(const struct answer *answer, const struct answer *other);
/* How many of the n shared a Sync with the one that is distance after them. */
unsigned flights_count(struct answer *const *answers, unsigned n, unsigned distance);

#endif
