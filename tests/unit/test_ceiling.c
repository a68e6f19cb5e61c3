/* The limit finds the knee of a modelled server, stays there, and moves when the server does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>

#include "base/random.h"
#include "policy/ceiling.h"

enum { TICK_US = 20000, S = 1000000, MAX = 100 };

/* Throughput is n / service up to the knee, then flat, or less by `decay` for each connection past it. */
struct server {
    uint32_t knee;
    double service_us, decay;
    double together; /* so many end at once, with their flight; 0: each alone */
};

static double rate_of(const struct server *server, uint32_t n)
{
    double past = n > server->knee ? n - server->knee : 0;
    double rate = (n < server->knee ? n : server->knee) / server->service_us * 1e6;
    return rate / (1 + server->decay * past);
}

/* About a Poisson number of that mean: the sum of twelve even ones is near enough to normal. */
static uint64_t noisy(struct pqr__random *random, double mean)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)pqr__random_below(random, 1000000) / 1e6;
    double value = mean + sum * sqrt(mean);
    return value > 0 ? (uint64_t)(value + 0.5) : 0;
}

struct trial {
    struct pqr__ceiling ceiling;
    struct pqr__random random;
    uint64_t now_us;
    double carry, served, possible; /* of the last run */
};

static void trial_init(struct trial *trial, uint32_t start, uint64_t seed)
{
    *trial = (struct trial){0};
    pqr__ceiling_init(&trial->ceiling, start, MAX, 0);
    pqr__random_seed(&trial->random, seed);
}

/* Everything is used up and somebody waits. */
static void run_ticks(struct trial *trial, const struct server *server, uint64_t ticks)
{
    trial->served = trial->possible = 0;
    for (uint64_t i = 0; i < ticks; i++) {
        uint32_t limit = pqr__ceiling_limit(&trial->ceiling);
        double mean = rate_of(server, limit) * TICK_US / 1e6 + trial->carry;
        double together = server->together > 0 ? server->together : 1;
        uint64_t served = noisy(&trial->random, mean / together) * (uint64_t)together;
        trial->carry = served > 0 ? 0 : mean;
        trial->now_us += TICK_US;
        struct pqr__ceiling_sample sample = {.now_us = trial->now_us,
            .elapsed_us = TICK_US,
            .served = served,
            .busy_us = (uint64_t)limit * TICK_US,
            .waiting = true};
        pqr__ceiling_note(&trial->ceiling, &sample);
        trial->served += (double)served;
        trial->possible += rate_of(server, server->knee < MAX ? server->knee : MAX) * TICK_US / 1e6;
    }
}

static void run(struct trial *trial, const struct server *server, uint64_t seconds)
{
    run_ticks(trial, server, seconds * S / TICK_US);
}

static void what_the_climb_comes_to_anyway_may_be_open_before(void **state)
{
    static const struct server server = {.knee = 50, .service_us = 3000};
    struct trial trial;
    (void)state;
    trial_init(&trial, 8, 1);
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 8);
    assert_int_equal(pqr__ceiling_opens(&trial.ceiling), 16);
    pqr__ceiling_refused(&trial.ceiling, "53300", 12, 0);
    assert_int_equal(pqr__ceiling_opens(&trial.ceiling), 12);
    pqr__ceiling_connected(&trial.ceiling, 13);
    run(&trial, &server, 1);
    assert_int_equal(pqr__ceiling_opens(&trial.ceiling), pqr__ceiling_limit(&trial.ceiling));
    trial_init(&trial, 60, 1);
    assert_int_equal(pqr__ceiling_opens(&trial.ceiling), MAX);
}

static void it_climbs_to_the_knee_in_a_second_and_serves_what_can_be_served(void **state)
{
    (void)state;
    static const uint32_t knees[] = {2, 3, 5, 8, 12, 16, 24, 32, 50, 80};
    for (unsigned i = 0; i < sizeof(knees) / sizeof(knees[0]); i++) {
        double served = 0, possible = 0;
        for (uint64_t seed = 1; seed <= 100; seed++) {
            struct server server = {.knee = knees[i], .service_us = 3000};
            struct trial trial;
            trial_init(&trial, 4, seed);
            run(&trial, &server, 2);
            assert_true(pqr__ceiling_limit(&trial.ceiling) * 2 >= knees[i]);
            run(&trial, &server, 60);
            assert_true(trial.served >= 0.85 * trial.possible);
            assert_in_range(trial.ceiling.base.limit, knees[i] * 3 / 4, knees[i] * 3 / 2 + 2);
            served += trial.served;
            possible += trial.possible;
        }
        assert_true(served >= 0.94 * possible);
    }
}

static void a_server_that_gets_slower_past_its_knee_is_kept_at_it(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct server server = {.knee = 16, .service_us = 4000, .decay = 0.05};
        struct trial trial;
        trial_init(&trial, 64, seed); /* as if it had been grown without looking */
        run(&trial, &server, 20);
        assert_in_range(trial.ceiling.base.limit, 12, 22);
        run(&trial, &server, 60);
        assert_true(trial.served >= 0.86 * trial.possible);
    }
}

/* The most that it tried in six seconds. */
static uint32_t most_tried(struct trial *trial, const struct server *server)
{
    uint32_t most = 0;
    for (unsigned i = 0; i < 300; i++) {
        run_ticks(trial, server, 1);
        uint32_t limit = pqr__ceiling_limit(&trial->ceiling);
        most = limit > most ? limit : most;
    }
    return most;
}

/* Twelve where ten were held and eleven are worth while: a quarter more is tried next, not twice as many, unless
   chance makes the twelve look like far below the knee. */
static void near_the_knee_it_is_seldom_doubled(void **state)
{
    unsigned doubled = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct server server = {.knee = 11, .service_us = 3000};
        struct trial trial;
        trial_init(&trial, 10, seed);
        trial.ceiling.reason = PQR__CEILING_KNEE;
        trial.ceiling.next_less_us = UINT64_MAX;
        doubled += most_tried(&trial, &server) > 15;
    }
    assert_in_range(doubled, 0, 20);
}

/* Sixteen where twelve are worth while, on the way up from eight: the doubling gained half of what it would far below
   the knee, and another would open sixteen for nothing. A first look at eight is short, so that chance doubles some. */
static void a_climb_that_comes_near_the_knee_goes_on_by_a_quarter(void **state)
{
    unsigned doubled = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct server server = {.knee = 12, .service_us = 3000};
        struct trial trial;
        trial_init(&trial, 8, seed);
        doubled += most_tried(&trial, &server) > 25;
    }
    assert_in_range(doubled, 0, 40);
}

/* One more than six shows little of what it does, and four are as good: chance, which is larger where many end
   together, is not to pile them up. */
static void small_steps_beyond_the_knee_are_seldom_taken(void **state)
{
    enum { SEEDS = 100, TICKS = 600 };
    unsigned beyond = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct server server = {.knee = 4, .service_us = 400, .decay = 0.03, .together = 8};
        struct trial trial;
        trial_init(&trial, 8, seed);
        run_ticks(&trial, &server, 100);
        for (unsigned i = 0; i < TICKS; i++) {
            run_ticks(&trial, &server, 1);
            beyond += pqr__ceiling_limit(&trial.ceiling) >= 7;
        }
    }
    assert_in_range(beyond, 0, SEEDS * TICKS / 12);
}

static void the_limit_follows_when_the_knee_moves(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct server small = {.knee = 4, .service_us = 3000}, large = {.knee = 40, .service_us = 3000};
        struct trial trial;
        trial_init(&trial, 8, seed);
        run(&trial, &small, 30);
        assert_in_range(trial.ceiling.base.limit, 3, 8);
        run(&trial, &large, 90);
        assert_in_range(trial.ceiling.base.limit, 28, 62);
        run(&trial, &small, 90);
        assert_in_range(trial.ceiling.base.limit, 3, 10);
    }
}

/* Requests that share flights are served many at a time: it is the connections that the limit counts. */
static void a_knee_is_found_whatever_is_under_way_on_a_connection(void **state)
{
    (void)state;
    static const double depths[] = {1, 4, 16, 32};
    for (unsigned i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct server server = {.knee = 4, .service_us = 3000 / depths[i], .decay = 0.05};
            struct trial trial;
            trial_init(&trial, 8, seed);
            run(&trial, &server, 30);
            assert_in_range(trial.ceiling.base.limit, 3, 6);
            run(&trial, &server, 30);
            assert_in_range(trial.ceiling.base.limit, 3, 6);
            assert_true(trial.served >= 0.9 * trial.possible);
        }
    }
}

/* So many are served in each of some ticks, with all of the limit in use, and `more` beyond it. */
static void feed(struct trial *trial, unsigned ticks, uint64_t served, uint32_t more)
{
    for (unsigned i = 0; i < ticks; i++) {
        trial->now_us += TICK_US;
        struct pqr__ceiling_sample sample = {.now_us = trial->now_us,
            .elapsed_us = TICK_US,
            .served = served,
            .busy_us = (uint64_t)(pqr__ceiling_limit(&trial->ceiling) + more) * TICK_US,
            .waiting = true,
            .beyond = 1};
        pqr__ceiling_note(&trial->ceiling, &sample);
    }
}

/* A few requests too many at the lower limit, by chance, must not make it fall back there: those who come meanwhile wait
   until it dares to climb again, which takes seconds. */
static void a_climb_is_not_undone_by_what_may_be_chance(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, 8, 1);
    feed(&trial, 2, 33, 0); /* the first one only says that somebody waits */
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 16);
    feed(&trial, 20, 34, 0); /* a gain of 3%: not worth a climb, if it is true */
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 16);
    assert_int_equal(pqr__ceiling_reason(&trial.ceiling), PQR__CEILING_KNEE);
    feed(&trial, 1500 / 34, 34, 0); /* told by enough of them it tries the lower one, with as good a count */
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 8);
    feed(&trial, 1500 / 33 + 2, 33, 0);
    assert_in_range(pqr__ceiling_limit(&trial.ceiling), 6, 8);
}

static void a_climb_that_is_clearly_in_vain_is_undone(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, 8, 1);
    feed(&trial, 2, 400, 0);
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 16);
    feed(&trial, 3, 300, 0);
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 8);
}

/* A flood of administrators, whom the limit does not keep out, serves as much at any limit. */
static void use_beyond_the_limit_teaches_nothing(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, 8, 1);
    feed(&trial, 3000, 40, 25);
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 8);
    feed(&trial, 2, 40, 1); /* as many as it has to reckon with */
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 16);
}

static void a_pool_that_is_half_idle_never_grows(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, 8, 1);
    for (int i = 0; i < 5000; i++) {
        trial.now_us += TICK_US;
        struct pqr__ceiling_sample sample = {.now_us = trial.now_us,
            .elapsed_us = TICK_US,
            .served = 100 + (uint64_t)i,
            .busy_us = 4 * TICK_US,
            .waiting = i % 2};
        pqr__ceiling_note(&trial.ceiling, &sample);
        assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 8);
    }
    assert_int_equal(pqr__ceiling_reason(&trial.ceiling), PQR__CEILING_START);
}

/* Twenty reports of a minute each must not hold up everybody because none of them ends. */
static void when_nothing_ends_it_grows_step_by_step(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, 8, 1);
    for (int i = 0; i < 50 * 4; i++) {
        trial.now_us += TICK_US;
        struct pqr__ceiling_sample sample = {.now_us = trial.now_us,
            .elapsed_us = TICK_US,
            .busy_us = pqr__ceiling_limit(&trial.ceiling) * UINT64_C(20000),
            .waiting = true};
        pqr__ceiling_note(&trial.ceiling, &sample);
    }
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), MAX);
    assert_int_equal(pqr__ceiling_reason(&trial.ceiling), PQR__CEILING_MAX);
}

static void a_refusal_limits_to_what_is_open_and_creeps_up(void **state)
{
    (void)state;
    struct trial trial;
    struct server server = {.knee = MAX, .service_us = 1000};
    trial_init(&trial, 64, 1);
    pqr__ceiling_refused(&trial.ceiling, "53300", 12, 0);
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 12);
    assert_int_equal(pqr__ceiling_reason(&trial.ceiling), PQR__CEILING_REFUSED);
    run(&trial, &server, 1);
    assert_in_range(pqr__ceiling_limit(&trial.ceiling), 14, 16);
    pqr__ceiling_refused(&trial.ceiling, "53300", 12, trial.now_us);
    run(&trial, &server, 1); /* slower after each that went too far */
    assert_in_range(pqr__ceiling_limit(&trial.ceiling), 13, 14);
    run(&trial, &server, 300);
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), MAX);
}

static void a_connect_past_what_was_refused_lifts_the_limit(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, 64, 1);
    pqr__ceiling_refused(&trial.ceiling, "53300", 12, 0);
    pqr__ceiling_connected(&trial.ceiling, 12); /* in place of another one */
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 12);
    pqr__ceiling_connected(&trial.ceiling, 13);
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 64);
}

static void a_server_that_takes_nobody_teaches_nothing(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, 8, 1);
    pqr__ceiling_refused(&trial.ceiling, "53300", 0, 0);
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 8);
}

static void a_connect_that_fails_limits_like_a_refusal_and_is_tried_again_soon(void **state)
{
    (void)state;
    static const char *const troubles[] = {"", "08006", "57P03"};
    struct server server = {.knee = MAX, .service_us = 1000};
    for (unsigned i = 0; i < 3; i++) {
        struct trial trial;
        trial_init(&trial, 64, 1);
        pqr__ceiling_refused(&trial.ceiling, troubles[i], 12, 0);
        assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 12);
        assert_int_equal(pqr__ceiling_reason(&trial.ceiling), PQR__CEILING_FAILED);
        for (uint32_t open = 11; open > 5; open--) /* an outage, in which connections get lost too */
            pqr__ceiling_refused(&trial.ceiling, troubles[i], open, 0);
        assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 6);
        run(&trial, &server, 1);
        assert_in_range(pqr__ceiling_limit(&trial.ceiling), 8, 10);
        pqr__ceiling_refused(&trial.ceiling, "53300", 7, trial.now_us);
        assert_int_equal(pqr__ceiling_reason(&trial.ceiling), PQR__CEILING_REFUSED);
    }
}

static void what_people_have_to_mend_says_nothing_of_how_many(void **state)
{
    (void)state;
    static const char *const mends[] = {"28P01", "28000", "3D000", "42501"};
    struct trial trial;
    trial_init(&trial, 64, 1);
    for (unsigned i = 0; i < 4; i++)
        pqr__ceiling_refused(&trial.ceiling, mends[i], 12, 0);
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), 64);
}

static void a_trial_that_nobody_needs_ends_where_it_began(void **state)
{
    (void)state;
    struct trial trial;
    struct server server = {.knee = 8, .service_us = 3000};
    trial_init(&trial, 8, 5);
    for (int i = 0; i < 2000 && pqr__ceiling_reason(&trial.ceiling) != PQR__CEILING_TRYING_LESS; i++) {
        uint32_t limit = pqr__ceiling_limit(&trial.ceiling);
        trial.now_us += TICK_US;
        struct pqr__ceiling_sample sample = {.now_us = trial.now_us,
            .elapsed_us = TICK_US,
            .served = (uint64_t)(rate_of(&server, limit) * TICK_US / 1e6),
            .busy_us = limit * UINT64_C(20000),
            .waiting = true};
        pqr__ceiling_note(&trial.ceiling, &sample);
    }
    assert_int_equal(pqr__ceiling_reason(&trial.ceiling), PQR__CEILING_TRYING_LESS);
    uint32_t base = trial.ceiling.base.limit;
    for (int i = 0; i < 200; i++) {
        trial.now_us += TICK_US;
        struct pqr__ceiling_sample sample = {.now_us = trial.now_us, .elapsed_us = TICK_US, .served = 1};
        pqr__ceiling_note(&trial.ceiling, &sample);
    }
    assert_int_equal(pqr__ceiling_limit(&trial.ceiling), base);
}

static void it_stays_between_one_and_max_whatever_it_is_told(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct trial trial;
        trial_init(&trial, 1 + (uint32_t)seed % 20, seed);
        for (int i = 0; i < 3000; i++) {
            uint32_t limit = pqr__ceiling_limit(&trial.ceiling);
            uint64_t elapsed_us = pqr__random_below(&trial.random, 100000);
            trial.now_us += elapsed_us;
            struct pqr__ceiling_sample sample = {.now_us = trial.now_us,
                .elapsed_us = elapsed_us,
                .served = pqr__random_below(&trial.random, 2000),
                .busy_us = elapsed_us * pqr__random_below(&trial.random, limit + 2),
                .waiting = pqr__random_below(&trial.random, 4) > 0};
            pqr__ceiling_note(&trial.ceiling, &sample);
            if (pqr__random_below(&trial.random, 300) == 0)
                pqr__ceiling_refused(&trial.ceiling, pqr__random_below(&trial.random, 2) ? "" : "53300",
                    (uint32_t)pqr__random_below(&trial.random, 150), trial.now_us);
            assert_in_range(pqr__ceiling_limit(&trial.ceiling), 1, MAX);
            assert_true(pqr__ceiling_text(pqr__ceiling_reason(&trial.ceiling))[0] != '\0');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_climb_comes_to_anyway_may_be_open_before),
        cmocka_unit_test(it_climbs_to_the_knee_in_a_second_and_serves_what_can_be_served),
        cmocka_unit_test(a_server_that_gets_slower_past_its_knee_is_kept_at_it),
        cmocka_unit_test(near_the_knee_it_is_seldom_doubled),
        cmocka_unit_test(a_climb_that_comes_near_the_knee_goes_on_by_a_quarter),
        cmocka_unit_test(small_steps_beyond_the_knee_are_seldom_taken),
        cmocka_unit_test(the_limit_follows_when_the_knee_moves),
        cmocka_unit_test(a_knee_is_found_whatever_is_under_way_on_a_connection),
        cmocka_unit_test(a_climb_is_not_undone_by_what_may_be_chance),
        cmocka_unit_test(a_climb_that_is_clearly_in_vain_is_undone),
        cmocka_unit_test(use_beyond_the_limit_teaches_nothing),
        cmocka_unit_test(a_pool_that_is_half_idle_never_grows),
        cmocka_unit_test(when_nothing_ends_it_grows_step_by_step),
        cmocka_unit_test(a_refusal_limits_to_what_is_open_and_creeps_up),
        cmocka_unit_test(a_connect_past_what_was_refused_lifts_the_limit),
        cmocka_unit_test(a_server_that_takes_nobody_teaches_nothing),
        cmocka_unit_test(a_connect_that_fails_limits_like_a_refusal_and_is_tried_again_soon),
        cmocka_unit_test(what_people_have_to_mend_says_nothing_of_how_many),
        cmocka_unit_test(a_trial_that_nobody_needs_ends_where_it_began),
        cmocka_unit_test(it_stays_between_one_and_max_whatever_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
