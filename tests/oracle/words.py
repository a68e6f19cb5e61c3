"""What made statements are made of. Many names are key words or functions of PostgreSQL on purpose."""

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

UNRESERVED = [word for word in KEYWORDS if word not in set('''all analyze and any array as asc asymmetric both case cast
check collate column create cross current_date current_time desc distinct do else end except exclude false fetch for
foreign from full grant group having ilike in inner intersect into is isnull join lateral left like limit natural not
notnull null offset on only or order outer overlaps placing primary references returning right select session_user
similar some symmetric table tablesample then to trim true union unique user using variadic verbose when where window
with'''.split())]

NAMES = '''a b t u x y foo bar data value delete update insert "update" "lower" nextval last_value f now public pg_temp
pg_catalog pg_locks mood "Foo" merge key share no name path filter over by system "a""b" a$b "nextval(1)" temp
for_update skip locked nowait of U&"foo" U&"d\\0061ta"'''.split() + ['"a b"', '"for update"', '"delete from t"']
FUNCTIONS = '''lower upper count sum max coalesce now length abs generate_series unnest foo foo bar nextval set_config
public.foo pg_catalog.lower pg_catalog.nextval "lower" "Foo" cube rollup filter over by materialized join left right
overlaps like second first pg_sleep txid_current row greatest nullif exists mood text jsonb system query_to_xml
current_setting percentile_cont row_number last_value pg_advisory_lock json_build_object U&"foo" rank lag
string_agg array_agg concat format pg_catalog.set_config "set_config" NextVal "NEXTVAL" pg_catalog."setval" lo_import
pg_read_file pg_terminate_backend pg_notify mode jsonb_path_query regexp_matches pg_catalog.count values interval time
zone key of escape between first value name foo.bar.lower database.pg_catalog.lower pg_export_snapshot'''.split()
TYPES = '''int text numeric(10,2) varchar(3) "char" mood public.mood pg_catalog.int4 double precision_ timestamp
timestamp_with interval int[] date jsonb mood(3) regclass character_varying bit(3) "mood" data xml name time_with
interval_year interval_second national bit_varying int_array text[][3] float(3) decimal(3) pg_catalog.numeric(1)
pg_catalog."char" public."char" char(3) "int4" "INT4" timestamptz(0) setof_int foo.bar.mood U&"int4"'''.split()
OPERATORS = '''+ - * / = <> < > || -> ->> @> && <~> ~~ ? operator(pg_catalog.+) operator(public.+) operator(+) % ^ <= >=
!= ~ !~ ~* @ | & # << >> <-> #>> @@ |/ !~~* operator(pg_catalog.<~>) operator("pg_catalog".=) operator(foo.bar.=) ===
operator(pg_catalog.~~) ?| =# %% <@> @-@'''.split()
