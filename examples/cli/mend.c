/* Mends, by the words of the server or of libpq where they say enough. Servers may speak another language than
   English (lc_messages); then the general mend has to do. */
#include "mend.h"

#include <string.h>

static const struct {
    const char *words;
    const char *mend;
} known[] = {
    {"pool.init_sql",
        "correct pool.init_sql: each statement has to succeed on every server and every connection"},
    {"too many connections for", "raise that connection limit, or lower pool.max and pool.admin_reserved"},
    {"no pg_hba.conf entry", "let this user, database and address in by a line in the server's pg_hba.conf"},
    {"permission denied for database", "grant connect on that database to this user"},
    {"database \"", "correct dbname, or create the database"},
    {"role \"", "correct user, or create the role"},
    {"no password supplied", "give the password: in the configuration, ~/.pgpass or PGPASSWORD"},
    {"password authentication failed",
        "give the right password: in the configuration, ~/.pgpass or PGPASSWORD"},
    {"28P01", "give the right password: in the configuration, ~/.pgpass or PGPASSWORD"},
    {"authentication failed", "check the user and the server's pg_hba.conf"},
    {"28000", "check the user and the server's pg_hba.conf"},
    {"3D000", "correct dbname, or create the database"},
    {"could not translate host name", "correct host: this name has no address"},
    {"onnection refused", "start the server, or correct its host and port"},
    {"No such file or directory", "start the server, or correct its host (the socket's folder) and port"},
    {"default_transaction_isolation",
        "give this user another default_transaction_isolation on that server, or read "
        "from replicas with none at all"},
    {"too many clients", "raise the server's max_connections, or lower pool.max or pool.max_total"},
    {"remaining connection slots", "raise the server's max_connections, or lower pool.max or pool.max_total"},
    {"53300", "raise the server's max_connections, or lower pool.max or pool.max_total"},
    {"starting up", "wait: it is starting"},
    {"57P03", "wait: it is starting, or recovering"},
    {"shutting down", "start it again"},
    {"certificate", "check sslmode, sslrootcert and the server's certificate"},
    {"SSL", "check sslmode, and ssl in the server's postgresql.conf"},
    {"No route to host", "correct host, or mend the network between here and there"},
    {"timed out", "look for a firewall that drops packets, correct host and port, or raise the timeout"},
    {"timeout", "look for a firewall that drops packets, correct host and port, or raise the timeout"},
};

const char *mend_for(const pqr_pool_stats *pool)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strstr(pool->problem, known[i].words))
            return known[i].mend;

    switch (pool->role) {
    case PQR_ROLE_WRONG_CLUSTER:
        return "correct its host and port, or remove it; a replica is made with pg_basebackup from the "
               "primary";
    case PQR_ROLE_FENCED:
        return "stop one of the two primaries and make it a replica of the other (pg_rewind)";
    case PQR_ROLE_UNKNOWN:
        return "give it more time with --timeout, and look at the server and the network to it";
    case PQR_ROLE_PRIMARY:
    case PQR_ROLE_REPLICA:
        if (pool->expected != PQR_ROLE_UNKNOWN && pool->expected != pool->role)
            return "correct role in the configuration, or leave it out: roles are found by probing";
        break;
    case PQR_ROLE_DOWN:
        break;
    }
    return "look at the server's log";
}
