#!/usr/bin/env python3
"""Breaks a copy of the router in one place at a time and expects the simulator to say which promise is broken.

usage: mutate.py SOURCE_ROOT SIM_LIBRARY PQROUTER_LIBRARY FLAG... -- COMPILER...

mutations/N-name.patch changes one source file of lib; the mutated object takes the place of the one in the
library. A mutation is caught when the simulator ends with "promise N" within SEEDS seeds (9: a leak, which is what
breaks a promise to free what replies hold). A word in the place of N is that of another rule: "flights", who may
share a connection; "prepared", who learns that a prepared statement went stale; "inputs", what is sent is what was
given; "whole", a transaction is committed with all of its statements or not at all.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

SEEDS = 2000
OTHERS = 20  # broken promises of another number, until that is called a miss
LIBRARIES = ['-lconfig', '-lpq', '-luv', '-lpthread']


def mutated(root, patch):
    """The changed file's path and new text. A hunk is found by its lines, wherever they are, but only once."""
    text = patch.read_text()
    changed = re.search(r'^\+\+\+ b/(\S+)', text, re.M).group(1)
    source = (root / changed).read_text()
    for hunk in re.split(r'^@@.*\n', text, flags=re.M)[1:]:
        lines = hunk.splitlines(keepends=True)
        old = ''.join(line[1:] for line in lines if line[0] in ' -')
        new = ''.join(line[1:] for line in lines if line[0] in ' +')
        if source.count(old) != 1:
            raise SystemExit(f'{patch.name} does not fit {changed} any more: make it anew')
        source = source.replace(old, new)
    return changed, source


def build(work, root, patch, libraries, flags, compiler):
    changed, source = mutated(root, patch)
    copy = work / pathlib.Path(changed).name
    copy.write_text(source)
    program = work / 'sim'
    subprocess.run(
        [*compiler, '-std=gnu11', '-O1', '-DNDEBUG', '-w', *flags, '-I', root / 'include', '-I', root / 'lib', copy,
         '-Wl,--whole-archive', libraries[0], '-Wl,--no-whole-archive', libraries[1], '-o', program, *LIBRARIES],
        check=True)
    return program


def caught(program, rule):
    """Looks for the promise by name: a fault breaks others too, some seeds see those first."""
    others, seed = set(), 1
    promise = f'promise {rule}' if rule.isdigit() else rule
    while seed <= SEEDS:
        run = subprocess.run([program, '--from', str(seed), '--seeds', str(SEEDS - seed + 1)], capture_output=True,
                             text=True)
        if run.returncode == 0:
            break
        if f'{promise}:' in run.stderr:
            return ''
        others.add(run.stderr)
        failed = re.search(r'--seed (\d+)', run.stderr)
        if not failed or len(others) == OTHERS:
            break
        seed = int(failed.group(1)) + 1
    return f'{promise} is not seen broken within {SEEDS} seeds\n' + ''.join(others)


def main():
    root = pathlib.Path(sys.argv[1])
    split = sys.argv.index('--')
    libraries, flags, compiler = sys.argv[2:4], sys.argv[4:split], sys.argv[split + 1:]
    missed = 0
    for patch in sorted((root / 'tests' / 'sim' / 'mutations').glob('*.patch')):
        with tempfile.TemporaryDirectory() as folder:
            program = build(pathlib.Path(folder), root, patch, libraries, flags, compiler)
            problem = caught(program, patch.name.split('-')[0])
        print(f'{patch.stem}: {problem or "caught"}', flush=True)
        missed += bool(problem)
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
