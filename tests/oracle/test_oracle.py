#!/usr/bin/env python3
"""PostgreSQL 15's own parser (libpg_query) judges the classifier.

    tests/oracle/test_oracle.py PQROUTER SOURCE_ROOT [--count 20000] [--seed 1] [--print-missed 20]

Statements are made by a small grammar and by breaking and mending the unit test's statements token by token. What
the parser accepts is judged by its tree: a statement whose tree holds anything harmful must never be called
replica. The reverse, harmless ones kept from replicas, is counted and printed. Exits 77 without libpg_query.

The parser overflows its stack on long expressions, so statements stay short.
"""
import argparse
import ctypes
import ctypes.util
import itertools
import json
import os
import random
import re
import subprocess
import sys


class QueryError(ctypes.Structure):
    _fields_ = [('message', ctypes.c_char_p)]


class Parsed(ctypes.Structure):
    _fields_ = [('tree', ctypes.c_char_p), ('stderr', ctypes.c_char_p), ('error', ctypes.POINTER(QueryError))]


CHUNK = 2000


def classify(command, statements):
    """(route, reason) of each, by the pqrouter command."""
    done = subprocess.run([command, 'classify'], input=b''.join(s + b'\0' for s in statements),
                          stdout=subprocess.PIPE, check=True)
    answers = [line.split(' ', 1) for line in done.stdout.decode('utf-8', 'replace').split('\n')[:-1]]
    assert len(answers) == len(statements)
    return answers


class Parser:
    def __init__(self):
        name = ctypes.util.find_library('pg_query')
        if name is None:
            print('libpg_query is not installed: skipped')
            sys.exit(77)
        self.library = ctypes.CDLL(name)
        self.library.pg_query_parse.restype = Parsed
        self.library.pg_query_parse.argtypes = [ctypes.c_char_p]
        self.library.pg_query_free_parse_result.argtypes = [Parsed]

    def tree(self, sql):
        """None: a syntax error."""
        parsed = self.library.pg_query_parse(sql)
        tree = None if parsed.error else json.loads(parsed.tree.decode('utf-8', 'replace'))
        self.library.pg_query_free_parse_result(parsed)
        return tree


class Judge:
    """Walks a tree; the judgement on single functions is the generated table's."""

    def __init__(self, root):
        self.functions, self.types, self.views = {}, set(), set()
        table = open(os.path.join(root, 'lib/policy/builtins.inc')).read()
        for name, function, flags in re.findall(r'\{"([^"]+)", .*FUNCTION_(\w+), (.*)\}', table):
            self.functions[name] = function
            if 'TYPE' in flags:
                self.types.add(name)
            if 'SERVER' in flags:
                self.views.add(name)
        operators = table.split('const operators[]')[1].split('}')[0]
        self.operators = {o.replace('\\?', '?') for o in re.findall(r'"([^"]+)"', operators)}

    def names(self, nodes):
        return [n['String'].get('sval', '') for n in nodes if 'String' in n]

    def bad_function(self, names):
        if len(names) > 1 and names[:-1] != ['pg_catalog']:
            return True
        verdict = self.functions.get(names[-1], 'UNKNOWN')
        return verdict != 'HARMLESS' and not (verdict == 'UNKNOWN' and names[-1] in self.types)

    def bad_attribute(self, name):
        return self.functions.get(name, 'UNKNOWN') not in ('UNKNOWN', 'HARMLESS')

    def bad_type(self, node):
        names = self.names(node.get('names', []))
        return (len(names) > 1 and names[:-1] != ['pg_catalog']) or names[-1] not in self.types

    def bad_operator(self, nodes):
        names = self.names(nodes)
        return (len(names) > 1 and names[:-1] != ['pg_catalog']) or (names and names[-1] not in self.operators)

    def bad_node(self, kind, node):
        if kind in ('InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt', 'IntoClause', 'LockingClause'):
            return kind
        if kind == 'SelectStmt' and ('intoClause' in node or 'lockingClause' in node):
            return 'INTO or locking'
        if kind == 'FuncCall' and self.bad_function(self.names(node['funcname'])):
            return 'function ' + '.'.join(self.names(node['funcname']))
        if kind in ('typeName', 'TypeName') and 'names' in node and self.bad_type(node):
            return 'type ' + '.'.join(self.names(node['names']))
        if kind == 'A_Expr' and 'BETWEEN' not in node['kind'] and self.bad_operator(node.get('name', [])):
            return 'operator'
        if kind == 'SubLink' and self.bad_operator(node.get('operName', [])):
            return 'operator'
        if kind == 'SortBy' and self.bad_operator(node.get('useOp', [])):
            return 'operator'
        if kind == 'RangeTableSample':
            return self.names(node['method']) not in (['system'], ['bernoulli']) and 'sampling method'
        if kind in ('RangeVar', 'relation'):
            temporary = re.match('pg_(toast_)?temp', node.get('schemaname', ''))
            return (temporary or node.get('relname') in self.views) and 'relation'
        if kind == 'A_Indirection':
            return any(map(self.bad_attribute, self.names(node.get('indirection', [])))) and 'attribute'
        if kind == 'ColumnRef':
            names = self.names(node.get('fields', []))
            return any(map(self.bad_attribute, names[1:])) and 'attribute'
        return False

    def walk(self, node):
        if isinstance(node, list):
            return next(filter(None, map(self.walk, node)), None)
        if not isinstance(node, dict):
            return None
        for kind, child in node.items():
            bad = isinstance(child, dict) and self.bad_node(kind, child) or self.walk(child)
            if bad:
                return bad
        return None

    def harmful(self, statement):
        """None, or what is wrong with it."""
        (kind, node), = statement.items()
        if kind == 'ExplainStmt':
            return self.harmful(node['query'])
        if kind == 'CopyStmt' and ('is_from' in node or 'filename' in node or 'is_program' in node):
            return 'COPY'
        if kind not in ('SelectStmt', 'VariableShowStmt', 'CopyStmt'):
            return kind
        return self.bad_node(kind, node) or self.walk(node)


# --- Statements ---

KEYWORDS = '''absolute action add all alter analyze and any array as asc asymmetric at before begin between by call
cascade case cast check class close cluster coalesce collate column columns comment commit concurrently content
conversion copy create cross cube current current_date cursor cycle data database day declare default delete depth
desc discard distinct do document domain double drop each else end escape except exclude execute exists explain
expression extract false fetch filter first float following for foreign from full function functions global grant
group grouping groups having hour ilike in index inner inout insert instead int integer intersect interval into is
isnull join key language large last lateral left level like limit listen load local localtime lock locked
materialized merge method minute month move name names national natural nchar new next no none normalize not nothing
notify notnull nowait null nullif nulls numeric of off offset old on only operator option or order ordinality others
out outer over overlaps overlay partition passing placing plans position preceding precision prepare primary
procedure range read real recursive ref release rename repeatable replace reset restrict returning right role
rollback rollup row rows savepoint schema search second select sequence session session_user set setof sets share
show similar simple skip smallint some start stdin stdout storage substring symmetric system table tables tablesample
temp temporary text then ties time timestamp to transaction treat trim true truncate type uescape unbounded union
unique unknown unlisten unlogged until update user using vacuum valid value values varchar variadic varying verbose
version view when where window with within without work xml xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi
xmlroot xmlserialize xmltable year yes zone'''.split()

NAMES = '''a b t u x y foo bar data value delete update insert "update" "a b" "lower" nextval last_value f now public
pg_temp pg_catalog pg_locks mood "Foo" merge key share no name path filter over by system'''.split()
FUNCTIONS = '''lower upper count sum max coalesce now length abs generate_series unnest foo foo bar nextval set_config
public.foo pg_catalog.lower pg_catalog.nextval "lower" "Foo" cube rollup filter over by materialized join left right
overlaps like second first pg_sleep txid_current row greatest nullif exists mood text jsonb system query_to_xml
current_setting percentile_cont row_number last_value pg_advisory_lock json_build_object U&"foo"'''.split()
TYPES = '''int text numeric(10,2) varchar(3) "char" mood public.mood pg_catalog.int4 double precision_ timestamp
timestamp_with interval int[] date jsonb mood(3) regclass character_varying bit(3) "mood" data xml name'''.split()
OPERATORS = '+ - * / = <> < > || -> ->> @> && <~> ~~ ? operator(pg_catalog.+) operator(public.+) operator(+)'.split()


def spaced(type_name):
    return {'precision_': 'double precision', 'double': 'double precision', 'timestamp_with':
            'timestamp(3) with time zone', 'character_varying': 'character varying(10)'}.get(type_name, type_name)


class Maker:
    """A small grammar. Much of what it makes is odd on purpose; the parser sorts out what is no SQL."""

    def __init__(self, rng):
        self.rng = rng

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, percent):
        return self.rng.random() * 100 < percent

    def name(self):
        return self.rng.choice(NAMES)

    def type(self):
        return spaced(self.rng.choice(TYPES))

    def items(self, make, most=3):
        return ', '.join(make() for _ in range(self.rng.randint(1, most)))

    def call(self, depth):
        name = self.rng.choice(FUNCTIONS)
        args = '' if self.chance(20) else self.items(lambda: self.expr(depth - 1), 2)
        text = '%s(%s%s)' % (name, self.pick('', '', '', 'distinct ', 'all '), args)
        if self.chance(8):
            text += ' filter (where %s)' % self.expr(depth - 1)
        if self.chance(8):
            text += ' over (%s)' % self.pick('', 'partition by ' + self.expr(depth - 1), 'order by ' + self.expr(1))
        if self.chance(4):
            text += ' within group (order by %s)' % self.expr(depth - 1)
        return text

    def constant(self):
        return self.pick('1', '1.5', "'x'", "E'\\''", '$1', '$$delete$$', 'null', 'true', "B'1'", 'current_user',
                         "date '2020-01-01'", "mood 'x'", "interval '1' day", "numeric(3,1) '1'", "mood(3) 'x'",
                         "public.mood 'x'", "timestamp with time zone 'x'", '"mood" \'x\'', "U&'x'", "data 'x'")

    def expr(self, depth):
        if depth <= 0:
            return self.pick(self.name(), self.name() + '.' + self.name(), self.constant())
        d = depth - 1
        return self.rng.choice([
            lambda: self.call(depth), lambda: self.call(depth), lambda: self.constant(), lambda: self.name(),
            lambda: '%s %s %s' % (self.expr(d), self.rng.choice(OPERATORS), self.expr(d)),
            lambda: '(%s)' % self.expr(d), lambda: '(%s)' % self.query(d),
            lambda: '%s::%s' % (self.expr(d), self.type()),
            lambda: 'cast(%s as %s)' % (self.expr(d), self.type()),
            lambda: '(%s).%s' % (self.expr(d), self.name()),
            lambda: 'case when %s then %s else %s end' % (self.expr(d), self.expr(d), self.expr(d)),
            lambda: 'exists (%s)' % self.query(d), lambda: 'array(%s)' % self.query(d),
            lambda: 'array[%s]' % self.items(lambda: self.expr(d)), lambda: 'row(%s)' % self.expr(d),
            lambda: '%s %s (%s)' % (self.expr(d), self.pick('in', 'not in'), self.pick(self.expr(d), self.query(d))),
            lambda: '%s %s %s(%s)' % (self.expr(d), self.rng.choice(OPERATORS), self.pick('any ', 'all', 'some'),
                                      self.expr(d)),
            lambda: '%s %s %s' % (self.expr(d), self.pick('like', 'ilike', 'not like', 'similar to', 'and', 'or',
                                                          'is distinct from', 'at time zone', 'collate',
                                                          'overlaps'), self.expr(d)),
            lambda: '%s like %s escape %s' % (self.expr(d), self.expr(d), self.expr(d)),
            lambda: '%s between %s and %s' % (self.expr(d), self.expr(d), self.expr(d)),
            lambda: 'not ' + self.expr(d), lambda: 'extract(year from %s)' % self.expr(d),
            lambda: 'substring(%s from %s for %s)' % (self.expr(d), self.expr(d), self.expr(d)),
            lambda: 'trim(both %s from %s)' % (self.expr(d), self.expr(d)),
            lambda: 'xmlelement(name %s, %s)' % (self.name(), self.expr(d)),
            lambda: 'xmlserialize(content %s as %s)' % (self.expr(d), self.type()),
            lambda: 'treat(%s as %s)' % (self.expr(d), self.type()),
            lambda: 'grouping(%s)' % self.expr(d), lambda: '%s collate "C"' % self.expr(d),
            lambda: "json_object_agg(%s, %s)" % (self.expr(d), self.expr(d)),
        ])()

    def alias(self):
        columns = self.pick('', '', '(%s)' % self.items(self.name))
        return self.pick('', ' as ' + self.name() + columns, ' ' + self.name() + columns)

    def definitions(self):
        return '(%s)' % self.items(lambda: self.name() + ' ' + self.type(), 2)

    def source(self, depth):
        if depth <= 0:
            return self.pick('', 'only ', 'public.') + self.name() + self.alias()
        d = depth - 1
        return self.rng.choice([
            lambda: self.name() + self.alias(),
            lambda: '(%s)%s' % (self.query(d), self.alias()), lambda: 'lateral (%s)%s' % (self.query(d), self.alias()),
            lambda: self.call(d) + self.pick('', ' with ordinality') + self.alias(),
            lambda: self.call(d) + self.pick(' as ', ' as x', ' x') + self.definitions(),
            lambda: 'rows from (%s, %s as %s)' % (self.call(d), self.call(d), self.definitions()) + self.alias(),
            lambda: '%s %s join %s on %s' % (self.source(d), self.pick('', 'left', 'full outer', 'inner'),
                                             self.source(d), self.expr(d)),
            lambda: '(%s join %s using (%s))%s' % (self.source(d), self.source(d), self.name(), self.alias()),
            lambda: '%s %s join %s' % (self.source(d), self.pick('cross', 'natural', 'natural left'), self.source(d)),
            lambda: '%s tablesample %s (%s)' % (self.name(), self.pick('system', 'bernoulli', 'foo', 'public.system'),
                                                self.expr(d)),
            lambda: "xmltable('x' passing %s columns %s %s path 'y')" % (self.expr(d), self.name(), self.type()),
        ])()

    def modification(self, depth):
        return self.pick('delete from t returning *', 'update t set a = 1', 'insert into t values (1) returning a',
                         'merge into t using u on true when matched then delete', self.query(depth - 1))

    def with_list(self, depth):
        item = lambda: '%s%s as %s(%s)%s' % (
            self.name(), self.pick('', '(%s)' % self.items(self.name)),
            self.pick('', '', 'materialized ', 'not materialized '),
            self.modification(depth) if self.chance(15) else self.query(depth - 1),
            self.pick('', '', '', ' search depth first by %s set %s' % (self.name(), self.name()),
                      ' cycle %s set %s using %s' % (self.name(), self.name(), self.name())))
        return 'with %s%s ' % (self.pick('', 'recursive '), self.items(item, 2))

    def query(self, depth):
        if depth <= 0:
            return self.pick('select 1', 'select ' + self.name(), 'values (1)', 'table ' + self.name())
        d = depth - 1
        text = self.with_list(depth) if self.chance(12) else ''
        if self.chance(8):
            return text + self.pick('values (%s)' % self.items(lambda: self.expr(d)), 'table ' + self.name(),
                                    '(%s) union all (%s)' % (self.query(d), self.query(d)))
        target = lambda: self.expr(d) + self.pick('', '', '', ' as ' + self.name(), ' ' + self.name())
        text += 'select %s%s' % (self.pick('', '', '', 'distinct ', 'all ', 'distinct on (%s) ' % self.expr(d)),
                                 self.items(target))
        text += self.pick('', '', '', '', '', '', '', '', '', ' into ' + self.name(), ' into temp ' + self.name())
        if self.chance(70):
            text += ' from ' + self.items(lambda: self.source(d), 2)
        if self.chance(40):
            text += ' where ' + self.expr(d)
        if self.chance(15):
            item = lambda: self.pick(self.expr(d), 'cube (%s)' % self.expr(d), 'rollup (%s)' % self.expr(d), '()',
                                     'grouping sets ((%s), cube (%s))' % (self.expr(d), self.expr(d)))
            text += ' group by ' + self.pick('', '', 'distinct ', 'all ') + self.items(item)
        if self.chance(10):
            text += ' having ' + self.expr(d)
        if self.chance(6):
            text += ' window %s as (order by %s)' % (self.name(), self.expr(d))
        if self.chance(6):
            text += ' %s %s' % (self.pick('union', 'union all', 'except', 'intersect'), self.query(d))
        if self.chance(15):
            text += ' order by ' + self.expr(d) + self.pick('', ' desc', ' using <', ' using operator(public.<)')
        if self.chance(10):
            text += self.pick(' limit ', ' offset ', ' fetch first ') + self.pick('1', '(%s)' % self.expr(d))
            text += self.pick('', ' rows only', ' rows with ties')
        if self.chance(4):
            text += self.pick(' for update', ' for share of t', ' for no key update', ' for key share', ' for read only')
        return text

    def statement(self):
        text = self.query(self.rng.randint(1, 3))
        roll = self.rng.random()
        if roll < 0.03:
            text = 'explain ' + self.pick('', 'analyze ', '(analyze, verbose) ', 'verbose ') + text
        elif roll < 0.05:
            text = 'copy (%s) to stdout' % text
        elif roll < 0.07:
            text = self.with_list(2) + self.modification(2)
        elif roll < 0.09:
            text += '; ' + self.pick(self.query(1), 'delete from t', 'select nextval(1)')
        return text


TOKEN = re.compile(r"""(?:[UuEeBbXxNn]&?)?'(?:[^'])*'|"[^"]*"|\$\$.*?\$\$|\w+|::|[<>=~|@&#*/+-]+|\S""", re.S)


class Breaker:
    """Takes statements apart and puts tokens of others, key words, names and parentheses in between."""

    def __init__(self, rng, statements):
        self.rng = rng
        self.statements = [TOKEN.findall(s) for s in statements]
        self.statements = [s for s in self.statements if 1 < len(s) < 60]

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
    text = open(os.path.join(root, 'tests/unit/classifier_cases.inc'), encoding='utf-8').read()
    for literal in re.findall(r'^\{((?:"(?:[^"\\]|\\.)*"\s*)+),', text, re.M):
        parts = re.findall(r'"((?:[^"\\]|\\.)*)"', literal)
        yield ''.join(parts).replace('\\n', '\n').replace('\\"', '"').replace('\\\\', '\\')


def accepted_by(parser, statements, makers):
    """Statements that are SQL, with their trees, for ever: the given ones, then made ones."""
    for made in itertools.count():
        sql = statements[made] if made < len(statements) else makers[made % 2].statement()
        text = sql.encode('utf-8')
        tree = parser.tree(text) if len(text) < 2000 and b'\0' not in text else None
        if tree and tree.get('stmts'):
            yield text, tree


def main():
    options = argparse.ArgumentParser()
    options.add_argument('command')
    options.add_argument('root')
    options.add_argument('--count', type=int, default=20000, help='statements that the parser accepts')
    options.add_argument('--seed', type=int, default=1)
    options.add_argument('--print-missed', type=int, default=0)
    options = options.parse_args()
    rng = random.Random(options.seed)
    parser, judge = Parser(), Judge(options.root)
    statements = list(unit_test_statements(options.root))
    source = accepted_by(parser, statements, [Maker(rng), Breaker(rng, statements)])
    harmful = kept = wrong = done = 0
    missed = {}
    while done < options.count:
        chunk = list(itertools.islice(source, min(CHUNK, options.count - done)))
        done += len(chunk)
        for (sql, tree), (route, reason) in zip(chunk, classify(options.command, [sql for sql, _ in chunk])):
            bad = next(filter(None, (judge.harmful(s['stmt']) for s in tree['stmts'])), None)
            harmful += bad is not None
            if bad and route == 'replica':
                wrong += 1
                print('MISROUTED (%s): %s' % (bad, sql.decode()))
            if not bad and route != 'replica':
                kept += 1
                missed.setdefault(reason, []).append(sql.decode())
    print('seed %d: %d statements, %d of them harmful, %d misrouted; of %d harmless ones %d kept from replicas' %
          (options.seed, done, harmful, wrong, done - harmful, kept))
    for reason, sqls in sorted(missed.items(), key=lambda i: -len(i[1]))[:options.print_missed]:
        print('%6d  %-40s %s' % (len(sqls), reason, min(sqls, key=len)))
    return 1 if wrong else 0


sys.exit(main())
