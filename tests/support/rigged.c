#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "rigged.h"

struct rig rig;
struct party party;

int rigged_join(void **state)
{
    (void)state;
    rig_open(&rig, cluster_conninfo(&cluster, 0), NULL);
    party_join(&party, &rig);
    return !party.connected;
}

int rigged_leave(void **state)
{
    (void)state;
    if (!party.closed)
        party_leave(&party);
    rig_close(&rig);
    return 0;
}

int rigged_end(int failed)
{
    rig_end();
    return failed;
}

/* A server that was told of a change may not have heard of it yet. */
void rigged_rejoin(const char *conninfo)
{
    rigged_leave(NULL);
    rig_open(&rig, conninfo, NULL);
    do {
        party_join(&party, &rig);
    } while (party.refused);
}

void rigged_rejoin_with_tls(const char *more)
{
    cluster_exec(&cluster, 0,
        "copy (select 1) to program 'openssl req -new -x509 -days 2 -nodes -subj /CN=localhost -out "
        "server.crt "
        "-keyout server.key 2>&1 && chmod 600 server.key'");
    cluster_exec(&cluster, 0, "alter system set ssl = on");
    cluster_exec(&cluster, 0, "select pg_reload_conf()");
    char conninfo[200];
    snprintf(conninfo, sizeof(conninfo), "%s sslmode=require %s", cluster_conninfo(&cluster, 0), more);
    rigged_rejoin(conninfo);
}
