#!/usr/bin/env python3
"""A harmful relation is seen wherever it is read, and nowhere else, by PostgreSQL 15's own parser (libpg_query).

    tests/oracle/test_relations.py PQROUTER SOURCE_ROOT [--count 20000] [--seed 1]

A server gets volatile views that are called as many of the made statements' tables, columns and aliases are. With that
database's catalog a statement whose tree reads one of them must not be called replica; how many of those that read none
are, though a name in them is one's, is printed. Exits 77 without libpg_query.
"""
import itertools
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from cluster import Cluster

import asking
from breaker import Breaker, unit_test_statements
from commands import Commander
from judge import Judge
from parser import Parser
from trial import accepted

HARMFUL = 'a b t u x y foo data value name key share nowait path filter over system'.split()


def relations(node):
    """The names of all that is read, those of WITH queries too."""
    if isinstance(node, list):
        return set().union(*map(relations, node))
    if not isinstance(node, dict):
        return set()
    own = {node['relname']} if 'relname' in node else set()
    return own.union(*map(relations, node.values()))


def named_queries(node):
    if isinstance(node, list):
        return set().union(*map(named_queries, node))
    if not isinstance(node, dict):
        return set()
    own = {node['ctename']} if 'ctename' in node else set()
    return own.union(*map(named_queries, node.values()))


def main():
    options = asking.options(__doc__, 20000)
    parser, judge, rng = Parser(), Judge(options.root), random.Random(options.seed)
    texts = list(unit_test_statements(options.root))
    source = accepted(parser, texts, [Commander(rng), Breaker(rng, texts)])
    cluster = Cluster(replicas=0)
    try:
        cluster.sql(0, 'create sequence counter')
        for name in HARMFUL:
            cluster.sql(0, 'create view "%s" as select nextval(\'counter\')' % name)
        seen = list(itertools.islice(source, options.count))
        answers = asking.classify(options.command, [sql for sql, _ in seen], cluster.conninfo(0))
    finally:
        cluster.stop()
    wrong = read = others = kept = 0
    for (sql, tree), (route, reason) in zip(seen, answers):
        harmful = relations(tree) & set(HARMFUL)
        if harmful - named_queries(tree):
            read += 1
            if route == 'replica':
                wrong += 1
                print('MISROUTED (%s): %s' % (', '.join(harmful), sql.decode('utf-8', 'replace')))
        elif not harmful and re.search(rb'\b(%s)\b' % '|'.join(HARMFUL).encode(), sql) and \
                not any(judge.harmful(s['stmt']) for s in tree['stmts']):
            others += 1
            kept += route != 'replica' and reason.startswith('relation')
    print('%d statements, %d read a harmful relation, %d of them misrouted; of %d harmless ones with such a name %d kept' %
          (len(seen), read, wrong, others, kept))
    return 1 if wrong or read < options.count / 10 or not others else 0


sys.exit(main())
