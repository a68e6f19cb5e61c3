"""psql runs a file through a relay of ours, which tells of each statement when its answer is complete. So whatever a
script does (variables, COPY, \\gexec, several connections), the statements are those that reach the server, at the
moment and in the state of the session in which they do."""
import os
import socket
import struct
import subprocess
import threading


class Statement:
    def __init__(self, sql, pid, in_transaction, log_from):
        self.sql, self.pid, self.in_transaction, self.log_from = sql, pid, in_transaction, log_from
        self.tags = []


def receive(stream, n):
    data = b''
    while len(data) < n:
        more = stream.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def message(stream):
    head = receive(stream, 5)
    return head[:1], receive(stream, struct.unpack('!I', head[1:])[0] - 4), head


class Connection:
    """One of psql's. Its statements are told one after the other: psql sends none before the last is answered."""

    def __init__(self, relay, client):
        self.relay, self.client = relay, client
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(relay.server)
        self.pid, self.status, self.statement = 0, b'I', None
        length = receive(client, 4)
        self.server.sendall(length + receive(client, struct.unpack('!I', length)[0] - 4))
        for way in (self.from_client, self.from_server):
            threading.Thread(target=self.carry, args=(way,), daemon=True).start()

    def carry(self, way):
        try:
            while True:
                way()
        except (EOFError, OSError):
            pass
        finally:
            for stream in (self.client, self.server):
                try:
                    stream.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def from_client(self):
        kind, body, head = message(self.client)
        if kind == b'Q':
            self.statement = Statement(body[:-1], self.pid, self.status != b'I', self.relay.log_size())
            self.relay.listener.before(self.statement)
        self.server.sendall(head + body)

    def from_server(self):
        kind, body, head = message(self.server)
        statement = self.statement
        if kind == b'K':
            self.pid = struct.unpack('!I', body[:4])[0]
        elif kind == b'C' and statement:
            statement.tags.append(body[:-1].decode())
        elif kind == b'Z':
            self.status = body
            if statement:
                self.statement = None
                self.relay.listener.after(statement)
        self.client.sendall(head + body)


class Relay:
    """listener.before(statement) is called when it is about to run, listener.after(statement) when it has."""

    def __init__(self, cluster, listener):
        self.server = '%s/.s.PGSQL.%d' % (cluster.env['cluster_sockets'], cluster.ports[0])
        self.log, self.listener = cluster.env['server_0_log'], listener
        self.socket = socket.create_server(('127.0.0.1', 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def log_size(self):
        return os.stat(self.log).st_size

    def accept(self):
        while True:
            Connection(self, self.socket.accept()[0])

    def run(self, text, folder, variables):
        """Runs a script, as pg_regress does."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith('PG')}
        environment.update(PGHOST='127.0.0.1', PGPORT=str(self.socket.getsockname()[1]), PGUSER='postgres',
                           PGDATABASE='regression', PGSSLMODE='disable', PGGSSENCMODE='disable', PGTZ='PST8PDT',
                           PGDATESTYLE='Postgres, MDY', PGOPTIONS='-c intervalstyle=postgres_verbose', **variables)
        return subprocess.run(['psql', '-X', '-q', '-v', 'HIDE_TABLEAM=on', '-v', 'HIDE_TOAST_COMPRESSION=on'],
                              input=text.encode('utf-8', 'surrogateescape'), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=environment, cwd=folder, check=False, timeout=900)
