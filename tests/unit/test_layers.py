#!/usr/bin/env python3
"""Reads the #includes of lib/ and fails on an upward one, on a header of the outside in a layer that must not
know it, and on a cycle between folders. DESIGN.md's rule: dependencies go down only.

usage: test_layers.py SOURCE_ROOT"""
import pathlib
import re
import sys

# Each folder with those that it may include from, itself apart. "" is lib/ itself: pqrouter.c.
MAY_INCLUDE = {
    "base": set(),
    "config": {"base"},
    "policy": {"base", "config"},  # config.h is plain values
    "transport": {"base"},
    "observe": {"base"},
    "postgres": {"base", "config", "transport"},
    "router": {"base", "config", "policy", "transport", "observe"},
    "remote": {"base", "config", "router"},
    "": {"base", "config", "policy", "transport", "observe", "postgres", "router", "remote"},
}
# What a header of the outside is for; a folder that is not named here must not include it.
OUTSIDE = {
    "uv.h": {"postgres", "remote", ""},
    "libpq-fe.h": {"postgres", "config", "observe", "remote", ""},
    "libconfig.h": {"config"},
    "pthread.h": {"postgres", "remote"},
    "threads.h": {"postgres", "remote"},
    "sys/socket.h": {"postgres", "remote"},
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def folder_of(path):
    return path.split("/")[0] if "/" in path else ""


def problems_of(name, kind, target, lib):
    here = folder_of(name)
    if target in OUTSIDE and here not in OUTSIDE[target]:
        yield f"{target} is not for lib/{here or '*.c'}"
    if kind == "<" or target == "pqrouter.h":
        return
    if not (lib / target).is_file():
        yield f'"{target}" is not a path from lib/'
        return
    there = folder_of(target)
    if there != here and there not in MAY_INCLUDE[here]:
        yield f'"{target}" is upward: {here or "lib"} may include from {sorted(MAY_INCLUDE[here])}'


def find_cycle(edges):
    """Depth first over the files; a cycle as the list of its files, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for following in edges.get(node, ()):
            cycle = visit(following)
            if cycle:
                return cycle
        path.pop()
        done.add(node)
        return None

    for start in edges:
        cycle = visit(start)
        if cycle:
            return cycle
    return None


def main():
    lib = pathlib.Path(sys.argv[1]) / "lib"
    problems, folders, headers, files = [], {}, {}, 0
    for path in sorted([*lib.rglob("*.c"), *lib.rglob("*.h")]):
        name = path.relative_to(lib).as_posix()
        here = folder_of(name)
        files += 1
        if here not in MAY_INCLUDE:
            problems.append(f"lib/{name}: folder {here} is in no layer: add it to {__file__}")
            continue
        for kind, target in INCLUDE.findall(path.read_text()):
            problems += [f"lib/{name}: {problem}" for problem in problems_of(name, kind, target, lib)]
            if kind == '"' and target != "pqrouter.h":
                headers.setdefault(name, set()).add(target)
                if folder_of(target) != here:
                    folders.setdefault(here, set()).add(folder_of(target))
    for edges in (folders, headers):
        cycle = find_cycle(edges)
        if cycle:
            problems.append("cycle: " + " -> ".join(cycle))
    if files < 10:
        problems.append(f"only {files} files under {lib}: is that the source root?")
    print("\n".join(problems) or f"{files} files, every include goes down")
    return 1 if problems else 0


sys.exit(main())
