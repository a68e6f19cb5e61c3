/* What is left of a connection after our end of it is closed: the server's session, for as long as the server likes,
   but not longer than we do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_server.h"
#include "postgres/conn.h"
#include "rig.h"

enum { MB = 1024 * 1024 };

static struct fake_server server;
static struct rig rig;
static struct party party;

/* What the server's process tells the test. */
static struct notes {
    volatile bool good_bye, end, reset;
    volatile uint64_t sent;
} * notes;

static void begin_with(fake_serve serve, const void *data)
{
    memset(notes, 0, sizeof(*notes));
    fake_server_start(&server, serve, data);
    rig_open(&rig, server.conninfo, NULL);
    party_join(&party, &rig);
    assert_true(party.connected);
}

static void begin(fake_serve serve)
{
    begin_with(serve, NULL);
}

static void end(void)
{
    fake_server_stop(&server);
    rig_close(&rig);
}

static void turn_until(const volatile bool *flag)
{
    for (unsigned ms = 0; !*flag; ms++) {
        assert_true(ms < 20000);
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
}

/* Our end is closed, by too much that came after it; the rest follows a second later. */
static void turn_until_flooded(void)
{
    do
        uv_run(&rig.loop, UV_RUN_NOWAIT);
    while (!party.closed && party.conn->fd >= 0);
    assert_false(party.closed);
}

/* With a statement in the air. */
static void close_busy(void)
{
    const char *sql = "select";
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    rig.transport->ops->close(party.conn);
    rig_until(&rig, &party.ended);
}

/* --- The servers --- */

static void take_leave(int fd)
{
    notes->good_bye = fake_await(fd, 'X');
    fake_linger(fd);
    notes->end = true;
}

static sigset_t block_told(void)
{
    sigset_t told;
    sigemptyset(&told);
    sigaddset(&told, SIGUSR1);
    sigprocmask(SIG_BLOCK, &told, NULL);
    return told;
}

static void close_when_told(int fd, const void *data)
{
    sigset_t told = block_told();
    int number;
    (void)data;
    if (!fake_log_in(fd))
        return;
    take_leave(fd);
    sigwait(&told, &number);
}

static void never_close(int fd, const void *data)
{
    (void)data;
    if (!fake_log_in(fd))
        return;
    take_leave(fd);
    for (;;)
        pause();
}

static void send_without_end(int fd, const void *data)
{
    static const char bytes[16 * 1024];
    (void)data;
    if (!fake_log_in(fd))
        return;
    take_leave(fd);
    while (fake_write(fd, bytes, sizeof(bytes)))
        notes->sent += sizeof(bytes);
    notes->reset = true;
    for (;;)
        pause();
}

/* What a server does to a connection on its own account, when a statement is in the air or when it is told to. */
struct blow {
    bool busy, plain; /* plain: it takes no client_connection_check_interval */
    uint32_t linger_ms;
    const char *severity, *sqlstate, *text; /* said before; NULL: nothing */
};

static void await_occasion(int fd, const struct blow *blow, const sigset_t *told)
{
    int number;
    if (blow->busy)
        fake_await(fd, 'S');
    else
        sigwait(told, &number);
}

static void reset(int fd, const void *data)
{
    const struct blow *blow = data;
    struct linger at_once = {.l_onoff = 1};
    struct fake_bytes bytes = {.length = 0};
    sigset_t told = block_told();
    if (!fake_log_in(fd))
        return;
    await_occasion(fd, blow, &told);
    if (blow->sqlstate)
        fake_report(&bytes, strcmp(blow->severity, "WARNING") == 0 ? 'N' : 'E', blow->severity,
            blow->sqlstate, blow->text);
    fake_write(fd, bytes.at, bytes.length);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* Not by a reset, unless more is sent to it after that. */
static void close_at_sync(int fd, const void *data)
{
    (void)data;
    if (fake_log_in(fd))
        fake_await(fd, 'S');
}

/* Of a length that none has. */
static void send_nonsense(int fd, const void *data)
{
    const struct blow *blow = data;
    sigset_t told = block_told();
    int number;
    if (!fake_log_in(fd))
        return;
    await_occasion(fd, blow, &told);
    fake_write(fd, "D\0\0\0\1", 5);
    fake_linger(fd);
    notes->end = true;
    sigwait(&told, &number);
}

/* --- The tests --- */

static void a_connection_is_closed_when_the_server_has_closed_its_end(void **state)
{
    (void)state;
    begin(close_when_told);
    close_busy();
    assert_string_equal(party.log, "cL"); /* who waits for an answer does not wait for that */
    turn_until(&notes->end);
    assert_true(notes->good_bye);
    assert_false(party.closed);
    assert_int_equal(party.conn->state, PQR__CONN_LINGERING);
    kill(server.pid, SIGUSR1);
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cLz");
    assert_false(party.left);
    assert_string_equal(rig.warning, "");
    end();
}

/* Its thread is done, and the loop has not looked: then it is closed. */
static void begin_until_the_thread_is_done(fake_serve serve)
{
    memset(notes, 0, sizeof(*notes));
    fake_server_start(&server, serve, NULL);
    rig_open(&rig, server.conninfo, NULL);
    uv_run(&rig.loop, UV_RUN_NOWAIT); /* from now on it can be woken up */
    party_connect(&party, &rig, 10 * RIG_SECOND);
    struct pollfd woken = {.fd = uv_backend_fd(&rig.loop), .events = POLLIN};
    assert_int_equal(poll(&woken, 1, 20000), 1);
}

static void a_connection_that_was_opened_in_the_last_moment_is_waited_for_too(void **state)
{
    (void)state;
    begin_until_the_thread_is_done(close_when_told);
    rig.transport->ops->close(party.conn);
    rig_until(&rig, &party.ended);
    assert_string_equal(party.log, "");
    assert_false(party.closed);
    assert_int_equal(party.conn->state, PQR__CONN_LINGERING);
    turn_until(&notes->end);
    assert_true(notes->good_bye);
    kill(server.pid, SIGUSR1);
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "z");
    end();
}

static void a_second_close_changes_nothing(void **state)
{
    (void)state;
    begin(close_when_told);
    close_busy();
    rig.transport->ops->close(party.conn);
    turn_until(&notes->end);
    assert_false(party.closed);
    kill(server.pid, SIGUSR1);
    rig_until(&rig, &party.closed);
    end();
}

static void a_server_that_never_closes_its_end_is_not_waited_for_without_end(void **state)
{
    (void)state;
    for (int idle = 0; idle < 2; idle++) {
        begin(never_close);
        if (idle)
            rig.transport->ops->close(party.conn);
        else
            close_busy();
        rig_until(&rig, &party.ended);
        assert_false(party.closed);
        assert_int_equal(party.conn->state, PQR__CONN_LINGERING);
        rig_until(&rig, &party.closed);
        assert_string_equal(party.log, idle ? "cz" : "cLz");
        assert_true(party.left);
        assert_non_null(
            strstr(rig.warning, idle ? "backend 1 goes on 1 s after" : "backend 1 goes on 5 s after"));
        end();
    }
}

static void what_comes_after_a_close_is_thrown_away_up_to_a_limit(void **state)
{
    (void)state;
    begin(send_without_end);
    close_busy();
    turn_until_flooded();
    assert_in_range(party.conn->lingered, MB, MB + 64 * 1024);
    turn_until(&notes->reset);
    assert_true(notes->sent > MB / 2);
    assert_true(notes->sent < 64 * MB); /* the rest is what the system keeps in between */
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cLz");
    end();
}

/* From whatever it is in: no timer has to run for it. */
static void an_abandoned_connection_is_closed_at_once(void **state)
{
    (void)state;
    for (int when = 0; when < 4; when++) {
        begin(when == 3 ? send_without_end : never_close);
        if (when < 2)
            rig.transport->ops->close(party.conn);
        if (when == 1)
            rig_until(&rig, &party.ended);
        if (when > 1)
            close_busy();
        if (when == 3)
            turn_until_flooded();
        assert_false(party.closed);
        rig.transport->ops->abandon(party.conn);
        assert_false(party.closed);
        for (int turn = 0; turn < 3 && !party.closed; turn++)
            uv_run(&rig.loop, UV_RUN_NOWAIT);
        assert_true(party.closed);
        end();
    }
}

static void an_open_connection_may_be_abandoned(void **state)
{
    (void)state;
    const char *sql = "select";
    begin(never_close);
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    rig.transport->ops->abandon(party.conn);
    uv_run(&rig.loop, UV_RUN_NOWAIT);
    assert_string_equal(party.log, "cLz");
    turn_until(&notes->end);
    assert_true(notes->good_bye);
    end();
}

/* The server deals a blow, and our end is over. */
static void suffer(fake_serve serve, const struct blow *blow)
{
    const char *sql = "select";
    begin_with(serve, blow);
    party.conn->home->servers[0].plain = blow->plain;
    if (blow->busy)
        party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    else
        kill(server.pid, SIGUSR1);
    rig_until(&rig, &party.ended);
}

static void a_session_whose_connection_was_reset_is_given_time_to_find_out(void **state)
{
    static const struct blow blows[] = {
        {.busy = false, .linger_ms = 100},
        {.busy = true, .linger_ms = 1000},
        {.busy = true, .plain = true, .linger_ms = 5000},
        {.busy = true, .linger_ms = 1000, .severity = "ERROR", .sqlstate = "22012", .text = "nothing fatal"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(blows) / sizeof(*blows); i++) {
        suffer(reset, &blows[i]);
        assert_false(party.closed);
        assert_int_equal(party.conn->state, PQR__CONN_LINGERING);
        assert_int_equal(party.conn->linger_ms, blows[i].linger_ms);
        rig_until(&rig, &party.closed);
        assert_string_equal(party.log, blows[i].busy ? "cLz" : "cz");
        assert_false(party.left);
        end();
    }
}

static void a_session_that_the_server_has_ended_is_over_although_it_resets(void **state)
{
    static const struct blow blows[] = {
        {.busy = true, .severity = "FATAL", .sqlstate = "57P01", .text = "terminated by an administrator"},
        {.busy = true, .severity = "WARNING", .sqlstate = "57P02", .text = "another one has crashed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(blows) / sizeof(*blows); i++) {
        suffer(reset, &blows[i]);
        assert_true(party.closed);
        end();
    }
}

#ifdef __linux__
static void a_connection_that_was_used_after_its_end_is_not_taken_for_one_that_was_cut(void **state)
{
    char byte;
    const char *sql = "select";
    (void)state;
    begin(close_at_sync);
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    assert_int_equal(PQflush(party.conn->pg), 0); /* the loop would read the end */
    while (recv(party.conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0) {}
    party.row[0] = (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE, .n_items = 1, .items = &party.items[0]};
    rig.transport->ops->send(party.conn, &party.row[0]);
    rig_until(&rig, &party.ended);
    assert_true(party.closed);
    end();
}
#endif

static void what_libpq_can_make_nothing_of_does_not_end_a_session(void **state)
{
    static const struct blow blows[] = {{.busy = false}, {.busy = true}};
    (void)state;
    for (size_t i = 0; i < sizeof(blows) / sizeof(*blows); i++) {
        suffer(send_nonsense, &blows[i]);
        assert_false(party.closed);
        assert_int_equal(party.conn->state, PQR__CONN_LINGERING);
        turn_until(&notes->end);
        kill(server.pid, SIGUSR1);
        rig_until(&rig, &party.closed);
        end();
    }
}

static struct rlimit let_no_descriptor_be_opened(void)
{
    struct rlimit before, none = {.rlim_cur = 1};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

static void closing_takes_no_descriptor(void **state)
{
    (void)state;
    begin(never_close);
    struct rlimit before = let_no_descriptor_be_opened();
    rig.transport->ops->close(party.conn);
    rig_until(&rig, &party.ended);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(party.conn->state, PQR__CONN_LINGERING);
    turn_until(&notes->end);
    assert_true(notes->good_bye);
    rig_until(&rig, &party.closed);
    end();
}

static void a_connection_needs_a_descriptor_of_our_own(void **state)
{
    (void)state;
    begin_until_the_thread_is_done(never_close);
    struct rlimit before = let_no_descriptor_be_opened();
    rig_until(&rig, &party.refused);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_string_equal(party.message, uv_strerror(UV_EMFILE));
    end();
}

/* The session is the parent's. */
static void a_child_of_fork_waits_for_nothing(void **state)
{
    (void)state;
    int status;
    begin(never_close);
    pid_t child = fork();
    if (child == 0) {
        if (uv_loop_fork(&rig.loop) != 0)
            _exit(2);
        rig.transport->ops->close(party.conn);
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        execl(party.closed ? "/bin/true" : "/bin/false", "child", NULL);
        _exit(3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_false(notes->good_bye);
    rig.transport->ops->abandon(party.conn);
    rig_until(&rig, &party.closed);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_closed_when_the_server_has_closed_its_end),
        cmocka_unit_test(a_connection_that_was_opened_in_the_last_moment_is_waited_for_too),
        cmocka_unit_test(a_second_close_changes_nothing),
        cmocka_unit_test(a_server_that_never_closes_its_end_is_not_waited_for_without_end),
        cmocka_unit_test(what_comes_after_a_close_is_thrown_away_up_to_a_limit),
        cmocka_unit_test(an_abandoned_connection_is_closed_at_once),
        cmocka_unit_test(an_open_connection_may_be_abandoned),
        cmocka_unit_test(a_session_whose_connection_was_reset_is_given_time_to_find_out),
        cmocka_unit_test(a_session_that_the_server_has_ended_is_over_although_it_resets),
#ifdef __linux__
        cmocka_unit_test(a_connection_that_was_used_after_its_end_is_not_taken_for_one_that_was_cut),
#endif
        cmocka_unit_test(what_libpq_can_make_nothing_of_does_not_end_a_session),
        cmocka_unit_test(closing_takes_no_descriptor),
        cmocka_unit_test(a_connection_needs_a_descriptor_of_our_own),
        cmocka_unit_test(a_child_of_fork_waits_for_nothing),
    };
    notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (notes == MAP_FAILED)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
