"""A program with the library inside: README's line links it, it works on a real server, and libpq stays outside: what
newer versions of that have (lib/postgres/newer.h) is looked for when the program starts.

    test_static.py BUILD-FOLDER COMPILER [ITS-ARGUMENTS ...]"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cluster import Cluster

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD, *COMPILER = sys.argv[1:]
ENV = {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def line_of_readme():
    return re.search(r"With the library inside the program: `([^`]+)`", read("README.md")).group(1).replace("\n", " ")


def newer_names():
    return set(re.findall(r"\b(PQ\w+)\([^;]*\) __attribute__\(\(weak\)\);", read("lib", "postgres", "newer.h")))


def symbols(*command):
    """The letters that nm has for each name."""
    out = subprocess.run(["nm", *command], check=True, capture_output=True, text=True).stdout
    found = {}
    for letter, name in re.findall(r"^[0-9a-f ]* ([A-Za-z]) (\w+)", out, re.MULTILINE):
        found.setdefault(name, set()).add(letter)
    return found


class Static(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = os.path.join(cls.folder.name, "hello")
        source = os.path.join(ROOT, "examples", "hello.c")
        line = f"{shlex.join([*COMPILER, '-o', cls.program, source])} {line_of_readme()}"
        # As if it were installed: pkg-config prefers what meson says of the build folder.
        env = {**os.environ, "PKG_CONFIG_PATH": os.path.join(BUILD, "meson-uninstalled")}
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=env)
        if done.returncode:
            raise AssertionError(f"{line}\n{done.stderr}")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_hello(self, conninfo):
        return subprocess.run([self.program, conninfo], capture_output=True, text=True, timeout=60, env=ENV)

    def test_it_needs_no_shared_library_of_ours(self):
        out = subprocess.run(["objdump", "-p", self.program], check=True, capture_output=True, text=True).stdout
        needed = re.findall(r"NEEDED +(\S+)", out)
        self.assertIn("libpq.so.5", needed)
        self.assertFalse([name for name in needed if "pqrouter" in name])

    def test_it_works(self):
        done = self.run_hello(cluster.conninfo())
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^Hello from app, on 127\.0\.0\.1:\d+: read\n$")

    def test_it_says_that_no_server_is_there(self):
        done = self.run_hello("host=127.0.0.1 port=1 user=app dbname=app")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Connection refused", done.stderr)

    def test_what_only_newer_versions_of_libpq_have_may_be_missing(self):
        names = newer_names()
        self.assertGreater(len(names), 3)
        archive = symbols(os.path.join(BUILD, "lib", "libpqrouter.a"))
        program = symbols("-D", self.program)
        for name in names:
            self.assertEqual(archive.get(name), {"w"}, name)
            self.assertEqual(program.get(name), {"w"}, name)


if __name__ == "__main__":
    cluster = Cluster()
    try:
        unittest.main(argv=sys.argv[:1], verbosity=2)
    finally:
        cluster.stop()
