#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "suite.h"

struct cluster cluster;

static int wanted_replicas;
static const char *wanted_sql;

void suite_wants(int replicas, const char *sql)
{
    wanted_replicas = replicas;
    wanted_sql = sql;
}

int suite_start(void **state)
{
    (void)state;
    cluster_start(&cluster, wanted_replicas);
    if (wanted_sql)
        cluster_exec(&cluster, 0, wanted_sql);
    if (wanted_replicas > 0)
        cluster_sync(&cluster, 0);
    return 0;
}

int suite_stop(void **state)
{
    (void)state;
    cluster_stop(&cluster);
    return 0;
}
