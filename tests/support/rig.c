#include "rig.h"

#include <assert.h>
#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/postgres.h"

static _Noreturn void die(const char *text)
{
    fprintf(stderr, "rig: %s\n", text);
    abort();
}

/* The turn must not block any more: a timer's callback runs before the loop polls. */
static void happened(struct rig *rig)
{
    uv_stop(&rig->loop);
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    die("what was waited for did not happen within 20 s");
}

static void note(struct party *party, char event)
{
    size_t length = strlen(party->log);
    happened(party->rig);
    bool last = event == 'z' && party->lingers;
    if (party->closed || (party->refused && !last))
        die("an event after the last one");
    if (length + 1 < sizeof(party->log))
        party->log[length] = event;
}

static void on_connected(void *context, const struct pqr__connect_info *info)
{
    struct party *party = context;
    note(party, 'c');
    party->connected = true;
    party->info = *info;
}

static void on_refused(void *context, const struct pqr__refusal *refusal)
{
    struct party *party = context;
    note(party, 'r');
    party->refused = true;
    party->timeout = refusal->timeout;
    party->lingers = refusal->lingers;
    memcpy(party->sqlstate, refusal->sqlstate, sizeof(party->sqlstate));
    snprintf(party->message, sizeof(party->message), "%s", refusal->message);
}

static bool is_ours(const struct party *party, const struct pqr__flight *flight)
{
    bool ours = flight == &party->flight;
    for (size_t i = 0; i < sizeof(party->row) / sizeof(*party->row); i++)
        ours |= flight == &party->row[i];
    return ours;
}

static void on_part(void *context, struct pqr__flight *flight, struct pqr__item *item, struct pg_result *part,
    int64_t affected)
{
    struct party *party = context;
    int rows = PQntuples(part);
    happened(party->rig);
    if (!is_ours(party, flight) || item != flight->items || party->answered || party->closed_at_part)
        die("a part that belongs to nothing");
    party->n_parts++;
    party->part_rows += rows;
    party->largest_part = rows > party->largest_part ? rows : party->largest_part;
    party->affected = affected;
    snprintf(party->last_part, sizeof(party->last_part), "%s", PQgetvalue(part, rows - 1, 0));
    party->rig->transport->ops->result_free(part);
    party->closed_at_part = party->n_parts == party->close_at_part;
    if (party->closed_at_part)
        party->rig->transport->ops->close(party->conn);
}

/* All that one read brings has one time, however long its receivers are busy in between. */
static void check_time(struct pqr__transport *transport)
{
    if (transport->read_us == 0 || transport->ops->now_us(transport) != transport->read_us)
        die("an answer without the time of its read");
}

static void on_item(
    void *context, struct pqr__flight *flight, struct pqr__item *item, const struct pqr__answer *answer)
{
    struct party *party = context;
    const struct pqr__transport_ops *ops = party->rig->transport->ops;
    note(party, 'i');
    check_time(party->rig->transport);
    struct pqr__item *expected = party->answered ? party->answered->next : flight->items;
    if (!is_ours(party, flight) || item != expected || party->n_answers >= PARTY_ANSWERS)
        die("an answer that belongs to nothing");
    party->answered = item;
    struct party_answer *kept = &party->answers[party->n_answers++];
    kept->kind = answer->kind;
    kept->stale = answer->stale;
    kept->at_sync = answer->at_sync;
    memcpy(kept->sqlstate, answer->sqlstate, sizeof(kept->sqlstate));
    snprintf(kept->message, sizeof(kept->message), "%s", answer->message);
    const char *value = ops->result_value(answer->result, 0, 0);
    snprintf(kept->value, sizeof(kept->value), "%s", value ? value : "NULL");
    snprintf(kept->tag, sizeof(kept->tag), "%s", ops->result_tag(answer->result));
    if (party->keep)
        party->result = answer->result;
    else
        ops->result_free(answer->result);
    party->keep = false;
    if (party->close_on_item)
        ops->close(party->conn);
}

static void on_settled(void *context, struct pqr__flight *flight, const struct pqr__settled *facts)
{
    struct party *party = context;
    note(party, facts->lost ? 'L' : 's');
    if (!facts->lost)
        check_time(party->rig->transport);
    if (!is_ours(party, flight))
        die("a flight that is not ours was settled");
    party->answered = NULL;
    party->settled++;
    party->facts = *facts;
    memcpy(party->sqlstate, facts->sqlstate, sizeof(party->sqlstate));
    snprintf(party->message, sizeof(party->message), "%s", facts->message);
}

static void on_notice(
    void *context, struct pqr__flight *flight, struct pqr__item *item, const pqr_notice *notice)
{
    struct party *party = context;
    note(party, 'n');
    party->notices++;
    party->notice = *notice;
    party->notice_in_flight = flight == &party->flight;
    party->notice_item = item;
    if (party->close_on_notice)
        party->rig->transport->ops->close(party->conn);
}

static void on_cancelled(void *context, bool delivered)
{
    struct party *party = context;
    note(party, 'x');
    party->cancelled++;
    party->delivered = delivered;
}

static void on_ended(void *context)
{
    struct party *party = context;
    happened(party->rig);
    if (party->ended)
        die("ended twice");
    party->ended = true;
}

static void on_read(void *router)
{
    happened(router);
}

static void on_conn_closed(void *context, bool left)
{
    struct party *party = context;
    if (!party->ended && !party->lingers)
        die("closed before ended");
    note(party, 'z');
    party->closed = true;
    party->left = left;
}

static void on_timer(void *router)
{
    struct rig *rig = router;
    rig->timers++;
    happened(rig);
}

static void on_down(void *router)
{
    struct rig *rig = router;
    rig->down = true;
    happened(rig);
}

static void on_log(void *data, pqr_log_level level, const char *text)
{
    struct rig *rig = data;
    if (level == PQR_LOG_WARNING)
        snprintf(rig->warning, sizeof(rig->warning), "%s", text);
}

static const struct pqr__transport_events events = {
    .connected = on_connected,
    .refused = on_refused,
    .part = on_part,
    .item = on_item,
    .settled = on_settled,
    .read = on_read,
    .notice = on_notice,
    .cancelled = on_cancelled,
    .ended = on_ended,
    .closed = on_conn_closed,
    .timer = on_timer,
    .down = on_down,
};

void rig_open(struct rig *rig, const char *conninfo, const pqr_callbacks *callbacks)
{
    const struct pqr__log log = {.write = on_log, .data = rig, .level = PQR_LOG_WARNING};
    memset(rig, 0, sizeof(*rig));
    pqr_error error;
    if (pqr_config_conninfo(&rig->config, conninfo, &error) != 0)
        die(error.message);
    uv_loop_init(&rig->loop);
    uv_timer_init(&rig->loop, &rig->guard);
    uv_unref((uv_handle_t *)&rig->guard);
    if (pqr__postgres_open(&rig->transport, &rig->loop, rig->config, &events, rig, callbacks, &log) != 0)
        die("pqr__postgres_open failed");
}

void rig_close(struct rig *rig)
{
    rig->transport->ops->shutdown(rig->transport);
    rig_until(rig, &rig->down);
    pqr_config_free(rig->config);
    uv_close((uv_handle_t *)&rig->guard, NULL);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&rig->loop) != 0)
        die("something is left on the loop");
}

/* TSan has a thread of its own. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZER_THREADS 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define SANITIZER_THREADS 1
#endif
#ifndef SANITIZER_THREADS
#define SANITIZER_THREADS 0
#endif

static int count_threads(void)
{
    int n = -2; /* . and .. */
    DIR *tasks = opendir("/proc/self/task");
    while (tasks && readdir(tasks))
        n++;
    if (tasks)
        closedir(tasks);
    return n;
}

void rig_end(void)
{
    while (count_threads() > 1 + SANITIZER_THREADS)
        uv_sleep(1);
}

static void turn(struct rig *rig)
{
    uv_run(&rig->loop, UV_RUN_ONCE);
}

void rig_until(struct rig *rig, const bool *flag)
{
    uv_update_time(&rig->loop);
    uv_timer_start(&rig->guard, on_guard, 20000, 0);
    while (!*flag)
        turn(rig);
    uv_timer_stop(&rig->guard);
}

void rig_until_count(struct rig *rig, const unsigned *count, unsigned at_least)
{
    uv_update_time(&rig->loop);
    uv_timer_start(&rig->guard, on_guard, 20000, 0);
    while (*count < at_least)
        turn(rig);
    uv_timer_stop(&rig->guard);
}

void party_connect(struct party *party, struct rig *rig, uint64_t timeout_us)
{
    memset(party, 0, sizeof(*party));
    party->rig = rig;
    if (rig->transport->ops->connect(rig->transport, 0, timeout_us, party, &party->conn) != 0)
        die("connect failed at once");
}

void party_join(struct party *party, struct rig *rig)
{
    party_connect(party, rig, 10 * RIG_SECOND);
    while (!party->refused && !party->connected)
        turn(rig);
}

void party_send(struct party *party, enum pqr__flight_kind kind, unsigned n, const char *const *sql)
{
    party->n_answers = 0;
    party->flight.kind = (uint8_t)kind;
    party->flight.n_items = n;
    party->flight.items = party->items;
    for (unsigned i = 0; i < n; i++)
        party->items[i] = (struct pqr__item){.sql = sql[i], .next = i + 1 < n ? &party->items[i + 1] : NULL};
    party->rig->transport->ops->send(party->conn, &party->flight);
}

void party_send_items(struct party *party, unsigned n)
{
    party->n_answers = party->n_parts = 0;
    party->part_rows = party->largest_part = 0;
    party->affected = -1;
    party->flight = (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE, .n_items = n, .items = party->items};
    for (unsigned i = 0; i < n; i++)
        party->items[i].next = i + 1 < n ? &party->items[i + 1] : NULL;
    party->rig->transport->ops->send(party->conn, &party->flight);
}

static void run(struct party *party, enum pqr__flight_kind kind, const char *sql)
{
    unsigned settled = party->settled;
    party_send(party, kind, 1, &sql);
    rig_until_count(party->rig, &party->settled, settled + 1);
}

void party_run(struct party *party, const char *sql)
{
    run(party, PQR__FLIGHT_PIPELINE, sql);
}

void party_run_simple(struct party *party, const char *sql)
{
    run(party, PQR__FLIGHT_SIMPLE, sql);
}

void party_refused(struct party *party)
{
    rig_until(party->rig, &party->refused);
    if (!party->lingers)
        return;
    party->rig->transport->ops->abandon(party->conn);
    rig_until(party->rig, &party->closed);
}

void party_leave(struct party *party)
{
    party->rig->transport->ops->close(party->conn);
    rig_until(party->rig, &party->closed);
}
