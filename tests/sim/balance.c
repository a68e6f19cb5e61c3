/* The strategies of the balancer against one another, on eight modelled replicas in virtual time: a server shares its
   cores evenly among what it runs; who finds no connection free waits in one line. Prints a table of the latencies
   and fails unless the default is the best, or nearly, in every row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/balancer.h"
#include "policy/ewma.h"

enum {
    SERVERS = 8,
    CORES = 4,
    CONNECTIONS = 16, /* a server */
    WORK_US = 1000,   /* of a request, on average */
    STEP_US = 25,
    RUN_US = 8000000,
    WAITING = 20000,
    ANSWERS = 400000,
};

struct request {
    uint64_t arrived_us, sent_us, due_us; /* due: its answer is on the way back; 0: it is worked on */
    double left_us;
};

struct server {
    double speed;    /* 1: one core does a microsecond's work in one */
    uint64_t way_us; /* there and back */
    struct request runs[CONNECTIONS];
    uint32_t n;
    struct pqr__ewma latency;
};

struct situation {
    const char *name;
    unsigned load; /* percent of what all could do at full speed */
    /* Sets speed and way at a moment. */
    void (*set)(struct server *servers, uint64_t now_us);
};

struct run {
    struct pqr__random random;
    struct pqr__balancer balancer;
    struct server servers[SERVERS];
    struct request waiting[WAITING]; /* a ring */
    uint32_t first, n_waiting;
    uint32_t *latencies;
    uint32_t n_answers;
    uint64_t now_us;
};

static void even(struct server *servers, uint64_t now_us)
{
    (void)now_us;
    for (int i = 0; i < SERVERS; i++)
        servers[i].speed = 1;
}

static void one_slow(struct server *servers, uint64_t now_us)
{
    even(servers, now_us);
    servers[3].speed = 0.1;
}

static void slow_for_a_while(struct server *servers, uint64_t now_us)
{
    even(servers, now_us);
    if (now_us > RUN_US / 4 && now_us < RUN_US / 2)
        servers[3].speed = 0.1;
}

static void half_are_fast(struct server *servers, uint64_t now_us)
{
    (void)now_us;
    for (int i = 0; i < SERVERS; i++)
        servers[i].speed = i % 2 ? 1.4 : 0.6;
}

static void one_is_far(struct server *servers, uint64_t now_us)
{
    even(servers, now_us);
    servers[5].way_us = 5000;
}

static bool send_one(struct run *run, const struct request *request)
{
    struct pqr__candidate candidates[SERVERS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < SERVERS; i++)
        if (run->servers[i].n < CONNECTIONS)
            candidates[n++] = (struct pqr__candidate){.server = i,
                .outstanding = run->servers[i].n,
                .weight = 100,
                .near = true,
                .latency_us = pqr__ewma_read(&run->servers[i].latency, run->now_us)};
    if (n == 0)
        return false;
    struct server *server =
        &run->servers[candidates[pqr__balancer_pick(&run->balancer, candidates, n)].server];
    server->runs[server->n] = *request;
    server->runs[server->n++].sent_us = run->now_us;
    return true;
}

static void answer(struct run *run, struct server *server, uint32_t which)
{
    const struct request *request = &server->runs[which];
    pqr__ewma_note(&server->latency, run->now_us - request->sent_us, run->now_us);
    if (run->n_answers < ANSWERS)
        run->latencies[run->n_answers++] = (uint32_t)(run->now_us - request->arrived_us);
    server->runs[which] = server->runs[--server->n];
}

static void work(struct run *run, struct server *server)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < server->n; i++)
        busy += server->runs[i].due_us == 0;
    double done_us = STEP_US * server->speed * (busy > CORES ? CORES / (double)busy : 1.0);
    for (uint32_t i = server->n; i-- > 0;) {
        struct request *request = &server->runs[i];
        if (request->due_us == 0 && (request->left_us -= done_us) <= 0)
            request->due_us = run->now_us + server->way_us;
        if (request->due_us && request->due_us <= run->now_us)
            answer(run, server, i);
    }
}

/* Half of the requests are a fifth of the average, a few are long. */
static double draw_work(struct pqr__random *random)
{
    uint64_t kind = pqr__random_below(random, 100);
    if (kind < 50)
        return WORK_US / 5.0;
    return kind < 97 ? WORK_US * 1.276 : WORK_US * 10.0;
}

static void arrive(struct run *run, unsigned load)
{
    /* Of 65,536: the chance of one arrival in a step; at these loads less than one. */
    uint64_t chance = UINT64_C(65536) * STEP_US * load * SERVERS * CORES / 100 / WORK_US / 8;
    for (int draw = 0; draw < 8; draw++) {
        if (pqr__random_below(&run->random, 65536) >= chance)
            continue;
        struct request request = {.arrived_us = run->now_us, .left_us = draw_work(&run->random)};
        if (run->n_waiting < WAITING)
            run->waiting[(run->first + run->n_waiting++) % WAITING] = request;
    }
    while (run->n_waiting > 0 && send_one(run, &run->waiting[run->first])) {
        run->first = (run->first + 1) % WAITING;
        run->n_waiting--;
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

struct outcome {
    double mean_ms, p99_ms;
};

static struct outcome measure(const struct situation *situation, enum pqr__balance strategy)
{
    struct run *run = calloc(1, sizeof(*run));
    struct outcome outcome = {0};
    if (!run || !(run->latencies = malloc(ANSWERS * sizeof(uint32_t))))
        abort();
    pqr__random_seed(&run->random, 7);
    pqr__balancer_init(&run->balancer, strategy, &run->random);
    for (run->now_us = STEP_US; run->now_us < RUN_US; run->now_us += STEP_US) {
        situation->set(run->servers, run->now_us);
        arrive(run, situation->load);
        for (int i = 0; i < SERVERS; i++)
            work(run, &run->servers[i]);
    }
    qsort(run->latencies, run->n_answers, sizeof(uint32_t), compare);
    for (uint32_t i = 0; i < run->n_answers; i++)
        outcome.mean_ms += run->latencies[i] / 1000.0 / run->n_answers;
    outcome.p99_ms = run->latencies[(uint64_t)run->n_answers * 99 / 100] / 1000.0;
    free(run->latencies);
    free(run);
    return outcome;
}

int main(void)
{
    static const struct situation situations[] = {
        {"all alike, half load", 50, even},
        {"all alike, 85% load", 85, even},
        {"one of eight at a tenth", 60, one_slow},
        {"one slow for a while", 60, slow_for_a_while},
        {"half at 1.4, half at 0.6", 60, half_are_fast},
        {"one 5 ms away", 50, one_is_far},
    };
    static const enum pqr__balance strategies[] = {
        PQR__BALANCE_EWMA, PQR__BALANCE_LEAST_OUTSTANDING, PQR__BALANCE_ROUND_ROBIN, PQR__BALANCE_RANDOM};
    int failed = 0;
    printf("mean / p99 in ms         %16s %18s %16s %16s\n", "ewma", "least_outstanding", "round_robin",
        "random");
    for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
        struct outcome outcomes[4];
        printf("%-24s", situations[i].name);
        for (size_t s = 0; s < 4; s++) {
            outcomes[s] = measure(&situations[i], strategies[s]);
            printf(" %7.2f / %6.2f", outcomes[s].mean_ms, outcomes[s].p99_ms);
        }
        printf("\n");
        for (size_t s = 1; s < 4; s++)
            if (outcomes[0].mean_ms > 1.03 * outcomes[s].mean_ms ||
                outcomes[0].p99_ms > 1.05 * outcomes[s].p99_ms)
                failed = 1;
    }
    if (failed)
        printf("the default strategy, ewma, is not the best\n");
    return failed;
}
