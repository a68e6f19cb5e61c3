"""The parts of the benchmark: which rows take turns, and what they have to reach.

A goal is (row, baseline, metric, at least or at most, value, why it is one): the ratio of the medians of rounds,
or for "cpu" the difference in us."""
import dataclasses
import os
import re
import statistics

from peers import LIBRARIES, NEWER, PEERS, PYTHON, PgBouncer, Pgpool, Row, arguments, raw
from servers import ROOT

with open(os.path.join(ROOT, "config/pqrouter.cfg"), encoding="utf-8") as _file:
    KEYS = _file.read()


def default(key, otherwise):
    """Of a number in pqrouter's configuration."""
    match = re.search(rf"^ *{key} = (\d+);", KEYS, re.MULTILINE)
    return int(match[1]) if match else otherwise


# The shape of the hand-written program that has a router's.
DEPTH, SHARE = default("pipeline_depth", 32), default("share_sync", 16)


@dataclasses.dataclass
class Goal:
    row: str
    baseline: str
    metric: str  # rate, p50, p99, cpu
    least: bool
    value: float


ALONE = "reads: { share_sync = 1; };"
# What pqrouter does not have yet has no row, and its goal says so.
HAS_WRITES = re.search(r"^ *writes ", KEYS, re.MULTILINE)
WRITES = "writes: { pipeline = true; };"
with open(os.path.join(ROOT, "tests/bench/router.c"), encoding="utf-8") as _file:
    HAS_UNIT = "pqr_batch" in _file.read()
SYNC_OFF = "options='-c synchronous_commit=off'"


class Bench:
    """What the parts need to make their rows."""

    def __init__(self, options, servers, router):
        self.options, self.servers, self.router = options, servers, router
        self.poolers = []
        self.user = servers.cluster.env["cluster_os_user"]

    def load(self, work, clients=None, **more):
        return arguments(work=work, clients=clients or self.options.clients, seconds=self.options.seconds, **more)

    def pooler(self, kind, connections):
        self.poolers.append(kind(self.user, self.servers.ports[0], connections))
        return self.poolers[-1]

    def close(self):
        for pooler in self.poolers:
            pooler.stop()
        self.poolers = []


def shapes(bench, work, primary, env=None):
    """The hand-written programs and pqrouter on one server."""
    load, n, more = bench.load(work), bench.options.connections, {"env": env or {}}
    return [
        raw("raw", "raw libpq", load, primary, connections=n, **more),
        raw("pipelined", "raw libpq, pipeline, a Sync each", load, primary, connections=n, depth=DEPTH, **more),
        raw("shared", "raw libpq, pipeline, shared Sync", load, primary, connections=n, depth=DEPTH, share=SHARE,
            **more),
        bench.router.row("router", "pqrouter", load, [primary], n, **more),
        bench.router.row("router-alone", "pqrouter, sharing off", load, [primary], n, ALONE, share=1, **more),
    ]


TCP_GOALS = [
    Goal("router", "raw", "rate", True, 4.0),
    Goal("router", "shared", "rate", True, 0.95),
    Goal("router-alone", "raw", "rate", True, 2.0),
    Goal("router", "shared", "cpu", False, 0.5),
]
UNIX_GOALS = [Goal("router-alone", "raw", "rate", True, 2.8)]


def point_read(bench):
    return shapes(bench, "point", bench.servers.conninfo(0)), TCP_GOALS


def point_read_unix(bench):
    return shapes(bench, "point", bench.servers.unix(0)), UNIX_GOALS


def point_read_newer(bench):
    """With a libpq that sends Syncs together: the same programs, nothing is built anew."""
    return shapes(bench, "point", bench.servers.conninfo(0), NEWER), TCP_GOALS


def point_read_unix_newer(bench):
    return shapes(bench, "point", bench.servers.unix(0), NEWER), UNIX_GOALS


def point_read_tls(bench):
    return shapes(bench, "point", bench.servers.tls()), []


def ten_rows(bench):
    return shapes(bench, "ten", bench.servers.conninfo(0)), []


def thousand_rows(bench):
    return shapes(bench, "thousand", bench.servers.conninfo(0)), [Goal("router", "raw", "rate", True, 1.0)]


def node(bench, key, label, program, work):
    n = bench.options.connections
    command = ["node", f"{PEERS}/{program}.mjs", f"port={bench.servers.ports[0]}", f"connections={n}",
               *bench.load(work)]
    return Row(key, label, command, connections=n, depth="default" if key == "postgresjs" else 1)


def threadpool(bench, work):
    command = ["/usr/bin/python3", os.path.join(ROOT, "tests/bench/peers/threadpool.py"), "threads=16",
               f"primary={bench.servers.conninfo(0)}", *bench.load(work)]
    return Row("psycopg2", "psycopg2 ThreadedConnectionPool", command, connections="2..20", clients="16 threads",
               env={**LIBRARIES, **PYTHON})


def peer_rows(bench, work):
    """Through a pooler, whose own connections are as many as the others', the program has 16. PgBouncer
    before 1.21 knows no prepared statements in transaction mode: they are parsed each time."""
    load, n, primary = bench.load(work), bench.options.connections, bench.servers.conninfo(0)
    bouncer, pgpool = bench.pooler(PgBouncer, n), bench.pooler(Pgpool, 16)
    return [
        raw("raw", "raw libpq", load, primary, connections=n),
        bench.router.row("router", "pqrouter", load, [primary], n),
        raw("pgbouncer", "raw libpq through PgBouncer", load, bouncer.conninfo(), connections=16, prepared=0,
            pooler=bouncer, note=f"{n} to the server"),
        raw("pgbouncer-pipelined", "raw libpq, pipeline, through PgBouncer", load, bouncer.conninfo(),
            connections=n, depth=DEPTH, prepared=0, pooler=bouncer, note=f"{n} to the server"),
        raw("pgpool", "raw libpq through pgpool-II", load, pgpool.conninfo(), connections=16, pooler=pgpool),
        threadpool(bench, work),
        node(bench, "pg", "node-postgres Pool", "pg", work),
        node(bench, "postgresjs", "postgres.js", "postgres", work),
    ]


def peers(bench):
    least = {"pgbouncer": 8, "pgpool": 20, "psycopg2": 9, "pg": 9, "postgresjs": 3.5}
    return peer_rows(bench, "point"), [Goal("router", key, "rate", True, value) for key, value in least.items()]


def peers_ten(bench):
    return peer_rows(bench, "ten"), []


def peers_thousand(bench):
    return peer_rows(bench, "thousand"), []


def peers_mix(bench):
    """On one server: none of these programs knows which of its requests may go to a replica. A client that pipelines
    sends its writes behind others too, as pqrouter does with writes.pipeline."""
    rows = [row for row in peer_rows(bench, "mix") if row.key != "router"]
    load, n, primary = bench.load("mix"), bench.options.connections, bench.servers.conninfo(0)
    rows[1:1] = [
        bench.router.row("router", "pqrouter", load, [primary], n, warm=LEARNS),
        bench.router.row("router-writes", "pqrouter, writes.pipeline", load, [primary], n, WRITES, warm=LEARNS),
    ]
    return rows, []


def peers_transaction(bench):
    """Without the pipelining client: the transaction's statements are told one by one here."""
    return [row for row in peer_rows(bench, "tpcb") if row.key != "pgbouncer-pipelined"], []


def transaction(bench, extra):
    load, n, primary = bench.load("tpcb"), bench.options.connections, bench.servers.conninfo(0, extra)
    rows = [
        raw("raw", "raw libpq, statement by statement", load, primary, connections=n),
        raw("raw-unit", "raw libpq, as one unit", load, primary, connections=n, pipeline=1),
        bench.router.row("router", "pqrouter, statement by statement", load, [primary], n, depth=1, share=1),
    ]
    if HAS_UNIT:
        rows.append(bench.router.row("router-unit", "pqrouter, as one unit", load, [primary], n, unit=1, depth=1,
                                     share=1))
    return rows, [Goal("router-unit", "raw", "rate", True, 2.5)]


# pqrouter learns over how many connections reads go best; it begins with all of them.
LEARNS = 2


def mix(bench, extra, goals):
    load, n = bench.load("mix"), bench.options.connections
    primary, *replicas = (bench.servers.conninfo(i, extra) for i in range(3))
    every = [primary, *replicas]
    rows = [
        raw("raw", "raw libpq", load, primary, replicas, n),
        raw("pipelined", "raw libpq, pipeline, a Sync each", load, primary, replicas, n, depth=DEPTH),
        raw("shared", "raw libpq, pipeline, shared Sync", load, primary, replicas, n, depth=DEPTH, share=SHARE),
        raw("shared-writes", "raw libpq, pipeline, shared Sync, writes too", load, primary, replicas, n,
            depth=DEPTH, share=SHARE, write_depth=16),
        bench.router.row("router", "pqrouter", load, every, n, warm=LEARNS),
    ]
    if HAS_WRITES:
        rows.append(bench.router.row("router-writes", "pqrouter, writes.pipeline", load, every, n, WRITES, warm=LEARNS))
    return rows, [Goal(row, "raw", "rate", True, value) for row, value in goals]


def mix_alone(bench, extra):
    """On one server: reads and writes share its connections."""
    load, n, primary = bench.load("mix"), bench.options.connections, bench.servers.conninfo(0, extra)
    return [
        raw("raw", "raw libpq", load, primary, connections=n),
        bench.router.row("router", "pqrouter", load, [primary], n, warm=LEARNS),
        bench.router.row("router-writes", "pqrouter, writes.pipeline", load, [primary], n, WRITES, warm=LEARNS),
    ], []


def few_clients(clients):
    """As most services are, most of the time."""
    def rows(bench):
        load, n, primary = bench.load("point", clients=clients), bench.options.connections, bench.servers.conninfo(0)
        return [
            raw("raw", "raw libpq", load, primary, connections=n, clients=clients),
            raw("shared", "raw libpq, pipeline, shared Sync", load, primary, connections=n, clients=clients,
                depth=DEPTH, share=SHARE),
            bench.router.row("router", "pqrouter", load, [primary], n, clients=clients),
        ], []
    return rows


def one_at_a_time(bench):
    load, n, primary = bench.load("point", clients=1), bench.options.connections, bench.servers.conninfo(0)
    return [
        raw("raw", "raw libpq", load, primary, connections=n, clients=1),
        bench.router.row("router", "pqrouter", load, [primary], n, clients=1),
    ], [Goal("router", "raw", "p50", False, 1.05)]


def fixed_rate(bench):
    """Half of what raw libpq reaches now, asked for whatever happens."""
    n, primary = bench.options.connections, bench.servers.conninfo(0)
    peak = raw("", "raw libpq", bench.load("point"), primary, connections=n)
    rate = int(statistics.median(peak.measure()[0] for _ in range(5)) / 2)
    load, clients = bench.load("point", rate=rate), f"{rate}/s"
    return [
        raw("raw", "raw libpq", load, primary, connections=n, clients=clients),
        bench.router.row("router", "pqrouter", load, [primary], n, clients=clients),
    ], [Goal("router", "raw", "p99", False, 1.1)]


# So many times the rounds: where much is held against a number, and of a latency that one request in a hundred has,
# which a stall of the machine decides in a short run.
TURNS = {"point-read": 2, "point-read-unix": 2, "point-read-newer": 2, "point-read-unix-newer": 2, "fixed-rate": 5}

PARTS = {
    "point-read": ("Point reads", point_read),
    "point-read-unix": ("Point reads over the Unix socket", point_read_unix),
    "point-read-newer": ("Point reads, newer libpq", point_read_newer),
    "point-read-unix-newer": ("Point reads over the Unix socket, newer libpq", point_read_unix_newer),
    "point-read-tls": ("Point reads over TLS", point_read_tls),
    "ten-rows": ("Reads of ten rows", ten_rows),
    "thousand-rows": ("Reads of 1,000 rows", thousand_rows),
    "peers": ("Point reads, other pools", peers),
    "peers-ten": ("Reads of ten rows, other pools", peers_ten),
    "peers-thousand": ("Reads of 1,000 rows, other pools", peers_thousand),
    "peers-mix": ("80 % point reads, 20 % writes, other pools, one server, synchronous_commit on", peers_mix),
    "peers-transaction": ("TPC-B-like transaction, other pools", peers_transaction),
    "transaction": ("TPC-B-like transaction, synchronous_commit on", lambda bench: transaction(bench, "")),
    "transaction-off": ("TPC-B-like transaction, synchronous_commit off",
                        lambda bench: transaction(bench, SYNC_OFF)),
    "mix": ("80 % point reads, 20 % writes, three servers, synchronous_commit on",
            lambda bench: mix(bench, "", [("router", 1.0)])),
    "mix-off": ("80 % point reads, 20 % writes, three servers, synchronous_commit off",
                lambda bench: mix(bench, SYNC_OFF, [("router", 1.5), ("router-writes", 2.0)])),
    "mix-alone": ("80 % point reads, 20 % writes, one server, synchronous_commit on", lambda bench: mix_alone(bench, "")),
    "mix-alone-off": ("80 % point reads, 20 % writes, one server, synchronous_commit off",
                      lambda bench: mix_alone(bench, SYNC_OFF)),
    "clients-8": ("Point reads, 8 at a time", few_clients(8)),
    "clients-16": ("Point reads, 16 at a time", few_clients(16)),
    "one-at-a-time": ("Point reads, one at a time", one_at_a_time),
    "fixed-rate": ("Point reads at half of raw libpq's peak rate", fixed_rate),
}
