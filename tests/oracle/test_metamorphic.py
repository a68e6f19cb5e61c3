#!/usr/bin/env python3
"""The same statement in other clothes is classified the same: comments and white space between its tokens, capitals,
parentheses around it, other aliases, EXPLAIN before it. With a write after it, it is another one.

    tests/oracle/test_metamorphic.py PQROUTER SOURCE_ROOT [--count 2000] [--seed 1]

Harmless reads and poisoned ones (reader.py); of the unit test's statements, which may be no SQL at all, what follows
them.
"""
import random
import re
import sys

import asking
from breaker import unit_test_statements
from reader import NEEDS_CATALOG, POISON, Reader

TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$|[A-Za-z_]\w*|\d*\.?\d+(?:e\d+)?|::|[<>=~|@&#*/+!-]+|\S""",
                   re.S)
BLANKS = [' ', '\n', '\t \r\n', ' /* delete from t */ ', ' /* a /* nested */ insert */ ', ' -- for update\n',
          " /* ' */ ", ' --\'"$$\n ', '\f', ' /**/ ']
ALIASES = ['zz%s', '"delete%s"', '"For Update %s"', 'insert_%s', '"a""b%s"', 'ñandú%s', 'Lower_%s', '"nextval(%s)"']


def routes_of(command, statements):
    return [route for route, _ in asking.classify(command, statements)]


def blanks(rng, sql):
    tokens = TOKEN.findall(sql)
    assert ''.join(tokens) == re.sub(r'\s', '', sql) or "'" in sql or '$$' in sql or '"' in sql
    return rng.choice(BLANKS).join([''] + tokens + ['']) if rng.random() < 0.3 else \
        ''.join(rng.choice(BLANKS) + token for token in tokens) + rng.choice(BLANKS)


def capitals(rng, sql):
    change = rng.choice((str.upper, str.title, str.swapcase))
    return ' '.join(token if token[0] in '\'"$' else change(token) for token in TOKEN.findall(sql))


def aliases(rng, sql):
    shape = rng.choice(ALIASES)
    return re.sub(r'\bq(\d+)\b', lambda match: shape % match[1], sql)


def parentheses(rng, sql):
    return ('(%s)' if rng.random() < 0.5 else '( (%s)\n)') % sql if is_query(sql) else sql


def explain(rng, sql):
    return rng.choice(('explain ', 'explain (costs off, format json) ', 'explain analyze verbose ',
                       'EXPLAIN ( ANALYZE )\n')) + sql if is_query(sql) else sql


def is_query(sql):
    return re.match('select|with|values|table|\\(', sql) is not None


CHANGES = [blanks, capitals, aliases, parentheses, explain, lambda rng, sql: sql + ' ; ',
           lambda rng, sql: ';;' + sql, lambda rng, sql: blanks(rng, capitals(rng, aliases(rng, sql)))]
WRITES = ['; delete from t', ';\n/* */delete from t;', ' ; ; select nextval(\'s\')', ';call f()', '; garbage']


def main():
    options = asking.options(__doc__, 2000)
    rng = random.Random(options.seed)
    reader, wrong = Reader(rng), 0
    poison = [p for p in POISON if p not in NEEDS_CATALOG]
    statements = [reader.statement(rng.choice(poison) if at % 3 == 0 else None) for at in range(options.count)]
    before = routes_of(options.command, statements)
    routes = {route: before.count(route) for route in ('replica', 'primary', 'session')}
    for change in CHANGES:
        changed = [change(rng, sql) for sql in statements]
        for sql, was, new, now in zip(statements, before, changed, routes_of(options.command, changed)):
            if was != now:
                wrong += 1
                print('%s, was %s: %r\n    of %s' % (now, was, new, sql))
    odd = list(unit_test_statements(options.root))
    for write in WRITES:
        for sql, now in zip(statements + odd, routes_of(options.command, [s + '\n' + write for s in statements + odd])):
            # What a statement of the unit test leaves open swallows the write: it is no SQL then, and not for replicas.
            if now == 'replica':
                wrong += 1
                print('replica, with %r after it: %s' % (write, sql))
    print('%d statements (%s), %d changes of each, %d odd ones; %d wrong' %
          (len(statements), ', '.join('%d %s' % (n, route) for route, n in routes.items()), len(CHANGES), len(odd),
           wrong))
    return 1 if wrong or min(routes.values()) == 0 else 0


sys.exit(main())
