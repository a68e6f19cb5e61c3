/* Everything is qualified, operators too: the search_path of a role must not decide what a question means. All of
   it can be read by a plain role, and nothing in it takes a lock on what it is about: what a view, a policy, a
   check or a default is made of is read from its stored tree, not by pg_get_viewdef or pg_get_expr, which open the
   relations and wait behind an ALTER TABLE. The field names of those trees are the same from PostgreSQL 14 to 18. */
#include "router/catalog_sql.h"

#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Woverlength-strings" /* C11 promises 4,095 bytes, both compilers take more */
#endif

/* clang-format off */

#define EQ       " operator(pg_catalog.=) "
#define NE       " operator(pg_catalog.<>) "
#define AFTER    " operator(pg_catalog.>) $1::pg_catalog.oid "
#define USERS    " operator(pg_catalog.>=) 16384 "
#define BUILTIN  " operator(pg_catalog.<) 16384 "
#define TYPED    "$2::pg_catalog.bool"
#define NOTHING  "null, null, null, null"
#define OID(x)   x "::pg_catalog.oid"
#define ANY(set) EQ "any (" set ")"
#define CHARS(list) ANY("'{" list "}'::pg_catalog.\"char\"[]")

/* What a stored tree is made of: kind, name, builtin, volatility. PostgreSQL's own operators and types need no look,
   the functions behind them are named beside them. */
#define FUNCTION_IDS "funcid,opfuncid,aggfnoid,winfnoid"
#define TYPE_IDS "resulttype,typid" /* typid: what JSON_VALUE and its like return */
#define FIELD_IS(names) "m.hit[1]" ANY("'{" names "}'::pg_catalog.text[]")
#define TREE(tree) \
    "select distinct" \
    " case when " FIELD_IS(FUNCTION_IDS ",tsmhandler") " then 'f' when " FIELD_IS("relid") " then 'r'" \
    " when " FIELD_IS(TYPE_IDS) " then 't' when " FIELD_IS("hasForUpdate") " then 'u' else 'o' end as kind," \
    " coalesce(p.proname, c.relname, t.typname, o.oprname) as name, m.id" BUILTIN "as builtin," \
    " p.provolatile as volatility" \
    " from (select h.hit, case when h.hit[2]" NE "'true' then h.hit[2]::pg_catalog.oid end as id" \
    " from pg_catalog.regexp_matches(" tree "::pg_catalog.text, '[:](funcid|opfuncid|aggfnoid|winfnoid" \
    "|tsmhandler|relid|resulttype|typid|opno|eqop|sortop|hasForUpdate) ([0-9]+|true)', 'g') as h(hit)) as m" \
    " left join pg_catalog.pg_proc p on p.oid" EQ "m.id and " FIELD_IS(FUNCTION_IDS ",tsmhandler") \
    " left join pg_catalog.pg_class c on c.oid" EQ "m.id and " FIELD_IS("relid") \
    " left join pg_catalog.pg_type t on t.oid" EQ "m.id and " FIELD_IS(TYPE_IDS) \
    " left join pg_catalog.pg_operator o on o.oid" EQ "m.id and " FIELD_IS("opno,eqop,sortop") \
    " where m.id is null or (m.id" NE "0 and (m.id" USERS "or " FIELD_IS(FUNCTION_IDS ",relid") "))"

/* The user's type behind b0, which may be an array of it. */
#define ELEMENT_OF_B0 \
    " join pg_catalog.pg_type b on b.oid" EQ "case when b0.typcategory" EQ "'A' and b0.typelem" NE "0" \
    " then b0.typelem else b0.oid end and b.oid" USERS
#define A_TYPE "'t', b.typname, false, null"
#define A_FUNCTION "'f', p.proname, p.oid" BUILTIN ", p.provolatile"
#define AGGREGATE_FUNCTIONS \
    OID("a.aggtransfn") ", " OID("a.aggfinalfn") ", " OID("a.aggcombinefn") ", " OID("a.aggserialfn") ", " \
    OID("a.aggdeserialfn") ", " OID("a.aggmtransfn") ", " OID("a.aggminvtransfn") ", " OID("a.aggmfinalfn")
/* Of a function's arguments, those of OUT and TABLE too, and its result's. */
#define ALL_TYPES \
    "pg_catalog.array_append(coalesce(proallargtypes, proargtypes::pg_catalog.oid[]), prorettype)"
/* True of an operator that nobody reaches without a value of one of its types: one of PostgreSQL's own has its name, so
   that literals of no type and values of other types are taken for that one's, and nothing is turned into its types
   unasked: there is no implicit cast, and they are no domains, rows or arrays, which casts of their parts reach.
   Literals of no type are taken for strings where an operator takes those: for text before a user's type of that
   category, if there is one of PostgreSQL's own that takes text. So it is as if it were a part of those types, which is
   what is called harmful when it is volatile. A user's = over a type of his own would keep every statement from
   replicas otherwise. */
#define CONFINED \
    HOLDS("from pg_catalog.pg_operator b where b.oid" BUILTIN "and b.oprname" EQ "n.oprname and b.oprkind" EQ \
          "n.oprkind") \
    " and not " HOLDS("from pg_catalog.unnest(array[n.oprleft, n.oprright]) as x(id) left join pg_catalog.pg_type y" \
          " on y.oid" EQ "x.id where x.id" NE "0 and (x.id" BUILTIN "or y.oid is null or not y.typtype" \
          CHARS("b,e,r,m") " or y.typcategory" EQ "'A' or y.typispreferred or (y.typcategory" EQ "'S' and not " \
          HOLDS("from pg_catalog.pg_operator b where b.oid" BUILTIN "and b.oprname" EQ "n.oprname and b.oprright" EQ \
                "25 and b.oprleft" EQ "case b.oprkind when 'b' then 25 else 0 end and b.oprkind" EQ "n.oprkind") ") or " \
          HOLDS("from pg_catalog.pg_cast c where c.casttarget" EQ "x.id and c.castsource" NE "x.id" \
                " and c.castcontext" EQ "'i'") ")")
/* Operators, and what bears the judgement. */
#define OPERATORS(limit) \
    "(select n.*, " CONFINED " as confined from pg_catalog.pg_operator n where n.oid" AFTER "order by n.oid limit " \
    limit ") o cross join lateral (select 'o' as kind, o.oprname as name, not o.confined as judged" \
    " union all select 't', t.typname, true from pg_catalog.pg_type t where o.confined and t.oid" \
    ANY("array[o.oprleft, o.oprright]") ") k"
/* A member of an operator family, by the types it is for and its function. One that takes an internal argument is an
   access method's: no SQL can call it and none but C be its language, so whoever declared it did not choose: it is
   volatile in most extensions (PostGIS), because that is the default. */
#define CLASS_MEMBERS(left, right, function, from) \
    "select m.oid, case when t.oid" BUILTIN "then 's' else 't' end, t.typname, false, case when p.oid is null" \
    " or 2281 operator(pg_catalog.<>) all (p.proargtypes::pg_catalog.oid[]) then 'f' end, p.proname, p.oid" BUILTIN \
    ", p.provolatile" \
    " from (select m.oid, " left " as l, " right " as r, " function " as f from " from " where m.oid" AFTER \
    "order by m.oid limit 2000) m join pg_catalog.pg_type t on t.oid" ANY("array[m.l, m.r]") \
    " and (t.oid" USERS "or (m.l" BUILTIN "and m.r" BUILTIN "))" \
    " left join pg_catalog.pg_proc p on p.oid" EQ "m.f order by 1"

/* The types that a stored tree depends on: some stand in it as elements of lists (the columns of XMLTABLE and of
   json_to_record() AS (...)), as constants and as arrays. What is of a catalog and has that oid. */
#define TYPES_OF(from, catalog, id) \
    "select " A_TYPE " from " from "pg_catalog.pg_depend x join pg_catalog.pg_type b0 on b0.oid" EQ "x.refobjid" \
    ELEMENT_OF_B0 " where " TYPED " and x.classid" EQ "'pg_catalog." catalog "'::pg_catalog.regclass and x.objid" EQ id \
    " and x.refclassid" EQ "'pg_catalog.pg_type'::pg_catalog.regclass"

/* coalesce(subquery) instead of exists: the planner must not read all of pg_proc for it. */
#define HOLDS(from) "coalesce((select true " from " limit 1), false)"
#define ANY_VOLATILE(oids) \
    HOLDS("from pg_catalog.pg_proc s where s.oid" ANY("array[" oids "]") " and s.provolatile" EQ "'v'")

/* How many arguments a call of p may have in its parentheses; NULL: any number, or some stand outside of them (WITHIN
   GROUP). */
#define COUNTABLE \
    "p.provariadic" EQ "0 and p.prokind" NE "'p' and (p.prokind" NE "'a' or " \
    HOLDS("from pg_catalog.pg_aggregate g where " OID("g.aggfnoid") EQ "p.oid and g.aggkind" EQ "'n'") ")"
#define ARGUMENTS \
    "case when " COUNTABLE " then p.pronargs operator(pg_catalog.-) p.pronargdefaults end," \
    " case when " COUNTABLE " then p.pronargs end"

#define DEPENDS " left join lateral ("
#define WITH_IT ") d(kind, name, builtin, volatility) on true order by 1"

const struct pqr__catalog_step pqr__catalog_steps[PQR__CATALOG_STEPS] = {
    /* As downcase_identifier() does in encodings of one byte a character. In another encoding than the client's a name
       has another length, so that nobody knows whether the server cuts it. */
    {"select 16384, 'e', 'encoding', pg_catalog.pg_encoding_max_length(d.encoding)" EQ "1 or"
     " pg_catalog.pg_encoding_to_char(d.encoding)" NE "pg_catalog.pg_client_encoding(), " NOTHING
     " from pg_catalog.pg_database d where d.datname" EQ "pg_catalog.current_database() and 16384" AFTER,
     false},

    /* Functions. One marked immutable may still be an aggregate over volatile ones. */
    {"select p.oid, 'f', p.proname, p.provolatile" EQ "'v' or p.prokind" EQ "'p' or (p.prokind" EQ "'a' and "
     HOLDS("from pg_catalog.pg_aggregate a where " OID("a.aggfnoid") EQ "p.oid and " ANY_VOLATILE(
         AGGREGATE_FUNCTIONS))
     "), " NOTHING ", n.nspname, " ARGUMENTS
     " from (select * from pg_catalog.pg_proc where oid" AFTER "order by oid limit 2000) p"
     " left join pg_catalog.pg_namespace n on n.oid" EQ "p.pronamespace order by 1",
     false},

    /* Operators are their functions. */
    {"select o.oid, k.kind, k.name, false, case when k.judged then 'f' end, p.proname, p.oid" BUILTIN ", p.provolatile"
     " from " OPERATORS("2000") " left join pg_catalog.pg_proc p on p.oid" EQ OID("o.oprcode") " order by 1",
     false},

    /* Types: input and output. Without arrays, which are named by their elements. The types of tables' rows are many,
       and named in json_populate_record(null::t, ...). */
    {"select t.oid, 't', t.typname, " ANY_VOLATILE(
         OID("t.typinput") ", " OID("t.typoutput") ", " OID("t.typreceive") ", " OID("t.typsend") ", "
         OID("t.typmodin") ", " OID("t.typmodout") ", " OID("t.typsubscript"))
     ", " NOTHING
     " from (select * from pg_catalog.pg_type where oid" AFTER "and not (typcategory" EQ "'A' and typelem" NE "0)"
     " order by oid limit 2000) t order by 1",
     false},

    /* Relations that a standby refuses, or reads ahead, or that are elsewhere; and what they are parts of. */
    {"with recursive bad(oid) as (select c.oid from pg_catalog.pg_class c where c.oid" USERS
     "and (c.relkind" CHARS("f,S") " or (c.relpersistence" EQ "'u' and c.relkind" CHARS("r,m,p") "))"
     " union select i.inhparent from pg_catalog.pg_inherits i join bad on bad.oid" EQ "i.inhrelid)"
     " select c.oid, 'r', c.relname, true, " NOTHING
     " from pg_catalog.pg_class c join bad on bad.oid" EQ "c.oid where c.oid" AFTER
     "order by c.oid limit 2000",
     false},

    /* Relations over others, of which a statement's parameters may decide what is read. */
    {"select c.oid, 'm', c.relname, false, " NOTHING
     " from pg_catalog.pg_class c where c.oid" AFTER "and c.oid" USERS
     "and (c.relkind" CHARS("p,v") " or c.relhassubclass or c.relrowsecurity) order by c.oid limit 2000",
     false},

    /* --- From here on: again and again --- */

    /* Casts by functions: they may be called unseen. One between types of PostgreSQL's own touches everything. */
    {"select k.oid, case when t.oid" BUILTIN "then 's' else 't' end, t.typname, false,"
     " 'f', p.proname, p.oid" BUILTIN ", p.provolatile"
     " from (select * from pg_catalog.pg_cast where oid" AFTER "and castfunc" NE "0 order by oid limit 2000) k"
     " join pg_catalog.pg_type t on t.oid" ANY("array[k.castsource, k.casttarget]")
     " and (t.oid" USERS "or (k.castsource" BUILTIN "and k.casttarget" BUILTIN "))"
     " left join pg_catalog.pg_proc p on p.oid" EQ "k.castfunc order by 1",
     false},

    /* Operator classes: what compares and hashes behind DISTINCT, ORDER BY, UNION, IN, and what an index calls. One for
       types of PostgreSQL's own touches everything: it may be picked for any ORDER BY. */
    {CLASS_MEMBERS("m.amproclefttype", "m.amprocrighttype", OID("m.amproc"), "pg_catalog.pg_amproc m"), false},
    {CLASS_MEMBERS("m.amoplefttype", "m.amoprighttype", OID("o.oprcode"),
         "pg_catalog.pg_amop m join pg_catalog.pg_operator o on o.oid" EQ "m.amopopr"), false},

    /* Types made of types; domains with checks. */
    {"select t.oid, 't', t.typname, false, d.kind, d.name, d.builtin, d.volatility"
     " from (select y.* from pg_catalog.pg_type y left join pg_catalog.pg_class c on c.oid" EQ "y.typrelid"
     " where y.oid" AFTER "and (y.typtype" CHARS("d,r,m") " or (" TYPED
     " and c.relkind" EQ "'c')) order by y.oid limit 200) t"
     DEPENDS "select e.* from pg_catalog.pg_constraint k cross join lateral (" TREE("k.conbin") ") e"
     " where k.contypid" EQ "t.oid and k.conbin is not null"
     " union all select " A_TYPE " from pg_catalog.pg_type b0" ELEMENT_OF_B0 " where b0.oid" EQ "t.typbasetype"
     " union all select " A_TYPE " from pg_catalog.pg_attribute a join pg_catalog.pg_type b0 on b0.oid" EQ
     "a.atttypid" ELEMENT_OF_B0 " where a.attrelid" EQ "t.typrelid"
     " union all select " A_TYPE " from pg_catalog.pg_range r join pg_catalog.pg_type b0 on b0.oid" EQ
     "r.rngsubtype" ELEMENT_OF_B0 " where t.oid" ANY("array[r.rngtypid, r.rngmultitypid]")
     " union all select " A_FUNCTION " from pg_catalog.pg_range r"
     " join pg_catalog.pg_proc p on p.oid" ANY("array[" OID("r.rngcanonical") ", " OID("r.rngsubdiff") "]")
     " where t.oid" ANY("array[r.rngtypid, r.rngmultitypid]")
     " union all select " A_FUNCTION " from pg_catalog.pg_range r"
     " join pg_catalog.pg_opclass k on k.oid" EQ "r.rngsubopc and k.oid" USERS
     " join pg_catalog.pg_amproc m on m.amprocfamily" EQ "k.opcfamily"
     " join pg_catalog.pg_proc p on p.oid" EQ OID("m.amproc")
     " where 2281 operator(pg_catalog.<>) all (p.proargtypes::pg_catalog.oid[]) and t.oid" ANY("array[r.rngtypid, r.rngmultitypid]") WITH_IT,
     true},

    /* Functions by the defaults of their arguments, which a call may leave to them, and by their types. Those written
       in SQL and declared stable or immutable by their bodies too: PostgreSQL does not look whether that is true. A
       body that is long, or that the function's own settings may let mean another thing, is not read. What another
       language does is taken on its declaration. */
    {"select p.oid, 'f', p.proname, false, d.kind, d.name, d.builtin, d.volatility, (select n.nspname"
     " from pg_catalog.pg_namespace n where n.oid" EQ "p.pronamespace), " ARGUMENTS
     " from (select *, " ALL_TYPES " as types, prolang" EQ "14 and provolatile" NE "'v' as in_sql"
     " from pg_catalog.pg_proc where oid" AFTER "and (proargdefaults is not null or prokind" EQ "'a'"
     " or (prolang" EQ "14 and provolatile" NE "'v') or (" TYPED
     " and 16384 operator(pg_catalog.<=) any (" ALL_TYPES "))) order by oid limit 500) p"
     DEPENDS "select e.* from (" TREE("p.proargdefaults") ") e"
     " union all select e.* from (" TREE("p.prosqlbody") ") e where p.in_sql"
     " union all " TYPES_OF("", "pg_proc", "p.oid")
     " union all select 'q', case when pg_catalog.length(p.prosrc) operator(pg_catalog.<=) 8192 and"
    " coalesce(pg_catalog.strpos(p.proconfig::pg_catalog.text, 'standard_conforming_strings')" EQ "0, true)"
    " then p.prosrc end,"
     " false, null where p.in_sql and p.prosqlbody is null"
     " union all select 'f', s.proname, false, s.provolatile from pg_catalog.pg_aggregate a"
     " join pg_catalog.pg_proc s on s.oid" ANY("array[" AGGREGATE_FUNCTIONS "]") " and s.oid" USERS
     " where " OID("a.aggfnoid") EQ "p.oid"
     " union all select " A_TYPE " from pg_catalog.pg_aggregate a join pg_catalog.pg_type b0 on b0.oid"
     ANY("array[a.aggtranstype, a.aggmtranstype]") ELEMENT_OF_B0 " where " TYPED " and " OID("a.aggfnoid") EQ "p.oid"
     " union all select " A_TYPE " from pg_catalog.pg_type b0" ELEMENT_OF_B0 " where " TYPED
     " and b0.oid" ANY("p.types") WITH_IT,
     true},

    /* Operators by their functions again, which may be known better now, and by the operators that the planner puts in
       their place: b > a for a < b, a >= b for not (a < b). */
    {"select o.oid, k.kind, k.name, false, d.kind, d.name, d.builtin, d.volatility"
     " from " OPERATORS("500")
     DEPENDS "select " A_FUNCTION " from pg_catalog.pg_proc p where k.judged and p.oid" EQ OID("o.oprcode")
     " union all select 'o', x.oprname, false, null from pg_catalog.pg_operator x where k.judged and x.oid" USERS
     "and x.oid" ANY("array[o.oprcom, o.oprnegate]")
     " union all select " A_TYPE " from pg_catalog.pg_type b0" ELEMENT_OF_B0 " where " TYPED
     " and not o.confined and b0.oid" ANY("array[o.oprleft, o.oprright, o.oprresult]") WITH_IT,
     true},

    /* Views, tables with row-level security, tables with columns of users' types; casts of whole rows. */
    {"select c.oid, 'r', c.relname, false, d.kind, d.name, d.builtin, d.volatility"
     " from (select * from pg_catalog.pg_class where oid" AFTER "and (relkind" EQ "'v' or relrowsecurity or ("
     TYPED " and relkind" CHARS("r,p,m,f") ")) order by oid limit 200) c"
     DEPENDS "select e.* from pg_catalog.pg_rewrite r cross join lateral (" TREE("r.ev_action") ") e"
     " where r.ev_class" EQ "c.oid and r.ev_type" EQ "'1'"
     " union all select e.* from pg_catalog.pg_policy r cross join lateral (" TREE("r.polqual") ") e"
     " where c.relrowsecurity and r.polrelid" EQ "c.oid and r.polqual is not null"
     " union all " TYPES_OF("pg_catalog.pg_rewrite r cross join ", "pg_rewrite", "r.oid")
     " and r.ev_class" EQ "c.oid and r.ev_type" EQ "'1'"
     " union all " TYPES_OF("pg_catalog.pg_policy r cross join ", "pg_policy", "r.oid")
     " and c.relrowsecurity and r.polrelid" EQ "c.oid"
     " union all select " A_TYPE " from pg_catalog.pg_attribute a join pg_catalog.pg_type b0 on b0.oid" EQ
     "a.atttypid" ELEMENT_OF_B0 " where " TYPED " and a.attrelid" EQ "c.oid and a.attnum"
     " operator(pg_catalog.>) 0 and not a.attisdropped"
     " union all select " A_TYPE " from pg_catalog.pg_type b where " TYPED " and b.oid" EQ "c.reltype" WITH_IT,
     true},

    /* Tables by what the planner computes in advance whenever they are read: expressions of indexes, statistics,
       partition keys and checks, where they call what is declared immutable with constants. Their parents are planned
       with them. */
    {"select x.id, 'r', c.relname, false, e.kind, e.name, e.builtin, e.volatility from ("
     "select i.indexrelid as id, i.indrelid as rel, pg_catalog.concat(i.indexprs, i.indpred) as tree"
     " from pg_catalog.pg_index i where i.indexrelid" AFTER "and (i.indexprs is not null or i.indpred is not null)"
     " union all select s.oid, s.stxrelid, s.stxexprs::pg_catalog.text from pg_catalog.pg_statistic_ext s"
     " where s.oid" AFTER "and s.stxexprs is not null"
     " union all select p.partrelid, p.partrelid, p.partexprs::pg_catalog.text from pg_catalog.pg_partitioned_table p"
     " where p.partrelid" AFTER "and p.partexprs is not null"
     " union all select k.oid, k.conrelid, k.conbin::pg_catalog.text from pg_catalog.pg_constraint k"
     " where k.oid" AFTER "and k.conrelid" NE "0 and k.conbin is not null"
     " order by id fetch first 500 rows with ties) x cross join lateral (with recursive up(oid) as (select x.rel"
     " union select i.inhparent from pg_catalog.pg_inherits i join up on up.oid" EQ "i.inhrelid) select up.oid from up) u"
     " join pg_catalog.pg_class c on c.oid" EQ "u.oid left join lateral (" TREE("x.tree") ") e"
     " on e.kind" EQ "'f' and not e.builtin and e.volatility" EQ "'i' order by 1",
     false},
};

#define WRITTEN(what) "pg_catalog.pg_stat_get_tuples_" what "(c.oid)"
#define TABLE(name) "'pg_catalog." name "'::pg_catalog.regclass"

const char pqr__catalog_changes_sql[] =
    "select pg_catalog.sum(" WRITTEN("updated") " operator(pg_catalog.+) case when c.oid" EQ TABLE("pg_class")
    " then 0 else " WRITTEN("inserted") " operator(pg_catalog.+) " WRITTEN("deleted") " end)"
    " from pg_catalog.unnest(array[" TABLE("pg_class") "," TABLE("pg_proc") "," TABLE("pg_rewrite") ","
    TABLE("pg_operator") "," TABLE("pg_cast") "," TABLE("pg_policy") "," TABLE("pg_constraint") ","
    TABLE("pg_index") "," TABLE("pg_inherits") "," TABLE("pg_namespace") "," TABLE("pg_statistic_ext") ","
    TABLE("pg_partitioned_table") "," TABLE("pg_foreign_table") "]) c(oid)";

/* clang-format on */
