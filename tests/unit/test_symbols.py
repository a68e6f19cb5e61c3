#!/usr/bin/env python3
"""The shared library's exported names, lib/pqrouter.map and the functions that include/pqrouter.h declares with
PQR_EXPORT must be one and the same set.

usage: test_symbols.py SOURCE_ROOT LIBRARY"""
import pathlib
import re
import subprocess
import sys


def of_map(root):
    text = (root / "lib/pqrouter.map").read_text()
    names = re.search(r"global:(.*?)local:", text, re.DOTALL).group(1)
    return set(re.findall(r"(\w+);", names))


def of_header(root):
    text = (root / "include/pqrouter.h").read_text()
    text = re.sub(r"/\*.*?\*/|^[ \t]*#.*?(?<!\\)$", "", text, flags=re.DOTALL | re.MULTILINE)
    return {re.search(r"(\w+)\s*\(", one).group(1) for one in re.findall(r"\bPQR_EXPORT\b([^;]*);", text)}


def of_library(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True)
    lines = [line.split() for line in out.stdout.splitlines()]
    # "A" is the version's own name; a sanitizer or coverage adds names of its own with underscores.
    return {line[-1].split("@")[0] for line in lines if line[-2] != "A" and not line[-1].startswith("__")}


def main():
    root = pathlib.Path(sys.argv[1])
    sets = {"lib/pqrouter.map": of_map(root), "include/pqrouter.h": of_header(root),
            sys.argv[2]: of_library(sys.argv[2])}
    names = set().union(*sets.values())
    failed = False
    for name in sorted(names):
        missing = [where for where, has in sets.items() if name not in has]
        if missing:
            print(f"{name}: not in {', '.join(missing)}")
            failed = True
    if not failed:
        print(f"{len(names)} names, the same in all three")
    return 1 if failed or not names else 0


sys.exit(main())
