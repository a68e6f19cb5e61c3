#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "postgres/meter.h"

enum { CHUNK = 4096 };

static char chunk[4 * CHUNK];

static void tcp_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_return_code(listen(listener, 1), 0);
    assert_return_code(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(connect(fds[0], (struct sockaddr *)&address, length), 0);
    fds[1] = accept(listener, NULL, NULL);
    assert_return_code(fds[1], 0);
    close(listener);
}

static void transfer(const int fds[2], size_t size)
{
    assert_int_equal(write(fds[1], chunk, size), size);
    assert_int_equal(recv(fds[0], chunk, size, MSG_WAITALL), size);
}

static uint64_t metered_transfer(struct pqr__meter *meter, const int fds[2], size_t size)
{
    assert_int_equal(write(fds[1], chunk, size), size);
    if (meter->running && meter->tcp)
        assert_int_equal(recv(fds[0], chunk, size, MSG_WAITALL | MSG_PEEK), size);
    pqr__meter_before(meter, fds[0]);
    assert_int_equal(recv(fds[0], chunk, size, MSG_WAITALL), size);
    return pqr__meter_after(meter, fds[0]);
}

static void tcp_is_counted_exactly_after_the_first_read(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct pqr__meter meter = {.running = false};
    transfer(fds, CHUNK); /* an earlier reply */
    assert_int_equal(metered_transfer(&meter, fds, 100), 0);
    assert_int_equal(metered_transfer(&meter, fds, 1), 1);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), 1 + CHUNK);
    /* What has come but was not read yet is not counted. */
    assert_int_equal(write(fds[1], chunk, CHUNK), CHUNK);
    assert_int_equal(recv(fds[0], chunk, CHUNK, MSG_WAITALL | MSG_PEEK), CHUNK);
    assert_int_equal(pqr__meter_after(&meter, fds[0]), 1 + CHUNK);
    close(fds[0]);
    close(fds[1]);
}

static void the_next_reply_begins_at_nothing(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct pqr__meter meter = {.running = false};
    metered_transfer(&meter, fds, CHUNK);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), CHUNK);
    pqr__meter_stop(&meter);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), 0);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), CHUNK);
    close(fds[0]);
    close(fds[1]);
}

static void a_unix_socket_is_counted_by_what_is_available(void **state)
{
    (void)state;
    int fds[2];
    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct pqr__meter meter = {.running = false};
    assert_int_equal(metered_transfer(&meter, fds, 100), 0);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), CHUNK);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), 2 * CHUNK);
    close(fds[0]);
    close(fds[1]);
}

static void a_refilled_unix_socket_counts_as_a_buffer_read(void **state)
{
    (void)state;
    int fds[2];
    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct pqr__meter meter = {.running = false};
    pqr__meter_after(&meter, fds[0]);
    assert_int_equal(write(fds[1], chunk, sizeof(chunk)), sizeof(chunk));
    assert_int_equal(write(fds[1], chunk, sizeof(chunk)), sizeof(chunk));
    pqr__meter_before(&meter, fds[0]); /* 32 kB there; nothing is read, as if all was filled up again */
    assert_int_equal(pqr__meter_after(&meter, fds[0]), 16 * 1024);
    close(fds[0]);
    close(fds[1]);
}

static void rows_given_up_do_not_count_on_tcp(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct pqr__meter meter = {.running = false};
    metered_transfer(&meter, fds, CHUNK);
    assert_int_equal(metered_transfer(&meter, fds, 1000), 1000);
    pqr__meter_part(&meter, 400);
    assert_int_equal(metered_transfer(&meter, fds, 1000), 1600);
    pqr__meter_part(&meter, CHUNK); /* of the first read, which was not counted */
    assert_int_equal(metered_transfer(&meter, fds, 1000), 0);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), 3000 - 400);
    close(fds[0]);
    close(fds[1]);
}

static void with_each_part_the_count_of_a_unix_socket_starts_again(void **state)
{
    (void)state;
    int fds[2];
    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct pqr__meter meter = {.running = false};
    metered_transfer(&meter, fds, CHUNK);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), CHUNK);
    pqr__meter_part(&meter, 10);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), 0);
    assert_int_equal(metered_transfer(&meter, fds, CHUNK), CHUNK);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_is_counted_exactly_after_the_first_read),
        cmocka_unit_test(the_next_reply_begins_at_nothing),
        cmocka_unit_test(a_unix_socket_is_counted_by_what_is_available),
        cmocka_unit_test(a_refilled_unix_socket_counts_as_a_buffer_read),
        cmocka_unit_test(rows_given_up_do_not_count_on_tcp),
        cmocka_unit_test(with_each_part_the_count_of_a_unix_socket_starts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
