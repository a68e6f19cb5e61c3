"""A throwaway cluster for tests written in Python: the script beside this file, held by a pipe, so that the
servers go away with the test, however it ends."""

import os
import shutil
import subprocess
import sys
import tempfile

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cluster")


class Cluster:
    def __init__(self, replicas=2):
        self.dir = tempfile.mkdtemp(prefix="pqr.", dir="/tmp")
        self.holder = subprocess.Popen(
            [SCRIPT, "hold", self.dir, "--replicas", str(replicas)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.env = {}
        for line in self.holder.stdout:
            if line == "ready\n":
                break
            name, _, value = line.rstrip("\n").partition("=")
            self.env[name] = value
        else:
            status = self.holder.wait()
            shutil.rmtree(self.dir, ignore_errors=True)
            sys.exit(status)
        self.ports = [int(self.env[f"server_{i}_port"]) for i in range(replicas + 1)]

    def conninfo(self, *servers, user="app"):
        """Of these servers, of all when none is named."""
        ports = [self.ports[i] for i in servers] if servers else self.ports
        hosts = ",".join("127.0.0.1" for _ in ports)
        return f"host={hosts} port={','.join(map(str, ports))} user={user} dbname=app"

    def run(self, verb, *args):
        subprocess.run([SCRIPT, verb, self.dir, *args], check=True, stdout=subprocess.DEVNULL)

    def sql(self, server, text):
        """As the superuser, by the private socket: the rows, a list of lists of strings."""
        user = self.env["cluster_os_user"]
        command = ["psql", "-XqAt", "-F", "\t", "-h", self.env["cluster_sockets"], "-p",
                   str(self.ports[server]), "-U", "postgres", "-d", "app", "-c", text]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"] + command
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=env, cwd="/")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def stop(self):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()
