"""A real standby judges the table of built-ins: every function that lib/policy/builtins.inc calls harmless is called
there, in each overload that can be given plain arguments. None may be refused because it is a standby, none may
answer otherwise than the primary (but for clocks, chance and the server's identity), and nothing may stay in the
session: no lock, setting, prepared statement, cursor, channel or temporary schema. And the table knows every function
and key word that this server has, and judges none milder than the generator does by this server's volatility.

    test_builtins.py SOURCE-ROOT"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cluster import Cluster

ROOT = os.path.abspath(sys.argv[1])

# One plain value a type; a function that wants another type is left out and counted.
VALUES = {
    "text": "'a'", "integer": "1", "bigint": "1::bigint", "smallint": "1::smallint", "oid": "1259::oid",
    "regclass": "'pg_class'::regclass", "boolean": "true", "name": "'pg_class'::name", "cstring": "'1'::cstring",
    "real": "1::real", "double precision": "0.01::float8", "numeric": "1.5", '"char"': "'a'::\"char\"",
    "bytea": "'a'::bytea", "date": "date '2020-01-01'", "interval": "interval '1 ms'",
    "timestamp without time zone": "timestamp '2020-01-01'",
    "timestamp with time zone": "timestamptz '2020-01-01'", "time without time zone": "time '10:00'",
    "time with time zone": "timetz '10:00+00'", "json": "'{\"a\":1}'::json", "jsonb": "'{\"a\":1}'::jsonb",
    "jsonpath": "'$.a'::jsonpath", "xml": "'<a/>'::xml", "tsvector": "'a'::tsvector", "tsquery": "'a'::tsquery",
    "regconfig": "'simple'::regconfig", "regdictionary": "'simple'::regdictionary", "inet": "inet '1.2.3.4'",
    "cidr": "cidr '1.2.3.0/24'", "uuid": "uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "pg_lsn": "'0/1'::pg_lsn",
    "anyarray": "array[1]", "anyelement": "1", "anynonarray": "1", "anycompatible": "1", '"any"': "1",
    "anycompatiblearray": "array[1]", "anycompatiblenonarray": "1", "record": "row(1, 2)",
    "point": "point '(1,1)'", "box": "box '(1,1),(0,0)'", "circle": "circle '<(1,1),1>'",
    "polygon": "polygon '((0,0),(1,1))'", "path": "path '((0,0),(1,1))'", "lseg": "lseg '((0,0),(1,1))'",
    "line": "line '{1,1,1}'", "bit": "B'1'", "bit varying": "B'1'::varbit", "character": "'a'::bpchar",
    "character varying": "'a'::varchar", "money": "'1'::money", "macaddr": "macaddr '08:00:2b:01:02:03'",
    "macaddr8": "macaddr8 '08:00:2b:01:02:03:04:05'", "xid": "'3'::xid", "xid8": "'3'::xid8", "cid": "'1'::cid",
    "tid": "'(0,1)'::tid", "anyrange": "int4range(1, 2)", "anymultirange": "'{[1,2)}'::int4multirange",
    "oidvector": "'1'::oidvector", "int2vector": "'1'::int2vector", "aclitem": "'postgres=r/postgres'::aclitem",
    "txid_snapshot": "'10:20:10'::txid_snapshot", "pg_snapshot": "'10:20:10'::pg_snapshot",
    "regtype": "'int'::regtype", "regnamespace": "'pg_catalog'::regnamespace", "regproc": "'pi'::regproc",
    "regprocedure": "'pi()'::regprocedure", "regoper": "'||/'::regoper", "regrole": "'postgres'::regrole",
    "anycompatiblerange": "int4range(1, 2)", "anycompatiblemultirange": "'{[1,2)}'::int4multirange",
    "refcursor": "'a'::refcursor", "int4range": "int4range(1, 2)", "int8range": "int8range(1, 2)",
    "numrange": "numrange(1, 2)", "daterange": "daterange(null, null)", "tsrange": "tsrange(null, null)",
    "tstzrange": "tstzrange(null, null)",
}

# Clocks, chance, and who one talks to.
DIFFERS = set("""clock_timestamp now statement_timestamp transaction_timestamp timeofday random random_normal gen_random_uuid
uuidv4 uuidv7 pg_backend_pid pg_is_in_recovery inet_client_port inet_server_port pg_current_snapshot txid_current_snapshot
age mxid_age pg_sleep_until""".split())

REFUSED = re.compile("25006|0A000.*recovery|during recovery|recovery is in progress|read-only transaction")

STATE = """select 'STATE', (select count(*) from pg_locks where pid = pg_backend_pid() and locktype in
    ('advisory', 'object', 'transactionid')), (select md5(string_agg(name || setting, ',' order by name)) from
    pg_settings), (select count(*) from pg_prepared_statements), (select count(*) from pg_cursors where name <> ''),
    pg_my_temp_schema(), (select count(*) from pg_listening_channels())""".replace("\n", " ")

SIGNATURES = """select p.oid::regprocedure, proname, prokind, (select string_agg(t::regtype::text, '|' order by o)
    from unnest(proargtypes) with ordinality u(t, o)) from pg_proc p where pronamespace =
    'pg_catalog'::regnamespace and not 'internal'::regtype = any (proargtypes) and aggkind_is_plain order by 1"""


def table():
    """Of each word what its function does, and its category."""
    text = open(os.path.join(ROOT, "lib/policy/builtins.inc")).read()
    words = re.findall(r'"(\w+)", \d+, PQR__FUNCTION_(\w+), PQR__KW_\w+, PQR__CATEGORY_(\w+)', text)
    return {name: (function, category) for name, function, category in words}


def harmless_names():
    harmless = {name for name, (function, _) in table().items() if function == "HARMLESS"}
    assert "lower" in harmless
    return harmless


def generator():
    spec = importlib.util.spec_from_file_location("builtins_generator", os.path.join(ROOT, "lib/policy/builtins.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unknown_words(cluster):
    """What the table lacks or judges otherwise."""
    made, words, wrong = generator(), table(), []
    for name, volatile in cluster.sql(0, made.FUNCTIONS):
        verdict = made.judge(name, volatile == "t") or "UNKNOWN"
        known = words.get(name, ("UNKNOWN", ""))[0]
        if known != verdict and not (verdict == "HARMLESS" and known != "UNKNOWN"):  # volatile in another version
            wrong.append(f"function {name}: {verdict}, in the table {known}")
    for word, _ in cluster.sql(0, made.KEYWORDS):
        if words.get(word, ("", "NONE"))[1] == "NONE":
            wrong.append(f"key word {word}: not in the table")
    return wrong


def value(type_name):
    if type_name.endswith("[]") and type_name[:-2] in VALUES:
        return f"array[{VALUES[type_name[:-2]]}]"
    return VALUES.get(type_name)


def calls_of(cluster):
    harmless, calls, left_out = harmless_names(), [], 0
    plain = "not exists (select from pg_aggregate a where a.aggfnoid = p.oid and aggkind <> 'n')"
    for signature, name, kind, types in cluster.sql(0, SIGNATURES.replace("aggkind_is_plain", plain)):
        if name not in harmless:
            continue
        values = [value(t) for t in types.split("|")] if types else []
        if None in values:
            left_out += 1
            continue
        window = " over ()" if kind == "w" else ""
        calls.append((signature, name, f'select pg_catalog."{name}"({", ".join(values)}){window};'))
    return calls, left_out


def answers(cluster, server, calls):
    """By signature, what psql printed; and the session's state before and after."""
    script = tempfile.NamedTemporaryFile("w", suffix=".sql", delete=False, dir="/tmp")
    with script:
        script.write("\\set VERBOSITY verbose\n" + STATE + ";\n")
        for signature, _, call in calls:
            script.write("\\echo CALL " + re.sub(r"['\"\\]", "", signature) + "\n" + call + "\n")
        script.write("\\echo CALL\n" + STATE + ";\n")
    os.chmod(script.name, 0o644)
    command = ["psql", "-XqAt", "-h", cluster.env["cluster_sockets"], "-p", str(cluster.ports[server]), "-U",
               "postgres", "-d", "app", "-f", script.name]
    if os.geteuid() == 0:
        user = cluster.env["cluster_os_user"]
        command = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"] + command
    env = {name: v for name, v in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd="/", timeout=120)
    os.unlink(script.name)
    by_signature, current = {}, ""
    states = []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("CALL"):
            current = line[5:]
        elif line.startswith("STATE|"):
            states.append(line)
        else:
            line = re.sub(r"^psql:\S+ ", "", line)
            by_signature[current] = by_signature.get(current, "") + line + "\n"
    return by_signature, states


def main():
    cluster = Cluster(replicas=1)
    try:
        calls, left_out = calls_of(cluster)
        unknown = unknown_words(cluster)
        standby, states = answers(cluster, 1, calls)
        primary, _ = answers(cluster, 0, calls)
    finally:
        cluster.stop()
    wrong = len(unknown)
    for line in unknown:
        print("TABLE", line, "(tests/support/builtins makes it)")
    for signature, name, call in calls:
        key = re.sub(r"['\"\\]", "", signature)
        answer = standby.get(key, "")
        if REFUSED.search(answer):
            print("REFUSED", call, answer.strip())
            wrong += 1
        elif name not in DIFFERS and answer != primary.get(key, ""):
            print("DIFFERS", call, repr(answer), repr(primary.get(key, "")))
            wrong += 1
    if len(states) != 2 or states[0] != states[1]:
        print("STATE LEFT", states)
        wrong += 1
    errors = sum("ERROR:" in answer for answer in standby.values())
    print(f"{len(calls)} calls, {errors} of them errors on both, {left_out} overloads left out, {wrong} wrong")
    return 1 if wrong or len(calls) < 2000 else 0


sys.exit(main())
