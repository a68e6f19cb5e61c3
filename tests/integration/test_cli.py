"""The pqrouter command as people and scripts use it: what it prints, in which order, and how it ends.

    test_cli.py PATH-OF-PQROUTER [unittest's arguments]"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cluster import Cluster

COMMAND = os.path.abspath(sys.argv.pop(1))
ENV = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
WAIT = 60  # seconds; nothing here takes that long, but everything ends


def run(*args, data=b"", env=None):
    """Exit status, standard output, standard error of the command."""
    done = subprocess.run([COMMAND, *args], input=data, capture_output=True, timeout=WAIT, env=env or ENV)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def start(*args, **streams):
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen([COMMAND, *args], env=ENV, **streams)


def eventually(condition):
    end = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it never came true")
        time.sleep(0.02)


class Usage(unittest.TestCase):
    def refuses(self, words, *args):
        status, out, err = run(*args)
        self.assertEqual((status, out), (2, ""))
        self.assertTrue(err.startswith("pqrouter"), err)
        self.assertIn(words, err)
        self.assertEqual(err.count("\n"), 1, err)

    def test_names_what_is_wrong(self):
        self.refuses("no command")
        self.refuses("chek", "chek")
        self.refuses("CONFIG is missing", "check")
        self.refuses("one CONFIG only", "check", "a", "b")
        self.refuses("CONFIG is missing", "exec")
        self.refuses("two", "exec", "a=b", "one", "two")
        self.refuses("select 2", "classify", "select 1", "select 2")
        self.refuses("no.cfg: cannot open it: No such file or directory; CONFIG is", "check", "no.cfg")
        self.refuses("select 1: cannot open it: No such file or directory; CONFIG is", "exec", "select 1")
        self.refuses("--nonsense", "exec", "a=b", "--nonsense")
        self.refuses("--jobs", "check", "a=b", "--jobs", "2")
        self.refuses("--timeout", "exec", "a=b", "--timeout")
        self.refuses("bananas", "help", "bananas")

    def test_checks_values(self):
        for value in ("5", "s", "0s", "-1s", "1.5s", "5 weeks", "99999999999999999999s", "1000000h", ""):
            self.refuses(f"--timeout {value}: ", "exec", "a=b", f"--timeout={value}")
        for value in ("0", "1001", "-1", "four", "4 ", "99999999999999999999", ""):
            self.refuses(f"--jobs {value}: ", "exec", "a=b", f"--jobs={value}")
        for value in ("standby", "", "AUTO"):
            self.refuses(f"--target {value}: ", "exec", "a=b", f"--target={value}")

    def test_help_and_version(self):
        for args in (["--help"], ["help"], ["help", "exec"], ["check", "--help"], ["classify", "-h"],
                     ["exec", "--help"]):
            status, out, err = run(*args)
            self.assertEqual((status, err), (0, ""))
            for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES"):
                self.assertIn(f"{heading}\n", out)
            self.assertLessEqual(max(map(len, out.splitlines())), 110)
        self.assertRegex(run("--version")[1], r"^pqrouter \d+\.\d+\.\d+ \(libpq .*, libuv .*\)\n$")

    def test_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, env=ENV, timeout=WAIT)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)


    def test_closed_streams_are_errors(self):
        for close in ("<&-", ">&-"):
            done = subprocess.run(["sh", "-c", f'"$0" classify {close}', COMMAND], input=b"select 1",
                                  stderr=subprocess.PIPE, env=ENV, timeout=WAIT)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"standard ", done.stderr)


class Classify(unittest.TestCase):
    def lines(self, data):
        status, out, err = run("classify", data=data)
        self.assertEqual((status, err), (0, ""))
        for line in out.splitlines():
            self.assertRegex(line, r"^(replica|primary|session) .")
        return out.splitlines()

    def words(self, data):
        return [line.split()[0] for line in self.lines(data)]

    def test_argument(self):
        self.assertEqual(run("classify", "select 1")[1].split()[0], "replica")
        self.assertEqual(run("classify", "--", "-- a comment\ndelete from t")[1].split()[0], "primary")

    def test_stream(self):
        data = b"select 1\0insert into t values (1)\0create temp table t (a int)\0select\n2"
        self.assertEqual(self.words(data), ["replica", "primary", "session", "replica"])

    def test_last_may_lack_its_end(self):
        self.assertEqual(self.lines(b"select 1\0select 2"), self.lines(b"select 1\0select 2\0"))

    def test_empty(self):
        self.assertEqual(self.lines(b""), [])
        self.assertEqual(len(self.lines(b"\0")), 1)
        self.assertEqual(len(self.lines(b"\0\0select 1\0\0")), 4)
        self.assertEqual(len(run("classify", "")[1].splitlines()), 1)

    def test_long(self):
        long = b"select '" + b"x" * 1000000 + b"'"
        self.assertEqual(self.words(long + b"\0delete from t\0" + long), ["replica", "primary", "replica"])

    def test_any_bytes(self):
        self.assertEqual(self.words(b"select '\xff\xfe'\0\xc3\x28 \x80"), ["replica", "primary"])
        chance = random.Random(2)
        pieces = [bytes(chance.randrange(1, 256) for _ in range(chance.randrange(80))) for _ in range(2000)]
        self.assertEqual(len(self.lines(b"".join(piece + b"\0" for piece in pieces))), len(pieces))

    def test_explains(self):
        status, out, err = run("classify", "--explain", "select price(a) from t for update")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.splitlines(), [
            "primary unknown function price",
            "    function  price: built-in none, catalog not read",
            "    rule      price: primary, unknown function price",
            "    relation  t: built-in none, catalog not read",
            "    rule      update: primary, FOR UPDATE"])

    def test_reads_the_catalog_of_a_database(self):
        status, out, err = run("classify", "--explain", "--conninfo", cluster.conninfo(), "select lower('X'), nobody()")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("    function  lower: built-in harmless, catalog unknown\n", out)
        self.assertIn("    function  nobody: built-in none, catalog unknown\n", out)
        self.assertEqual(run("classify", "--conninfo", cluster.conninfo(), data=b"select 1\0begin")[1],
                         "replica read\nsession session: BEGIN\n")

    def test_says_when_the_catalog_does_not_come(self):
        status, out, err = run("classify", "--conninfo", "host=127.0.0.1 port=1", "--timeout", "300ms", "select 1")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("the catalog was not read in time", err)

    def test_answers_before_it_waits(self):
        with start("classify") as child:
            for word in (b"replica", b"replica"):
                child.stdin.write(b"select 1\0")
                child.stdin.flush()
                self.assertTrue(child.stdout.readline().startswith(word))
            child.stdin.close()
            self.assertEqual(child.wait(WAIT), 0)

    def test_output_closed(self):
        with start("classify") as child:
            child.stdout.close()
            try:
                child.stdin.write(b"select 1\0" * 100000)
                child.stdin.close()
            except BrokenPipeError:
                pass
            self.assertEqual(child.wait(WAIT), 1)
            self.assertEqual(child.stderr.read(), b"")

    def test_unreadable_input(self):
        folder = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        done = subprocess.run([COMMAND, "classify"], stdin=folder, capture_output=True, timeout=WAIT)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"standard input", done.stderr)


class Exec(unittest.TestCase):
    def execute(self, *args, data=b"", status=0):
        """The objects printed."""
        code, out, err = run("exec", cluster.conninfo(), *args, data=data)
        self.assertEqual(code, status, out + err)
        objects = [json.loads(line) for line in out.splitlines()]
        for one in objects:
            members = [name for name in one if name not in ("error", "affected", "notices", "notice_count")]
            self.assertEqual(members, ["status", "sqlstate", "outcome", "server", "reason", "columns", "rows"])
        return objects

    def one(self, *args, status=0):
        objects = self.execute(*args, status=status)
        self.assertEqual(len(objects), 1)
        return objects[0]

    def port(self, *args):
        """Of the server that ran it, by its own word."""
        return int(self.one(*args, "select current_setting('port')")["rows"][0][0])

    def test_reads_and_writes(self):
        read = self.one("select 1 as a, null as b, 'x' as \"C d\"")
        self.assertEqual((read["status"], read["sqlstate"], read["outcome"]), ("ok", "", "executed"))
        self.assertEqual((read["columns"], read["rows"]), (["a", "b", "C d"], [["1", None, "x"]]))
        write = self.one("create table if not exists cli_written (id int)")
        self.assertEqual((write["status"], write["columns"], write["rows"]), ("ok", [], []))
        self.assertEqual(self.one("insert into cli_written values (1), (2)")["affected"], 2)

    def test_target(self):
        self.assertIn(self.port(), cluster.ports[1:])
        self.assertEqual(self.port("--target", "primary"), cluster.ports[0])
        self.assertEqual(self.port("--target=primary", "--admin"), cluster.ports[0])
        self.assertIn(self.port("--target", "replica_only"), cluster.ports[1:])
        self.assertIn(self.port("--target", "replica"), cluster.ports[1:])
        self.assertIn(self.port("--target", "any"), cluster.ports)

    def test_values_survive(self):
        text = "quote \" backslash \\ newline \n tab \t bell \x07 del \x7f é 漢 \U0001f600 </script>"
        one = self.one("select $x$" + text + "$x$, '', null, 1.50, array[1,null], '{\"a\": 1}'::json")
        self.assertEqual(one["rows"], [[text, "", None, "1.50", "{1,NULL}", '{"a": 1}']])

    def test_bytes_that_are_no_utf8(self):
        env = {**ENV, "PGCLIENTENCODING": "LATIN1"}
        done = subprocess.run([COMMAND, "exec", cluster.conninfo(), "select chr(233) || 'x'"], env=env,
                              capture_output=True, timeout=WAIT)
        self.assertEqual(json.loads(done.stdout.decode())["rows"], [["\ufffdx"]])

    def test_order(self):
        data = b"\0".join(b"select %d, pg_sleep(%f)" % (i, 0.3 - i / 30) for i in range(9))
        self.assertEqual([one["rows"][0][0] for one in self.execute("--jobs", "4", data=data)],
                         [str(i) for i in range(9)])

    def test_jobs_run_together(self):
        # Each waits until all four are there: with fewer at once, this ends by its timeout.
        sql = (b"do $$begin perform pg_advisory_xact_lock_shared(%d);"
               b" while (select count(*) from pg_locks where locktype = 'advisory' and objid = 77) < 4 loop"
               b" perform pg_sleep(0.01); end loop; perform pg_sleep(0.2); end$$") % 77
        for one in self.execute("--jobs", "4", "--timeout", "20s", data=b"\0".join([sql] * 4)):
            self.assertEqual(one["status"], "ok", one)

    def test_one_after_the_other(self):
        data = (b"drop table if exists cli_order\0create table cli_order (id int)\0"
                + b"".join(b"insert into cli_order select count(*) from cli_order\0" for _ in range(50)))
        self.execute(data=data)
        rows = self.one("--target", "primary", "select count(distinct id), max(id) from cli_order")["rows"]
        self.assertEqual(rows, [["50", "49"]])

    def test_errors(self):
        data = b"select 1/0\0select 1\0selec\0select * from cli_nothing\0"
        found = [(one["status"], one["sqlstate"]) for one in self.execute(data=data, status=1)]
        self.assertEqual(found, [("sql_error", "22012"), ("ok", ""), ("sql_error", "42601"), ("sql_error", "42P01")])
        self.assertIn("division by zero", self.one("select 1/0", status=1)["error"])

    def test_session_statements_are_not_sent(self):
        for sql in ("create temp table t (a int)", "listen x", "begin", "copy pg_class to stdout"):
            one = self.one(sql, status=1)
            self.assertEqual((one["status"], one["outcome"]), ("sql_error", "not_executed"), sql)
            self.assertIn("pqr_tx_run", one["error"])

    def test_several_statements_in_one(self):
        one = self.one("select 1; select 2 as two")
        self.assertEqual((one["columns"], one["rows"]), (["two"], [["2"]]))
        one = self.one("create table cli_several (a int); select 1/0", status=1)
        self.assertEqual(one["sqlstate"], "22012")
        self.assertEqual(cluster.sql(0, "select to_regclass('cli_several')"), [[""]])

    def test_empty_statements(self):
        self.assertEqual(self.execute(), [])
        self.assertEqual(self.one("")["rows"], [])
        self.assertEqual([one["status"] for one in self.execute(data=b"\0 \0--x\0")], ["ok"] * 3)

    def test_huge_result(self):
        one = self.one("select i, 'row ' || i as name from generate_series(1, 100000) i")
        self.assertEqual((len(one["rows"]), one["rows"][-1]), (100000, ["100000", "row 100000"]))

    def test_huge_statement(self):
        one = self.execute(data=b"select length('" + b"x" * 10000000 + b"')")[0]
        self.assertEqual(one["rows"], [["10000000"]])

    def test_many(self):
        data = b"\0".join(b"select %d" % i for i in range(5000))
        self.assertEqual([one["rows"] for one in self.execute("--jobs", "16", data=data)],
                         [[[str(i)]] for i in range(5000)])

    def test_notices(self):
        one = self.one("do $$begin raise notice 'look here'; end$$")
        self.assertEqual((one["notice_count"], one["notices"][0]["text"]), (1, "look here"))

    def test_timeout(self):
        one = self.one("--timeout", "300ms", "select pg_sleep(50)", status=1)
        self.assertEqual(one["status"], "timeout")

    def test_answers_while_input_is_open(self):
        with start("exec", cluster.conninfo()) as child:
            for i in range(3):
                child.stdin.write(b"select %d\0" % i)
                child.stdin.flush()
                self.assertEqual(json.loads(child.stdout.readline())["rows"], [[str(i)]])
            child.stdin.close()
            self.assertEqual((child.wait(WAIT), child.stdout.read()), (0, b""))

    def left(self):
        return cluster.sql(0, "select count(*) from pg_stat_activity where usename = 'app'"
                              " and backend_type = 'client backend'")[0][0]

    def sleeping(self, sql):
        return cluster.sql(0, f"select count(*) from pg_stat_activity where query = '{sql}'"
                              " and state = 'active'")[0][0] == "1"

    def test_interrupt_while_waiting_for_input(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with start("exec", cluster.conninfo()) as child:
                child.stdin.write(b"select 1\0sel")
                child.stdin.flush()
                self.assertEqual(json.loads(child.stdout.readline())["status"], "ok")
                child.send_signal(number)
                self.assertEqual(child.wait(WAIT), 128 + number)
                self.assertEqual((child.stdout.read(), child.stderr.read()), (b"", b""))
            eventually(lambda: self.left() == "0")

    def test_interrupt_cancels_what_runs(self):
        sql = "select 1, pg_sleep(50)"
        with start("exec", cluster.conninfo(), "--jobs", "2", "--target", "primary") as child:
            child.stdin.write(sql.encode() + b"\0")
            child.stdin.flush()
            eventually(lambda: self.sleeping(sql))
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(WAIT), 130)
            one = json.loads(child.stdout.read())
            self.assertNotEqual(one["status"], "ok")
        eventually(lambda: not self.sleeping(sql))
        eventually(lambda: self.left() == "0")

    def test_output_closed(self):
        with start("exec", cluster.conninfo(), "--jobs", "4") as child:
            child.stdin.write(b"select repeat('x', 100000)\0" * 20)
            child.stdin.flush()
            child.stdout.readline()
            child.stdout.close()
            # The input stays open: it must not wait for that.
            self.assertEqual(child.wait(WAIT), 1)
            self.assertEqual(child.stderr.read(), b"")
        eventually(lambda: self.left() == "0")

    def test_slow_reader_bounds_what_is_read(self):
        fed = 0
        with start("exec", cluster.conninfo(), "--jobs", "2") as child:
            def feed():
                nonlocal fed
                for _ in range(400):
                    child.stdin.write(b"select repeat('x', 200000)".ljust(1000) + b"\0")
                    child.stdin.flush()
                    fed += 1
                child.stdin.close()

            feeder = threading.Thread(target=feed)
            feeder.start()
            lines = 0
            for line in child.stdout:
                self.assertEqual(len(json.loads(line)["rows"][0][0]), 200000)
                lines += 1
                # Two pipes of 64 kB, a read of 128 kB and some 10 answers of 200 kB may be on their way.
                self.assertLess(fed, lines + 300)
            feeder.join()
            self.assertEqual((child.wait(WAIT), lines), (0, 400))

    def test_no_server(self):
        code, out, _ = run("exec", "host=127.0.0.1 port=1 user=app dbname=app", "--timeout", "300ms", "select 1")
        one = json.loads(out)
        self.assertEqual((code, one["outcome"], one["server"]), (1, "not_executed", ""))
        self.assertIn(one["status"], ("unavailable", "timeout"))

    def test_bad_configuration(self):
        code, out, err = run("exec", "/nonexistent/pqrouter.cfg", "select 1")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("/nonexistent/pqrouter.cfg", err)
        code, out, err = run("exec", "hots=localhost", "select 1")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("connection string", err)


class Check(unittest.TestCase):
    def check(self, config, status, *args):
        code, out, err = run("check", config, *args)
        self.assertEqual(code, status, out + err)
        return out + err

    def file(self, text, mode=0o600):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        name = os.path.join(folder.name, "pqrouter.cfg")
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, mode)
        return name

    def config(self, *servers, rest=""):
        entries = ", ".join(
            f'{{ name = "{name}"; connection = "{conninfo}"; {more} }}' for name, conninfo, more in servers)
        return self.file(f"servers = ( {entries} );\n{rest}")

    def rows(self, out):
        """The table: a dict of column titles for each server's name."""
        lines = out.splitlines()
        titles = ["server", "role", "version", "lag", "round trip", "connections", "pool", "address"]
        at = [lines[0].index(title) for title in titles] + [None]
        table = {}
        for line in lines[1:lines.index("")]:
            cells = [line[at[i]:at[i + 1]].strip() for i in range(len(titles))]
            table[cells[0]] = dict(zip(titles, cells))
        return table

    def test_all_is_well(self):
        out = self.check(cluster.conninfo(), 0)
        self.assertTrue(out.endswith("3 servers, no problem\n"), out)
        table = self.rows(out)
        self.assertEqual([row["role"] for row in table.values()], ["primary", "replica", "replica"])
        version = cluster.sql(0, "show server_version")[0][0].split()[0]
        for row, port in zip(table.values(), cluster.ports):
            self.assertEqual((row["version"], row["address"]), (version, f"127.0.0.1:{port}"))
            self.assertRegex(row["round trip"], r"^[\d.]+ (us|ms|s)$")
            self.assertRegex(row["pool"], r"^\d+\.\.\d+$")
            self.assertRegex(row["lag"], r"^-$" if row["role"] == "primary" else r"^[\d.]+ (us|ms|s)$")

    def test_uri(self):
        self.check(f"postgresql://app@127.0.0.1:{cluster.ports[0]}/app", 0)

    def test_roles_as_configured(self):
        right = self.config(("one", cluster.conninfo(0), 'role = "primary";'),
                            ("two", cluster.conninfo(1), 'role = "replica"; max = 5;'))
        self.assertEqual(self.rows(self.check(right, 0))["two"]["pool"], "2..5")
        wrong = self.config(("one", cluster.conninfo(0), 'role = "replica";'), ("two", cluster.conninfo(1), ""))
        self.assertIn("one is primary, but is configured as replica\n    mend: ", self.check(wrong, 1))

    def test_server_absent(self):
        config = self.config(("one", cluster.conninfo(0), ""),
                             ("gone", "host=127.0.0.1 port=1 user=app dbname=app", ""))
        out = self.check(config, 1)
        self.assertEqual(self.rows(out)["gone"]["role"], "down")
        self.assertRegex(out, r"gone is down: .*refused.*\n    mend: start the server")

    def test_wrong_password(self):
        password = "canary-8c1f"
        out = self.check(cluster.conninfo(0, user="scram") + f" password={password}", 1, "--timeout", "3s", "-v")
        self.assertRegex(out, r"is down: .*password authentication failed.*\n    mend: give the right password")
        self.assertNotIn(password, out)

    def test_wrong_database(self):
        out = self.check(cluster.conninfo(0).replace("dbname=app", "dbname=nothing"), 1, "--timeout", "3s")
        self.assertRegex(out, r"database \"nothing\" does not exist.*\n    mend: correct dbname")

    def test_init_sql(self):
        wrong = self.config(("one", cluster.conninfo(0), ""), rest='pool = { init_sql = ["begin"]; };')
        self.assertIn("pool.init_sql: it leaves a transaction open\n    mend: correct pool.init_sql",
                      self.check(wrong, 1, "--timeout", "3s"))

    def test_too_many_connections(self):
        cluster.sql(0, "alter role scram connection limit 2")
        try:
            out = self.check(cluster.conninfo(0, user="scram") + " password=secret", 1, "--timeout", "3s")
        finally:
            cluster.sql(0, "alter role scram connection limit -1")
        self.assertRegex(out, r"too many connections for role.*\n    mend: raise that connection limit")

    def test_a_replica_of_an_older_timeline_is_noted(self):
        other = Cluster(replicas=2)
        try:
            other.sql(1, "select pg_promote()")
            out = self.check(other.conninfo(1, 2), 0)
            self.assertRegex(out, r"note: 127\.0\.0\.1:\d+ shows timeline 1, and .* is on 2: .*\n"
                                  r".*reads that are after a token.*\n    mend: grant pg_monitor")
        finally:
            other.stop()

    def test_no_primary(self):
        out = self.check(cluster.conninfo(1, 2), 1, "--timeout", "2s")
        self.assertIn("no server is the primary", out)

    def test_other_cluster(self):
        other = Cluster(replicas=0)
        try:
            config = self.config(("a", cluster.conninfo(0), ""), ("b", other.conninfo(0), ""))
            out = self.check(config, 1, "--timeout", "2s")
            for each in (cluster, other):
                self.assertIn(each.sql(0, "select system_identifier from pg_control_system()")[0][0], out)
            self.assertIn("another cluster", out)
        finally:
            other.stop()

    def test_bad_configuration(self):
        name = self.file('servers = ( { name = "a"; connection = "host=x"; role = "master"; } );\n'
                         'pool = { min = 5; max = "many"; };\nspeed = 3;\n')
        out = self.check(name, 2)
        for line in (1, 2, 3):
            self.assertIn(f"{name}:{line}: ", out)
        self.assertIn("cannot", self.check("/nonexistent.cfg", 2))

    def test_readable_password(self):
        name = self.file('connection = "host=localhost password=canary-8c1f";\n', mode=0o644)
        out = self.check(name, 2)
        self.assertIn(name, out)
        self.assertNotIn("canary", out)

    def test_server_that_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            out = self.check(f"host=127.0.0.1 port={silent.getsockname()[1]} user=app dbname=app", 1)
            self.assertIn("does not answer", out)

    def test_interrupt_while_connecting(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            conninfo = f"host=127.0.0.1 port={silent.getsockname()[1]} user=app dbname=app"
            with start("exec", conninfo, "select 1") as child:
                with silent.accept()[0]:
                    child.send_signal(signal.SIGTERM)
                    self.assertEqual(child.wait(WAIT), 143)
                self.assertEqual(json.loads(child.stdout.read())["outcome"], "not_executed")

    def test_interrupt(self):
        with start("check", "host=127.0.0.1 port=1 user=app", "--timeout", "none", "-v") as child:
            child.stderr.readline()  # it is under way
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(WAIT), 130)


if __name__ == "__main__":
    cluster = Cluster()
    try:
        unittest.main(verbosity=2)
    finally:
        cluster.stop()
