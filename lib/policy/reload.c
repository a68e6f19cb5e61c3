#include "policy/reload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* --- what can't change --- */

static int refuse(pqr_error *error, const char *what)
{
    return pqr__error_set(error, PQR_ECONFIG,
        "%s can't change while the router runs; open another router, or leave it as it is", what);
}

static int check_server(
    const struct pqr__server_config *was, const struct pqr__server_config *server, pqr_error *error)
{
    char what[240];
    const char *user = pqr__server_config_value(was, "user");
    const char *as = pqr__server_config_value(server, "user");
    if (!same(was->dbname, server->dbname))
        snprintf(what, sizeof(what), "the database (%.60s, now %.60s at %.60s)", was->dbname, server->dbname,
            server->name);
    else if (!same(user, as))
        snprintf(what, sizeof(what), "the user (%.60s, now %.60s at %.60s)", user ? user : "by default",
            as ? as : "by default", server->name);
    else
        return 0;
    return refuse(error, what);
}

static int check(
    const struct pqr_config *now, const struct pqr_config *next, uint64_t system_identifier, pqr_error *error)
{
    for (uint32_t i = 0; i < next->n_servers; i++) {
        int status = check_server(&now->servers[0], &next->servers[i], error);
        if (status)
            return status;
    }
    if (next->system_identifier && system_identifier && next->system_identifier != system_identifier)
        return pqr__error_set(error, PQR_ECONFIG,
            "system_identifier can't change while the router runs: it is %" PRIu64 ", and would be %" PRIu64,
            system_identifier, next->system_identifier);
    if (!same(now->reads.harmless_functions, next->reads.harmless_functions))
        return refuse(error, "reads.harmless_functions");
    if (!same(now->reads.harmful_functions, next->reads.harmful_functions))
        return refuse(error, "reads.harmful_functions");
    return 0;
}

/* --- who is who --- */

static const char *address(const struct pqr__server_config *server)
{
    const char *numeric = pqr__server_config_value(server, "hostaddr");
    return numeric ? numeric : server->host;
}

static bool same_server(const struct pqr__server_config *a, const struct pqr__server_config *b)
{
    return same(address(a), address(b)) && same(a->port, b->port) && same(a->dbname, b->dbname);
}

static bool same_parameters(const struct pqr__server_config *a, const struct pqr__server_config *b)
{
    size_t i = 0;
    for (; a->keywords[i] && b->keywords[i]; i++)
        if (!same(a->keywords[i], b->keywords[i]) || !same(a->values[i], b->values[i]))
            return false;
    return !a->keywords[i] && !b->keywords[i] && a->pooler == b->pooler;
}

static uint32_t find_member(const struct pqr__reload_place *places, const struct pqr__server_config *server)
{
    uint32_t place = 0;
    while (place < PQR__RELOAD_PLACES && !(places[place].server && same_server(places[place].server, server)))
        place++;
    return place;
}

static uint32_t find_free(const struct pqr__reload_place *places, const bool *joins)
{
    uint32_t place = 0;
    while (place < PQR__RELOAD_PLACES && (places[place].server || joins[place]))
        place++;
    return place;
}

/* False: there is no place for it. */
static bool place_server(struct pqr__reload_plan *plan, const struct pqr_config *now,
    const struct pqr_config *next, const struct pqr__reload_place *places, uint32_t number)
{
    const struct pqr__server_config *server = &next->servers[number];
    uint32_t place = find_member(places, server);
    if (place < PQR__RELOAD_PLACES) {
        plan->leaves[place] = false;
        plan->returns[place] = places[place].leaving;
        plan->renews[place] =
            !same_parameters(places[place].server, server) || !same(now->pool.init_sql, next->pool.init_sql);
    } else {
        place = find_free(places, plan->joins);
        if (place == PQR__RELOAD_PLACES)
            return false;
        plan->joins[place] = true;
    }
    plan->place_of[number] = place;
    return true;
}

int pqr__reload_plan(struct pqr__reload_plan *plan, const struct pqr_config *now,
    const struct pqr_config *next, const struct pqr__reload_place places[PQR__RELOAD_PLACES],
    uint64_t system_identifier, pqr_error *error)
{
    int status = check(now, next, system_identifier, error);
    if (status)
        return status;
    *plan = (struct pqr__reload_plan){0};
    for (uint32_t place = 0; place < PQR__RELOAD_PLACES; place++)
        plan->leaves[place] = places[place].server && !places[place].leaving;
    for (uint32_t i = 0; i < next->n_servers; i++)
        if (!place_server(plan, now, next, places, i))
            return pqr__error_set(error, PQR_ECONFIG,
                "there are %u places for servers, and those that left before still have statements to "
                "finish; "
                "try again later",
                (unsigned)PQR__RELOAD_PLACES);
    return 0;
}
