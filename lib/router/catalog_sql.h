/* The questions that the catalog is read with. Each asks for the objects after an oid, in order, a bounded number
   at a time; no row comes when there are no more. */
#ifndef PQR_ROUTER_CATALOG_SQL_H
#define PQR_ROUTER_CATALOG_SQL_H

#include <stdbool.h>

/* The columns of every answer:
   0 oid, of the object that the row is about: what the next question begins after
   1 its kind: f(unction), o(perator), t(ype), r(elation), m: a relation over others, s: something that statements use
     unseen, e: the encoding, harmful where the server folds letters beyond ASCII or has another encoding than the client
   2 its name
   3 t: it is harmful by itself
   What it is made of, one row each, NULL: nothing.
   4 kind; u: it locks rows; q: a query's text
   5 name, or the text; NULL: not there
   6 t: it is PostgreSQL's own
   7 of a function: pg_proc.provolatile
   8 the schema of that which the row is about; functions alone, other answers lack these columns
   9, 10 how many arguments it takes, at least and at most; NULL: any number
   Parameters: $1 the last oid, "16383" at first (PostgreSQL manual, 74.2.2: what users create comes after it);
   $2, where typed: t when some type is harmful, so that what holds it matters. */
enum { PQR__CATALOG_FIRST_STEPS = 6, PQR__CATALOG_STEPS = 14 };

struct pqr__catalog_step {
    const char *sql;
    bool typed; /* has $2 */
};

/* The first PQR__CATALOG_FIRST_STEPS are asked once. The others are about what is made of other things, and are
   asked again until nothing more is found. */
extern const struct pqr__catalog_step pqr__catalog_steps[PQR__CATALOG_STEPS];

/* One number, which is another when something was written to what the steps read. Of tables only that they were
   changed counts, since temporary ones come and go. The server's sessions report what they wrote about once a second
   (PostgreSQL manual, 28.2), an idle one after ten at the latest; where track_counts is off the number stays. */
extern const char pqr__catalog_changes_sql[];

#endif
