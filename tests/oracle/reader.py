"""Reads that are harmless by their making: well-typed queries over a schema of our own, so that real servers can run
them. Plain ones use nothing but PostgreSQL's own functions, types and operators; the others the database's own too.
A poisoned one holds exactly one thing that is not harmless."""

SCHEMA = r"""
create type mood as enum ('sad', 'fine', 'happy');
create domain share as numeric check (value between 0 and 100);
create type pair as (a int, b text);
create table customer (id int primary key, name text, email text, born date, score numeric(10,2), tags text[],
    data jsonb, active boolean, seen timestamptz, mood mood, part share);
create table orders (id bigint primary key, customer_id int, total numeric, placed timestamp, note text);
create table tree (id int primary key, parent int);
create table parted (n int, word text) partition by range (n);
create table part1 partition of parted for values from (0) to (50);
create table part2 partition of parted for values from (50) to (100);
insert into customer select i, 'name' || i % 7, 'n' || i || '@example.org', date '1970-01-01' + i, i * 1.5,
    array['t' || i % 3, 'all'], jsonb_build_object('a', i, 'b', jsonb_build_array(i, i + 1)), i % 2 = 0,
    timestamptz '2020-01-01 00:00+00' + i * interval '1 hour', (array['sad', 'fine', 'happy'])[1 + i % 3]::mood, i
    from generate_series(1, 40) i;
insert into orders select i, 1 + i % 40, i * 2.25, timestamp '2021-01-01' + i * interval '1 day',
    case when i % 5 > 0 then 'note ' || i end from generate_series(1, 120) i;
insert into tree select i, nullif(i / 2, 0) from generate_series(1, 31) i;
insert into parted select i, 'w' || i from generate_series(0, 99) i;
create sequence counter;
create unlogged table fleeting (n int);
create function price(n numeric) returns numeric language sql stable as 'select n * 2';
create function label(word text, n int default 3) returns text language sql immutable as 'select left(word, n)';
create function slow_price(n numeric) returns numeric language plpgsql stable as
    'begin return (select max(total) from orders) + n; end';
create function youngest(n int) returns setof customer language sql stable as
    'select * from customer order by born desc limit n';
create function touch(n numeric) returns numeric language sql volatile as 'select n + nextval(''counter'')';
create function add(a numeric, b numeric) returns numeric language sql immutable as 'select a + b';
create aggregate total_of(numeric) (sfunc = add, stype = numeric, initcond = '0');
create operator <+> (function = add, leftarg = numeric, rightarg = numeric);
create view wealthy as select id, name, score from customer where score > 20 order by name;
create view priced as select id, price(total) as cost from orders;
create view counted as select nextval('counter') as n;
analyze customer; analyze orders; analyze tree; analyze parted;
"""

# What a version brought: (from, harmless, statement).
NEWER = [
    (160000, True, "select any_value(name) from customer"),
    (160000, True, "select 0xff + 0o17 + 0b11 + 1_000"),
    (160000, True, "select json_array(1, 2), json_object('a': 1), '{}' is json object, '[1' is not json"),
    (160000, True, "select json_arrayagg(id order by id) from customer where id < 5"),
    (160000, True, "select json_objectagg(id : name) from customer where id < 5"),
    (160000, True, "select erf(1.5), erfc(0.5)"),
    (160000, True, "select * from (select id from customer) where id < 5"),
    (160000, True, "select array_sample(array[1], 1), system_user is null"),
    (170000, True, "select json_value(data, '$.a' returning int), json_exists(data, '$.b'), "
                   "json_query(data, '$.b' with wrapper) from customer"),
    (170000, True, "select json_scalar(1), json('{}'), json_serialize('{}' returning text)"),
    (170000, True, "select to_bin(5), to_oct(8), random(1, 1)"),
    (170000, True, "select * from json_table('[1,2]'::jsonb, '$[*]' columns (n int path '$'))"),
    (170000, True, "select seen at local from customer where id = 0"),
    (170000, False, "merge into tree t using (values (99)) v(n) on t.id = v.n when not matched then insert values "
                    "(99, 1) returning merge_action(), t.*"),
    (180000, True, "select casefold('ß') is not null, array_reverse(array[1,2]), array_sort(array[2,1])"),
    (180000, True, "select uuid_extract_version(uuidv7()), crc32('a'::bytea), gamma(3)"),
    (180000, True, "select reverse('ab'::bytea), ''::bytea < 'a'::bytea"),
    (180000, False, "update tree set parent = 1 where id = 31 returning old.parent, new.parent"),
    (180000, False, "delete from tree where id = 31 returning with (old as was) was.id"),
    (180000, False, "with gone as (delete from tree where id = 31 returning old.*) select * from gone"),
]

POISON = ["nextval('counter')", "(select n from counted limit 1)", "touch(1)", "txid_current()",
          "(with x as (delete from tree returning id) select count(*) from x)", "pg_notify('a', 'b')::text::int",
          "(select total from orders limit 1 for update)", "set_config('a.b', '1', false)::int",
          "pg_advisory_lock(1)::text::int", "lo_creat(-1)", "pg_advisory_xact_lock(1)::text::int",
          "(select count(*) from fleeting)", "(select last_value from counter)"]
NEEDS_CATALOG = {"(select n from counted limit 1)", "(select count(*) from fleeting)"}


class Reader:
    def __init__(self, rng, users=False):
        self.rng = rng
        self.users = users
        self.poison = None
        self.aliases = 0

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, percent):
        return self.rng.random() * 100 < percent

    def maybe(self, percent, text):
        return text if self.chance(percent) else ''

    def alias(self):
        self.aliases += 1
        return 'q%d' % self.aliases

    # Each source offers the columns id int, num numeric, txt text, day date.

    def source(self, depth):
        name = self.alias()
        texts = ['(select id, score as num, name as txt, born as day, data, tags from customer) as %s',
                 '(select id::int, total as num, note as txt, placed::date as day, null::jsonb as data, '
                 'array[note] as tags from orders) %s',
                 "(values (1, 1.5, 'x', date '2020-01-01', '{\"a\":1}'::jsonb, array['x']), "
                 "(2, 2.5, 'for update', date '2020-01-02', null, null)) as %s (id, num, txt, day, data, tags)",
                 "(select n as id, n::numeric as num, word as txt, date '2000-01-01' + n as day, '{}'::jsonb as data, "
                 "array[word] as tags from parted) %s",
                 "(select g as id, g * 0.5 as num, chr(64 + g) as txt, current_date - g as day, null::jsonb as data, "
                 "null::text[] as tags from generate_series(1, 5) as g) %s",
                 "(select id, 1.0 as num, 'tree' as txt, date '2001-01-01' as day, '[]'::jsonb as data, "
                 "array['t'] as tags from tree tablesample bernoulli (100) repeatable (1)) %s"]
        if self.users:
            texts += ['(select id, score as num, name as txt, null::date as day, null::jsonb as data, null::text[] as '
                      'tags from wealthy) %s',
                      '(select id::int, cost as num, label(id::text) as txt, null::date as day, null::jsonb as data, '
                      'null::text[] as tags from priced) %s',
                      '(select id, score as num, name as txt, born as day, data, tags from youngest(5)) %s']
        return self.rng.choice(texts) % name, name

    def number(self, q, depth):
        if self.poison and self.chance(30):
            text, self.poison = self.poison, None
            return '(%s)::numeric' % text
        if depth <= 0:
            return self.pick('%s.num' % q, '%s.id' % q, '1', '2.5', '.5e1', '-3', 'null::numeric', '1::int', '%s.id' % q)
        n = lambda: self.number(q, depth - 1)
        t = lambda: self.text(q, depth - 1)
        texts = [lambda: '(%s %s %s)' % (n(), self.pick('+', '-', '*'), n()), lambda: 'abs(%s)' % n(),
                 lambda: 'round(%s, 2)' % n(), lambda: 'coalesce(%s, %s)' % (n(), n()), lambda: 'length(%s)' % t(),
                 lambda: 'case when %s then %s else %s end' % (self.boolean(q, depth - 1), n(), n()),
                 lambda: 'greatest(%s, %s)' % (n(), n()), lambda: '(%s)::int' % n(), lambda: '- (%s)' % n(),
                 lambda: 'cast(%s as numeric(12, 3))' % n(), lambda: 'extract(year from %s)' % self.day(q, depth - 1),
                 lambda: 'position(%s in %s)' % (t(), t()), lambda: 'pg_catalog.ceil(%s)' % n(),
                 lambda: 'nullif(%s, %s)' % (n(), n()), lambda: 'strpos(%s, %s)' % (t(), t()),
                 lambda: '(select max(x.total) from orders x where x.id < %s)' % n(),
                 lambda: '(select count(*) from tree as x where x.parent = %s.id)' % q,
                 lambda: '(array[%s, %s])[1]' % (n(), n()), lambda: 'cardinality(%s.tags)' % q,
                 lambda: "(%s.data ->> 'a')::numeric" % q, lambda: "numeric '12.5'",
                 lambda: 'width_bucket(%s, 0, 100, 5)' % n(), lambda: 'date_part(\'month\', %s)' % self.day(q, depth - 1)]
        if self.users:
            texts += [lambda: 'price(%s)' % n(), lambda: 'public.price(%s)' % n(), lambda: 'slow_price(%s)' % n(),
                      lambda: '(%s)::numeric <+> (%s)::numeric' % (n(), n()), lambda: '(%s)::text::share' % '5'] * 2
        return self.rng.choice(texts)()

    def text(self, q, depth):
        if depth <= 0:
            return self.pick('%s.txt' % q, "'delete from t'", "'it''s'", "$$for update$$", "'x'", '%s.txt' % q)
        t = lambda: self.text(q, depth - 1)
        n = lambda: self.number(q, depth - 1)
        texts = [lambda: 'lower(%s)' % t(), lambda: '(%s || %s)' % (t(), t()), lambda: 'substring(%s from 1 for 3)' % t(),
                 lambda: "concat_ws('-', %s, %s)" % (t(), n()), lambda: '(%s)::text' % n(), lambda: 'trim(both from %s)' % t(),
                 lambda: "to_char(%s, 'YYYY-MM')" % self.day(q, depth - 1), lambda: "replace(%s, 'a', 'b')" % t(),
                 lambda: 'upper(%s) collate "C"' % t(), lambda: "(%s.data ->> 'b')" % q, lambda: 'md5(%s)' % t(),
                 lambda: "regexp_replace(%s, '[0-9]+', 'n', 'g')" % t(), lambda: 'cast(%s as varchar(5))' % t(),
                 lambda: "array_to_string(%s.tags, ',')" % q, lambda: "format('%%s/%%s', %s, %s)" % (t(), n()),
                 lambda: "split_part(%s, ' ', 1)" % t(), lambda: 'overlay(%s placing \'zz\' from 1)' % t(),
                 lambda: 'quote_literal(%s)' % t(), lambda: 'initcap(%s)' % t()]
        if self.users:
            texts += [lambda: 'label(%s)' % t(), lambda: "('sad'::mood)::text", lambda: "(mood 'happy')::text",
                      lambda: "(row(1, %s)::pair)::text" % t(), lambda: 'label(%s, 2)' % t()] * 2
        return self.rng.choice(texts)()

    def day(self, q, depth):
        if depth <= 0:
            return self.pick('%s.day' % q, "date '2020-02-29'", 'make_date(2020, 1, 2)')
        return self.pick("(%s + interval '1 day')::date" % self.day(q, depth - 1), '%s.day' % q,
                         "date_trunc('month', %s)::date" % self.day(q, depth - 1))

    def boolean(self, q, depth):
        n = lambda: self.number(q, depth - 1)
        t = lambda: self.text(q, depth - 1)
        if depth <= 0:
            return self.pick('%s.id > 1' % q, '%s.txt is not null' % q, 'true')
        b = lambda: self.boolean(q, depth - 1)
        return self.rng.choice([
            lambda: '%s %s %s' % (n(), self.pick('<', '<=', '=', '<>', '>', '>=', '!='), n()),
            lambda: '(%s %s %s)' % (b(), self.pick('and', 'or'), b()), lambda: 'not (%s)' % b(),
            lambda: '%s %s %s' % (t(), self.pick('like', 'ilike', 'not like', '~', '!~*', 'similar to'), "'%a'"
                                  if self.chance(50) else "'a'"),
            lambda: '%s in (%s, %s)' % (n(), n(), n()), lambda: '%s between %s and %s' % (n(), n(), n()),
            lambda: 'exists (select from orders x where x.customer_id = %s.id)' % q,
            lambda: '%s = any (select x.total from orders x)' % n(), lambda: "%s.data @> '{\"a\": 1}'" % q,
            lambda: '%s is distinct from %s' % (t(), t()), lambda: "%s.tags && array['all']" % q,
            lambda: '(%s, %s) < (%s, %s)' % (n(), t(), n(), t()), lambda: "%s = any (array['x', 'y'])" % t(),
            lambda: '(%s) is not true' % b(), lambda: "(%s.day, interval '1 day') overlaps (date '2020-01-01', date "
                                                      "'2021-01-01')" % q])()

    def select(self, depth):
        source, q = self.source(depth)
        join = ''
        if self.chance(40):
            other, o = self.source(depth)
            join = self.pick(' join %s on %s.id = %s.id' % (other, q, o), ' left outer join %s on (%s.id = %s.id)' %
                             (other, q, o), ' cross join lateral (select %s.id as d limit 1) as %s' % (q, self.alias()))
        items = ', '.join('%s%s %s' % (self.rng.choice((self.number, self.text, self.boolean))(q, depth),
                                       self.pick(' as', ' as'), self.alias()) for _ in range(self.rng.randint(1, 3)))
        where = self.maybe(60, ' where ' + self.boolean(q, depth))
        shape = self.rng.randrange(8)
        if shape == 0:
            return 'select %s.id %% 3 as k, count(*), sum(%s), string_agg(%s, \',\' order by %s.id, %s.txt) ' \
                   'filter (where %s.id > 1) from %s%s%s group by %s having count(*) > 0 order by 1' % (
                       q, self.number(q, 1), self.text(q, 1), q, q, q, source, join, where,
                       self.pick('1', 'grouping sets ((1), ())', 'rollup (1)', 'k', 'cube (1)') if self.chance(60) else '1')
        if shape == 1:
            return 'select %s.id, rank() over (order by %s.num), sum(%s.num) over (partition by %s.txt order by %s.id ' \
                   'rows between 1 preceding and current row), lag(%s.id) over w from %s%s%s window w as (order by ' \
                   '%s.id, %s.num)' % (q, q, q, q, q, q, source, join, where, q, q)
        if shape == 2:
            return 'select distinct on (%s.txt) %s from %s%s%s order by %s.txt, %s.id' % (q, items, source, join, where,
                                                                                         q, q)
        tail = self.maybe(30, ' order by 1' + self.pick('', ' desc nulls last', ' asc')) if 'distinct' not in items else ''
        return 'select %s%s from %s%s%s%s' % (self.maybe(10, 'all '), items, source, join, where, tail)

    def users_select(self, depth):
        _, q = '', self.alias()
        return 'select total_of(%s.total), max(price(%s.total)) from orders %s' % (q, q, q)

    def statement(self, poison=None):
        self.poison, self.aliases = poison, 0
        text = self.frame(self.pick(1, 2, 2, 3))
        self.poison = None
        if poison and poison not in text:  # it found no place, or one that was not taken
            text = 'select %s as p, q0.* from (%s) as q0' % (poison, self.select(1))
        return text

    def frame(self, depth):
        select = lambda: self.select(depth)
        if self.users and self.chance(10):
            return self.users_select(depth)
        if self.chance(1):  # grammar that is known to be kept
            return "select x.* from xmltable('/r/c' passing '<r><c>1</c></r>'::xml columns n int path '.') as x"
        return self.rng.choice([
            select, select, select, select, select,
            lambda: 'with c1 as (%s), c2 as materialized (select 1 as one) select * from c1, c2' % select(),
            lambda: 'with recursive r (n) as (select 1 union all select n + 1 from r where n < 5) select n, (%s) from r' %
            'select count(*) from orders',
            lambda: '(select id from tree) %s (select id from customer) order by 1 limit 5' %
            self.pick('union', 'union all', 'intersect', 'except'),
            lambda: 'select * from (%s) as %s offset 0' % (select(), self.alias()),
            lambda: 'select * from (%s) as %s fetch first 3 rows only' % (select(), self.alias()),
            lambda: "values (1, 'delete'), (2, 'for update')", lambda: 'table tree',
            lambda: 'explain (costs off) %s' % select(), lambda: 'copy (%s) to stdout' % select(),
            lambda: 'show %s' % self.pick('search_path', 'work_mem', 'server_version_num')])()
