/* See flights.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flights.h"

#include <string.h>

struct answer *flights_send(struct app *app, pqr_target target, const char *sql, const char *parameter)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.target = target;
    query.n_params = parameter ? 1 : 0;
    query.param_values = &parameter;
    return app_send_query(app, &query);
}

void flights_warm(struct app *app, pqr_target target, const char *sql, const char *parameter)
{
    APP_UNTIL(
        app, app_totals(app).catalog_loads > 0); /* before, it is not known what may share on the primary */
    for (int i = 0; i < 10; i++)
        assert_ok(app_wait(flights_send(app, target, sql, parameter)));
}

bool flights_together(const struct answer *answer, const struct answer *other)
{
    const char *now = answer_value(answer, 0, 0);
    return *now && strcmp(answer->server, other->server) == 0 && strcmp(now, answer_value(other, 0, 0)) == 0;
}

unsigned flights_count(struct answer *const *answers, unsigned n, unsigned distance)
{
    unsigned count = 0;
    for (unsigned i = 0; i + distance < n; i++)
        count += flights_together(answers[i], answers[i + distance]);
    return count;
}
