#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "postgres/rows.h"

static void set(PGresult *result, int row, int column, const char *value)
{
    char copy[20];
    snprintf(copy, sizeof(copy), "%s", value ? value : "");
    assert_true(PQsetvalue(result, row, column, value ? copy : NULL, value ? (int)strlen(value) : -1));
}

/* id, "Name", name, id: (1, 'Ann', NULL, 7), (2, '', 'x', 8) */
static PGresult *people(void)
{
    char names[4][5] = {"id", "Name", "name", "id"};
    PGresAttDesc columns[4];
    memset(columns, 0, sizeof(columns));
    for (int i = 0; i < 4; i++)
        columns[i].name = names[i];
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_true(PQsetResultAttrs(result, 4, columns));
    const char *values[2][4] = {{"1", "Ann", NULL, "7"}, {"2", "", "x", "8"}};
    for (int row = 0; row < 2; row++)
        for (int column = 0; column < 4; column++)
            set(result, row, column, values[row][column]);
    return result;
}

static void values_are_found(void **state)
{
    (void)state;
    PGresult *result = people();
    int length = 99;
    assert_int_equal(pqr__rows_count(result), 2);
    assert_int_equal(pqr__rows_columns(result), 4);
    assert_string_equal(pqr__rows_value(result, 0, 1, &length), "Ann");
    assert_int_equal(length, 3);
    assert_string_equal(pqr__rows_value(result, 1, 1, &length), "");
    assert_int_equal(length, 0);
    assert_null(pqr__rows_value(result, 0, 2, NULL));
    pqr__rows_free(result);
}

static void what_is_not_there_is_null(void **state)
{
    (void)state;
    PGresult *result = people();
    int length = 99;
    assert_null(pqr__rows_value(result, -1, 0, &length));
    assert_int_equal(length, 0);
    assert_null(pqr__rows_value(result, 2, 0, NULL));
    assert_null(pqr__rows_value(result, 0, -1, NULL));
    assert_null(pqr__rows_value(result, 0, 4, NULL));
    pqr__rows_free(result);
}

static void a_column_is_found_by_its_very_name(void **state)
{
    (void)state;
    PGresult *result = people();
    assert_int_equal(pqr__rows_column(result, "id"), 0);
    assert_int_equal(pqr__rows_column(result, "Name"), 1);
    assert_int_equal(pqr__rows_column(result, "name"), 2);
    assert_int_equal(pqr__rows_column(result, "NAME"), -1);
    assert_int_equal(pqr__rows_column(result, "\"Name\""), -1);
    assert_int_equal(pqr__rows_column(result, ""), -1);
    pqr__rows_free(result);
}

static void no_result_has_no_rows(void **state)
{
    (void)state;
    assert_int_equal(pqr__rows_count(NULL), 0);
    assert_int_equal(pqr__rows_columns(NULL), 0);
    assert_int_equal(pqr__rows_column(NULL, "id"), -1);
    assert_null(pqr__rows_value(NULL, 0, 0, NULL));
    assert_int_equal(pqr__rows_affected(NULL), -1);
    assert_string_equal(pqr__rows_tag(NULL), "");
    pqr__rows_free(NULL);
}

static void a_result_without_command_has_no_count(void **state)
{
    (void)state;
    PGresult *result = people();
    assert_int_equal(pqr__rows_affected(result), -1);
    assert_string_equal(pqr__rows_tag(result), "");
    pqr__rows_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found),
        cmocka_unit_test(what_is_not_there_is_null),
        cmocka_unit_test(a_column_is_found_by_its_very_name),
        cmocka_unit_test(no_result_has_no_rows),
        cmocka_unit_test(a_result_without_command_has_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
