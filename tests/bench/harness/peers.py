"""What is measured: a row is one program with its settings, started anew each round. Poolers are servers of their
own between the program and PostgreSQL; they refuse to run as root, so root gives them the servers' user."""
import dataclasses
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from servers import ROOT

PROGRAMS = os.path.join(ROOT, "build-bench/tests/bench")
PEERS = os.path.join(ROOT, "build-bench/peers")
SYSTEM = os.path.join(PEERS, "root")
LIBRARIES = {"LD_LIBRARY_PATH": os.path.join(SYSTEM, "usr/lib/x86_64-linux-gnu")}
NEWER = {"LD_LIBRARY_PATH": os.path.join(PEERS, "postgres/libpq")}
PYTHON = {"PYTHONPATH": os.path.join(SYSTEM, "usr/lib/python3/dist-packages")}


@dataclasses.dataclass
class Row:
    key: str
    label: str
    command: list
    connections: object = 4
    clients: object = 64
    depth: object = 1
    share: object = 1
    env: dict = dataclasses.field(default_factory=dict)
    pooler: object = None
    note: str = ""

    def start(self, prefix=()):
        done = subprocess.run([*prefix, *self.command], capture_output=True, text=True, env={**os.environ, **self.env})
        if done.returncode:
            raise SystemExit(f"{self.label}: {' '.join(self.command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def measure(self):
        """Requests a second; p50 and p99 in us; CPU in us a request, user and system, and the pooler's."""
        before = self.pooler.cpu_us() if self.pooler else 0
        begin = time.monotonic()
        numbers = [float(number) for number in self.start().split()]
        if not self.pooler:
            return [*numbers, 0.0]
        # The pooler also served the warm-up, at the same rate.
        used = (self.pooler.cpu_us() - before) / (time.monotonic() - begin)
        return [*numbers, used / numbers[0]]


def arguments(**options):
    return [f"{name}={value}" for name, value in options.items() if value is not None]


def raw(key, label, load, primary, replicas=(), connections=4, depth=1, share=1, write_depth=1, pipeline=None,
        prepared=1, **row):
    pipeline = int(depth > 1) if pipeline is None else pipeline
    command = [f"{PROGRAMS}/bench_raw", *load, f"primary={primary}", *(f"replica={one}" for one in replicas),
               *arguments(connections=connections, depth=depth, share=share, write_depth=write_depth,
                          pipeline=pipeline, prepared=prepared)]
    return Row(key, label, command, connections=connections, depth=depth, share=share, **row)


class Router:
    """Configuration files of pqrouter. Nothing here but what the comparison needs: the connections are as many as
    the others', the queue takes a fixed rate's stall, and all else is the default."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def config(self, connections, servers, extra="", probe="1s"):
        self.count += 1
        path = os.path.join(self.folder, f"router{self.count}.cfg")
        listed = ", ".join(f'{{ connection = "{server}"; }}' for server in servers)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"servers = ( {listed} );\n"
                       f"pool: {{ min = {connections}; max = {connections + 2}; admin_reserved = 1; "
                       f"connects_at_once = 4; }};\nprobe: {{ interval = \"{probe}\"; }};\n"
                       f'queue: {{ max_requests = 100000; }};\nrequest: {{ timeout = "10min"; }};\n{extra}\n')
        return path

    def row(self, key, label, load, servers, connections=4, extra="", unit=None, warm=None, probe="1s", **row):
        row.setdefault("depth", "default")
        row.setdefault("share", "default")
        command = [f"{PROGRAMS}/bench_router", *load, f"config={self.config(connections, servers, extra, probe)}",
                   *arguments(unit=unit, warm=warm)]
        return Row(key, label, command, connections=connections, **row)


# --- Poolers -----------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Pooler:
    """A pooler's process and its children."""

    def __init__(self, user):
        self.user = user
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix="pqr.", dir="/tmp")
        self.process = None

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run(self, *command):
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", self.user, self.dir], check=True)
            command = ["setpriv", "--reuid", self.user, "--regid", self.user, "--init-groups", "--", *command]
        with open(os.path.join(self.dir, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                                            env={**os.environ, **LIBRARIES})
        until = time.monotonic() + 20
        check = f"host=127.0.0.1 port={self.port} user=app dbname=app"
        while subprocess.run(["psql", "-Xq", "-c", "select 1", check], capture_output=True).returncode:
            if time.monotonic() > until or self.process.poll() is not None:
                with open(os.path.join(self.dir, "log"), encoding="utf-8") as log:
                    raise SystemExit(f"{command}: does not answer\n{log.read()[-2000:]}")
            time.sleep(0.1)

    def conninfo(self):
        return f"host=127.0.0.1 port={self.port} user=app dbname=app sslmode=disable gssencmode=disable"

    def cpu_us(self):
        """Its own and its children's so far."""
        ticks = 0
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if self.process.pid in (int(entry), int(fields[1])):
                ticks += int(fields[11]) + int(fields[12])
        return ticks * 1e6 / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process:
            self.process.send_signal(2)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class PgBouncer(Pooler):
    def __init__(self, user, port, connections):
        super().__init__(user)
        self.write("users", '"app" ""\n')
        path = self.write("pgbouncer.ini", f"""[databases]
app = host=127.0.0.1 port={port} dbname=app user=app
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.dir}/users
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
""")
        self.run(f"{SYSTEM}/usr/sbin/pgbouncer", "-q", path)


class Pgpool(Pooler):
    def __init__(self, user, port, connections):
        super().__init__(user)
        hba = self.write("pool_hba.conf", "host all all 127.0.0.1/32 trust\n")
        pcp = self.write("pcp.conf", "")
        path = self.write("pgpool.conf", f"""listen_addresses = '127.0.0.1'
port = {self.port}
unix_socket_directories = '{self.dir}'
pcp_listen_addresses = '127.0.0.1'
pcp_port = {free_port()}
pcp_socket_dir = '{self.dir}'
pid_file_name = '{self.dir}/pgpool.pid'
logdir = '{self.dir}'
backend_clustering_mode = 'raw'
backend_hostname0 = '127.0.0.1'
backend_port0 = {port}
backend_weight0 = 1
num_init_children = {connections + 2}
max_pool = 1
connection_cache = on
load_balance_mode = off
""")
        self.run(f"{SYSTEM}/usr/sbin/pgpool", "-n", "-f", path, "-F", pcp, "-a", hba)


# --- Versions ----------------------------------------------------------------------------------------------

def output(*command, env=None):
    try:
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})})
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip()


def needs_peers(part):
    """What tests/bench/peers/fetch brings."""
    return part.startswith("peers") or part.endswith("newer")


def newer_libpq():
    """As the library itself says; "" where it was not fetched."""
    code = "import ctypes; print(ctypes.CDLL('libpq.so.5').PQlibVersion())"
    number = output("/usr/bin/python3", "-c", code, env=NEWER) if os.path.isdir(NEWER["LD_LIBRARY_PATH"]) else ""
    return f"{int(number) // 10000}.{int(number) % 10000}" if number.isdigit() else ""


def versions(with_peers):
    found = {
        "compiler": output("cc", "--version").splitlines()[0],
        "libpq": output("pkg-config", "--modversion", "libpq"),
        "libuv": output("pkg-config", "--modversion", "libuv"),
    }
    if with_peers:
        number = r"(\d+\.\d[\d.]*)"
        texts = {
            "PgBouncer": output(f"{SYSTEM}/usr/sbin/pgbouncer", "--version", env=LIBRARIES),
            "pgpool-II": output(f"{SYSTEM}/usr/sbin/pgpool", "--version", env=LIBRARIES),
            "psycopg2": output("/usr/bin/python3", "-c", "import psycopg2; print(psycopg2.__version__)", env=PYTHON),
            "Python": output("/usr/bin/python3", "--version"),
            "Node.js": output("node", "--version"),
            "node-postgres": output("node", "-p", f"require('{PEERS}/node_modules/pg/package.json').version"),
            "postgres.js": output("node", "-p", "JSON.parse(require('fs').readFileSync("
                                  f"'{PEERS}/node_modules/postgres/package.json')).version"),
        }
        texts["newer libpq"] = newer_libpq()
        for name, text in texts.items():
            match = re.search(number, text)
            found[name] = match[1] if match else "?"
    return found
