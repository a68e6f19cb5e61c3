"""Statements that the parser accepts, each with its tree's judgement and the classifier's answer, counted."""
import itertools
import random

import asking
from breaker import Breaker, unit_test_statements
from commands import Commander
from judge import Judge
from parser import Parser

CHUNK = 2000
LENGTH_MAX = 2000  # bytes: the parser's stack


class Tally:
    """What came of them."""

    def __init__(self):
        self.statements = self.harmful = self.kept = 0
        self.wrong = []   # (what is wrong, text)
        self.missed = {}  # reason: [how many, the shortest text]

    def add(self, judge, sql, tree, route, reason):
        text = sql.decode('utf-8', 'replace')
        bad = next(filter(None, (judge.harmful(s['stmt']) for s in tree['stmts'])), None)
        session = next(filter(None, (judge.session(s['stmt']) for s in tree['stmts'])), None)
        self.statements += 1
        self.harmful += bad is not None
        if bad and route == 'replica':
            self.wrong.append((str(bad), text))
        elif session and route != 'session':
            self.wrong.append(('a session is left with ' + session, text))
        elif not bad and route != 'replica':
            self.kept += 1
            self.miss(reason, 1, text)

    def miss(self, reason, count, text):
        known = self.missed.setdefault(reason, [0, text])
        known[0] += count
        if len(text) < len(known[1]):
            known[1] = text

    def merge(self, other):
        self.statements += other.statements
        self.harmful += other.harmful
        self.kept += other.kept
        self.wrong += other.wrong
        for reason, (count, text) in other.missed.items():
            self.miss(reason, count, text)

    def print(self, misses):
        for why, text in self.wrong:
            print('MISROUTED (%s): %s' % (why, text.replace('\r', ' ').replace('\n', '\\n')))
        for reason, (count, text) in sorted(self.missed.items(), key=lambda i: -i[1][0])[:misses]:
            print('%8d  %-40s %s' % (count, reason, ' '.join(text.split())))
        print('%d statements, %d of them harmful, %d misrouted; of %d harmless ones %d kept from replicas' %
              (self.statements, self.harmful, len(self.wrong), self.statements - self.harmful, self.kept))


def accepted(parser, statements, makers):
    """Statements that are SQL, with their trees, for ever: the given ones, then made ones."""
    for made in itertools.count():
        sql = statements[made] if made < len(statements) else makers[made % len(makers)].statement()
        text = sql.encode('utf-8')
        tree = parser.tree(text) if len(text) < LENGTH_MAX and b'\0' not in text else None
        if tree and tree.get('stmts'):
            yield text, tree


def trial(command, root, count, seed):
    rng = random.Random(seed)
    judge, tally, statements = Judge(root), Tally(), list(unit_test_statements(root))
    source = accepted(Parser(), statements, [Commander(rng), Breaker(rng, statements)])
    while tally.statements < count:
        chunk = list(itertools.islice(source, min(CHUNK, count - tally.statements)))
        for (sql, tree), (route, reason) in zip(chunk, asking.classify(command, [sql for sql, _ in chunk])):
            tally.add(judge, sql, tree, route, reason)
    return tally
