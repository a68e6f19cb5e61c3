"""Statements that are nearly right: others taken apart, and tokens, key words, names, parentheses put in between."""
import os
import re

from words import FUNCTIONS, KEYWORDS, NAMES

TOKEN = re.compile(r"""(?:[UuEeBbXxNn]&?)?'(?:[^'])*'|"[^"]*"|\$\$.*?\$\$|\w+|::|[<>=~|@&#*/+-]+|\S""", re.S)
BREAKABLE = 60  # tokens


class Breaker:
    def __init__(self, rng, statements):
        self.rng = rng
        self.statements = [TOKEN.findall(s) for s in statements]
        self.statements = [s for s in self.statements if 1 < len(s) < BREAKABLE]

    def token(self):
        roll = self.rng.random()
        if roll < 0.35:
            return [self.rng.choice(KEYWORDS)]
        if roll < 0.55:
            return [self.rng.choice(NAMES)]
        if roll < 0.7:
            return [self.rng.choice(FUNCTIONS), '(', self.rng.choice(NAMES), ')']
        if roll < 0.8:
            return [self.rng.choice("( ) , . :: [ ] ; = * 'x' 1 as".split())]
        other = self.rng.choice(self.statements)
        at = self.rng.randrange(len(other))
        return other[at:at + self.rng.randint(1, 6)]

    def statement(self):
        tokens = list(self.rng.choice(self.statements))
        for _ in range(self.rng.randint(1, 2)):
            at = self.rng.randrange(len(tokens) + 1)
            roll = self.rng.random()
            if roll < 0.45:
                tokens[at:at] = self.token()
            elif roll < 0.9:
                tokens[at:at + self.rng.randint(1, 2)] = self.token()
            else:
                del tokens[at:at + self.rng.randint(1, 3)]
        return ' '.join(tokens)


def unit_test_statements(root):
    with open(os.path.join(root, 'tests/unit/classifier_cases.inc'), encoding='utf-8') as file:
        text = file.read()
    for literal in re.findall(r'^\{((?:"(?:[^"\\]|\\.)*"\s*)+),', text, re.M):
        parts = re.findall(r'"((?:[^"\\]|\\.)*)"', literal)
        yield ''.join(parts).replace('\\n', '\n').replace('\\"', '"').replace('\\\\', '\\')
