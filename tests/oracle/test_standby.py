#!/usr/bin/env python3
"""A real hot standby judges the classifier.

    tests/oracle/test_standby.py PQROUTER SOURCE_ROOT [--count 1500] [--seed 1] [--print-missed 20]

Made reads (reader.py), those of the server's own version among them, are classified by their text alone, and by the
database's catalog when they use objects of the database. What is called replica is run on a standby and on the primary
it has caught up with, both with the same search_path: none may be refused, rows must be the same, and nothing may stay
in the session: no lock, setting, prepared statement, cursor, channel or temporary object. Statements that hold
something harmful must not be called replica. How many of the harmless ones are, and what the others are kept for, is
printed: above 98% of those that use nothing of the database's own but tables, above 95% of the others by the catalog.
"""
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from cluster import Cluster

import asking
from reader import NEEDS_CATALOG, NEWER, POISON, SCHEMA, Reader

# Settings of plpgsql appear when its library is loaded, by the first function in it.
REFUSED = re.compile('25006|0A000.*recovery|during recovery|recovery is in progress|read-only transaction')
STATE = '''select 'STATE', (select count(*) from pg_locks where pid = pg_backend_pid() and locktype in ('advisory',
    'object', 'transactionid')), (select md5(string_agg(name || setting, ',' order by name)) from pg_settings
    where name not like 'plpgsql.%'),
    (select count(*) from pg_prepared_statements), (select count(*) from pg_cursors where name <> ''),
    pg_my_temp_schema(), (select count(*) from pg_listening_channels())'''.replace('\n', ' ')


def run_all(cluster, server, statements):
    """What psql printed for each, and the session's states before and after."""
    with tempfile.NamedTemporaryFile('w', suffix='.sql', delete=False, dir='/tmp') as script:
        script.write('\\set VERBOSITY verbose\n' + STATE + ';\n')
        for at, sql in enumerate(statements):
            script.write('\\echo CALL %d\n%s;\n' % (at, sql))
        script.write('\\echo CALL -1\n' + STATE + ';\n')
    os.chmod(script.name, 0o644)
    user = cluster.env['cluster_os_user']
    command = ['psql', '-XqAt', '-h', cluster.env['cluster_sockets'], '-p', str(cluster.ports[server]), '-U', 'postgres',
               '-d', 'app', '-f', script.name]
    if os.geteuid() == 0:
        command = ['setpriv', '--reuid', user, '--regid', user, '--init-groups', '--'] + command
    env = {name: value for name, value in os.environ.items() if not name.startswith('PG')}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd='/', timeout=250)
    os.unlink(script.name)
    answers, states, current = {}, [], None
    for line in done.stdout.decode('utf-8', 'replace').splitlines():
        if line.startswith('CALL '):
            current = answers.setdefault(int(line[5:]), [])
        elif line.startswith('STATE|'):
            states.append(line)
        elif not line.startswith('LOCATION:'):
            current.append(re.sub(r'^psql:\S+ ', '', line))
    return answers, states


def caught_up(cluster):
    where = cluster.sql(0, 'select pg_current_wal_insert_lsn()')[0][0]
    for _ in range(1000):
        if cluster.sql(1, "select pg_last_wal_replay_lsn() >= '%s'" % where)[0][0] == 't':
            return
        cluster.sql(1, 'select pg_sleep(0.02)')
    sys.exit('the standby does not catch up')


class Trial:
    def __init__(self, command, cluster, misses):
        self.command, self.cluster, self.misses, self.wrong = command, cluster, misses, 0

    def complain(self, what, sql, more=''):
        self.wrong += 1
        print('%s: %s %s' % (what, ' '.join(sql.split()), more))

    def judge(self, statements):
        """Those that were called replica."""
        standby, states = run_all(self.cluster, 1, statements)
        primary, _ = run_all(self.cluster, 0, statements)
        errors = 0
        for at, sql in enumerate(statements):
            answer, other = standby.get(at, ['nothing']), primary.get(at, ['nothing'])
            failed = any('ERROR:' in line for line in answer)
            errors += failed
            if REFUSED.search('\n'.join(answer)):
                self.complain('REFUSED', sql, answer[:1])
            elif sorted(answer) != sorted(other) and not (failed and any('ERROR:' in line for line in other)):
                self.complain('DIFFERS', sql, (answer[:2], other[:2]))
        if len(states) != 2 or states[0] != states[1]:
            self.complain('LEFT BEHIND', str(states))
        return errors

    def harmless(self, name, statements, conninfo, least):
        """least: percent of them that must be called replica."""
        answers, missed = asking.classify(self.command, statements, conninfo), {}
        sent = [sql for sql, (route, _) in zip(statements, answers) if route == 'replica']
        for sql, (route, reason) in zip(statements, answers):
            if route != 'replica':
                missed.setdefault(reason, []).append(sql)
        errors = self.judge(sent)
        rate = 100 * len(sent) / len(statements)
        print('%s: %d reads, %.1f%% to replicas; %d of those run failed on both servers' %
              (name, len(statements), rate, errors))
        for reason, kept in sorted(missed.items(), key=lambda item: -len(item[1]))[:self.misses]:
            print('%8d  %-40s %s' % (len(kept), reason, ' '.join(min(kept, key=len).split())))
        if rate <= least or errors > len(sent) / 20:
            self.complain('TOO FEW', '%s: above %d%% and below 5%% errors are asked for' % (name, least))

    def harmful(self, statements, conninfo):
        for sql, (route, reason) in zip(statements, asking.classify(self.command, statements, conninfo)):
            if route == 'replica':
                self.complain('MISROUTED', sql, reason)
        print('%d statements with something harmful in them%s' % (len(statements), ', by the catalog' if conninfo else ''))


def main():
    options = asking.options(__doc__, 1500, print_missed=20)
    rng = random.Random(options.seed)
    plain, own = Reader(rng), Reader(rng, users=True)
    cluster = Cluster(replicas=1)
    try:
        cluster.sql(0, SCHEMA)
        caught_up(cluster)
        version = int(cluster.sql(0, 'show server_version_num')[0][0])
        newer = [(harmless, sql) for since, harmless, sql in NEWER if version >= since]
        by_catalog = cluster.conninfo(0)
        trial = Trial(options.command, cluster, options.print_missed)
        print('PostgreSQL %d' % version)
        trial.harmless('plain', [plain.statement() for _ in range(options.count)], None, 98)
        trial.harmless('plain, by the catalog', [plain.statement() for _ in range(options.count // 3)], by_catalog, 98)
        trial.harmless('with functions, types and operators of the database',
                       [own.statement() for _ in range(options.count)], by_catalog, 95)
        if newer:
            trial.harmless('syntax and functions of its version, by the catalog',
                           [sql for harmless, sql in newer if harmless], by_catalog, 95)
        trial.harmful([plain.statement(poison) for poison in POISON if poison not in NEEDS_CATALOG for _ in range(40)] +
                      [sql for harmless, sql in newer if not harmless], None)
        trial.harmful([own.statement(poison) for poison in POISON for _ in range(40)], by_catalog)
    finally:
        cluster.stop()
    return 1 if trial.wrong else 0


sys.exit(main())
