"""psycopg2, which interpolates parameters itself: a prepared statement is SQL's PREPARE."""

import io
import os
import re
import select
import socket
import threading
import time

import psycopg2
from psycopg2 import errors, extensions, extras

import harness
from harness import Failed, same

SSLMODE = os.environ.get("PGSSLMODE", "disable")


class Connection:
    def __init__(self, conn):
        self.conn, self.prepared = conn, {}

    def run(self, text, params, prepared):
        cur = self.conn.cursor()
        if prepared:
            if text not in self.prepared:
                cur.execute(f"PREPARE s{len(self.prepared)} AS {text}")
                self.prepared[text] = f"s{len(self.prepared)}"
            text = "EXECUTE " + self.prepared[text] + (f"({', '.join(['%s'] * len(params))})" if params else "")
        elif params is not None:
            text = re.sub(r"\$\d+", "%s", text.replace("%", "%%"))
        cur.execute(text, params)
        if cur.description is None:
            return []
        return ["NULL" if row[0] is None else str(row[0]) for row in cur]

    def script(self, text):
        self.conn.cursor().execute(text)
        return []

    def notification(self, timeout):
        deadline = time.monotonic() + timeout
        while not self.conn.notifies:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            select.select([self.conn], [], [], left)
            self.conn.poll()
        n = self.conn.notifies.pop(0)
        return n.channel, n.payload

    def code(self, error):
        return getattr(error, "pgcode", None)

    def close(self):
        self.conn.close()


class Client:
    def __init__(self, target):
        self.target, self.conns = target, []

    def plain(self, settings=None, autocommit=True, **kw):
        """A connection as psycopg2 gives it."""
        t = self.target
        options = " ".join(f"-c {k}={v}" for k, v in (settings or {}).items())
        conn = psycopg2.connect(
            host=t.host, port=t.port, dbname=t.database, user=t.user, sslmode=SSLMODE, connect_timeout=10, options=options, **kw
        )
        conn.autocommit = autocommit
        self.conns.append(conn)
        return conn

    def connect(self, settings):
        return Connection(self.plain(settings))

    def abandon(self):
        for conn in self.conns:
            if not conn.closed:
                with socket.socket(fileno=os.dup(conn.fileno())) as s:
                    try:
                        s.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass


def execute(conn, text, args=None):
    cur = conn.cursor()
    cur.execute(text, args)
    return cur


def value(conn, text, args=None):
    return execute(conn, text, args).fetchone()[0]


def raises(kind, function, *args, **kw):
    try:
        function(*args, **kw)
    except kind as e:
        return e
    raise Failed(f"no {kind.__name__}")


def statements(client):
    """200 statements prepared under names"""
    a, b = client.plain(), client.plain()
    for turn in range(3):
        for n in range(200):
            if turn == 0:
                execute(a, f"PREPARE s{n} (int) AS SELECT $1 * 1000 + {n}")
                execute(b, f"PREPARE s{n} (int) AS SELECT $1 * -1000 - {n}")
            same(value(a, f"EXECUTE s{n} (%s)", [turn]), turn * 1000 + n)
            same(value(b, f"EXECUTE s{n} (%s)", [turn]), turn * -1000 - n)


def one_name(client):
    """one name, two texts"""
    a, b = client.plain(), client.plain()
    execute(a, "PREPARE same AS SELECT 'a' || $1")
    execute(b, "PREPARE same AS SELECT 'b' || $1 || 'b'")
    for turn in range(20):
        same(value(a, "EXECUTE same (%s)", [str(turn)]), f"a{turn}")
        same(value(b, "EXECUTE same (%s)", [str(turn)]), f"b{turn}b")


def copy_in(client):
    """COPY in, 10,000 rows"""
    a = client.plain()
    execute(a, "CREATE TABLE copied (n int, t text)")
    a.cursor().copy_expert("COPY copied FROM STDIN", io.StringIO("".join(f"{n}\trow {n}\n" for n in range(10_000))))
    same(execute(a, "SELECT count(*), sum(n), max(length(t)) FROM copied").fetchone(), (10_000, 49_995_000, 8))
    execute(a, "DROP TABLE copied")


def copy_out(client):
    """COPY out, 10,000 rows"""
    a, out = client.plain(), io.StringIO()
    a.cursor().copy_expert("COPY (SELECT n, repeat('x', 500) FROM generate_series(1, 10000) AS n) TO STDOUT", out)
    lines = out.getvalue().splitlines()
    same((len(lines), sum(int(line.split("\t")[0]) for line in lines)), (10_000, 50_005_000))
    same(value(a, "SELECT 1"), 1)


class Broken(io.StringIO):
    def read(self, n=-1):
        if self.tell() > 20_000:
            raise ZeroDivisionError
        return super().read(n)

    def write(self, text):
        if self.tell() > 20_000:
            raise ZeroDivisionError
        return super().write(text)


def copy_out_left(client):
    """COPY out, given up half way"""
    a = client.plain()
    for _ in range(3):
        raises(
            (ZeroDivisionError, psycopg2.Error),
            a.cursor().copy_expert,
            "COPY (SELECT n, repeat('x', 500) FROM generate_series(1, 10000) AS n) TO STDOUT",
            Broken(),
        )
        same(value(a, "SELECT 'goes on'"), "goes on")


def copy_error(client):
    """COPY in fails at a row"""
    a = client.plain()
    execute(a, "CREATE TABLE half (n int CHECK (n < 5000))")
    for _ in range(3):
        raises(errors.CheckViolation, a.cursor().copy_expert, "COPY half FROM STDIN", io.StringIO("".join(f"{n}\n" for n in range(10_000))))
        same(value(a, "SELECT count(*) FROM half"), 0)
    execute(a, "DROP TABLE half")


def copy_fail(client):
    """COPY in given up by the client"""
    a = client.plain()
    execute(a, "CREATE TABLE half (n int)")
    raises(errors.QueryCanceled, a.cursor().copy_expert, "COPY half FROM STDIN", Broken("1\n" * 20_000))
    same(value(a, "SELECT count(*) FROM half"), 0)
    execute(a, "DROP TABLE half")


def copy_temporary(client):
    """COPY into a temporary table over transactions"""
    a, b = client.plain(), client.plain()
    for conn in (a, b):
        execute(conn, "CREATE TEMP TABLE props (n int)")
    for _ in range(5):
        for conn, width in ((a, 100), (b, 50)):
            conn.cursor().copy_from(io.StringIO("7\n" * width), "props")
    same((value(a, "SELECT count(*) FROM props"), value(b, "SELECT count(*) FROM props")), (500, 250))


def cancelling(a):
    timer = threading.Timer(0.3, a.cancel)
    timer.start()
    begin = time.monotonic()
    raises(errors.QueryCanceled, execute, a, "SELECT pg_sleep(10)")
    timer.join()
    if time.monotonic() - begin > 3:
        raise Failed("the cancel took more than 3 s")


def cancel(client):
    """cancel a query"""
    a, b = client.plain(), client.plain()
    for _ in range(2):
        cancelling(a)
        same((value(a, "SELECT 1"), value(b, "SELECT 2")), (1, 2))
    a.cancel()  # of nothing
    for n in range(10):
        same(value(b, "SELECT %s", [n]), n)


def cancel_in_transaction(client):
    """cancel in a transaction"""
    a = client.plain(autocommit=False)
    execute(a, "CREATE TABLE never (n int)")
    cancelling(a)
    raises(errors.InFailedSqlTransaction, execute, a, "SELECT 1")
    a.rollback()
    same(value(a, "SELECT to_regclass('never')"), None)
    a.commit()


def transactions(client):
    """transactions of the driver"""
    a, b = client.plain(autocommit=False), client.plain()
    execute(b, "CREATE TABLE moves (n int)")
    for n in range(6):
        with a:
            execute(a, "INSERT INTO moves VALUES (%s)", [n])
            same(value(b, "SELECT count(*) FROM moves"), n)
        try:
            with a:
                execute(a, "INSERT INTO moves VALUES (1000)")
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    same(value(b, "SELECT max(n) FROM moves"), 5)
    raises(errors.DivisionByZero, execute, a, "SELECT 1/0")
    a.rollback()
    same(value(a, "SELECT 1"), 1)
    a.reset()
    execute(b, "DROP TABLE moves")


def reset(client):
    """reset of the driver"""
    a = client.plain()
    execute(a, "SET work_mem = '5MB'")
    a.autocommit = False
    execute(a, "INSERT INTO kept (v) VALUES ('never')")
    a.reset()  # ABORT; SET SESSION AUTHORIZATION DEFAULT; RESET ALL
    a.autocommit = True
    for _ in range(5):
        same((value(a, "SHOW work_mem"), value(a, "SELECT count(*) FROM kept WHERE v = 'never'")), ("4MB", 0))


def isolation(client):
    """isolation and read only of the driver"""
    a, b = client.plain(autocommit=False), client.plain()
    a.set_session(isolation_level="SERIALIZABLE", readonly=True, deferrable=True)
    b.set_session(isolation_level="REPEATABLE READ", readonly=True)  # autocommit: SET default_transaction_...
    for _ in range(5):
        same((value(a, "SHOW transaction_isolation"), value(a, "SHOW transaction_deferrable")), ("serializable", "on"))
        same((value(b, "SHOW transaction_isolation"), value(b, "SHOW transaction_read_only")), ("repeatable read", "on"))
        raises(errors.ReadOnlySqlTransaction, execute, a, "INSERT INTO kept (v) VALUES ('never')")
        a.rollback()
    a.set_session(isolation_level="DEFAULT", readonly="DEFAULT", deferrable="DEFAULT")
    same((value(a, "SHOW transaction_isolation"), value(a, "SHOW transaction_read_only")), ("read committed", "off"))
    a.rollback()


def serialization(client):
    """serialization failure"""
    a, b, setup = client.plain(autocommit=False), client.plain(autocommit=False), client.plain()
    execute(setup, "CREATE TABLE counters AS SELECT 0 AS n")
    for conn in (a, b):
        conn.set_session(isolation_level="SERIALIZABLE")
        value(conn, "SELECT n FROM counters")
    execute(a, "UPDATE counters SET n = n + 1")
    a.commit()
    raises(errors.SerializationFailure, execute, b, "UPDATE counters SET n = n + 1")
    b.rollback()
    execute(b, "UPDATE counters SET n = n + 1")
    b.commit()
    same(value(setup, "SELECT n FROM counters"), 2)
    execute(setup, "DROP TABLE counters")


def batch(client):
    """batch"""
    a = client.plain()
    execute(a, "CREATE TABLE batched (n int)")
    extras.execute_batch(a.cursor(), "INSERT INTO batched VALUES (%s)", [(n,) for n in range(1000)])
    extras.execute_values(a.cursor(), "INSERT INTO batched VALUES %s", [(n,) for n in range(1000)])
    same(value(a, "SELECT count(*) FROM batched"), 2000)
    execute(a, "DROP TABLE batched")


def batch_error(client):
    """batch with an error in the middle"""
    a = client.plain()
    execute(a, "CREATE TABLE batched (n int PRIMARY KEY)")
    for _ in range(3):
        raises(errors.UniqueViolation, extras.execute_batch, a.cursor(), "INSERT INTO batched VALUES (%s)", [(n % 50,) for n in range(100)], 100)
        same(value(a, "SELECT count(*) FROM batched"), 0)
    execute(a, "DROP TABLE batched")


def cursor(client):
    """server-side cursor"""
    a = client.plain(autocommit=False)
    for turn in range(3):
        with a.cursor(name="rows", scrollable=True) as cur:
            cur.itersize = 100
            cur.execute("SELECT n FROM generate_series(1, 1000) AS n WHERE n > %s", [turn])
            same(sum(row[0] for row in cur), 500_500 - sum(range(turn + 1)))
            cur.scroll(0, mode="absolute")
            same(cur.fetchmany(2), [(turn + 1,), (turn + 2,)])
        a.commit()


def cursor_held(client):
    """server-side cursor WITH HOLD"""
    cursors = []
    for tag in "ab":
        conn = client.plain(autocommit=False)
        cur = conn.cursor(name="rows", withhold=True)
        cur.execute("SELECT %s || n FROM generate_series(1, 100) AS n", [tag])
        cursors.append((cur, tag, conn))
        conn.commit()
    for n in range(0, 100, 10):
        for cur, tag, conn in cursors:
            same(cur.fetchmany(10), [(f"{tag}{n + i}",) for i in range(1, 11)])
            conn.commit()
    for cur, _, conn in cursors:
        cur.close()
        conn.commit()
        same(value(conn, "SELECT count(*) FROM pg_cursors"), 0)


def megabyte(client):
    """1 MB parameter"""
    a = client.plain()
    for _ in range(3):
        same(value(a, "SELECT md5(%s)", ["é" * 500_000]), value(a, "SELECT md5(repeat('é', 500000))"))


def megabytes(client):
    """20 MB parameter and result"""
    a = client.plain()
    data = "x" * 20_000_000
    same(value(a, "SELECT length(%s)", [data]), len(data))
    if value(a, "SELECT repeat('x', 20000000)") != data:
        raise Failed("20 MB came back changed")


def large_object(client):
    """large object of the driver"""
    a = client.plain(autocommit=False)
    obj = a.lobject(0, "wb")
    oid = obj.oid
    obj.write(b"0123456789" * 100_000)
    obj.close()
    a.commit()
    obj = a.lobject(oid, "rb")
    obj.seek(500_000)
    same(obj.read(10), b"0123456789")
    obj.unlink()
    a.commit()
    raises(psycopg2.Error, a.lobject, oid, "rb")
    a.rollback()


def two_phase(client):
    """two-phase commit of the driver"""
    a, b = client.plain(autocommit=False), client.plain()
    xid = a.xid(7, client.target.database, "branch")
    a.tpc_begin(xid)
    execute(a, "INSERT INTO kept (v) VALUES ('tpc')")
    a.tpc_prepare()
    same(value(b, "SELECT count(*) FROM kept WHERE v = 'tpc'"), 0)
    a.tpc_commit()
    same(value(b, "SELECT count(*) FROM kept WHERE v = 'tpc'"), 1)
    a.tpc_begin(xid)
    execute(a, "DELETE FROM kept WHERE v = 'tpc'")
    a.tpc_prepare()
    a.close()
    c = client.plain(autocommit=False)
    (found,) = [x for x in c.tpc_recover() if x.gtrid == client.target.database]
    c.tpc_rollback(found)
    same(value(b, "DELETE FROM kept WHERE v = 'tpc' RETURNING 1"), 1)


def notices(client):
    """notices"""
    a, b = client.plain(), client.plain()
    for conn, tag in ((a, "a"), (b, "b")):
        execute(conn, f"DO $$ BEGIN RAISE NOTICE 'to {tag}'; RAISE WARNING 'also {tag}'; END $$")
    execute(b, "SET client_min_messages = warning")
    for _ in range(3):
        execute(b, "DO $$ BEGIN RAISE NOTICE 'never'; END $$")
    for conn, tag in ((a, "a"), (b, "b")):
        same(conn.notices, [f"NOTICE:  to {tag}\n", f"WARNING:  also {tag}\n"])


def told(client):
    """settings that the driver is told of"""
    a, b = client.plain(), client.plain()

    def zones():
        return [conn.get_parameter_status("TimeZone") for conn in (a, b)]

    same(zones(), ["UTC", "UTC"])
    execute(a, "SET TimeZone = 'Europe/Berlin'")
    a.set_client_encoding("LATIN1")
    for _ in range(10):
        same((value(a, "SELECT 'é'"), value(b, "SELECT 'é'"), a.encoding), ("é", "é", "LATIN1"))
        same(zones(), ["Europe/Berlin", "UTC"])
    execute(a, "BEGIN; SET TimeZone = 'Asia/Tokyo'")
    same(zones(), ["Asia/Tokyo", "UTC"])
    execute(a, "ROLLBACK")
    same(zones(), ["Europe/Berlin", "UTC"])
    execute(a, "RESET ALL")
    same(zones(), ["UTC", "UTC"])


def types(client):
    """types of the database"""
    a = client.plain(cursor_factory=extras.NamedTupleCursor)
    extras.register_composite("s1.pair", a)
    extras.register_uuid(conn_or_curs=a)
    for _ in range(3):
        got = execute(a, "SELECT ROW(1, 'x')::s1.pair AS p, 'red'::s1.colour AS c, '{\"k\": 1}'::jsonb AS j").fetchone()
        same((tuple(got.p), got.c, got.j), ((1, "x"), "red", {"k": 1}))


def many_results(client):
    """several results of one query"""
    a = client.plain()
    same(execute(a, "SELECT 1; SELECT 2, 'zwei' WHERE false; SELECT 3").fetchall(), [(3,)])
    raises(errors.DivisionByZero, execute, a, "INSERT INTO kept (v) VALUES ('undone'); SELECT 1/0; SELECT 3")
    same(value(a, "SELECT count(*) FROM kept WHERE v = 'undone'"), 0)


def asynchronous(client):
    """asynchronous connection"""
    t = client.target
    a = psycopg2.connect(host=t.host, port=t.port, dbname=t.database, user=t.user, sslmode=SSLMODE, async_=True)
    client.conns.append(a)

    def wait():
        while (state := a.poll()) != extensions.POLL_OK:
            ready = {extensions.POLL_READ: ([a], [], []), extensions.POLL_WRITE: ([], [a], [])}[state]
            if select.select(*ready, 5) == ([], [], []):
                raise Failed("no reply in 5 s")

    wait()
    cur = a.cursor()
    for n in range(20):
        cur.execute("SELECT %s, pg_sleep(0.001)", [n])
        wait()
        same(cur.fetchone()[0], n)


if __name__ == "__main__":
    harness.main(
        Client,
        [
            statements, one_name, copy_in, copy_out, copy_out_left, copy_error, copy_fail, copy_temporary, cancel, cancel_in_transaction, transactions,
            reset, isolation, serialization, batch, batch_error, cursor, cursor_held, megabyte, megabytes, large_object, two_phase, notices, told,
            types, many_results, asynchronous,
        ],
    )  # fmt: skip
