"""See ../run, which is the way to start this."""
import argparse
import datetime
import json
import os
import platform
import shutil
import sys
import tempfile

import report
from parts import PARTS, TURNS, Bench
from peers import Router, needs_peers, output, versions
from servers import ROOT, SETTINGS, Servers

RESULTS = os.path.join(ROOT, "build-bench/results")
OTHERS = {"instructions": "User instructions a point read", "memory": "Memory"}


def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


def read_options():
    parser = argparse.ArgumentParser(prog="tests/bench/run", add_help=False)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=positive, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--connections", type=positive, default=4)
    parser.add_argument("--clients", type=positive, default=64)
    options = parser.parse_args()
    names = [*PARTS, *OTHERS]
    options.parts = options.only.split(",") if options.only else [
        name for name in names if not (options.no_peers and needs_peers(name))]
    for name in options.parts:
        if name not in names:
            parser.error(f"no part {name}; there are: {' '.join(names)}")
    return options


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return f"{len(os.sched_getaffinity(0))} x {model}, {memory} GiB, {platform.system()} {platform.release()}"


def measure(title, make, rounds, options, bench):
    """Rounds in which all rows take turns; each round begins with another."""
    rows, goals = make(bench)
    samples = {row.key: [] for row in rows}
    for number in range(rounds):
        turn = number % len(rows)
        for row in rows[turn:] + rows[:turn]:
            samples[row.key].append(row.measure())
        print(f"\r{title}: round {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {
        "title": title, "rounds": rounds, "seconds": options.seconds,
        "rows": [{"key": row.key, "label": row.label, "connections": str(row.connections),
                  "clients": str(row.clients), "depth": str(row.depth), "share": str(row.share), "note": row.note,
                  "samples": samples[row.key]} for row in rows],
        "goals": [vars(goal) for goal in goals],
    }


def save(name, result, about):
    os.makedirs(RESULTS, exist_ok=True)
    path = os.path.join(RESULTS, f"{name}.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump({**result, "about": about}, file, indent=1)
    os.rename(path + ".new", path)


def about(servers, options):
    commit = output("git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*")
    return {
        "machine": machine(), "date": datetime.date.today().isoformat(), "commit": commit,
        "versions": {"PostgreSQL": servers.sql(0, "show server_version")[0][0],
                     **versions(any(needs_peers(name) for name in options.parts))},
        "settings": {key: value for key, value in SETTINGS.items() if value},
    }


def run(options):
    import counts
    servers = Servers(2 if any(name.startswith("mix") for name in options.parts) else 0)
    folder = tempfile.mkdtemp(prefix="pqr.", dir="/tmp")
    bench = Bench(options, servers, Router(folder))
    try:
        facts = about(servers, options)
        for name in options.parts:
            if name in PARTS:
                result = measure(*PARTS[name], options.rounds * TURNS.get(name, 1), options, bench)
                bench.close()
            else:
                result = {"title": OTHERS[name], **getattr(counts, name)(bench)}
            save(name, result, facts)
    finally:
        bench.close()
        servers.stop()
        shutil.rmtree(folder)


def check_instructions(budget):
    """Fails when the library's own part of a point read is above the budget, three times in a row: on a machine that is
    busy otherwise flights are smaller at times, and each costs something."""
    import counts
    options = argparse.Namespace(connections=4, clients=64)
    servers = Servers(0)
    folder = tempfile.mkdtemp(prefix="pqr.", dir="/tmp")
    try:
        for _ in range(3):
            result = counts.instructions(Bench(options, servers, Router(folder)), times=1)
            ours = result["counts"]["router"]["objects"]["libpqrouter"]
            if ours <= budget:
                break
    finally:
        servers.stop()
        shutil.rmtree(folder)
    totals = {key: sum(one["objects"].values()) for key, one in result["counts"].items()}
    more = totals["router"] - totals["shared"]
    print(report.plain(report.objects(result)))
    print(f"a point read takes {more:.0f} user instructions more than the hand-written program's, {ours:.0f} of them in "
          f"libpqrouter; the budget for those is {budget}")
    sys.exit(ours > budget)


def main():
    if sys.argv[1:2] == ["--instructions"]:
        check_instructions(int(sys.argv[2]))
    options = read_options()
    if options.list:
        for name, title in [*((name, part[0]) for name, part in PARTS.items()), *OTHERS.items()]:
            print(f"{name:20}{title}")
        return
    if not options.report:
        run(options)
    results = {}
    for name in [*PARTS, *OTHERS] if options.report or options.publish or not options.only else options.parts:
        path = os.path.join(RESULTS, f"{name}.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                results[name] = json.load(file)
    print(report.text(results))
    if options.publish:
        report.publish(results, os.path.join(ROOT, "tests/bench"))


main()
