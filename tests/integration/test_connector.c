/* Connecting: refusals with their SQLSTATE, time limits, passwords, and threads that nobody can wait for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_server.h"
#include "postgres/conn.h"
#include "rig.h"
#include "suite.h"

static struct rig rig;
static struct party party;

static void open_as(
    const char *user, const char *database, const char *password, const pqr_callbacks *callbacks)
{
    char conninfo[200];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=%s dbname=%s %s%s",
        cluster_port(&cluster, 0), user, database, password ? "password=" : "", password ? password : "");
    rig_open(&rig, conninfo, callbacks);
}

static void a_wrong_password_is_refused_with_its_sqlstate(void **state)
{
    (void)state;
    open_as("scram", "app", "wrong", NULL);
    party_join(&party, &rig);
    assert_string_equal(party.log, "r");
    assert_string_equal(party.sqlstate, "28P01");
    assert_non_null(strstr(party.message, "password authentication failed"));
    assert_null(strstr(party.message, "28P01"));
    assert_false(party.timeout);
    rig_close(&rig);
}

static void a_missing_password_is_an_invalid_one(void **state)
{
    (void)state;
    open_as("scram", "app", NULL, NULL);
    party_join(&party, &rig);
    assert_string_equal(party.log, "r");
    assert_string_equal(party.sqlstate, "28P01");
    assert_non_null(strstr(party.message, "no password supplied"));
    rig_close(&rig);
}

static void an_absent_database_is_refused_with_its_sqlstate(void **state)
{
    (void)state;
    open_as("app", "nowhere", NULL, NULL);
    party_join(&party, &rig);
    assert_string_equal(party.sqlstate, "3D000");
    rig_close(&rig);
}

static void nobody_listening_is_refused_without_sqlstate(void **state)
{
    (void)state;
    rig_open(&rig, "host=127.0.0.1 port=1 user=app dbname=app", NULL);
    party_join(&party, &rig);
    assert_string_equal(party.sqlstate, "");
    assert_non_null(strstr(party.message, "refused"));
    assert_false(party.timeout);
    rig_close(&rig);
}

static void an_unknown_host_is_refused(void **state)
{
    (void)state;
    rig_open(&rig, "host=no.such.host.invalid user=app dbname=app", NULL);
    party_join(&party, &rig);
    assert_true(party.refused);
    assert_string_equal(party.sqlstate, "");
    rig_close(&rig);
}

/* At a server that takes connections and says nothing; its listener. */
static int open_at_silence(const pqr_callbacks *callbacks)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    char conninfo[100];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_return_code(listen(fd, 16), 0);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(
        conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=app dbname=app", ntohs(address.sin_port));
    rig_open(&rig, conninfo, callbacks);
    return fd;
}

static void silence_ends_in_a_timeout(void **state)
{
    (void)state;
    int listener = open_at_silence(NULL);
    uint64_t before = uv_hrtime();
    party_connect(&party, &rig, 50 * RIG_MS);
    party_refused(&party);
    assert_true((uv_hrtime() - before) / 1000 >= 50 * RIG_MS);
    assert_true(party.timeout);
    assert_non_null(strstr(party.message, "timeout"));
    /* Its thread was only waiting for the server, and is no reason not to try again. */
    for (int i = 0; i < 5; i++) {
        party_connect(&party, &rig, 1000);
        party_refused(&party);
        assert_non_null(strstr(party.message, "connect timeout"));
    }
    rig_close(&rig);
    close(listener);
}

/* Until the server has seen our end of it. */
static void turn_until_end(int fd)
{
    char bytes[4096];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) != 0) {
        assert_true(n > 0 || errno == EAGAIN);
        uv_run(&rig.loop, UV_RUN_NOWAIT);
    }
}

static void turn_until_it_lingers(void)
{
    while (!party.closed && party.conn->state != PQR__CONN_LINGERING)
        uv_run(&rig.loop, UV_RUN_NOWAIT);
    assert_false(party.closed);
}

/* In the middle of its login, which may take a server's time although nobody waits for it. */
static void a_connect_that_is_given_up_counts_until_the_server_has_closed_its_end(void **state)
{
    (void)state;
    int listener = open_at_silence(NULL);
    for (int i = 0; i < 40; i++) {
        bool times_out = i % 2;
        party_connect(&party, &rig, times_out ? 20 * RIG_MS : 10 * RIG_SECOND);
        int fd = accept(listener, NULL, NULL);
        assert_true(fd >= 0);
        if (times_out)
            rig_until(&rig, &party.refused);
        else
            rig.transport->ops->close(party.conn);
        turn_until_end(fd);
        turn_until_it_lingers();
        close(fd);
        rig_until(&rig, &party.closed);
        assert_string_equal(party.log, times_out ? "rz" : "z");
    }
    rig_close(&rig);
    close(listener);
}

static void nothing_of_a_connect_is_waited_for_without_end(void **state)
{
    (void)state;
    int listener = open_at_silence(NULL);
    party_connect(&party, &rig, 20 * RIG_MS);
    rig_until(&rig, &party.refused);
    assert_true(party.timeout);
    rig_until(&rig, &party.closed);
    assert_non_null(strstr(rig.warning, "a login goes on 5 s after"));
    rig_close(&rig);
    close(listener);
}

/* At any moment: before its thread is back, and after it. */
static void an_abandoned_connect_is_closed_at_once(void **state)
{
    (void)state;
    int listener = open_at_silence(NULL);
    for (int i = 0; i < 20; i++) {
        bool times_out = i % 2;
        party_connect(&party, &rig, times_out ? 20 * RIG_MS : 10 * RIG_SECOND);
        int fd = accept(listener, NULL, NULL);
        assert_true(fd >= 0);
        if (times_out)
            rig_until(&rig, &party.refused);
        if (i % 4 > 1) {
            rig.transport->ops->close(party.conn);
            turn_until_end(fd);
        }
        assert_false(party.closed);
        rig.transport->ops->abandon(party.conn);
        rig_until(&rig, &party.closed);
        close(fd);
    }
    rig_close(&rig);
    close(listener);
}

static void a_connect_may_be_closed_while_it_times_out(void **state)
{
    (void)state;
    int listener = open_at_silence(NULL);
    for (int i = 0; i < 20; i++) {
        party_connect(&party, &rig, 2 * RIG_MS);
        uv_sleep(5);
        uv_run(&rig.loop, UV_RUN_NOWAIT); /* its time is over */
        rig.transport->ops->close(party.conn);
        rig.transport->ops->abandon(party.conn);
        rig_until(&rig, &party.closed);
        assert_string_equal(party.log, party.refused ? "rz" : "z");
    }
    rig_close(&rig);
    close(listener);
}

static void what_is_there_when_a_late_loop_looks_was_in_time(void **state)
{
    (void)state;
    open_as("app", "app", NULL, NULL);
    party_connect(&party, &rig, 300 * RIG_MS);
    /* The loop is held up until the server has the session, and beyond the time limit. */
    while (
        strcmp(
            cluster_exec(&cluster, 0,
                "select count(*) from pg_stat_activity where usename = 'app' and wait_event = 'ClientRead'"),
            "1") != 0) {}
    usleep(400 * 1000);
    rig_until(&rig, &party.connected);
    party_leave(&party);
    rig_close(&rig);
}

static int give_password(void *data, const char *server, char *buffer, size_t size)
{
    (void)server;
    snprintf(buffer, size, "%s", (const char *)data);
    return 0;
}

static int give_none(void *data, const char *server, char *buffer, size_t size)
{
    (void)data, (void)server, (void)buffer, (void)size;
    return -1;
}

static int give_no_end(void *data, const char *server, char *buffer, size_t size)
{
    (void)data, (void)server;
    memset(buffer, 'x', size);
    return 0;
}

static pqr_callbacks callbacks_with(int (*password)(void *, const char *, char *, size_t), void *data)
{
    pqr_callbacks callbacks = PQR_CALLBACKS_INIT;
    callbacks.password = password;
    callbacks.data = data;
    return callbacks;
}

static void the_callbacks_password_wins(void **state)
{
    (void)state;
    char secret[] = "secret";
    pqr_callbacks callbacks = callbacks_with(give_password, secret);
    open_as("scram", "app", "wrong", &callbacks);
    party_join(&party, &rig);
    assert_true(party.connected);
    party_leave(&party);
    rig_close(&rig);
}

static void a_password_callback_can_fail(void **state)
{
    (void)state;
    pqr_callbacks callbacks = callbacks_with(give_none, NULL);
    for (int i = 0; i < 2; i++) {
        open_as("scram", "app", "secret", &callbacks);
        party_join(&party, &rig);
        assert_true(party.refused);
        assert_non_null(strstr(party.message, "password callback"));
        rig_close(&rig);
        callbacks = callbacks_with(give_no_end, NULL);
    }
}

struct gate {
    sem_t entered, open;
};

static int wait_at_gate(void *data, const char *server, char *buffer, size_t size)
{
    struct gate *gate = data;
    (void)server;
    sem_post(&gate->entered);
    while (sem_wait(&gate->open) != 0) {}
    snprintf(buffer, size, "secret");
    sem_post(&gate->entered);
    return 0;
}

/* How many times the callback began or ended. */
static void await(struct gate *gate, int n)
{
    while (n > 0)
        if (sem_wait(&gate->entered) == 0)
            n--;
}

static void open_at_gate(
    struct gate *gate, int (*wait)(void *data, const char *server, char *buffer, size_t size))
{
    pqr_callbacks callbacks = callbacks_with(wait, gate);
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->open, 0, 0);
    open_as("scram", "app", "secret", &callbacks);
}

static void nobody_waits_for_a_stuck_thread(void **state)
{
    (void)state;
    struct gate gate;
    open_at_gate(&gate, wait_at_gate);
    party_connect(&party, &rig, 10 * RIG_SECOND);
    await(&gate, 1);
    rig.transport->ops->close(party.conn);
    rig_until(&rig, &party.closed);
    rig_close(&rig); /* all is gone but the thread */
    sem_post(&gate.open);
    await(&gate, 1);
}

/* Nobody would count it. */
static void a_connect_that_nobody_waits_for_opens_nothing(void **state)
{
    (void)state;
    struct gate gate;
    pqr_callbacks callbacks = callbacks_with(wait_at_gate, &gate);
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.open, 0, 0);
    int listener = open_at_silence(&callbacks);
    for (int i = 0; i < 2; i++) { /* abandoned at the gate, then told to hurry there */
        party_connect(&party, &rig, 10 * RIG_SECOND);
        await(&gate, 1);
        rig.transport->ops->close(party.conn);
        if (i == 1)
            sem_post(&gate.open);
        rig_until(&rig, &party.closed);
        if (i == 0)
            sem_post(&gate.open);
        await(&gate, 1);
    }
    rig_close(&rig);
    rig_end();
    fcntl(listener, F_SETFL, O_NONBLOCK);
    assert_int_equal(accept(listener, NULL, NULL), -1);
    close(listener);
}

static int wait_at_gate_and_after_it(void *data, const char *server, char *buffer, size_t size)
{
    struct gate *gate = data;
    (void)server;
    sem_post(&gate->entered);
    while (sem_wait(&gate->open) != 0) {}
    uv_sleep(30);
    snprintf(buffer, size, "secret");
    sem_post(&gate->entered);
    return 0;
}

/* An exit() after the close would pull the libraries away from under it. */
static void a_thread_that_is_about_to_end_is_waited_for(void **state)
{
    (void)state;
    struct gate gate;
    open_at_gate(&gate, wait_at_gate_and_after_it);
    party_connect(&party, &rig, 10 * RIG_SECOND);
    await(&gate, 1);
    rig.transport->ops->close(party.conn);
    rig_until(&rig, &party.closed);
    sem_post(&gate.open);
    rig_close(&rig);
    assert_int_equal(sem_trywait(&gate.entered), 0);
}

static void only_a_few_threads_of_a_server_get_stuck(void **state)
{
    (void)state;
    struct gate gate;
    open_at_gate(&gate, wait_at_gate);
    for (int i = 0; i < 2; i++) {
        party_connect(&party, &rig, 1000);
        party_refused(&party);
        assert_true(party.timeout);
        assert_non_null(strstr(party.message, "asking for the password"));
    }
    await(&gate, 2);
    party_connect(&party, &rig, 1000);
    party_refused(&party);
    assert_non_null(strstr(party.message, "held up"));
    assert_string_equal(party.log, "r");
    party_connect(&party, &rig, 1000);
    rig.transport->ops->close(party.conn);
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "z");
    for (int i = 0; i < 100; i++)
        sem_post(&gate.open);
    await(&gate, 2);
    do { /* the threads have left the callback, and soon the count */
        party_join(&party, &rig);
    } while (party.refused);
    party_leave(&party);
    rig_close(&rig);
}

static void many_connect_at_once(void **state)
{
    (void)state;
    enum { N = 20 };
    static struct party parties[N];
    open_as("scram", "app", "secret", NULL);
    for (int i = 0; i < N; i++)
        party_connect(&parties[i], &rig, 10 * RIG_SECOND);
    for (int i = 0; i < N; i += 2)
        rig.transport->ops->close(parties[i].conn);
    for (int i = 0; i < N; i++)
        rig_until(&rig, i % 2 ? &parties[i].connected : &parties[i].closed);
    for (int i = 1; i < N; i += 2) {
        party_run(&parties[i], "select 1");
        assert_string_equal(parties[i].log, "cis");
    }
    for (int i = 1; i < N; i += 2)
        party_leave(&parties[i]);
    rig_close(&rig);
}

static void a_connector_thread_takes_no_signal(void **state)
{
    (void)state;
    struct gate gate;
    open_at_gate(&gate, wait_at_gate);
    sigset_t mask, before, pending;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    party_connect(&party, &rig, 10 * RIG_SECOND);
    await(&gate, 1);
    kill(getpid(), SIGUSR1); /* would end the process, were there a thread to take it */
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGUSR1, SIG_DFL);
    sem_post(&gate.open);
    rig_until(&rig, &party.connected);
    party_leave(&party);
    rig_close(&rig);
}

static void a_child_does_not_end_its_parents_sessions(void **state)
{
    (void)state;
    open_as("app", "app", NULL, NULL);
    party_join(&party, &rig);
    pid_t child = fork();
    if (child == 0) {
        if (uv_loop_fork(&rig.loop) != 0)
            _exit(1);
        party_leave(&party);
        execl("/bin/true", "true", NULL); /* what the child could not free is no leak for valgrind */
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    party_run(&party, "select 1");
    assert_string_equal(party.log, "cis");
    party_leave(&party);
    rig_close(&rig);
}

static _Atomic long fail_at; /* 0: never */
static _Atomic long n_allocations;

static void *failing_calloc(size_t count, size_t size)
{
    return ++n_allocations == fail_at ? NULL : calloc(count, size);
}

static void *failing_malloc(size_t size)
{
    return ++n_allocations == fail_at ? NULL : malloc(size);
}

static void *failing_realloc(void *memory, size_t size)
{
    return ++n_allocations == fail_at ? NULL : realloc(memory, size);
}

static void running_out_of_memory_is_an_answer(void **state)
{
    (void)state;
    char secret[] = "secret";
    pqr_callbacks callbacks = callbacks_with(give_password, secret);
    open_as("scram", "app", NULL, &callbacks);
    bool through = false;
    for (long nth = 1; !through; nth++) {
        memset(&party, 0, sizeof(party));
        party.rig = &rig;
        n_allocations = 0;
        fail_at = nth;
        int code = rig.transport->ops->connect(rig.transport, 0, 10 * RIG_SECOND, &party, &party.conn);
        while (code == 0 && !party.connected && !party.refused)
            uv_run(&rig.loop, UV_RUN_ONCE);
        through = n_allocations < nth;
        assert_true(code == 0 || code == PQR_ENOMEM);
        if (party.connected) {
            party_run(&party, "select 1"); /* takes no memory of ours */
            assert_false(party.facts.lost);
            party_leave(&party);
        }
        assert_int_equal(through, party.connected);
    }
    fail_at = 0;
    rig_close(&rig);
}

/* --- a server that takes no options of ours --- */

/* What the server's process tells the test, and what it refuses with. */
static struct tale {
    volatile int connects, with;
    int passwords;
    const char *sqlstate, *text;
    bool always;
} * tale;

static bool startup_has(int fd, const char *word)
{
    char body[2000] = "";
    uint32_t size = 0;
    if (recv(fd, &size, 4, MSG_WAITALL) != 4 || ntohl(size) - 4 >= sizeof(body))
        return false;
    ssize_t length = recv(fd, body, ntohl(size) - 4, MSG_WAITALL);
    for (ssize_t i = 0; i < length; i++)
        body[i] = body[i] ? body[i] : ' ';
    return strstr(body, word) != NULL;
}

static void refuse_options(int fd, const void *data)
{
    struct fake_bytes bytes = {.length = 0};
    (void)data;
    bool has = startup_has(fd, PQR__CHECK_SETTING);
    tale->connects++;
    tale->with += has;
    if (has || tale->always)
        fake_report(
            &bytes, 'E', "FATAL", has ? tale->sqlstate : "28000", has ? tale->text : "nobody is let in");
    else
        fake_welcome(&bytes);
    fake_write(fd, bytes.at, bytes.length);
    if (!has && !tale->always)
        fake_linger(fd);
}

static int count_passwords(void *data, const char *server, char *buffer, size_t size)
{
    (void)data;
    (void)server;
    tale->passwords++;
    snprintf(buffer, size, "secret");
    return 0;
}

static void open_at_refusal(struct fake_server *server, const char *sqlstate, const char *text, bool always)
{
    pqr_callbacks callbacks = callbacks_with(count_passwords, NULL);
    *tale = (struct tale){.sqlstate = sqlstate, .text = text, .always = always};
    fake_server_start(server, refuse_options, NULL);
    rig_open(&rig, server->conninfo, &callbacks);
    party_join(&party, &rig);
}

static void options_that_are_refused_are_left_out_unseen(void **state)
{
    (void)state;
    static const char *const refusals[][2] = {
        {"22023", "invalid value for parameter \"client_connection_check_interval\": 500"},
        {"42704", "unrecognized configuration parameter \"client_connection_check_interval\""},
        {"08P01", "unsupported startup parameter: options"},
        {"0A000", "command-line options are not supported"}};
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct fake_server server;
        open_at_refusal(&server, refusals[i][0], refusals[i][1], false);
        assert_string_equal(party.log, "c");
        assert_int_equal(tale->connects, 2);
        assert_int_equal(tale->passwords, 1);
        rig.transport->ops->abandon(party.conn);
        rig_until(&rig, &party.closed);
        party_join(&party, &rig); /* it is known now */
        assert_string_equal(party.log, "c");
        assert_int_equal(tale->connects, 3);
        assert_int_equal(tale->with, 1);
        rig.transport->ops->abandon(party.conn);
        rig_until(&rig, &party.closed);
        fake_server_stop(&server);
        rig_close(&rig);
    }
}

static void other_refusals_are_told_as_they_are(void **state)
{
    (void)state;
    struct fake_server server;
    open_at_refusal(&server, "53300", "too many clients", false);
    assert_string_equal(party.log, "r");
    assert_string_equal(party.sqlstate, "53300");
    assert_int_equal(tale->connects, 1);
    fake_server_stop(&server);
    rig_close(&rig);
    /* Nothing is learned from a server that lets nobody in. */
    open_at_refusal(&server, "22023", "client_connection_check_interval", true);
    assert_string_equal(party.log, "r");
    assert_string_equal(party.sqlstate, "28000");
    assert_non_null(strstr(party.message, "nobody is let in"));
    party_join(&party, &rig);
    assert_int_equal(tale->connects, 4);
    assert_int_equal(tale->with, 2);
    fake_server_stop(&server);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_password_is_refused_with_its_sqlstate),
        cmocka_unit_test(a_missing_password_is_an_invalid_one),
        cmocka_unit_test(an_absent_database_is_refused_with_its_sqlstate),
        cmocka_unit_test(nobody_listening_is_refused_without_sqlstate),
        cmocka_unit_test(an_unknown_host_is_refused),
        cmocka_unit_test(silence_ends_in_a_timeout),
        cmocka_unit_test(a_connect_that_is_given_up_counts_until_the_server_has_closed_its_end),
        cmocka_unit_test(nothing_of_a_connect_is_waited_for_without_end),
        cmocka_unit_test(an_abandoned_connect_is_closed_at_once),
        cmocka_unit_test(a_connect_may_be_closed_while_it_times_out),
        cmocka_unit_test(what_is_there_when_a_late_loop_looks_was_in_time),
        cmocka_unit_test(the_callbacks_password_wins),
        cmocka_unit_test(a_password_callback_can_fail),
        cmocka_unit_test(nobody_waits_for_a_stuck_thread),
        cmocka_unit_test(a_connect_that_nobody_waits_for_opens_nothing),
        cmocka_unit_test(a_thread_that_is_about_to_end_is_waited_for),
        cmocka_unit_test(only_a_few_threads_of_a_server_get_stuck),
        cmocka_unit_test(many_connect_at_once),
        cmocka_unit_test(a_connector_thread_takes_no_signal),
        cmocka_unit_test(a_child_does_not_end_its_parents_sessions),
        cmocka_unit_test(running_out_of_memory_is_an_answer),
        cmocka_unit_test(options_that_are_refused_are_left_out_unseen),
        cmocka_unit_test(other_refusals_are_told_as_they_are),
    };
    tale = mmap(NULL, sizeof(*tale), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tale == MAP_FAILED)
        return 1;
    pqr_set_allocator(failing_malloc, failing_calloc, failing_realloc, free);
    int failed = SUITE_RUN(tests, 0, NULL);
    rig_end();
    return failed;
}
