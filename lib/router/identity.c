/* Every name is qualified: a role's search_path must not decide what a probe calls. Readable by a plain role;
 * only received_tli needs pg_monitor (without it a standby's timeline is that of its last restartpoint).
 */
#include "router/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/fleet.h"
#include "policy/freshness.h"

const char pqr__identity_sql[] =
    "select s.system_identifier, r.recovering,"
    " case when r.recovering then pg_catalog.pg_last_wal_replay_lsn()"
    " else pg_catalog.pg_current_wal_insert_lsn() end,"
    " case when r.recovering then coalesce((select w.received_tli from pg_catalog.pg_stat_wal_receiver w),"
    " (select c.min_recovery_end_timeline from pg_catalog.pg_control_recovery() c))"
    " else ('x' operator(pg_catalog.||) pg_catalog.substr(pg_catalog.pg_walfile_name("
    "pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::pg_catalog.bit(32)::pg_catalog.int4 end,"
    " extract(epoch from pg_catalog.pg_postmaster_start_time()), pg_catalog.pg_backend_pid(),"
    " extract(epoch from a.backend_start), pg_catalog.current_setting('default_transaction_isolation'),"
    " pg_catalog.current_setting('server_version_num')"
    " from pg_catalog.pg_control_system() s, (select pg_catalog.pg_is_in_recovery() as recovering) r,"
    " pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a";

const char pqr__cancel_sql[] =
    "select pg_catalog.pg_cancel_backend(a.pid) from pg_catalog.pg_stat_get_activity($1::pg_catalog.int4) a"
    " where extract(epoch from a.backend_start) operator(pg_catalog.=) $2::pg_catalog.numeric";

const char pqr__fleet_sql[] =
    "select pg_catalog.set_config('application_name', $1::pg_catalog.text, false), o.n, o.of_role, "
    "o.of_database,"
    " o.before, pg_catalog.current_setting('max_connections'),"
    " pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4 operator(pg_catalog.+)"
    " coalesce(pg_catalog.current_setting('reserved_connections', true)::pg_catalog.int4, 0),"
    " r.rolconnlimit, d.datconnlimit"
    " from pg_catalog.pg_roles r, pg_catalog.pg_database d, lateral (select"
    " count(distinct a.application_name) as n,"
    " count(distinct a.application_name) filter (where a.usesysid operator(pg_catalog.=) r.oid) as of_role,"
    " count(distinct a.application_name) filter (where a.datid operator(pg_catalog.=) d.oid) as of_database,"
    " count(distinct a.application_name) filter (where a.application_name operator(pg_catalog.<)"
    " $1::pg_catalog.text) as before"
    " from pg_catalog.pg_stat_get_activity(null) a"
    " where a.application_name operator(pg_catalog.~~) '" PQR__FLEET_PREFIX "%'"
    " and a.application_name operator(pg_catalog.<>) $1::pg_catalog.text) o"
    " where r.rolname operator(pg_catalog.=) current_user"
    " and d.datname operator(pg_catalog.=) pg_catalog.current_database()";

static uint64_t number(const char *text)
{
    return text ? strtoull(text, NULL, 10) : 0;
}

bool pqr__identity_read(
    struct pqr__identity *identity, const struct pqr__transport_ops *ops, const struct pg_result *result)
{
    const char *column[9];
    for (int i = 0; i < 9; i++)
        column[i] = ops->result_value(result, 0, i);
    if (!column[0] || !column[1] || !column[4] || !column[5] || !column[6] || !column[7] || !column[8])
        return false;
    struct pqr__identity read = {
        .known = true,
        .in_recovery = column[1][0] == 't',
        .serializable = strcmp(column[7], "serializable") == 0,
        .system_identifier = number(column[0]),
        .timeline = (uint32_t)number(column[3]),
        .backend_pid = (uint32_t)number(column[5]),
        .server_version = (uint32_t)number(column[8]),
    };
    if (read.system_identifier == 0 || (column[2] && !pqr__lsn_parse(&read.lsn, column[2])))
        return false;
    pqr__text_copy(read.postmaster_start, sizeof(read.postmaster_start), column[4]);
    pqr__text_copy(read.backend_start, sizeof(read.backend_start), column[6]);
    *identity = read;
    return true;
}

/* Three counts of the others, how many of them come before, two settings, two limits (-1: none). */
static bool can_be(const int64_t column[9])
{
    static const int least[] = {0, 0, 0, 0, 0, 1, 0, -1, -1};
    for (int i = 1; i < 9; i++)
        if (column[i] < least[i] || column[i] >= INT32_MAX)
            return false;
    return true;
}

bool pqr__fleet_read(
    struct pqr__fleet_count *count, const struct pqr__transport_ops *ops, const struct pg_result *result)
{
    int64_t column[9];
    for (int i = 1; i < 9; i++) {
        const char *text = ops->result_value(result, 0, i);
        if (!text)
            return false;
        column[i] = strtoll(text, NULL, 10);
    }
    if (!can_be(column))
        return false;
    *count = (struct pqr__fleet_count){
        .all = (uint32_t)column[1] + 1,
        .of_role = (uint32_t)column[2] + 1,
        .of_database = (uint32_t)column[3] + 1,
        .before = (uint32_t)column[4],
        .max_connections = column[5],
        .reserved = column[6],
        .role_limit = column[7],
        .database_limit = column[8],
    };
    return true;
}

uint64_t pqr__identity_instance(const struct pqr__identity *identity)
{
    uint64_t instance = identity->system_identifier;
    for (const char *c = identity->postmaster_start; *c; c++)
        instance = (instance ^ (unsigned char)*c) * UINT64_C(0x100000001B3); /* FNV-1a */
    return instance ? instance : 1;
}
