/* Which server is what, from what the servers say of themselves. All are decided together, because the answer
   for one depends on what the others claim. */
#ifndef PQR_POLICY_ROLES_H
#define PQR_POLICY_ROLES_H

#include "pqrouter.h"

enum { PQR__ROLES = PQR_ROLE_FENCED + 1 }; /* those of pqr_role */

/* The last word of one server. */
struct pqr__observation {
    uint64_t system_identifier; /* 0: it does not tell, which agrees only with others that do not either */
    uint64_t instance;          /* of the running server, so that two names of one are known; 0: not known */
    uint32_t timeline;          /* 0: not known */
    bool in_recovery;           /* a standby */
    bool probed;                /* it answered once, or a probe of it failed or timed out */
    bool answering;             /* the last probe was; what follows is from the last that was */
};

/* What is remembered between decisions; zeroed at first, or with the configured system_identifier. */
struct pqr__cluster {
    uint64_t system_identifier; /* pinned; 0: not yet */
    uint32_t highest_timeline;  /* of the pinned cluster, never forgotten */
    bool disputed;              /* servers named different identifiers before one was pinned */
    uint64_t left_identifier;   /* of the last one that was taken out of the configuration; 0: none was */
    uint32_t left_timeline;
};

/* Fills out[0 .. n). The rules, in order:
   1. Not probed: UNKNOWN. Not answering: DOWN.
   2. Another identifier than the pinned one: WRONG_CLUSTER. While none is pinned and those that answer disagree,
      all of them are: nobody can tell whose data is the right one. That dispute ends only when every server
      answers and all agree, so that the one that outlives the other does not win by it.
   3. Pinned by the first agreement: every server was probed, at least one answers, and those that answer agree.
      Until then those that answer stay UNKNOWN.
   4. In recovery: REPLICA.
   5. The primary is the one that claims it with the highest timeline ever seen in this cluster, on replicas too;
      others that claim it are FENCED. Two claims with that timeline: both are FENCED and writes refused, now
      and until one stops; but two names of one running server are one claim. The first primary is named once every
      server was probed, so that the order in which they answer decides nothing. */
void pqr__roles_decide(
    struct pqr__cluster *cluster, const struct pqr__observation *seen, uint32_t n, pqr_role *out);
/* One is not among those that are decided on any more. What it told of its timeline stays true, though it may have been
   before any was pinned. */
void pqr__roles_leave(struct pqr__cluster *cluster, const struct pqr__observation *seen);

#endif
