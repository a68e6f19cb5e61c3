/* Who is primary, in each way that servers can contradict one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/random.h"
#include "policy/roles.h"

enum { N = 4 };

static struct pqr__observation server(bool in_recovery, uint64_t identifier, uint32_t timeline)
{
    return (struct pqr__observation){.probed = true,
        .answering = true,
        .in_recovery = in_recovery,
        .system_identifier = identifier,
        .timeline = timeline};
}

static const struct pqr__observation unprobed = {0};
static const struct pqr__observation down = {.probed = true};

#define PRIMARY(identifier, timeline) server(false, identifier, timeline)
#define REPLICA(identifier, timeline) server(true, identifier, timeline)

static void expect(
    struct pqr__cluster *cluster, const struct pqr__observation *seen, uint32_t n, const char *roles)
{
    static const char letters[] = {[PQR_ROLE_UNKNOWN] = '?',
        [PQR_ROLE_PRIMARY] = 'P',
        [PQR_ROLE_REPLICA] = 'R',
        [PQR_ROLE_DOWN] = 'D',
        [PQR_ROLE_WRONG_CLUSTER] = 'W',
        [PQR_ROLE_FENCED] = 'F'};
    pqr_role out[N];
    char found[N + 1] = "";
    pqr__roles_decide(cluster, seen, n, out);
    for (uint32_t i = 0; i < n; i++)
        found[i] = letters[out[i]];
    assert_string_equal(found, roles);
}

/* Servers as a list, their roles as one letter each. */
#define EXPECT(cluster, roles, ...)                                                    \
    do {                                                                               \
        const struct pqr__observation seen_[] = {__VA_ARGS__};                         \
        expect((cluster), seen_, (uint32_t)(sizeof(seen_) / sizeof(seen_[0])), roles); \
    } while (0)

/* It was promoted, and nobody else was probed yet. */
static void one_that_left_has_told_its_timeline(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    const struct pqr__observation left = PRIMARY(7, 2), earlier = PRIMARY(7, 1), stranger = PRIMARY(8, 9);
    EXPECT(&cluster, "???", unprobed, unprobed, PRIMARY(7, 2));
    pqr__roles_leave(&cluster, &left);
    pqr__roles_leave(&cluster, &earlier);
    EXPECT(&cluster, "FR", PRIMARY(7, 1), REPLICA(7, 1));
    cluster = (struct pqr__cluster){0};
    pqr__roles_leave(&cluster, &stranger);
    pqr__roles_leave(&cluster, &unprobed);
    EXPECT(&cluster, "PR", PRIMARY(7, 1), REPLICA(7, 1));
}

static void a_plain_cluster_has_one_primary_and_replicas(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "RPR", REPLICA(7, 1), PRIMARY(7, 1), REPLICA(7, 1));
    assert_true(cluster.system_identifier == 7);
    assert_int_equal(cluster.highest_timeline, 1);
}

static void nothing_is_decided_before_every_server_was_probed(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "???", PRIMARY(7, 1), unprobed, REPLICA(7, 1));
    assert_true(cluster.system_identifier == 0);
    EXPECT(&cluster, "PDR", PRIMARY(7, 1), down, REPLICA(7, 1));
    assert_true(cluster.system_identifier == 7);
}

static void a_configured_identifier_lets_replicas_serve_at_once(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {.system_identifier = 7};
    EXPECT(&cluster, "R?W?", REPLICA(7, 1), unprobed, REPLICA(8, 1), PRIMARY(7, 1));
    EXPECT(&cluster, "RRWP", REPLICA(7, 1), REPLICA(7, 1), REPLICA(8, 1), PRIMARY(7, 1));
}

static void a_server_that_does_not_answer_is_down_whatever_it_said_before(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    struct pqr__observation silent = PRIMARY(7, 1);
    silent.answering = false;
    EXPECT(&cluster, "DR", silent, REPLICA(7, 1));
    EXPECT(&cluster, "DD", silent, down);
    EXPECT(&cluster, "PR", PRIMARY(7, 1), REPLICA(7, 1));
}

static void a_server_of_another_cluster_gets_nothing_and_its_timeline_does_not_count(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "PR", PRIMARY(7, 2), REPLICA(7, 2));
    EXPECT(&cluster, "PW", PRIMARY(7, 2), PRIMARY(8, 9));
    EXPECT(&cluster, "PW", PRIMARY(7, 2), REPLICA(8, 9));
    assert_int_equal(cluster.highest_timeline, 2);
    EXPECT(&cluster, "DW", down, PRIMARY(8, 9));
}

static void servers_that_disagree_at_the_start_all_get_nothing(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "WWW", PRIMARY(7, 1), REPLICA(7, 1), PRIMARY(8, 1));
    EXPECT(&cluster, "WW?", PRIMARY(7, 1), PRIMARY(8, 1), unprobed);
    assert_true(cluster.system_identifier == 0);
}

static void nobody_wins_a_dispute_by_outliving_the_other(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "WW", PRIMARY(7, 1), PRIMARY(8, 1));
    EXPECT(&cluster, "DW", down, PRIMARY(8, 1));
    EXPECT(&cluster, "WD", PRIMARY(7, 1), down);
    EXPECT(&cluster, "RP", REPLICA(8, 1), PRIMARY(8, 1));
}

static void servers_that_tell_no_identifier_agree_only_with_each_other(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "PR", PRIMARY(0, 1), REPLICA(0, 1));
    EXPECT(&cluster, "WW", PRIMARY(0, 1), REPLICA(7, 1));
}

static void of_two_primaries_the_higher_timeline_wins(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "PR", PRIMARY(7, 1), REPLICA(7, 1));
    EXPECT(&cluster, "FP", PRIMARY(7, 1), PRIMARY(7, 2));
}

static void two_primaries_of_one_timeline_are_both_fenced_until_one_stops(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "PDR", PRIMARY(7, 3), down, REPLICA(7, 3));
    EXPECT(&cluster, "FFR", PRIMARY(7, 3), PRIMARY(7, 3), REPLICA(7, 3));
    EXPECT(&cluster, "FFR", PRIMARY(7, 3), PRIMARY(7, 3), REPLICA(7, 3));
    EXPECT(&cluster, "RPR", REPLICA(7, 3), PRIMARY(7, 3), REPLICA(7, 3));
}

static void a_higher_timeline_is_never_forgotten(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "DP", down, PRIMARY(7, 2));
    EXPECT(&cluster, "FD", PRIMARY(7, 1), down);
    EXPECT(&cluster, "FD", PRIMARY(7, 0), down);
    EXPECT(&cluster, "PD", PRIMARY(7, 2), down);
}

static void a_timeline_told_before_the_cluster_was_pinned_counts_too(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    struct pqr__observation silent = PRIMARY(7, 2);
    EXPECT(&cluster, "??", unprobed, silent);
    silent.answering = false;
    EXPECT(&cluster, "FD", PRIMARY(7, 1), silent);
    EXPECT(&cluster, "PD", PRIMARY(7, 2), silent);
}

static void a_replica_that_follows_a_newer_primary_fences_the_old_one(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "PRR", PRIMARY(7, 1), REPLICA(7, 1), REPLICA(7, 1));
    EXPECT(&cluster, "FDR", PRIMARY(7, 1), down, REPLICA(7, 2));
    EXPECT(&cluster, "FPR", PRIMARY(7, 1), PRIMARY(7, 2), REPLICA(7, 2));
}

static void a_promotion_moves_the_role(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    EXPECT(&cluster, "PRR", PRIMARY(7, 1), REPLICA(7, 1), REPLICA(7, 1));
    EXPECT(&cluster, "DRR", down, REPLICA(7, 1), REPLICA(7, 1));
    EXPECT(&cluster, "DPR", down, PRIMARY(7, 2), REPLICA(7, 1));
    EXPECT(&cluster, "RPR", REPLICA(7, 2), PRIMARY(7, 2), REPLICA(7, 2));
}

static struct pqr__observation any_observation(struct pqr__random *random)
{
    struct pqr__observation seen = {.probed = pqr__random_below(random, 8) != 0};
    seen.answering = seen.probed && pqr__random_below(random, 4) != 0;
    seen.in_recovery = pqr__random_below(random, 2) != 0;
    seen.system_identifier = pqr__random_below(random, 6) ? 7 : 7 + pqr__random_below(random, 2);
    seen.timeline = (uint32_t)pqr__random_below(random, 4);
    return seen;
}

/* What must hold of any answer; how often each role was given is added to tally. */
static void check(const struct pqr__cluster *cluster, const struct pqr__observation *seen,
    const pqr_role *out, unsigned *tally)
{
    unsigned primaries = 0;
    for (int i = 0; i < N; i++) {
        bool member = out[i] == PQR_ROLE_PRIMARY || out[i] == PQR_ROLE_REPLICA;
        tally[out[i]]++;
        if (!seen[i].answering)
            assert_int_equal(out[i], seen[i].probed ? PQR_ROLE_DOWN : PQR_ROLE_UNKNOWN);
        assert_true(!member || seen[i].system_identifier == cluster->system_identifier);
        if (out[i] != PQR_ROLE_PRIMARY)
            continue;
        primaries++;
        assert_false(seen[i].in_recovery);
        assert_int_equal(seen[i].timeline, cluster->highest_timeline);
    }
    assert_true(primaries <= 1);
}

static void two_names_of_one_primary_are_no_conflict(void **state)
{
    (void)state;
    struct pqr__cluster cluster = {0};
    struct pqr__observation one = PRIMARY(7, 3), same = PRIMARY(7, 3), other = PRIMARY(7, 3);
    one.instance = same.instance = 41;
    other.instance = 42;
    EXPECT(&cluster, "PPR", one, same, REPLICA(7, 3));
    EXPECT(&cluster, "FFF", one, same, other);
    same.instance = one.instance = 0; /* not known: two */
    EXPECT(&cluster, "FF", one, same);
}

static void random_histories_never_have_two_primaries_or_a_stale_one(void **state)
{
    (void)state;
    struct pqr__random random;
    unsigned tally[PQR_ROLE_FENCED + 1] = {0};
    pqr__random_seed(&random, 11);
    for (int run = 0; run < 3000; run++) {
        struct pqr__cluster cluster = {0};
        for (int step = 0; step < 10; step++) {
            struct pqr__observation seen[N];
            pqr_role out[N];
            for (int i = 0; i < N; i++)
                seen[i] = any_observation(&random);
            struct pqr__cluster before = cluster;
            pqr__roles_decide(&cluster, seen, N, out);
            check(&cluster, seen, out, tally);
            assert_true(cluster.highest_timeline >= before.highest_timeline);
            if (before.system_identifier)
                assert_true(cluster.system_identifier == before.system_identifier);
        }
    }
    for (int role = 0; role <= PQR_ROLE_FENCED; role++)
        assert_true(tally[role] > 1000);
}

static void the_order_of_the_servers_decides_nothing(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 12);
    for (int run = 0; run < 20000; run++) {
        struct pqr__cluster one = {0}, other = {0};
        struct pqr__observation seen[N], turned[N];
        pqr_role out[N], turned_out[N];
        uint64_t by = pqr__random_below(&random, N);
        for (uint64_t i = 0; i < N; i++)
            turned[(i + by) % N] = seen[i] = any_observation(&random);
        pqr__roles_decide(&one, seen, N, out);
        pqr__roles_decide(&other, turned, N, turned_out);
        for (uint64_t i = 0; i < N; i++)
            assert_int_equal(out[i], turned_out[(i + by) % N]);
        assert_memory_equal(&one, &other, sizeof(one));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_left_has_told_its_timeline),
        cmocka_unit_test(a_plain_cluster_has_one_primary_and_replicas),
        cmocka_unit_test(nothing_is_decided_before_every_server_was_probed),
        cmocka_unit_test(a_configured_identifier_lets_replicas_serve_at_once),
        cmocka_unit_test(a_server_that_does_not_answer_is_down_whatever_it_said_before),
        cmocka_unit_test(a_server_of_another_cluster_gets_nothing_and_its_timeline_does_not_count),
        cmocka_unit_test(servers_that_disagree_at_the_start_all_get_nothing),
        cmocka_unit_test(nobody_wins_a_dispute_by_outliving_the_other),
        cmocka_unit_test(servers_that_tell_no_identifier_agree_only_with_each_other),
        cmocka_unit_test(of_two_primaries_the_higher_timeline_wins),
        cmocka_unit_test(two_primaries_of_one_timeline_are_both_fenced_until_one_stops),
        cmocka_unit_test(a_higher_timeline_is_never_forgotten),
        cmocka_unit_test(a_timeline_told_before_the_cluster_was_pinned_counts_too),
        cmocka_unit_test(a_replica_that_follows_a_newer_primary_fences_the_old_one),
        cmocka_unit_test(a_promotion_moves_the_role),
        cmocka_unit_test(two_names_of_one_primary_are_no_conflict),
        cmocka_unit_test(random_histories_never_have_two_primaries_or_a_stale_one),
        cmocka_unit_test(the_order_of_the_servers_decides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
