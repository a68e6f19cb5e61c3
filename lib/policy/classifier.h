/* Where a statement may run, by its text alone (PostgreSQL manual, chapter 4.1, and part VI). Pure, linear, no
   allocation, no recursion. Only what is proven harmless is PQR_CLASS_REPLICA. Of several statements the strictest
   decides, each of route and effect. Text without a statement is primary and a read. COPY ... TO STDOUT of what is
   harmless is replica and a copy.

   What text can't say comes from the catalog: a table's name may be a view over a volatile function, t.f may call
   a function f, and a user's function or operator may have a built-in one's name. Without a catalog none of that is
   seen, and unknown functions, types and operators mean primary. Nothing in it makes a statement harmless that its
   text calls a write. */
#ifndef PQR_POLICY_CLASSIFIER_H
#define PQR_POLICY_CLASSIFIER_H

#include "pqrouter.h"

struct pqr__catalog;
struct pqr__named;

struct pqr__dialect {
    bool standard_conforming_strings;
    bool ascii_safe; /* false: the client encoding is not (SJIS, BIG5, GBK ...): all text is primary */
    const struct pqr__catalog *catalog; /* of the database's own names; NULL: built-in facts only */
    const struct pqr__named *named;     /* functions that the configuration names; NULL: none */
};

/* What settling and transactions have to know. */
enum pqr__effect {
    PQR__EFFECT_UNKNOWN = 0, /* not recognised: alone, never run again after it was sent */
    PQR__EFFECT_READ,        /* harmless: may be repeated anywhere */
    PQR__EFFECT_WRITE,       /* rolls back whole when it fails */
    PQR__EFFECT_PARTIAL,     /* CALL, DO, VACUUM, ... CONCURRENTLY: an error does not prove rollback */
    PQR__EFFECT_SESSION, /* leaves or needs state on the connection: SET, LISTEN, temp tables, cursors ... */
    PQR__EFFECT_TRANSACTION, /* BEGIN, COMMIT, ROLLBACK, PREPARE TRANSACTION ... (savepoints are SESSION) */
    PQR__EFFECT_COPY,        /* COPY from or to the client */
};

enum pqr__hint { PQR__HINT_NONE = 0, PQR__HINT_PRIMARY, PQR__HINT_REPLICA }; /* a leading pqr: comment */

struct pqr__verdict {
    pqr_class route;
    enum pqr__effect effect; /* of the strictest statement */
    enum pqr__hint hint;
    uint16_t reason;      /* the classifier's own enum */
    bool defines : 1;     /* what the catalog knows may be another thing after it */
    bool several : 1;     /* more than one statement that is not empty */
    bool query : 1;       /* SELECT, INSERT and the like: no transaction block is asked of it, as by LOCK */
    uint32_t word_offset; /* the word of the text that decided, for the reason; length 0: none */
    uint32_t word_length;
};

void pqr__classify(
    struct pqr__verdict *out, const char *sql, size_t length, const struct pqr__dialect *dialect);

/* Makes a verdict stricter by the types that a statement's parameters are declared as (0: by the server), which its
   text does not show: the input functions of a database's own types run, and what compares their values. */
void pqr__classify_types(
    struct pqr__verdict *out, const Oid *types, size_t n, const struct pqr__dialect *dialect);

/* Whether any of them may be a database's own. */
bool pqr__types_of_users(const Oid *types, size_t n);

/* As pqr__classify, told step by step: each name that is looked up, each rule that makes the answer stricter. */
void pqr__classify_explained(struct pqr__verdict *out, const char *sql, size_t length,
    const struct pqr__dialect *dialect, pqr_explain_cb cb, void *data);
/* As the application sees it: the hint counts, the reason is text. explicit_only: reads.mode "explicit". */
void pqr__verdict_publish(
    const struct pqr__verdict *verdict, const char *sql, bool explicit_only, pqr_verdict *out);

/* The reason for people, "volatile function nextval". Control characters escaped, cut to fit. */
void pqr__verdict_text(const struct pqr__verdict *verdict, const char *sql, char *out, size_t size);

#endif
