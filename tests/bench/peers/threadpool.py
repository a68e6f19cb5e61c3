"""psycopg2's ThreadedConnectionPool and threads, the load of ../bench.c: the pool grows from 2 to 20 connections.

    threadpool.py primary=CONNINFO work=point|ten|thousand|mix|tpcb threads=N seconds=S
"""
import itertools
import resource
import sys
import threading
import time

import psycopg2.pool

ROWS = 10000
COUNTS = {"point": 1, "ten": 10, "thousand": 1000, "mix": 1}
options = dict(argument.split("=", 1) for argument in sys.argv[1:])
work, threads, seconds = options["work"], int(options["threads"]), float(options["seconds"])
pool = psycopg2.pool.ThreadedConnectionPool(2, 20, options["primary"])
ids, asked = itertools.count(), itertools.count()


def mix(cursor, job):
    if next(asked) % 5 == 4:
        cursor.execute("update bench set hits = hits + 1 where id = %s", (job,))
    else:
        read(cursor, job)


def read(cursor, job):
    expected = min(COUNTS[work], ROWS - job + 1)
    if COUNTS[work] == 1:
        cursor.execute("select value from bench where id = %s", (job,))
    else:
        cursor.execute("select id, value from bench where id between %s and %s order by id",
                       (job, job + COUNTS[work] - 1))
    rows = cursor.fetchall()
    if len(rows) != expected or rows[-1][-1] != 7 * (job + expected - 1):
        raise ValueError(f"id {job}: its rows were not read")


def transaction(cursor, job):
    delta, account, teller, branch = job % 997, *(job * 7919 % rows + 1 for rows in (100000, 500, 50))
    cursor.execute("begin")
    cursor.execute("update accounts set balance = balance + %s where id = %s", (delta, account))
    cursor.execute("select balance from accounts where id = %s", (account,))
    if len(cursor.fetchall()) != 1:
        raise ValueError(f"account {account} was not read")
    cursor.execute("update tellers set balance = balance + %s where id = %s", (delta, teller))
    cursor.execute("update branches set balance = balance + %s where id = %s", (delta, branch))
    cursor.execute("insert into history (delta, account) values (%s, %s)", (delta, account))
    cursor.execute("commit")


def client(times):
    ask = {"tpcb": transaction, "mix": mix}.get(work, read)
    now = time.monotonic()
    while now < until:
        started = now
        connection = pool.getconn()
        connection.autocommit = True  # the cheapest use: no BEGIN and ROLLBACK around each
        with connection.cursor() as cursor:
            ask(cursor, (next(ids) + 1) * 7919 % ROWS + 1)
        pool.putconn(connection)
        now = time.monotonic()
        if started >= begin and now < until:
            times.append(now - started)


begin = time.monotonic() + seconds / 10
until = begin + seconds
lists = [[] for _ in range(threads)]
running = [threading.Thread(target=client, args=(times,)) for times in lists]
for thread in running:
    thread.start()
time.sleep(max(0, begin - time.monotonic()))
then = resource.getrusage(resource.RUSAGE_SELF)
for thread in running:
    thread.join()
now = resource.getrusage(resource.RUSAGE_SELF)
pool.closeall()
times = sorted(itertools.chain(*lists))
n = len(times)
print(f"{n / seconds:.0f} {times[n // 2] * 1e6:.1f} {times[n * 99 // 100] * 1e6:.1f} "
      f"{(now.ru_utime - then.ru_utime) * 1e6 / n:.3f} {(now.ru_stime - then.ru_stime) * 1e6 / n:.3f}")
