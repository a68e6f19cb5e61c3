/* A router on servers that do exactly what a test tells them: single steps that the simulator seldom meets.
 *
 * settle() lets connections open, close and be probed for 10 ms; what the application sent stays in the air until
 * the test answers it. Needs cmocka's headers before it.
 */
#ifndef PQR_TESTS_FAKE_ROUTER_H
#define PQR_TESTS_FAKE_ROUTER_H

#include "base/wheel.h"
#include "config/config.h"
#include "router/router.h"

enum { SERVERS = 3, CONNS = 200 };

struct pg_result {
    const char *values[11];
    const char *tag;
};

enum phase { CONNECTING, OPEN, LINGERING, GONE };

struct pqr__conn {
    uint32_t server; /* the number of its host */
    uint32_t place;  /* the router's number of it */
    void *context;
    enum phase phase;
    bool closing, abandoned;
    uint64_t opened_us;
    struct pqr__flight *flight, *behind, *third; /* behind: others, in the air as well; NULL: there is none */
};

enum connects { ACCEPTED, REFUSED, HANGING, TIMING_OUT, LOST_AT_ONCE };

struct fake {
    struct pqr__transport base; /* first */
    uint64_t now_us, timer_us;
    unsigned n_now; /* how often the clock was read */
    bool shut, gone;
    struct pqr__conn conns[CONNS];
    uint32_t n_conns, peak; /* peak: that were there at once */
    uint32_t host_of[64];
    bool standby[SERVERS];
    const char *lsn[SERVERS], *timeline[SERVERS]; /* NULL: 0/3000000 and 1 */
    bool goes_on[SERVERS];                        /* with its sessions, when their connections have ended */
    enum connects connects[SERVERS];              /* of the pool */
    bool prepare_hangs, init_hangs;
    bool catalog_waits;                    /* its questions are the test's to answer */
    const char *refusal;                   /* its SQLSTATE; NULL: 53300 */
    enum connects probe_connects[SERVERS]; /* the first connect to a server is its probe's */
    pqr_router *router;
    struct pqr_config *config;
};

extern struct fake fake;
extern const struct pqr__transport_ops fake_ops;
extern struct pqr__transport_events events; /* the router's */
extern bool closed;                         /* it told so */

/* What the application was told. */
struct told {
    unsigned times;
    pqr_status status;
    pqr_outcome outcome;
    uint32_t server;
    char sqlstate[6];
    int notices;
    unsigned attempts;
    pqr_token token; /* zeros: it had none */
};

bool is_probe(const struct pqr__conn *conn);
struct pg_result *result_new(const char *tag);
void item(struct pqr__conn *conn, const char *sqlstate, struct pg_result *result);
void settled_as(struct pqr__conn *conn, enum pqr__tx_status tx, const struct pqr__connect_info *info);
void answer_in(struct pqr__conn *conn, const char *sqlstate, const char *tag, enum pqr__tx_status tx);
/* BEGIN, well, and the statement that came with it. */
void answer_begun(struct pqr__conn *conn, const char *sqlstate, enum pqr__tx_status tx);
/* sqlstate NULL: well. */
void answer(struct pqr__conn *conn, const char *sqlstate);
void lose_after(struct pqr__conn *conn, bool sent);
void lose(struct pqr__conn *conn);
/* All to that server, the probe's too. */
void lose_all(uint32_t server);
/* All of the flight, or all up to the one with this text, which is refused. */
void answer_prepare(struct pqr__conn *conn, const char *refused);
void advance(uint64_t by_us);
/* Until nothing moves without the test or the time. */
void run_down(void);
void settle(void);
/* The connection on which a statement of the application, or BEGIN, COMMIT, ROLLBACK, is in the air; NULL: none. */
struct pqr__conn *flying_on(uint32_t server, unsigned skip);
/* That on which a question for the catalog is in the air; NULL: none. */
struct pqr__conn *reading_catalog(void);
/* Room for further connections. */
void forget_gone(void);
unsigned count_open(uint32_t server);
void run_query(struct told *told, const char *sql, pqr_target target, uint32_t flags);
void read_from_replica(struct told *told);
/* The same, answered at once, again and again: it is known to be fast. */
void make_reads_fast(unsigned times);
/* An insert; and until it flies. */
void write_on_primary(struct told *told);
void start_with(uint64_t seed);
void start(void);
struct pqr_config *config_of(const char *conninfo);
void reload_with(struct pqr_config *config);
int set_up(void **state);
int tear_down(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
void on_reply(pqr_reply *reply, void *data);
void on_closed(void *data);

#endif
