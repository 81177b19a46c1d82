"""psycopg 3. The sixth argument, "prepare", prepares every statement at its first use; without it only what asks for it is."""

import os
import re
import socket
import sys
import threading
import time

import psycopg
from psycopg import IsolationLevel, errors

import harness
from harness import Failed, Skip, same

SSLMODE = os.environ.get("PGSSLMODE", "disable")


class Connection:
    def __init__(self, conn):
        self.conn, self.heard = conn, []

    def run(self, text, params, prepared):
        if params is not None:
            text = re.sub(r"\$\d+", "%s", text.replace("%", "%%"))
        cur = self.conn.execute(text, params, prepare=True if prepared else None)
        if cur.description is None:
            return []
        return ["NULL" if row[0] is None else str(row[0]) for row in cur]

    def script(self, text):
        self.conn.execute(text, prepare=False)
        return []

    def notification(self, timeout):
        if not self.heard:
            self.heard += self.conn.notifies(timeout=timeout, stop_after=1)
        if not self.heard:
            return None
        n = self.heard.pop(0)
        return n.channel, n.payload

    def code(self, error):
        return getattr(error, "sqlstate", None)

    def close(self):
        self.conn.close()


class Client:
    def __init__(self, target):
        self.target, self.conns = target, []
        self.threshold = 0 if sys.argv[6:] == ["prepare"] else None
        if self.threshold == 0:
            self.cannot = {"PREPARE in SQL survives a rollback": "the driver says DEALLOCATE ALL after ROLLBACK"}

    def plain(self, settings=None, autocommit=True):
        """A connection as psycopg gives it."""
        t = self.target
        options = " ".join(f"-c {k}={v}" for k, v in (settings or {}).items())
        conn = psycopg.connect(
            host=t.host, port=t.port, dbname=t.database, user=t.user, sslmode=SSLMODE, connect_timeout=10, options=options, autocommit=autocommit
        )
        conn.prepare_threshold = self.threshold
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


def value(conn, text, *args, **kw):
    return conn.execute(text, *args, **kw).fetchone()[0]


def raises(kind, function, *args, **kw):
    try:
        function(*args, **kw)
    except kind as e:
        return e
    raise Failed(f"no {kind.__name__}")


def statements(client):
    """200 statements prepared under names"""
    a, b = client.plain(), client.plain()
    a.prepared_max = b.prepared_max = 300
    for turn in range(3):
        for n in range(200):
            same(value(a, f"SELECT %s::int * 1000 + {n}", [turn], prepare=True), turn * 1000 + n)
            same(value(b, f"SELECT %s::int * -1000 - {n}", [turn], prepare=True), turn * -1000 - n)


def eviction(client):
    """the driver evicts statements"""
    a = client.plain()
    a.prepared_max = 5
    for turn in range(5):
        for n in range(12):
            same(value(a, f"SELECT %s::int + {n}", [turn], prepare=True), turn + n)


def one_name(client):
    """one name, two texts"""
    a, b = client.plain(), client.plain()
    for turn in range(20):
        same(value(a, "SELECT 'a' || %s::text", [turn], prepare=True), f"a{turn}")
        same(value(b, "SELECT 'b' || %s::text || 'b'", [turn], prepare=True), f"b{turn}b")


def copy_in(client):
    """COPY in, 10,000 rows"""
    a = client.plain()
    a.execute("CREATE TABLE copied (n int, t text)")
    with a.cursor().copy("COPY copied FROM STDIN") as copy:
        for n in range(10_000):
            copy.write_row((n, f"row {n}\twith\ttabs"))
    same(a.execute("SELECT count(*), sum(n), max(length(t)) FROM copied").fetchone(), (10_000, 49_995_000, 18))
    a.execute("DROP TABLE copied")


def copy_out(client):
    """COPY out, 10,000 rows"""
    a = client.plain()
    total = rows = 0
    with a.cursor().copy("COPY (SELECT n, repeat('x', 500) FROM generate_series(1, 10000) AS n) TO STDOUT") as copy:
        copy.set_types(["int4", "text"])
        for n, t in copy.rows():
            rows, total = rows + 1, total + n + len(t)
    same((rows, total), (10_000, 50_005_000 + 5_000_000))
    same(value(a, "SELECT 1"), 1)


def copy_out_left(client):
    """COPY out, given up half way"""
    a = client.plain()

    def leave():
        with a.cursor().copy("COPY (SELECT n, repeat('x', 500) FROM generate_series(1, 100000) AS n) TO STDOUT") as copy:
            for _ in range(10):
                copy.read()
            raise ZeroDivisionError

    for _ in range(3):
        raises(ZeroDivisionError, leave)
    same(value(a, "SELECT 'goes on'"), "goes on")


def copy_error(client):
    """COPY in fails at a row"""
    a = client.plain()
    a.execute("CREATE TABLE half (n int CHECK (n < 5000))")
    for _ in range(3):

        def fill():
            with a.cursor().copy("COPY half FROM STDIN") as copy:
                for n in range(10_000):
                    copy.write_row((n,))

        raises(errors.CheckViolation, fill)
        same(value(a, "SELECT count(*) FROM half"), 0)
    a.execute("DROP TABLE half")


def copy_fail(client):
    """COPY in given up by the client"""
    a = client.plain()
    a.execute("CREATE TABLE half (n int)")

    def fill():
        with a.cursor().copy("COPY half FROM STDIN") as copy:
            for n in range(1000):
                copy.write_row((n,))
            raise ZeroDivisionError

    raises(ZeroDivisionError, fill)
    same(value(a, "SELECT count(*) FROM half"), 0)
    a.execute("DROP TABLE half")


def copy_temporary(client):
    """COPY into a temporary table over transactions"""
    a, b = client.plain(), client.plain()
    for conn in (a, b):
        conn.execute("CREATE TEMP TABLE props (n int)")
    for turn in range(5):
        for conn, width in ((a, 100), (b, 50)):
            with conn.cursor().copy("COPY props FROM STDIN") as copy:
                for n in range(width):
                    copy.write_row((n,))
    same((value(a, "SELECT count(*) FROM props"), value(b, "SELECT count(*) FROM props")), (500, 250))


def cancelling(a, by):
    timer = threading.Timer(0.3, by)
    timer.start()
    begin = time.monotonic()
    raises(errors.QueryCanceled, a.execute, "SELECT pg_sleep(10)")
    timer.join()
    if time.monotonic() - begin > 3:
        raise Failed("the cancel took more than 3 s")


def cancel(client):
    """cancel a query"""
    a, b = client.plain(), client.plain()
    for by in (a.cancel, a.cancel_safe):
        cancelling(a, by)
        same((value(a, "SELECT 1"), value(b, "SELECT 2")), (1, 2))
    a.cancel_safe()  # of nothing
    for n in range(10):
        same((value(a, "SELECT %s::int", [n]), value(b, "SELECT %s::int", [n])), (n, n))


def cancel_in_transaction(client):
    """cancel in a transaction"""
    a = client.plain(autocommit=False)
    a.execute("CREATE TABLE IF NOT EXISTS never (n int)")
    cancelling(a, a.cancel_safe)
    raises(errors.InFailedSqlTransaction, a.execute, "SELECT 1")
    a.rollback()
    same(value(a, "SELECT to_regclass('never')"), None)
    a.commit()


def transactions(client):
    """transactions of the driver"""
    a, b = client.plain(autocommit=False), client.plain()
    b.execute("CREATE TABLE moves (n int)")
    for n in range(5):
        a.execute("INSERT INTO moves VALUES (%s)", [n])
        same(value(b, "SELECT count(*) FROM moves"), n)
        a.rollback() if n % 2 else a.commit()
        if n % 2:
            a.execute("INSERT INTO moves VALUES (%s)", [n])
            a.commit()
    with b.transaction():
        b.execute("DELETE FROM moves")
    same(value(b, "SELECT count(*) FROM moves"), 0)
    raises(errors.DivisionByZero, a.execute, "SELECT 1/0")
    a.rollback()
    same(value(a, "SELECT 1"), 1)
    a.rollback()
    b.execute("DROP TABLE moves")


def savepoints(client):
    """savepoints of the driver"""
    a = client.plain()
    a.execute("CREATE TABLE nested (n int)")
    with a.transaction():
        a.execute("INSERT INTO nested VALUES (1)")
        for n in range(3):
            try:
                with a.transaction():
                    a.execute("INSERT INTO nested VALUES (2)")
                    a.execute("SELECT 1/0")
            except errors.DivisionByZero:
                pass
        with a.transaction():
            a.execute("INSERT INTO nested VALUES (3)")
    same(a.execute("SELECT n FROM nested ORDER BY n").fetchall(), [(1,), (3,)])
    a.execute("DROP TABLE nested")


def isolation(client):
    """isolation and read only of the driver"""
    a, b = client.plain(autocommit=False), client.plain(autocommit=False)
    a.isolation_level, a.read_only, a.deferrable = IsolationLevel.SERIALIZABLE, True, True
    b.isolation_level = IsolationLevel.REPEATABLE_READ
    for _ in range(5):
        same(value(a, "SHOW transaction_isolation"), "serializable")
        same(value(a, "SHOW transaction_deferrable"), "on")
        same(value(b, "SHOW transaction_isolation"), "repeatable read")
        raises(errors.ReadOnlySqlTransaction, a.execute, "INSERT INTO kept (v) VALUES ('never')")
        a.rollback()
        b.commit()
    a.isolation_level = a.read_only = a.deferrable = None
    same((value(a, "SHOW transaction_isolation"), value(a, "SHOW transaction_read_only")), ("read committed", "off"))
    a.rollback()


def serialization(client):
    """serialization failure"""
    a, b = client.plain(autocommit=False), client.plain(autocommit=False)
    setup = client.plain()
    setup.execute("CREATE TABLE counters AS SELECT 0 AS n")
    a.isolation_level = b.isolation_level = IsolationLevel.SERIALIZABLE
    for conn in (a, b):
        value(conn, "SELECT n FROM counters")
    a.execute("UPDATE counters SET n = n + 1")
    a.commit()
    raises(errors.SerializationFailure, b.execute, "UPDATE counters SET n = n + 1")
    b.rollback()
    b.execute("UPDATE counters SET n = n + 1")
    b.commit()
    same(value(setup, "SELECT n FROM counters"), 2)
    setup.execute("DROP TABLE counters")


def pipeline(client):
    """pipeline"""
    a = client.plain()
    for prepare in (None, True):
        with a.pipeline():
            cursors = [a.execute("SELECT %s::int * 2", [n], prepare=prepare) for n in range(300)]
        same([c.fetchone()[0] for c in cursors], [2 * n for n in range(300)])
    with a.pipeline(), a.transaction():
        for n in range(10):
            a.execute("SELECT set_config('my.n', %s, true)", [str(n)])
        same(value(a, "SELECT current_setting('my.n')"), "9")


def pipeline_error(client):
    """pipeline with an error in the middle"""
    a = client.plain()
    a.execute("CREATE TABLE piped (n int)")
    for prepare in (None, True):
        for _ in range(3):
            try:
                with a.pipeline() as p:
                    a.execute("INSERT INTO piped VALUES (%s)", [1], prepare=prepare)
                    p.sync()
                    a.execute("INSERT INTO piped VALUES (%s)", [2], prepare=prepare)
                    bad = a.execute("SELECT 1 / %s::int", [0], prepare=prepare)
                    skipped = a.execute("INSERT INTO piped VALUES (%s)", [3], prepare=prepare)
                    p.sync()
                    bad.fetchone()
                raise Failed("no error")
            except errors.DivisionByZero:
                pass
            same(value(a, "SELECT string_agg(n::text, ',') FROM piped"), "1")
            same(value(a, "SELECT 'prepared' || %s::text", [1], prepare=True), "prepared1")
            a.execute("DELETE FROM piped")
    a.execute("DROP TABLE piped")


def batch(client):
    """batch"""
    a = client.plain()
    a.execute("CREATE TABLE batched (n int)")
    cur = a.cursor()
    cur.executemany("INSERT INTO batched VALUES (%s) RETURNING n", [(n,) for n in range(1000)], returning=True)
    same(cur.fetchone()[0], 0)
    same(value(a, "SELECT count(*) FROM batched"), 1000)
    a.execute("DROP TABLE batched")


def batch_error(client):
    """batch with an error in the middle"""
    a = client.plain()
    a.execute("CREATE TABLE batched (n int PRIMARY KEY)")
    for _ in range(3):
        raises(errors.UniqueViolation, a.cursor().executemany, "INSERT INTO batched VALUES (%s)", [(n % 50,) for n in range(100)])
        same(value(a, "SELECT count(*) FROM batched"), 0)
    a.execute("DROP TABLE batched")


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
    a, b = client.plain(autocommit=False), client.plain(autocommit=False)
    cursors = []
    for conn, tag in ((a, "a"), (b, "b")):
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
        same(value(conn, "SELECT count(*) FROM pg_cursors", prepare=False), 0)


def megabyte(client):
    """1 MB parameter"""
    a = client.plain()
    for prepare in (None, True, True):
        same(value(a, "SELECT md5(%s::text)", ["é" * 500_000], prepare=prepare), value(a, "SELECT md5(repeat('é', 500000))"))


def megabytes(client):
    """20 MB parameter and result"""
    a = client.plain()
    data = os.urandom(1 << 20) * 20
    got = a.execute("SELECT %s::bytea, 'after'", [data], binary=True).fetchone()
    if (bytes(got[0]), got[1]) != (data, "after"):
        raise Failed("20 MB came back changed")
    same(value(a, "SELECT length(repeat('x', 20000000))"), 20_000_000)
    same(len(value(a, "SELECT repeat('x', 20000000)")), 20_000_000)


def large_object(client):
    """large object of the driver"""
    raise Skip("psycopg 3 has no API for them")


def two_phase(client):
    """two-phase commit of the driver"""
    a, b = client.plain(autocommit=False), client.plain()
    xid = a.xid(7, client.target.database, "branch")
    a.tpc_begin(xid)
    a.execute("INSERT INTO kept (v) VALUES ('tpc')")
    a.tpc_prepare()
    same(value(b, "SELECT count(*) FROM kept WHERE v = 'tpc'"), 0)
    a.tpc_commit()
    same(value(b, "SELECT count(*) FROM kept WHERE v = 'tpc'"), 1)
    a.tpc_begin(xid)
    a.execute("DELETE FROM kept WHERE v = 'tpc'")
    a.tpc_prepare()
    a.close()
    c = client.plain(autocommit=False)
    (found,) = [x for x in c.tpc_recover() if x.gtrid == client.target.database]
    c.rollback()
    c.tpc_rollback(found)
    same(value(b, "DELETE FROM kept WHERE v = 'tpc' RETURNING 1"), 1)


def notices(client):
    """notices"""
    a, b = client.plain(), client.plain()
    heard = []
    a.add_notice_handler(lambda d: heard.append(("a", d.severity, d.message_primary)))
    b.add_notice_handler(lambda d: heard.append(("b", d.severity, d.message_primary)))
    for conn, tag in ((a, "a"), (b, "b")):
        conn.execute(f"DO $$ BEGIN RAISE NOTICE 'to {tag}'; RAISE WARNING 'also {tag}'; END $$")
    b.execute("SET client_min_messages = warning")
    for _ in range(3):
        b.execute("DO $$ BEGIN RAISE NOTICE 'never'; END $$")
    same(heard, [("a", "NOTICE", "to a"), ("a", "WARNING", "also a"), ("b", "NOTICE", "to b"), ("b", "WARNING", "also b")])


def told(client):
    """settings that the driver is told of"""
    a, b = client.plain(), client.plain(dict(application_name="from-the-start"))

    def zones():
        return [conn.info.parameter_status("TimeZone") for conn in (a, b)]

    same(zones(), ["UTC", "UTC"])
    a.execute("SET TimeZone = 'Europe/Berlin'")
    same(zones(), ["Europe/Berlin", "UTC"])
    same(b.info.parameter_status("application_name"), "from-the-start")
    a.execute("SET client_encoding TO 'LATIN1'")
    same(a.info.encoding, "iso8859-1")
    for _ in range(10):
        same(value(a, "SELECT 'é'"), "é")
        same(value(b, "SELECT 'é'"), "é")
        same(zones(), ["Europe/Berlin", "UTC"])
    with a.transaction(force_rollback=True):
        a.execute("SET TimeZone = 'Asia/Tokyo'")
        same(zones(), ["Asia/Tokyo", "UTC"])
    same(zones(), ["Europe/Berlin", "UTC"])
    a.execute("RESET ALL")
    same((zones(), a.info.encoding), (["UTC", "UTC"], "utf-8"))
    same(a.info.parameter_status("is_superuser"), "on")
    a.execute("SET SESSION AUTHORIZATION actor")
    same((a.info.parameter_status("is_superuser"), b.info.parameter_status("is_superuser")), ("off", "on"))
    same(a.info.parameter_status("session_authorization"), "actor")


def types(client):
    """types of the database"""
    from psycopg.types.composite import CompositeInfo, register_composite
    from psycopg.types.enum import EnumInfo, register_enum

    a = client.plain()
    register_enum(EnumInfo.fetch(a, "s1.colour"), a)
    register_composite(CompositeInfo.fetch(a, "s1.pair"), a)
    for _ in range(3):
        got = a.execute("SELECT 'red'::s1.colour, ROW(1, 'x')::s1.pair, ARRAY['red', 'blue']::s1.colour[]", binary=True).fetchone()
        same((got[0].name, tuple(got[1]), [c.name for c in got[2]]), ("red", (1, "x"), ["red", "blue"]))


def many_results(client):
    """several results of one query"""
    a = client.plain()
    cur = a.execute("SELECT 1; SELECT 2, 'zwei' WHERE false; SELECT 3", prepare=False)
    got = [cur.fetchall()]
    while cur.nextset():
        got.append(cur.fetchall())
    same(got, [[(1,)], [], [(3,)]])
    raises(errors.DivisionByZero, a.execute, "INSERT INTO kept (v) VALUES ('undone'); SELECT 1/0; SELECT 3", prepare=False)
    same(value(a, "SELECT count(*) FROM kept WHERE v = 'undone'"), 0)


def rows(client):
    """rows one by one"""
    a = client.plain()
    same(sum(n for n, _ in a.cursor().stream("SELECT n, repeat('x', 100) FROM generate_series(1, 5000) AS n")), 12_502_500)
    for n, _ in a.cursor().stream("SELECT n, repeat('x', 1000) FROM generate_series(1, 50000) AS n"):
        if n == 10:
            break
    same(value(a, "SELECT 'goes on'"), "goes on")


if __name__ == "__main__":
    harness.main(
        Client,
        [
            statements, eviction, one_name, copy_in, copy_out, copy_out_left, copy_error, copy_fail, copy_temporary, cancel, cancel_in_transaction,
            transactions, savepoints, isolation, serialization, pipeline, pipeline_error, batch, batch_error, cursor, cursor_held, megabyte, megabytes,
            large_object, two_phase, notices, told, types, many_results, rows,
        ],
    )  # fmt: skip
