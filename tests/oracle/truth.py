"""What a SELECT is made of, by the server itself: its tree after views and policies were put in, which the server
writes to its log (debug_print_rewritten), with each function, operator, type and relation by oid.

Harmless: PostgreSQL's own functions are those that the generated table calls harmless, the database's own are declared
stable or immutable, and no relation is temporary, unlogged, foreign, a sequence or one server's own state."""
import re
import subprocess

FIELD = re.compile(r':(\w+) (\(o [\d ]+\)|\d+|true)')
FUNCTIONS = set('funcid opfuncid aggfnoid winfnoid tsmhandler'.split())
OPERATORS = set('opno eqop sortop opnos'.split())
TYPES = set('vartype consttype resulttype opresulttype funcresulttype wintype aggtype array_typeid element_typeid '
            'row_typeid casetype coalescetype minmaxtype paramtype coltypes'.split())
FIRST_USERS = 16384

# What is the database's own: kind, oid, name, whether it is harmful by itself, the tree that it holds.
OWN = r"""
select 'f', p.oid, p.proname, p.provolatile = 'v' or exists (select from pg_aggregate a join pg_proc s on s.oid in
    (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn,
    a.aggmfinalfn) where a.aggfnoid = p.oid and s.provolatile = 'v'), p.proargdefaults::text
    from pg_proc p where p.oid >= 16384;
select 'o', o.oid, o.oprname, false, ':funcid ' || o.oprcode::oid from pg_operator o where o.oid >= 16384;
select 't', t.oid, t.typname, exists (select from pg_proc s where s.oid in (t.typinput, t.typoutput) and
    s.provolatile = 'v'), (select string_agg(c.conbin::text, ' ') from pg_constraint c where c.contypid = t.oid)
    from pg_type t where t.oid >= 16384;
select 'r', c.oid, case c.relpersistence when 't' then 'temporary' else c.relname end, c.relpersistence <> 'p' or c.relkind in ('f', 'S') or exists (
    with recursive part(oid) as (select i.inhrelid from pg_inherits i where i.inhparent = c.oid union
    select i.inhrelid from pg_inherits i join part on i.inhparent = part.oid) select from part join pg_class x
    on x.oid = part.oid where x.relpersistence = 'u' or x.relkind = 'f'), ':relkind' || c.relkind::text
    from pg_class c where c.oid >= 16384 and c.relkind not in ('i', 'I', 't');
"""
BUILTIN = """select 'f', oid, proname, false, '' from pg_proc where oid < 16384;
select 'r', oid, relname, false, ':relkind' || relkind::text from pg_class where oid < 16384 and relkind in ('r', 'v');
select 'o', oid, oprname, false, '' from pg_operator where oid < 16384;
"""


class Truth:
    def __init__(self, cluster, judge, database):
        self.judge, self.own, self.stale = judge, {}, True
        command = ['psql', '-XqAt', '-F', '\x01', '-h', cluster.env['cluster_sockets'], '-p',
                   str(cluster.ports[0]), '-U', 'postgres', '-d', database]
        self.psql = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors='replace')
        self.psql.stdin.write('set debug_print_rewritten = off; set search_path = pg_catalog;\n')
        self.builtin = self.read(BUILTIN)

    def read(self, sql):
        self.psql.stdin.write(sql + '\\echo \x03\n')
        self.psql.stdin.flush()
        text = ''
        while not text.endswith('\x03\n'):
            text += self.psql.stdout.readline()
        rows = (row.split('\x01') for row in text.split('\n'))
        return {(row[0], int(row[1])): (row[2], row[3] == 't', row[4]) for row in rows if len(row) == 5}

    def bad(self, kind, oid, seen):
        """None, or the name of what is harmful."""
        name, harmful, tree = (self.builtin if oid < FIRST_USERS else self.own).get((kind, oid), (None, False, ''))
        if name is None:
            return None if kind == 't' or oid == 0 else '%s %d' % (kind, oid)
        if (kind, oid) in seen:
            return None
        seen.add((kind, oid))
        if oid >= FIRST_USERS:
            return name if harmful else self.bad_tree(tree, seen)
        if kind == 'f':
            return name if self.judge.functions.get(name, 'HARMLESS') not in ('HARMLESS', 'UNKNOWN') else None
        return name if kind == 'r' and (name in self.judge.views or re.match('pg_stat(io)?_', name)) else None

    @staticmethod
    def parts(tree):
        """(kind, oid) of everything in it."""
        for field, value in FIELD.findall(tree):
            kind = 'f' if field in FUNCTIONS else 'o' if field in OPERATORS else 't' if field in TYPES else \
                'r' if field == 'relid' else None
            if kind and value != 'true':
                yield from ((kind, int(n)) for n in re.findall(r'\d+', value) if n != '0')

    def bad_tree(self, tree, seen):
        for kind, oid in self.parts(tree):
            bad = self.bad(kind, oid, seen)
            if bad:
                return bad
        return None

    def of(self, tree):
        """(None or what is harmful in it, whether it has objects of the database's own but tables, their names)."""
        if self.stale:
            self.own, self.stale = self.read(OWN), False
        own = {(kind, oid) for kind, oid in self.parts(tree) if oid >= FIRST_USERS}
        names = {self.own.get(part, ('',))[0] for part in own}
        others = any(kind != 'r' or self.own.get((kind, oid), ('', 0, ''))[2][-1:] == 'v' for kind, oid in own)
        return self.bad_tree(tree, set()), others, names

    def stop(self):
        self.psql.stdin.close()
        self.psql.wait()


def is_read(tree):
    """A query that neither modifies nor locks."""
    return ':commandType 1 ' in tree[:40] and not re.search(
        r':commandType [2-5]|:hasForUpdate true|:hasModifyingCTE true|\{ROWMARKCLAUSE', tree)
