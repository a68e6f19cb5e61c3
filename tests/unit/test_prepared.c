#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "heap.h"
#include "postgres/prepared.h"
#include "pqrouter.h"

static struct pqr__prepared prepared;
static uint64_t given_up;

static enum pqr__prepared_how use(uint64_t statement)
{
    return pqr__prepared_use(&prepared, statement, true, &given_up);
}

/* Sent alone, and the server was fine with it. */
static enum pqr__prepared_how use_alone(uint64_t statement)
{
    pqr__prepared_next_flight(&prepared);
    enum pqr__prepared_how how = use(statement);
    if (how == PQR__PREPARED_PARSE)
        pqr__prepared_done(&prepared, statement);
    return how;
}

static int start(void **state)
{
    (void)state;
    pqr__prepared_init(&prepared, 3);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    pqr__prepared_finish(&prepared);
    return 0;
}

static void a_statement_is_prepared_once(void **state)
{
    (void)state;
    assert_int_equal(use_alone(7), PQR__PREPARED_PARSE);
    assert_int_equal(given_up, 0);
    assert_int_equal(use_alone(7), PQR__PREPARED_NAME);
    assert_int_equal(use_alone(8), PQR__PREPARED_PARSE);
    assert_int_equal(use_alone(7), PQR__PREPARED_NAME);
}

static void the_one_not_used_for_longest_makes_room(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 3; i++)
        use_alone(i);
    use_alone(1);
    assert_int_equal(use_alone(4), PQR__PREPARED_PARSE);
    assert_int_equal(given_up, 2);
    assert_int_equal(use_alone(1), PQR__PREPARED_NAME);
    assert_int_equal(use_alone(2), PQR__PREPARED_PARSE);
    assert_int_equal(given_up, 3);
}

static void a_flight_never_gives_up_what_it_uses(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 3; i++)
        use_alone(i);
    pqr__prepared_next_flight(&prepared);
    assert_int_equal(use(1), PQR__PREPARED_NAME);
    assert_int_equal(use(2), PQR__PREPARED_NAME);
    assert_int_equal(use(4), PQR__PREPARED_PARSE);
    assert_int_equal(given_up, 3);
    assert_int_equal(use(5), PQR__PREPARED_TEXT);
    assert_int_equal(use(4), PQR__PREPARED_NAME);
}

static void nobody_else_uses_a_name_before_it_is_known(void **state)
{
    (void)state;
    pqr__prepared_next_flight(&prepared);
    assert_int_equal(use(1), PQR__PREPARED_PARSE);
    pqr__prepared_next_flight(&prepared);
    assert_int_equal(pqr__prepared_use(&prepared, 1, false, &given_up), PQR__PREPARED_TEXT);
    assert_int_equal(pqr__prepared_use(&prepared, 2, false, &given_up), PQR__PREPARED_TEXT);
    pqr__prepared_done(&prepared, 1);
    assert_int_equal(pqr__prepared_use(&prepared, 1, false, &given_up), PQR__PREPARED_NAME);
}

static void a_stale_one_is_given_up_for_itself(void **state)
{
    (void)state;
    use_alone(1);
    pqr__prepared_stale(&prepared, 1);
    assert_int_equal(pqr__prepared_use(&prepared, 1, false, &given_up), PQR__PREPARED_TEXT);
    assert_int_equal(use_alone(1), PQR__PREPARED_PARSE);
    assert_int_equal(given_up, 1);
    assert_int_equal(use_alone(1), PQR__PREPARED_NAME);
}

static void without_a_limit_nothing_is_prepared(void **state)
{
    (void)state;
    pqr__prepared_init(&prepared, 0);
    assert_int_equal(use_alone(1), PQR__PREPARED_TEXT);
    assert_null(prepared.entries);
}

static void names_hold_any_number(void **state)
{
    (void)state;
    char name[PQR__PREPARED_NAME_SIZE];
    pqr__prepared_name(name, 1);
    assert_string_equal(name, "pqr_1");
    pqr__prepared_name(name, UINT64_MAX);
    assert_string_equal(name, "pqr_18446744073709551615");
}

static void allow(unsigned calls)
{
    heap_reset();
    heap.failing_from = calls + 1;
}

static void without_memory_the_text_is_sent(void **state)
{
    (void)state;
    pqr__prepared_init(&prepared, 100);
    for (unsigned left = 0; left < 2; left++) {
        allow(left);
        assert_int_equal(use_alone(1), PQR__PREPARED_TEXT);
    }
    allow(2);
    for (uint64_t i = 1; i <= 15; i++)
        assert_int_equal(use_alone(i), PQR__PREPARED_PARSE);
    for (unsigned left = 0; left < 2; left++) {
        allow(left);
        assert_int_equal(use_alone(16), PQR__PREPARED_TEXT); /* the table is full */
        assert_int_equal(use_alone(15), PQR__PREPARED_NAME);
    }
    allow(100);
    for (uint64_t i = 16; i <= 100; i++)
        assert_int_equal(use_alone(i), PQR__PREPARED_PARSE);
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(use_alone(i), PQR__PREPARED_NAME);
    heap_reset();
}

/* --- Against a server of its own: what it has is what the books say ---------------------------------------- */

enum { STATEMENTS = 40, FLIGHTS = 4, ITEMS = 6 };

struct model_item {
    uint64_t statement, given_up;
    enum pqr__prepared_how how;
};

struct model_flight {
    struct model_item items[ITEMS];
    unsigned n;
    bool prepares;
};

struct model {
    struct pqr__random random;
    bool has[STATEMENTS + 1], outdated[STATEMENTS + 1]; /* the server */
    struct model_flight air[FLIGHTS];
    unsigned first, n_air;
    bool faithful; /* nobody else removes statements */
    unsigned stale;
};

static bool chance(struct model *model, unsigned of_100)
{
    return pqr__random_below(&model->random, 100) < of_100;
}

static bool preparing(const struct model *model)
{
    bool any = false;
    for (unsigned i = 0; i < model->n_air; i++)
        any |= model->air[(model->first + i) % FLIGHTS].prepares;
    return any;
}

static void model_send(struct model *model)
{
    struct model_flight *flight = &model->air[(model->first + model->n_air) % FLIGHTS];
    bool may_prepare = !preparing(model);
    flight->n = 1 + (unsigned)pqr__random_below(&model->random, ITEMS);
    flight->prepares = false;
    pqr__prepared_next_flight(&prepared);
    for (unsigned i = 0; i < flight->n; i++) {
        struct model_item *item = &flight->items[i];
        item->statement = 1 + pqr__random_below(&model->random, STATEMENTS);
        item->how = pqr__prepared_use(&prepared, item->statement, may_prepare, &item->given_up);
        flight->prepares |= item->how == PQR__PREPARED_PARSE;
    }
    model->n_air++;
}

/* What the server makes of one item; false: it failed. */
static bool model_run(struct model *model, const struct model_item *item)
{
    if (item->how == PQR__PREPARED_PARSE) {
        bool lost = item->given_up && !model->has[item->given_up];
        if (lost || chance(model, 10)) { /* giving up failed, or parsing when there was nothing to give up */
            assert_true(!lost || !model->faithful);
            pqr__prepared_undone(&prepared, item->statement, lost ? 0 : item->given_up);
            return false;
        }
        model->has[item->given_up] = false;
        if (chance(model, 10)) {
            pqr__prepared_undone(&prepared, item->statement, 0);
            return false;
        }
        assert_false(model->has[item->statement]);
        model->has[item->statement] = true;
        model->outdated[item->statement] = false;
        pqr__prepared_done(&prepared, item->statement);
    } else if (item->how == PQR__PREPARED_NAME && !model->has[item->statement]) {
        assert_false(model->faithful);
        pqr__prepared_lost(&prepared, item->statement);
        model->stale++;
        return false;
    } else if (item->how == PQR__PREPARED_NAME && model->outdated[item->statement]) {
        pqr__prepared_stale(&prepared, item->statement);
        model->stale++;
        return false;
    }
    return !chance(model, 10);
}

static void model_answer(struct model *model)
{
    const struct model_flight *flight = &model->air[model->first];
    bool failed = false;
    for (unsigned i = 0; i < flight->n; i++) {
        const struct model_item *item = &flight->items[i];
        if (!failed)
            failed = !model_run(model, item);
        else if (item->how == PQR__PREPARED_PARSE)
            pqr__prepared_undone(&prepared, item->statement, item->given_up);
    }
    model->first = (model->first + 1) % FLIGHTS;
    model->n_air--;
}

static unsigned model_count(const struct model *model)
{
    unsigned n = 0;
    for (unsigned i = 1; i <= STATEMENTS; i++)
        n += model->has[i];
    return n;
}

static void model_check(struct model *model)
{
    while (model->n_air > 0)
        model_answer(model);
    assert_int_equal(prepared.count, model_count(model));
    pqr__prepared_next_flight(&prepared);
    for (unsigned i = 1; i <= STATEMENTS; i++)
        if (pqr__prepared_use(&prepared, i, false, &given_up) == PQR__PREPARED_NAME)
            assert_true(model->has[i]);
}

static void model_step(struct model *model)
{
    unsigned some = 1 + (unsigned)pqr__random_below(&model->random, STATEMENTS);
    if (model->n_air < FLIGHTS && chance(model, 60))
        model_send(model);
    else if (model->n_air > 0)
        model_answer(model);
    if (chance(model, 3))
        model->outdated[some] = true;
    if (!model->faithful && chance(model, 3))
        model->has[some] = false;
}

static unsigned model_walk(uint64_t seed, bool faithful)
{
    struct model model = {.faithful = faithful};
    pqr__random_seed(&model.random, seed);
    pqr__prepared_finish(&prepared);
    pqr__prepared_init(&prepared, 1 + (uint32_t)pqr__random_below(&model.random, STATEMENTS));
    for (unsigned step = 0; step < 2000; step++) {
        model_step(&model);
        assert_true(!faithful || model_count(&model) <= prepared.limit);
        if (faithful && step % 50 == 0)
            model_check(&model);
    }
    return model.stale;
}

static void the_books_say_what_the_server_has(void **state)
{
    (void)state;
    unsigned stale = 0;
    for (uint64_t seed = 1; seed <= 100; seed++)
        stale += model_walk(seed, true);
    assert_true(stale > 0);
}

/* What others take away is found out, one failed use each, and never leads to a name that is taken. */
static void the_books_recover_from_what_others_do(void **state)
{
    (void)state;
    unsigned stale = 0;
    for (uint64_t seed = 1; seed <= 100; seed++)
        stale += model_walk(seed, false);
    assert_true(stale > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_statement_is_prepared_once),
        TEST(the_one_not_used_for_longest_makes_room),
        TEST(a_flight_never_gives_up_what_it_uses),
        TEST(nobody_else_uses_a_name_before_it_is_known),
        TEST(a_stale_one_is_given_up_for_itself),
        TEST(without_a_limit_nothing_is_prepared),
        TEST(names_hold_any_number),
        TEST(without_memory_the_text_is_sent),
        TEST(the_books_say_what_the_server_has),
        TEST(the_books_recover_from_what_others_do),
    };
    return cmocka_run_group_tests(tests, heap_install, NULL);
}
