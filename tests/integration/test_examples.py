"""The small examples do what their heads say.

    test_examples.py FOLDER-OF-THE-PROGRAMS [unittest's arguments]"""

import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cluster import Cluster

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FOLDER = os.path.abspath(sys.argv.pop(1))
ENV = {name: value for name, value in os.environ.items() if not name.startswith("PG")}


class Examples(unittest.TestCase):
    def run_example(self, name, *args, env=None):
        done = subprocess.run([os.path.join(FOLDER, name), *args], capture_output=True, text=True, timeout=60,
                              env={**ENV, **(env or {})})
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def test_hello(self):
        expected = r"^Hello from app, on 127\.0\.0\.1:\d+: read\n$"
        self.assertRegex(self.run_example("hello", cluster.conninfo()), expected)
        url = f"postgresql://app@127.0.0.1:{cluster.ports[0]}/app"
        self.assertRegex(self.run_example("hello", env={"DATABASE_URL": url}), expected)

    def test_hello_tells_what_is_wrong(self):
        done = subprocess.run([os.path.join(FOLDER, "hello"), "hots=x"], capture_output=True, text=True, timeout=60,
                              env=ENV)
        self.assertEqual(done.returncode, 1)
        self.assertIn("connection string", done.stderr)

    def test_a_server_that_is_not_there_ends_each_soon(self):
        nowhere = "host=127.0.0.1 port=1 user=app dbname=app"
        for name in ("hello", "transaction", "batch", "admin", "tokens"):
            done = subprocess.run([os.path.join(FOLDER, name), nowhere], capture_output=True, text=True, timeout=60,
                                  env=ENV)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn("Connection refused", done.stdout + done.stderr, name)

    def test_readme_shows_hello(self):
        with open(os.path.join(ROOT, "examples", "hello.c"), encoding="utf-8") as file:
            program = file.read()
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            self.assertIn(program[program.index("#include"):], file.read())

    def test_params(self):
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
            file.write(f'connection = "{cluster.conninfo()}";\n')
            file.flush()
            self.assertEqual(self.run_example("params", file.name),
                             "tea costs 4.20, note: none\ncoffee costs 8.40, note: it's hot\n")

    def test_tokens(self):
        for n in range(1, 4):
            out = self.run_example("tokens", cluster.conninfo())
            self.assertRegex(out, r"^written on 127\.0\.0\.1:\d+, token \d+\.1\.[0-9A-F]+\n"
                                  rf"read on 127\.0\.0\.1:\d+: {n} notes\n$")

    def test_transaction(self):
        out = self.run_example("transaction", cluster.conninfo())
        self.assertRegex(out, r"^attempt 1\nthe first account would have 70\nok, outcome executed on 127")

    def test_batch(self):
        self.assertEqual(self.run_example("batch", cluster.conninfo()),
                         "the first has 70\nthe second has 30\nok, outcome executed \n")

    def test_admin(self):
        out = self.run_example("admin", cluster.conninfo())
        self.assertRegex(out, r"^the admin request took [\d.]+ ms, [\d.]+ of them waiting; \d+ of 200 others")
        before = int(out.split("waiting; ")[1].split()[0])
        self.assertLess(before, 200)


if __name__ == "__main__":
    cluster = Cluster()
    try:
        unittest.main(verbosity=2)
    finally:
        cluster.stop()
