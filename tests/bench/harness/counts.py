"""What is counted instead of timed, so that it is the same every time: user instructions and bytes."""
import collections
import os
import re
import shutil
import subprocess
import tempfile

from parts import DEPTH, SHARE
from peers import PROGRAMS, arguments, raw

# Two lengths of the same run: what is left of their difference is the requests' own.
LENGTHS = (2000, 6000)
# malloc needs more of them where its heap happens to have holes of the wrong size, which is not the same in each run.
TIMES = 3
# The warm-up, a tenth and one more, is made of the same requests.
REQUESTS = LENGTHS[1] * 11 // 10 - LENGTHS[0] * 11 // 10


def objects(path):
    """Instructions by the object file that they are in."""
    annotated = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", path], capture_output=True,
                               text=True, check=True).stdout
    found = collections.Counter()
    for line in annotated.splitlines():
        match = re.match(r"\s*([\d,]+) \(.*?\)\s.*?(?:\[(\S+)\])?\s*$", line)
        if not match or "PROGRAM TOTALS" in line:
            continue
        name = (match[2] or "other").rsplit("/", 1)[-1].split(".so")[0]
        found["program" if name.startswith("bench_") else name] += int(match[1].replace(",", ""))
    return found


def count(row, folder):
    """Instructions a request, by object."""
    counts = []
    for length in LENGTHS:
        path = os.path.join(folder, f"{row.key}.{length}")
        row.command = [f"requests={length}" if one.startswith("requests=") else one for one in row.command]
        row.start(["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={path}"])
        counts.append(objects(path))
    less, more = counts
    return {name: (more[name] - less[name]) / REQUESTS for name in more}


def instructions(bench, times=TIMES):
    """Of a point read, pqrouter's and that of the hand-written program of the same shape: the least of some counts."""
    if not shutil.which("valgrind"):
        raise SystemExit("instructions are counted by valgrind, and there is none")
    load = arguments(work="point", clients=bench.options.clients, requests=0)
    n, primary = bench.options.connections, bench.servers.conninfo(0)
    rows = [
        raw("raw", "raw libpq", load, primary, connections=n),
        raw("shared", "raw libpq, pipeline, shared Sync", load, primary, connections=n, depth=DEPTH, share=SHARE),
        bench.router.row("router", "pqrouter", load, [primary], n, probe="1h"),
    ]
    folder = tempfile.mkdtemp()
    try:
        counts = {row.key: {"label": row.label, "objects": min((count(row, folder) for _ in range(times)),
                                                               key=lambda objects: sum(objects.values()))}
                  for row in rows}
    finally:
        shutil.rmtree(folder)
    return {"counts": counts}


def memory(bench):
    """Bytes of pqrouter's own heap; none of libpq's is in it. Of a connection: the difference of two pools."""
    primary = bench.servers.conninfo(0)
    figures = []
    for connections in (4, 36):
        config = bench.router.config(connections, [primary])
        done = subprocess.run([f"{PROGRAMS}/bench_memory", config, str(connections), "5000"], capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise SystemExit(f"bench_memory: {done.stderr}")
        figures.append([int(number) for number in done.stdout.split()])
    few, many = figures
    return {"bytes": {"router": few[0], "connection": (many[1] - few[1]) // 32, "request": few[2],
                      "text": few[3], "after": few[4]}}
