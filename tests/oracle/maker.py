"""Queries by a small grammar. Much of what it makes is odd on purpose; the parser sorts out what is no SQL."""
from words import FUNCTIONS, KEYWORDS, NAMES, OPERATORS, TYPES, UNRESERVED

TWO_WORDS = {
    'precision_': 'double precision', 'double': 'double precision', 'timestamp_with': 'timestamp(3) with time zone',
    'character_varying': 'character varying(10)', 'time_with': 'time without time zone',
    'interval_year': 'interval year to month', 'interval_second': 'interval day to second(3)',
    'national': 'national character varying(3)', 'bit_varying': 'bit varying(3)', 'int_array': 'int array[3]',
    'setof_int': 'setof int',
}
CONSTANTS = '''1|1.5|1e3|.5|'x'|E'\\''|E'a\\\\'|$1|$1[2]|($1).a|$$delete$$|$a$ select nextval('x'); $$ $a$|null|true
B'1'|X'1f'|N'x'|U&'d\\0061t' uescape '!'|U&'x'|'it''s'|'--'|'/*'|'a'
'b'|current_user|current_date|localtime(3)|current_timestamp|session_user|current_schema|current_catalog
date '2020-01-01'|mood 'x'|interval '1' day|interval(3) '1'|interval '1' second(3)|interval '1' day to second(2)
numeric(3,1) '1'|mood(3) 'x'|public.mood 'x'|timestamp with time zone 'x'|time(3) with time zone '1:00'|"mood" 'x'
data 'x'|pg_catalog.int4 '1'|double precision '1'|character varying(3) 'x'|json '{}'|bit varying '1'|xml '<a/>'
lower 'x'|nextval 'x'|national char 'x'|"char" 'x'|$tag$'$tag$|'{"a":1}'::jsonb|foo.bar.mood 'x'|value 'x'
'''.replace("'a'\n'b'", "'a'\0'b'").replace('\n', '|').replace('\0', '\n').strip('|').split('|')


PLAIN_FUNCTIONS = 'lower upper count sum max coalesce length abs concat generate_series unnest rank lag greatest'.split()


class Maker:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, percent):
        return self.rng.random() * 100 < percent

    def maybe(self, percent, text):
        return text if self.chance(percent) else ''

    # Plain things more often than odd ones, so that one odd thing decides.

    def name(self):
        return self.rng.choice('abtuxy' if self.chance(50) else UNRESERVED if self.chance(20) else NAMES)

    def label(self):
        return self.rng.choice('abtuxy' if self.chance(40) else KEYWORDS if self.chance(30) else NAMES)

    def type(self):
        name = self.rng.choice(('int', 'text', 'numeric(10,2)', 'date') if self.chance(60) else TYPES)
        return TWO_WORDS.get(name, name)

    def items(self, make, most=3):
        return ', '.join(make() for _ in range(self.rng.randint(1, most)))

    # --- expressions ---

    def window(self, depth):
        bound = lambda: self.pick('unbounded preceding', '1 preceding', 'current row',
                                  '%s following' % self.expr(depth - 1),
                                  'unbounded following')
        text = self.maybe(30, self.name())
        text += self.maybe(40, ' partition by ' + self.items(lambda: self.expr(depth - 1), 2))
        text += self.maybe(40, ' order by ' + self.expr(depth - 1) + self.pick('', ' desc', ' nulls first'))
        if self.chance(30):
            text += self.pick(' rows ', ' range ', ' groups ')
            text += self.pick(bound(), 'between %s and %s' % (bound(), bound()))
            text += self.pick('', '', ' exclude ties', ' exclude current row', ' exclude no others')
        return text

    def argument(self, depth):
        return self.pick('', '', '', '', '', 'a => ', 'b := ', 'variadic ') + self.expr(depth)

    def call(self, depth):
        name = self.rng.choice(PLAIN_FUNCTIONS if self.chance(65) else UNRESERVED if self.chance(15) else FUNCTIONS)
        args = self.pick('', '', '*') if self.chance(25) else self.items(lambda: self.argument(depth - 1), 2)
        text = '%s(%s%s%s)' % (name, self.pick('', '', '', 'distinct ', 'all '), args,
                               self.maybe(6, ' order by ' + self.expr(depth - 1)))
        if self.chance(4):
            text += ' within group (order by %s)' % self.expr(depth - 1)
        if self.chance(8):
            text += ' filter (where %s)' % self.expr(depth - 1)
        if self.chance(10):
            text += ' over ' + self.pick(self.name(), '(%s)' % self.window(depth), '(%s)' % self.window(depth))
        return text

    def word_call(self, depth):
        """Calls that have a grammar of their own."""
        e = lambda: self.expr(depth - 1)
        return self.rng.choice([
            lambda: 'extract(year from %s)' % e(), lambda: 'extract(%s from %s)' % (self.label(), e()),
            lambda: 'substring(%s from %s for %s)' % (e(), e(), e()),
            lambda: 'substring(%s similar %s escape %s)' % (e(), e(), e()),
            lambda: 'trim(%s%s from %s)' % (self.pick('', 'both ', 'leading '), e(), e()),
            lambda: 'overlay(%s placing %s from %s)' % (e(), e(), e()), lambda: 'position(%s in %s)' % (e(), e()),
            lambda: 'normalize(%s, nfd)' % e(), lambda: 'collation for (%s)' % e(), lambda: 'treat(%s as %s)' % (e(),
                self.type()),
            lambda: 'nullif(%s, %s)' % (e(), e()), lambda: 'coalesce(%s)' % self.items(e),
            lambda: 'greatest(%s)' % self.items(e),
            lambda: 'grouping(%s)' % e(), lambda: 'xmlelement(name %s, xmlattributes(%s as %s), %s)' % (self.label(),
                e(), self.label(), e()),
            lambda: 'xmlserialize(%s %s as %s)' % (self.pick('content', 'document'), e(), self.type()),
            lambda: 'xmlparse(%s %s)' % (self.pick('content', 'document'), e()),
            lambda: 'xmlconcat(%s)' % self.items(e),
            lambda: 'xmlforest(%s as %s)' % (e(), self.label()), lambda: 'xmlpi(name %s, %s)' % (self.label(), e()),
            lambda: 'xmlroot(%s, version %s, standalone yes)' % (e(), self.pick(e(), 'no value')),
            lambda: 'xmlexists(%s passing by ref %s)' % (e(), e()), lambda: 'cast(%s as %s)' % (e(), self.type()),
            lambda: 'json_object_agg(%s, %s)' % (e(), e()), lambda: "jsonb_path_query(%s, '$.a')" % e(),
        ])()

    def operation(self, depth):
        e = lambda: self.expr(depth - 1)
        operator = lambda: self.rng.choice('+-=<' if self.chance(60) else OPERATORS)
        return self.rng.choice([
            lambda: '%s %s %s' % (e(), operator(), e()), lambda: '%s %s %s' % (e(), operator(), e()),
            lambda: '%s %s' % (operator(), e()), lambda: 'not ' + e(), lambda: '- ' + e(),
            lambda: '%s::%s' % (e(), self.type()), lambda: '%s collate "C"' % e(), lambda: '%s collate %s' % (e(),
                self.name()),
            lambda: '%s %s (%s)' % (e(), self.pick('in', 'not in'), self.pick(self.items(e), self.query(depth - 1))),
            lambda: '%s %s %s(%s)' % (e(), self.pick(operator(), 'like ', 'not ilike '), self.pick('any ', 'all',
                'some'),
                                      self.pick(e(), self.query(depth - 1))),
            lambda: '%s %s %s' % (e(), self.pick('like', 'ilike', 'not like', 'similar to', 'and', 'or',
                                                 'is distinct from',
                                                 'is not distinct from', 'at time zone', 'overlaps'), e()),
            lambda: '%s %s %s escape %s' % (e(), self.pick('like', 'not ilike', 'similar to'), e(), e()),
            lambda: '%s %s %s and %s' % (e(), self.pick('between', 'not between', 'between symmetric'), e(), e()),
            lambda: '%s %s' % (e(), self.pick('is null', 'isnull', 'notnull', 'is not true', 'is unknown',
                                              'is document',
                                              'is not normalized', 'is nfc normalized')),
            lambda: '(%s, %s) %s (%s, %s)' % (e(), e(), self.pick('overlaps', '=', 'in', '<'), e(), e()),
        ])()

    def expr(self, depth):
        if depth <= 0:
            return self.pick(self.name(), self.name(), self.name() + '.' + self.label(), '1', "'x'",
                             self.rng.choice(CONSTANTS))
        e = lambda: self.expr(depth - 1)
        return self.rng.choice([
            lambda: self.call(depth), lambda: self.call(depth), lambda: self.word_call(depth),
            lambda: self.operation(depth), lambda: self.operation(depth), lambda: self.operation(depth),
            lambda: self.rng.choice(CONSTANTS), self.name, lambda: '(%s)' % e(),
            lambda: '(%s)' % self.query(depth - 1),
            lambda: '(%s).%s' % (e(), self.pick(self.label(), self.label(), '*')), lambda: self.name() + '.*',
            lambda: '(%s)[%s]' % (e(), self.pick(e(), '%s:%s' % (e(), e()), ':')), lambda: '(%s).%s[%s]' % (e(),
                self.label(), e()),
            lambda: 'case %s when %s then %s else %s end' % (self.maybe(50, e()), e(), e(), e()),
            lambda: 'exists (%s)' % self.query(depth - 1), lambda: 'array(%s)' % self.query(depth - 1),
            lambda: 'array[%s]' % self.items(e), lambda: 'row(%s)' % e(), lambda: 'array[[%s], [%s]]' % (e(), e()),
        ])()

    # --- FROM ---

    def alias(self):
        columns = self.pick('', '', '(%s)' % self.items(self.name))
        return self.pick('', ' as ' + self.name() + columns, ' ' + self.name() + columns)

    def definitions(self):
        return '(%s)' % self.items(lambda: self.name() + ' ' + self.type() + self.maybe(8, ' collate "C"'), 2)

    def table(self):
        schema = self.pick('', '', '', '', 'public.', 'pg_catalog.', 'pg_temp.', 'db.public.', '"Foo".')
        return self.pick('%s%s', '%s%s', '%s%s', 'only %s%s', 'only (%s%s)', '%s%s *') % (schema, self.name())

    def source(self, depth):
        if depth <= 0:
            return self.table() + self.alias()
        d = depth - 1
        return self.rng.choice([
            lambda: self.table() + self.alias(), lambda: '(%s)%s' % (self.query(d), self.alias()),
            lambda: 'lateral (%s)%s' % (self.query(d), self.alias()), lambda: '(%s)%s' % (self.query(d),
                self.alias()),
            lambda: self.maybe(20, 'lateral ') + self.call(d) + self.pick('', ' with ordinality') + self.alias(),
            lambda: self.maybe(20, 'lateral ') + self.call(d) + self.pick(' as ', ' as x', ' x') + self.definitions(),
            lambda: self.word_call(d) + self.alias(), lambda: self.pick('current_date',
                                                                        'current_user') + self.alias(),
            lambda: 'rows from (%s, %s as %s)' % (self.call(d), self.call(d), self.definitions()) +
            self.pick('', ' with ordinality') + self.alias(),
            lambda: '%s %s join %s on %s' % (self.source(d), self.pick('', 'left', 'full outer', 'inner', 'right'),
                                             self.source(d), self.expr(d)),
            lambda: '(%s join %s using (%s)%s)%s' % (self.source(d), self.source(d), self.name(),
                                                     self.maybe(20, ' as ' + self.name()), self.alias()),
            lambda: '%s %s join %s' % (self.source(d), self.pick('cross', 'natural', 'natural left', 'natural full'),
                                       self.source(d)),
            lambda: '%s%s tablesample %s (%s)%s' % (self.table(), self.alias(),
                                                    self.pick('system', 'bernoulli', 'foo', 'public.system',
                                                              '"system"'),
                                                    self.expr(d), self.maybe(30, ' repeatable (%s)' % self.expr(d))),
            lambda: "xmltable(%s%s passing %s columns %s for ordinality, %s %s path %s default %s not null)%s" % (
                self.maybe(30, "xmlnamespaces('x' as y), "), self.expr(0), self.expr(d), self.name(), self.name(),
                self.type(), self.expr(0), self.expr(d), self.alias()),
        ])()

    # --- queries ---

    def modification(self, depth):
        d = min(depth - 1, 1)
        return self.rng.choice([
            lambda: 'delete from %s using %s where %s returning *' % (self.name(), self.source(d), self.expr(d)),
            lambda: 'delete from t returning *', lambda: 'update t set a = 1',
            lambda: 'insert into t values (1) returning a',
            lambda: 'update only t as x set (a, b) = (%s), c = %s from %s where current of c' % (self.query(d),
                self.expr(d), self.source(d)),
            lambda: 'insert into %s (a) overriding system value %s on conflict (a) do update set a = %s returning %s' % (
                self.name(), self.query(d), self.expr(d), self.expr(d)),
            lambda: 'insert into t default values', lambda: 'insert into t select 1 on conflict do nothing',
            lambda: 'merge into t using u on true when matched then delete',
            lambda: 'merge into t using (%s) s on %s when not matched and %s then insert values (%s) when matched then do nothing' % (
                self.query(d), self.expr(d), self.expr(d), self.expr(d)),
        ])()

    def with_list(self, depth):
        item = lambda: '%s%s as %s(%s)%s' % (
            self.name(), self.pick('', '(%s)' % self.items(self.name)),
            self.pick('', '', 'materialized ', 'not materialized '),
            self.pick('', '', self.with_list(depth - 1) if depth > 1 else '') + self.modification(depth)
            if self.chance(15) else self.query(depth - 1),
            self.pick('', '', '', ' search depth first by %s set %s' % (self.name(), self.name()),
                      ' search breadth first by %s, %s set %s' % (self.name(), self.name(), self.name()),
                      ' cycle %s set %s to %s default %s using %s' % (self.name(), self.name(), self.expr(0),
                                                                      self.expr(0), self.name()),
                      ' cycle %s set %s using %s' % (self.name(), self.name(), self.name())))
        return 'with %s%s ' % (self.pick('', 'recursive '), self.items(item, 2))

    def locking(self):
        one = lambda: ' for %s%s%s' % (self.pick('update', 'share', 'no key update', 'key share'),
                                       self.pick('', '', ' of t', ' of a, b'), self.pick('', '', ' nowait',
                                           ' skip locked'))
        return self.pick(one(), one(), one() + one(), ' for read only')

    def limits(self, depth):
        count = lambda: self.pick('1', '$1', '(%s)' % self.expr(depth), 'all', 'null', '+ 1')
        first = ' fetch %s %s %s %s' % (self.pick('first', 'next'), self.pick('', '1', '$1',
            '(%s)' % self.expr(depth)),
                                        self.pick('row', 'rows'), self.pick('only', 'with ties'))
        return self.pick(' limit ' + count(), ' offset ' + count(), ' limit %s offset %s' % (count(), count()),
                         ' offset %s rows' % self.pick('1', '(%s)' % self.expr(depth)), first, ' offset 1' + first)

    def group(self, depth):
        e = lambda: self.expr(depth)
        item = lambda: self.pick(e(), e(), 'cube (%s)' % e(), 'rollup (%s, (%s, %s))' % (e(), e(), e()), '()',
                                 'grouping sets ((%s), cube (%s), rollup (%s), grouping sets (()))' % (e(), e(), e()))
        return ' group by ' + self.pick('', '', 'distinct ', 'all ') + self.items(item)

    def tail(self, depth):
        text = self.maybe(15, ' order by ' + self.expr(depth) +
                          self.pick('', ' desc', ' asc nulls last', ' using <', ' using operator(public.<)',
                                    ' using ~~'))
        lock, limit = self.maybe(5, self.locking()), self.limits(depth) if self.chance(10) else ''
        return text + self.pick(lock + limit, limit + lock)

    def query(self, depth):
        if depth <= 0:
            return self.pick('select 1', 'select ' + self.name(), 'values (1)', 'table ' + self.name(), 'select',
                             'select * from %s' % self.name() + self.maybe(5, self.locking()))
        d = depth - 1
        text = self.with_list(depth) if self.chance(12) else ''
        if self.chance(8):
            return text + self.pick('values (%s)' % self.items(lambda: self.expr(d)), 'table ' + self.table(),
                                    '(%s) union all (%s)' % (self.query(d), self.query(d)), '(%s)' % self.query(d),
                                    '((%s)%s)' % (self.query(d), self.locking()),
                                    '(%s)' % self.query(d)) + self.tail(d)
        target = lambda: self.expr(d) + self.pick('', '', '', ' as ' + self.label(), ' ' + self.label())
        text += 'select %s%s' % (self.pick('', '', '', 'distinct ', 'all ', 'distinct on (%s) ' % self.expr(d)),
                                 self.items(target) if self.chance(97) else '')
        text += self.maybe(4, ' into %s%s' % (self.pick('', '', 'temp ', 'local temporary ', 'unlogged ', 'table ',
                                                        'temp table '),
                                              self.table()))
        if self.chance(70):
            text += ' from ' + self.items(lambda: self.source(d), 2)
        text += self.maybe(40, ' where ' + self.expr(d))
        text += self.group(d) if self.chance(12) else ''
        text += self.maybe(8, ' having ' + self.expr(d))
        if self.chance(6):
            text += ' window %s as (%s)' % (self.name(), self.window(d))
        if self.chance(6):
            text += ' %s %s' % (self.pick('union', 'union all', 'except', 'intersect', 'union distinct',
                                          'except all'), self.query(d))
        return text + self.tail(d)
