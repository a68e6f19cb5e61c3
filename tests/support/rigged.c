#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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
