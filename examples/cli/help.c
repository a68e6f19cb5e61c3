/* The page of `pqrouter --help`. The commands keep their own pages. */
#include <stddef.h>

#include "cli.h"

const char *const main_help[] = {
    "NAME\n"
    "    pqrouter - route SQL statements to a PostgreSQL primary and its replicas\n"
    "\n"
    "SYNOPSIS\n"
    "    pqrouter check CONFIG\n"
    "    pqrouter classify [--conninfo CONFIG] [--explain] [STATEMENT]\n"
    "    pqrouter exec CONFIG [OPTION]... [STATEMENT]\n"
    "    pqrouter [COMMAND] --help\n"
    "    pqrouter --version\n"
    "\n"
    "DESCRIPTION\n"
    "    The command to the C library pqrouter, which gives an application one pool a server, sends\n"
    "    harmless reads to replicas and everything else to the primary.\n"
    "\n"
    "    check      reads a configuration, connects, and says what is wrong and how to mend it\n"
    "    classify   says where statements would run, and why\n"
    "    exec       runs statements as the library would and prints the answers as JSON\n"
    "\n"
    "    CONFIG is a configuration file, or a libpq connection string or URI (anything with = or ://);\n"
    "    several hosts in it are several servers. The file config/pqrouter.cfg names every setting.\n"
    "\n"
    "EXIT STATUS\n"
    "    0   all is well\n"
    "    1   a server, a statement, the input or the output had a problem\n"
    "    2   the command line or the configuration is wrong: nothing was done\n"
    "\n"
    "ENVIRONMENT\n"
    "    libpq's own: PGPASSFILE, PGSSLMODE, PGSERVICE and the others (PostgreSQL manual, \"Environment\n"
    "    Variables\").\n"
    "\n"
    "EXAMPLES\n"
    "    pqrouter check 'host=127.0.0.1,127.0.0.1 port=5432,5433 dbname=shop'\n"
    "    pqrouter classify 'select now()'\n"
    "    pqrouter exec pqrouter.cfg 'select * from orders'\n",
    NULL,
};
