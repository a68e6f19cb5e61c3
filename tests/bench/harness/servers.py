"""The servers of a measurement, with the settings that are said beside its results."""
import os
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "tests/support"))
from cluster import Cluster  # noqa: E402

SETTINGS = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB", "max_wal_size": "4GB",
            "checkpoint_timeout": "30min", "max_connections": "200", "wal_keep_size": "64MB",
            "shared_preload_libraries": ""}


class Servers:
    """A primary and two replicas, with the tables of schema.sql."""

    def __init__(self, replicas=2):
        self.cluster = Cluster(replicas)
        self.ports = self.cluster.ports
        self.sockets = self.cluster.env["cluster_sockets"]
        for number in range(replicas + 1):
            name = self.cluster.env[f"server_{number}_name"]
            # Not by ALTER SYSTEM, which would make a library named "" of the empty list.
            with open(os.path.join(self.cluster.env[f"server_{number}_data"], "postgresql.auto.conf"), "a",
                      encoding="utf-8") as file:
                file.writelines(f"{key} = '{value}'\n" for key, value in SETTINGS.items())
            self.cluster.run("stop-server", name)
            self.cluster.run("start-server", name)
        with open(os.path.join(ROOT, "tests/bench/schema.sql"), encoding="utf-8") as schema:
            subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", self.conninfo(0)], stdin=schema, check=True)
        self.wait()

    def sql(self, number, text):
        return self.cluster.sql(number, text)

    def wait(self):
        """Until the replicas have all that the primary has. A statement for each look: one that went on would hold up
        what is replayed, and be cancelled for that."""
        position = self.sql(0, "select pg_current_wal_insert_lsn()")[0][0]
        for number in range(1, len(self.ports)):
            while self.sql(number, f"select pg_last_wal_replay_lsn() >= '{position}'")[0][0] != "t":
                time.sleep(0.02)

    def conninfo(self, number, extra=""):
        return (f"host=127.0.0.1 port={self.ports[number]} user=app dbname=app sslmode=disable "
                f"gssencmode=disable {extra}").strip()

    def unix(self, number):
        return f"host={self.sockets} port={self.ports[number]} user=app dbname=app gssencmode=disable"

    def tls(self):
        """Of the primary, with a certificate made on the spot by an authority of our own."""
        folder = os.path.join(self.cluster.dir, "tls")
        if not os.path.isdir(folder):
            self.make_certificates(folder)
        return (f"host=127.0.0.1 port={self.ports[0]} user=app dbname=app gssencmode=disable "
                f"sslmode=verify-full sslrootcert={folder}/ca.crt")

    def make_certificates(self, folder):
        os.mkdir(folder)

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bench",
                "-keyout", "ca.key", "-out", "ca.crt")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "server.key",
                "-out", "server.csr")
        with open(f"{folder}/ext", "w", encoding="utf-8") as extensions:
            extensions.write("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "ext", "-out", "server.crt")
        os.chmod(f"{folder}/server.key", 0o600)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", self.cluster.env["cluster_os_user"], folder], check=True)
        for key, value in {"ssl_cert_file": f"{folder}/server.crt", "ssl_key_file": f"{folder}/server.key",
                           "ssl": "on"}.items():
            self.sql(0, f"alter system set {key} = '{value}'")
        self.sql(0, "select pg_reload_conf()")

    def stop(self):
        self.cluster.stop()
