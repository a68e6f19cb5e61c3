"""Whole statements: queries, what may stand around them, and commands that are no queries. Then comments, white space
and capitals are strewn in."""
import re

from maker import Maker

SESSIONS = '''set a = 1|set local a to default|set session a = 1, 2|set transaction read only|set role a|reset all
reset a
set session characteristics as transaction isolation level serializable|set session authorization default
set constraints all deferred|set time zone 'utc'|set schema 'a'|set names 'utf8'|set xml option content|discard all
discard temp|listen a|unlisten *|begin|begin read only|begin isolation level repeatable read, read only, deferrable
start transaction read only|commit|commit and chain|end|abort|rollback|rollback to savepoint a|rollback work to a
savepoint a|release a|release savepoint a|fetch all from c|fetch backward 1 in c|move c|close all|close c|execute p
execute p (nextval('s'), 1)|deallocate all|deallocate prepare p|load 'x'|prepare transaction 'x'|fetch c
create temp table t (a int)|create temporary view v as select 1|create local temp table if not exists t (a int)
create or replace temp view v as select 1|create temp sequence s|create global temporary table t (a int)
create table pg_temp.t (a int)|create temp table t as select 1|drop table pg_temp.t'''.replace('\n', '|').split('|')
OTHERS = '''commit prepared 'x'|rollback prepared 'x'|notify a|notify a, 'b'|lock t
lock table only t in share mode nowait
do $$ begin end $$|do language plpgsql 'begin end'|call f(1, nextval('s'))|call f()|checkpoint|vacuum
vacuum (full, analyze) t (a)|vacuum full t|analyze|analyze verbose t|analyze (verbose) t|cluster t using i
reindex table t
reindex (concurrently) index i|refresh materialized view m|refresh materialized view concurrently m with no data
truncate t|truncate only t, u restart identity cascade|comment on table t is 'select'|grant select on t to u
revoke all on all tables in schema public from u cascade|security label on table t is 'x'|reassign owned by a to b
import foreign schema a from server b into c
create table t (a int default nextval('s'), b text check (b <> 'for update'))
create table if not exists t (like u including all)|create table t partition of u for values from (1) to (minvalue)
create index concurrently on t (lower(a)) where b|create unique index if not exists i on only t using gist (a)
create view v as select 1|create or replace recursive view v (a) as select 1|create materialized view v as select 1
create function f() returns int language sql as 'select 1'|create function f() returns int return 1
create function f(a int) returns int begin atomic select 1; select case when true then 1 end; end
create or replace procedure p() begin atomic delete from t; end
create function f() returns int begin atomic select 1 as case; select 2 case; select 3 end; end
create view v as select begin atomic from t|create procedure p() begin atomic end
create rule r as on insert to t do also (select 1; delete from t)
create trigger r before update of a on t for each row execute function f()|create sequence s
create type t as enum ('a')
create domain d as int check (value > 1)|create schema s create table t (a int)|create extension e|create role r
create policy p on t for select using (true)|create database d|create tablespace s location '/x'
create server s foreign data wrapper w
create subscription s connection 'x' publication p|create publication p for all tables
create event trigger e on ddl_command_start execute function f()
create operator + (function = f)|create aggregate a (int) (sfunc = f, stype = int)
create cast (int as text) with inout
create statistics s on a, b from t|create collation c from "C"|create foreign table t (a int) server s
create conversion c for 'a' to 'b' from f
alter table t add column a int|alter system set a = 1|alter role r set a = 1|alter database d set a = 1
alter type t add value 'x'
alter sequence s restart|alter table only t alter a set default nextval('s')|drop table t|drop index concurrently i
drop owned by a|drop function f(int)|alter default privileges grant select on tables to u|alter view v rename to w
copy t from stdin|copy t to '/x'|copy t from program 'x'|copy t (a, b) from '/x' with (format csv) where a > 1
copy binary t from stdin|copy (delete from t returning *) to stdout
alter subscription s refresh publication'''.replace('\n', '|').split('|')
HARMLESS = '''show a|show all|show time zone|show transaction isolation level|show session authorization
copy t to stdout
show transaction_read_only|copy t (a, b) to stdout with (format csv, header)|copy public.t to stdout binary
copy t to stdout csv header force quote a|show a.b|copy only t to stdout|copy t to stdout with delimiter ','|table t
show "delete"|show all tables'''.replace('\n', '|').split('|')
STRINGS = re.compile(r"""((?:[uU]&|[eEbBxXnN])?'(?:[^'\\]|\\.|'')*'|(?:[uU]&)?"(?:[^"]|"")*"|\$\w*\$.*?\$\w*\$)""", re.S)


class Commander(Maker):
    def explained(self, text):
        option = lambda: self.pick('analyze', 'verbose', 'costs off', 'buffers', 'format json', 'analyze false',
                                   'wal',
                                   'timing off', 'summary', "format 'xml'", 'settings on', 'analyze 1', 'select')
        return 'explain %s%s' % (self.pick('', 'analyze ', 'verbose ', 'analyze verbose ', 'analyse ',
                                           '(%s) ' % self.items(option),
                                           '(%s) ' % self.items(option)), text)

    def around(self, text):
        """Something that holds or runs a query."""
        return self.pick(
            self.explained(text), self.explained(text), 'copy (%s) to stdout' % text,
            'copy (%s) to stdout with (format csv)' % text,
            "copy (%s) to '/x'" % text, "copy (%s) to program 'x'" % text, 'create table t as %s with no data' % text,
            'create temp table t as %s' % text, 'create view v as %s' % text,
            'create materialized view v as %s' % text,
            'declare c cursor for %s' % text, 'declare c binary insensitive no scroll cursor with hold for %s' % text,
            'prepare p as %s' % text, 'prepare p (int, text) as %s' % text, 'insert into t %s' % text, '(%s)' % text,
            '((%s))' % text,
            self.explained('declare c cursor for %s' % text), self.explained('create table t as %s' % text),
            self.explained('execute p (1)'), 'explain refresh materialized view m',
            'copy (%s) to stdout' % self.modification(2),
            'create table t as execute p', self.explained('create temp table x as ' + text),
            'create table t (a) as ' + text)

    def one(self):
        text = self.query(self.rng.randint(1, 3))
        roll = self.rng.random()
        if roll < 0.12:
            return self.around(text)
        if roll < 0.15:
            return self.pick('', self.with_list(2)) + self.modification(3)
        if roll < 0.16:
            return self.explained(self.pick('', self.with_list(2)) + self.modification(2))
        if roll < 0.19:
            return self.rng.choice(self.pick(SESSIONS, OTHERS, HARMLESS))
        return text

    def noise(self):
        return self.pick(' ', '  ', '\n', '\t', '/* ; delete from t */', ' -- for update\n', '/**/',
                         ' /* /* nested */ \' */ ',
                         '\r\n', '\f', ' --\n', '/*"*/', '--$$\n', ' ')

    def strewn(self, text):
        """Not inside of strings: those are the odd parts."""
        parts = STRINGS.split(text)
        for i in range(0, len(parts), 2):
            parts[i] = re.sub(r'\s+', lambda _: self.noise() if self.chance(30) else ' ', parts[i])
            if self.chance(30):
                parts[i] = self.pick(parts[i].upper(), parts[i].title(), parts[i])
        return ''.join(parts)

    def statement(self):
        text = self.one()
        if self.chance(4):
            text = self.pick(';', '', ' ; ; ').join([text, ';' + self.one()]) + self.pick('', ';', '; ;')
        if self.chance(1):
            text = self.pick(text + '; delete from t', 'select nextval(1); ' + text, text + ';/* */')
        return self.strewn(text) if self.chance(25) else text
