"""See ../overload, which is the way to start this."""
import argparse
import dataclasses
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "tests/support"))
from cluster import Cluster  # noqa: E402

OPEN = os.path.join(ROOT, "build-bench/tests/bench/bench_open")
RESULTS = os.path.join(ROOT, "build-bench/results/overload.json")
# Four milliseconds of waiting, some four of work: the best pool is larger than the processors are many, and the load
# costs little beside it.
WORK = "select count(*) from pg_sleep(0.004), generate_series(1, 50000)"
SLEEP = "select 1 from pg_sleep(0.01)"
SCRAM = "user=scram password=secret sslmode=disable gssencmode=disable"
CALM = "catalog = { load = false; };\n"  # no questions of the router's own in between


# --- a run ---------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Request:
    stream: str
    router: int
    due: float  # seconds since the beginning, as done
    done: float
    status: str
    queued: float
    server: float  # its time on the server
    where: str

    @property
    def took(self):
        return self.done - self.due


@dataclasses.dataclass
class Sample:
    at: float
    router: int
    pool: int
    total: int
    in_use: int
    wanted: int
    ceiling: int
    waiting: int
    connects: int
    failures: int
    stall: float  # how much later than due the loop ran its timer, at most
    work: float  # the most processor time of the loop's thread in between


class Run:
    """configs: a router each. events: (second, function) pairs that are called meanwhile."""

    def __init__(self, folder, configs, streams, seconds, events=(), **more):
        files = []
        for number, text in enumerate(configs):
            files.append(os.path.join(folder, f"router{number}.cfg"))
            with open(os.open(files[-1], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        command = [OPEN, *(f"config={file}" for file in files), *(f"stream={stream}" for stream in streams),
                   f"seconds={seconds}", *(f"{key}={value}" for key, value in more.items())]
        self.requests, self.samples = [], []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            if program.stdout.readline() != "begin\n":
                sys.exit(1)
            threading.Thread(target=self.play, args=(time.monotonic(), events), daemon=True).start()
            for line in program.stdout:
                self.read(line.split())
        if program.returncode:
            sys.exit(1)

    @staticmethod
    def play(begin, events):
        for at, function in events:
            time.sleep(max(0.0, begin + at - time.monotonic()))
            function()

    def read(self, words):
        if words[0] == "r":
            self.requests.append(Request(words[1], int(words[2]), int(words[3]) / 1e6, int(words[4]) / 1e6, words[5],
                                         int(words[6]) / 1e6, int(words[7]) / 1e6, words[8]))
        else:
            self.samples.append(Sample(int(words[1]) / 1e6, *map(int, words[2:11]), int(words[11]) / 1e6,
                                       int(words[12]) / 1e6))

    def due(self, begin, end, stream=None):
        return [one for one in self.requests if begin <= one.due < end and stream in (None, one.stream)]

    def good(self, begin, end, stream=None):
        """A second: those that came to their end, well, between the two."""
        return sum(one.status == "ok" and begin <= one.done < end and stream in (None, one.stream)
                   for one in self.requests) / (end - begin)

    def connections(self, begin, end, router=0, pool=0):
        return statistics.mean(one.total for one in self.samples
                               if begin <= one.at < end and (one.router, one.pool) == (router, pool))


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def took(requests, part=0.99):
    return percentile([one.took for one in requests if one.status == "ok"], part)


def served(requests):
    return sum(one.status == "ok" for one in requests) / len(requests)


def service(requests):
    return statistics.mean(one.server for one in requests if one.status == "ok")


# --- servers -------------------------------------------------------------------------------------------------

class Servers:
    def __init__(self, replicas=0, **settings):
        self.cluster = Cluster(replicas)
        self.size = 0
        self.folder = tempfile.mkdtemp(prefix="pqr.", dir="/tmp")
        for number in range(replicas + 1):
            for key, value in settings.items():
                self.cluster.sql(number, f"alter system set {key} = '{value}'")
            if settings:
                self.restart(number)

    def name(self, number):
        return self.cluster.env[f"server_{number}_name"]

    def restart(self, number):
        self.cluster.run("stop-server", self.name(number))
        self.cluster.run("start-server", self.name(number))

    def config(self, settings, servers=(0,)):
        entries = ", ".join(f'{{ name = "{self.name(i)}"; connection = "host=127.0.0.1 port={self.cluster.ports[i]}"; }}'
                            for i in servers)
        return f'connection = "dbname=app {SCRAM}";\nservers = ( {entries} );\n{CALM}{settings}\n'

    def run(self, configs, streams, seconds, events=(), **more):
        return Run(self.folder, configs, streams, seconds, events, **more)

    def busy(self, size, seconds):
        """Requests a second of a fixed pool, each connection always busy."""
        config = self.config(f"pool = {{ min = {size + 1}; max = {size + 2}; resize = false; warm_up = true; }};")
        run = self.run([config], [f"all,normal,primary,0,0@0,{WORK}"], seconds + 0.5, closed=size)
        return run.good(0.5, seconds + 0.5)

    def peak(self):
        """The best of fixed pools: its rate now. Which size that is, is looked for once."""
        if not self.size:
            rates = {size: self.busy(size, 2.5) for size in (2, 3, 4, 6, 8, 12, 16)}
            self.size = max(rates, key=rates.get)
        return self.busy(self.size, 4)

    def connect_time(self):
        """Of one connect, alone, with a password."""
        conninfo = f"host=127.0.0.1 port={self.cluster.ports[0]} dbname=app {SCRAM}"
        script = os.path.join(self.folder, "nothing.sql")
        with open(script, "w", encoding="utf-8") as file:
            file.write("select 1;\n")

        def rate(*arguments):
            done = subprocess.run(["pgbench", "-n", "-c", "1", "-T", "2", "-f", script, *arguments, conninfo],
                                  capture_output=True, text=True, check=True)
            return float(next(line.split()[2] for line in done.stdout.splitlines() if line.startswith("tps = ")))
        return 1 / rate("-C") - 1 / rate()

    def sql(self, number, text):
        return self.cluster.sql(number, text)

    def stop(self):
        self.cluster.stop()
        shutil.rmtree(self.folder)


# --- parts: each gives {what: value} -------------------------------------------------------------------------

UP, DOWN, END = 8.0, 20.0, 32.0


def step(servers):
    """Ten times the load, which is twice what the server can do, and back."""
    before = servers.peak()
    connect = servers.connect_time()
    target, low, high = 0.1, 0.2 * before, 2 * before
    config = servers.config('pool = { max = 60; window = "5s"; };\n'
                            'queue = { target = "100ms"; interval = "200ms"; };')
    run = servers.run([config], [f"all,normal,primary,10000,{low:.0f}@0+{high:.0f}@{UP}+{low:.0f}@{DOWN},{WORK}"], END)
    peak = (before + servers.peak()) / 2  # a machine that does other work is not always as fast
    spike = run.due(UP, DOWN)
    settled = run.connections(DOWN - 4, DOWN)
    grown = next(one.at for one in run.samples if one.at >= UP and one.total >= 0.9 * settled) - UP
    return {
        "goodput": run.good(UP, DOWN) / peak, "after": served(run.due(DOWN + 1, END)),
        "p99": took(spike) / (target + service(spike)), "grown": grown / connect,
        "peak": peak, "best fixed size": servers.size, "settled": settled, "before": run.connections(UP - 3, UP),
        "given back": run.connections(END - 2, END), "connect ms": connect * 1e3, "service ms": service(spike) * 1e3,
        "p99 ms": took(spike) * 1e3,
    }


def twenty(servers):
    """A server that lets in twenty, and two routers that know nothing of each other, four fifths of what it can do."""
    peak = servers.peak()
    rate, refused = 0.4 * peak, {}
    values = {"peak": peak}
    for name, more in (("", ""), ("fleet ", 'fleet = { enabled = true; margin = 1; interval = "1s"; };\n')):
        config = servers.config(f"pool = {{ max = 20; }};\n{more}")
        before = refusals(servers)
        run = servers.run([config] * 2, [f"all,normal,primary,1000,{rate:.0f}@0,{WORK}"], 15, settle=3)
        refused[name] = refusals(servers) - before
        each = [run.connections(5, 15, router) for router in (0, 1)]
        values.update({
            f"{name}served": served(run.due(2, 15)), f"{name}refused": refused[name],
            f"{name}more than the other": max(each) / min(each), f"{name}connections": sum(each),
            f"{name}p99 ms": took(run.due(2, 15)) * 1e3,
        })
    return values


def refusals(servers):
    with open(servers.cluster.env["server_0_log"], encoding="utf-8", errors="replace") as log:
        return sum("too many clients" in line or "remaining connection slots" in line for line in log)


def admin(servers):
    """A flood of administrators' requests; and an administrator in a flood of normal ones."""
    peak = servers.peak()
    share = 0.25
    config = servers.config(f'pool = {{ max = 20; }};\nqueue = {{ normal_share = {share * 100:.0f}; target = "none"; }};')
    flood = servers.run([config], [f"normal,normal,primary,1000,{0.5 * peak:.0f}@0,{WORK}",
                                   f"admin,admin,primary,60000,{2 * peak:.0f}@0,{WORK}"], 12)
    normal, admins = flood.good(3, 12, "normal"), flood.good(3, 12, "admin")
    config = servers.config('pool = { max = 20; admin_reserved = 1; };\n'
                            'queue = { target = "100ms"; interval = "200ms"; };')
    run = servers.run([config], [f"normal,normal,primary,1000,{2 * peak:.0f}@0,{WORK}",
                                 f"admin,admin,primary,10000,8@0,{WORK}"], 24)
    door = run.due(4, 24, "admin")
    waits = [one.took - one.server for one in door]
    return {
        "share": normal / (normal + admins) / share, "served in all": (normal + admins) / peak,
        "wait": percentile(waits, 0.99) / service(door), "wait p50": percentile(waits, 0.5) / service(door),
        "admin served": served(door), "peak": peak, "service ms": service(door) * 1e3,
        "wait p99 ms": percentile(waits, 0.99) * 1e3,
    }


def stopped(servers):
    """One of two replicas freezes, and comes back; then it is killed. Reads have a second."""
    values = {}
    data = servers.cluster.env["server_1_data"]
    config = servers.config("pool = { max = 20; };\nreads = { balance = \"ewma\"; };", (0, 1, 2))
    for name, begin, end in (("frozen ", lambda: signal_all(data, "STOP"), lambda: signal_all(data, "CONT")),
                             ("killed ", lambda: servers.cluster.run("kill-server", servers.name(1)),
                              lambda: servers.cluster.run("start-server", servers.name(1)))):
        run = servers.run([config], [f"all,normal,replica,1000,300@0,{SLEEP}"], 24, ((6, begin), (12, end)))
        bad = [one for one in run.due(5, 24) if one.status != "ok"]
        values.update({
            f"{name}served": served(run.due(6, 12)),
            f"{name}bad for s": max((one.due for one in bad), default=6) - min((one.due for one in bad), default=6),
            f"{name}lost": len(bad), f"{name}p99": took(run.due(8, 12)) / took(run.due(2, 6)),
            f"{name}p99 ms": took(run.due(8, 12)) * 1e3,
            f"{name}back": sum(one.where == servers.name(1) for one in run.due(20, 24)) / len(run.due(20, 24)),
        })
    return values


def signal_all(data, name):
    """To a server and all processes of it."""
    with open(os.path.join(data, "postmaster.pid"), encoding="utf-8") as file:
        pid = file.readline().strip()
    children = [entry for entry in os.listdir("/proc") if entry.isdigit() and parent_of(entry) == pid]
    subprocess.run(["kill", f"-{name}", pid, *children], check=False)


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[1]
    except OSError:
        return ""


def reconnect(servers):
    """A hundred connections end at once, and are opened again, under a light load; and the same, not opened again."""
    end = ("select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'scram'"
           " and state = 'idle'")
    # A hundred at once in the beginning, so that there are as many without pool.min.
    streams = [f"all,normal,primary,1000,50@0,{SLEEP}", "crowd,normal,primary,0,300@0+0@0.5,select 1 from pg_sleep(3)"]
    runs, back = {}, {}
    for least in (100, 2):
        config = servers.config(f"pool = {{ min = {least}; max = 102; admin_reserved = 0; resize = false; }};")
        ended = []
        run = servers.run([config], streams, 16, ((10, lambda: ended.append(int(servers.sql(0, end)[0][0]))),))
        first = next(one.connects for one in reversed(run.samples) if one.at < 10)
        runs[least] = run
        back[least] = next((one.at for one in run.samples if one.connects >= first + 0.9 * ended[0]), 16.0) - 10
    length = max(0.5, back[100])

    def most(what, least, begin=10.0):
        return max(getattr(one, what) for one in runs[least].samples if begin <= one.at < begin + length) * 1e3
    return {
        "work": most("work", 100) / most("work", 2), "stall": most("stall", 100) / most("stall", 2),
        "stall ms": most("stall", 100),
        "stall without ms": most("stall", 2), "stall before ms": most("stall", 100, 8.0),
        "work at once ms": most("work", 100), "work at once without ms": most("work", 2), "ended": ended[0],
        "back after s": back[100], "served": served(runs[100].due(10, 16, "all")),
        "p99": took(runs[100].due(10, 10 + length, "all")) / took(runs[2].due(10, 10 + length, "all")),
    }


# part: (function, replicas, settings, goals: (value, text, at least or at most, limit))
PARTS = {
    "step": (step, 0, {}, [
        ("goodput", "Goodput at ten times the load, twice what can be done; of the peak", ">=", 0.97),
        ("p99", "p99 of what is served then; of queue.target + service time", "<=", 2),
        ("after", "Served after it; of all that came", ">=", 0.97),
        ("grown", "From the step to nine tenths of the size; in connect times", "", 0)]),
    "twenty": (twenty, 0, {"max_connections": "23", "superuser_reserved_connections": "3"}, [
        ("served", "20 connections, two routers: served in a second; of all that came", ">=", 0.97),
        ("more than the other", "The router that has more connections; of the other", "", 0),
        ("fleet served", "The same with fleet.enabled: served in a second; of all that came", ">=", 0.97),
        ("fleet more than the other", "The router that has more connections; of the other", "", 0)]),
    "admin": (admin, 0, {}, [
        ("share", "Normal requests in a flood of administrators'; of queue.normal_share", "=", 0.05),
        ("wait", "p99 of an administrator's wait, normal requests twice what can be done; of a service time", "<=", 1)]),
    "stopped": (stopped, 2, {}, [
        ("frozen served", "A replica of two freezes: served in a second, six seconds from then on", ">=", 0.97),
        ("frozen p99", "p99 two seconds later; of before", "", 0),
        ("killed served", "A replica of two is killed: served in a second, six seconds from then on", ">=", 0.97),
        ("killed p99", "p99 two seconds later; of before", "", 0)]),
    "reconnect": (reconnect, 0, {"max_connections": "150"}, [
        ("work", "Most processor time of the loop at once, 100 connections end and reconnect; of the same,"
         " not reconnected", "", 0),
        ("stall", "Longest stall of the loop, 100 connections end and reconnect; of the same, not reconnected", "", 0),
        ("p99", "p99 of requests meanwhile; of the same, not reconnected", "", 0)]),
}


# --- results -------------------------------------------------------------------------------------------------

def reached(kind, limit, value):
    return {">=": value >= limit, "<=": value <= limit, "=": abs(value - 1) <= limit, "": None}[kind]


def lines(results):
    cells = [["", "goal", "measured", "in rounds", ""]]
    for part, result in results.items():
        for key, text, kind, limit in PARTS[part][3]:
            each = [values[key] for values in result["rounds"]]
            value = statistics.median(each)
            goal = {">=": f"at least {limit:g}", "<=": f"at most {limit:g}", "=": f"1 ± {limit:g}", "": ""}[kind]
            verdict = {True: "reached", False: "not reached", None: ""}[reached(kind, limit, value)]
            cells.append([text, goal, f"{value:.2f}", f"{min(each):.2f} to {max(each):.2f}", verdict])
    return cells


def others(results):
    """What is behind the ratios."""
    for part, result in results.items():
        told = {goal[0] for goal in PARTS[part][3]}
        rest = {key: statistics.median(values[key] for values in result["rounds"])
                for key in result["rounds"][0] if key not in told}
        if "load" in result["about"]:
            rest["load average before"] = result["about"]["load"]
        yield f"{part}: " + ", ".join(f"{key} {value:.4g}" for key, value in rest.items())


def text(results):
    cells = lines(results)
    widths = [max(len(row[i]) for row in cells) for i in range(5)]
    table = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells)
    return table + "\n\n" + "\n".join(others(results))


def publish(results):
    cells = lines(results)
    about = next(iter(results.values()))["about"]
    with open(os.path.join(ROOT, "tests/bench/overload.md"), "w", encoding="utf-8") as file:
        file.write("# More than can be done\n\nWritten by `tests/bench/overload --publish`: medians of rounds, each a load"
                   " at a fixed rate (Poisson arrivals, times from when a request was due). A request waits"
                   " for 4 ms and works for some 4 on the server, which shares two processors with the load.\n\n")
        file.write(f"{about['machine']}; PostgreSQL {about['server']}; {about['date']}.\n\n")
        for number, row in enumerate(cells):
            file.write("| " + " | ".join(row) + " |\n" + ("|---|---|---|---|---|\n" if number == 0 else ""))
        file.write("\nBehind them:\n\n" + "".join(f"- {line}\n" for line in others(results)))


def about(servers):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    return {"machine": f"{len(os.sched_getaffinity(0))} x {model}", "date": datetime.date.today().isoformat(),
            "load": os.getloadavg()[0],  # what else the machine does
            "server": servers.sql(0, "show server_version")[0][0]}


def measure(name, rounds):
    function, replicas, settings, _ = PARTS[name]
    servers = Servers(replicas, **settings)
    try:
        result = {"about": about(servers), "rounds": []}
        for number in range(rounds):
            result["rounds"].append(function(servers))
            print(f"{name}: round {number + 1} of {rounds}", file=sys.stderr)
        return result
    finally:
        servers.stop()


def read_options():
    parser = argparse.ArgumentParser(prog="tests/bench/overload", add_help=False)
    for flag in ("list", "report", "publish"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.parts = options.only.split(",") if options.only else list(PARTS)
    for name in options.parts:
        if name not in PARTS:
            parser.error(f"no part {name}; there are: {' '.join(PARTS)}")
    return options


def main():
    options = read_options()
    if options.list:
        for name, part in PARTS.items():
            print(f"{name:12}{part[0].__doc__}")
        return
    results = {}
    if os.path.exists(RESULTS):
        with open(RESULTS, encoding="utf-8") as file:
            results = json.load(file)
    for name in [] if options.report else options.parts:
        results[name] = measure(name, options.rounds)
        os.makedirs(os.path.dirname(RESULTS), exist_ok=True)
        with open(RESULTS, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    results = {name: results[name] for name in PARTS if name in results}
    if not results:
        sys.exit("nothing was measured yet")
    print(text(results if options.report or options.publish else {name: results[name] for name in options.parts}))
    if options.publish:
        publish(results)


if __name__ == "__main__":
    main()
