"""asyncpg, which prepares every query with parameters, and keeps what it has prepared."""

import asyncio
import io
import os
import re
import time

import asyncpg

import harness
from harness import Failed, Skip, same

SSL = "require" if os.environ.get("PGSSLMODE") == "require" else False
LISTEN = re.compile(r'LISTEN (\w+|"(.*)")')


class Connection:
    """asyncpg's connection, driven from a thread that is not asynchronous."""

    def __init__(self, client, conn):
        self.client, self.conn, self.prepared, self.channels, self.heard = client, conn, {}, set(), []

    def run(self, text, params, prepared):
        return self.client.wait(self._run(text, params, prepared))

    async def _run(self, text, params, prepared):
        # asyncpg drops notifications of channels that it has no listener for, and says LISTEN only for the first of a channel.
        if (m := LISTEN.fullmatch(text)) and (channel := m[2] or m[1]) not in self.channels:
            self.channels.add(channel)
            await self.conn.add_listener(channel, self._hear)
            return []
        if prepared:
            if text not in self.prepared:
                self.prepared[text] = await self.conn.prepare(text)
            rows = await self.prepared[text].fetch(*(params or []))
        elif params is not None:
            rows = await self.conn.fetch(text, *params)
        elif re.match(r"SELECT|SHOW|FETCH|EXECUTE|INSERT|DELETE", text):
            rows = await self.conn.fetch(text)
        else:
            await self.conn.execute(text)
            return []
        return ["NULL" if row[0] is None else str(row[0]) for row in rows if len(row)]

    def _hear(self, conn, pid, channel, payload):
        self.heard.append((channel, payload))

    def script(self, text):
        self.client.wait(self.conn.execute(text))
        return []

    def notification(self, timeout):
        deadline = time.monotonic() + timeout
        while True:
            self.client.wait(asyncio.sleep(0.005 if timeout else 0))
            if self.heard:
                return self.heard.pop(0)
            if time.monotonic() >= deadline:
                return None

    def code(self, error):
        return getattr(error, "sqlstate", None)

    def close(self):
        self.client.wait(self.conn.close(timeout=5))


class Client:
    def __init__(self, target):
        self.target, self.conns, self.loop = target, [], asyncio.new_event_loop()

    def wait(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    async def plain(self, settings=None, **kw):
        """A connection as asyncpg gives it."""
        t = self.target
        conn = await asyncpg.connect(
            host=t.host, port=t.port, database=t.database, user=t.user, ssl=SSL, timeout=10, server_settings=settings or None, **kw
        )
        self.conns.append(conn)
        return conn

    def connect(self, settings):
        return Connection(self, self.wait(self.plain(settings)))

    def abandon(self):
        async def end():
            for conn in self.conns:
                if not conn.is_closed():
                    conn.terminate()

        if self.loop.is_running():
            asyncio.run_coroutine_threadsafe(end(), self.loop)
        else:
            self.loop.run_until_complete(end())


def asynchronous(function):
    def run(client):
        client.wait(function(client))

    run.__doc__ = function.__doc__
    return run


async def raises(kind, awaitable):
    try:
        await awaitable
    except kind as e:
        return e
    raise Failed(f"no {kind}")


@asynchronous
async def statements(client):
    """200 statements prepared under names"""
    a, b = [await client.plain(statement_cache_size=300) for _ in range(2)]
    for turn in range(3):
        for n in range(200):
            same(await a.fetchval(f"SELECT $1::int * 1000 + {n}", turn), turn * 1000 + n)
            same(await b.fetchval(f"SELECT $1::int * -1000 - {n}", turn), turn * -1000 - n)


@asynchronous
async def eviction(client):
    """the driver evicts statements"""
    a = await client.plain(statement_cache_size=5)
    for turn in range(5):
        for n in range(12):
            same(await a.fetchval(f"SELECT $1::int + {n}", turn), turn + n)


@asynchronous
async def one_name(client):
    """one name, two texts"""
    a, b = [await client.plain() for _ in range(2)]
    pa = await a.prepare("SELECT 'a' || $1", name="same")
    pb = await b.prepare("SELECT 'b' || $1 || 'b'", name="same")
    for turn in range(20):
        same((await pa.fetchval(str(turn)), await pb.fetchval(str(turn))), (f"a{turn}", f"b{turn}b"))
    same([p.name for p in pa.get_parameters()], ["text"])


@asynchronous
async def no_cache(client):
    """unnamed statements only"""
    a, b = [await client.plain(statement_cache_size=0) for _ in range(2)]
    for turn in range(20):
        same(await a.fetchval("SELECT $1::int + 1", turn), turn + 1)
        same(await b.fetchval("SELECT $1::int + 2", turn), turn + 2)


@asynchronous
async def copy_in(client):
    """COPY in, 10,000 rows"""
    a = await client.plain()
    await a.execute("CREATE TABLE copied (n int, t text)")
    await a.copy_records_to_table("copied", records=[(n, f"row {n}") for n in range(10_000)])
    same(tuple(await a.fetchrow("SELECT count(*), sum(n), max(length(t)) FROM copied")), (10_000, 49_995_000, 8))
    await a.execute("DROP TABLE copied")


@asynchronous
async def copy_out(client):
    """COPY out, 10,000 rows"""
    a, out = await client.plain(), io.BytesIO()
    await a.copy_from_query("SELECT n, repeat('x', 500) FROM generate_series(1, $1::int) AS n", 10_000, output=out)
    lines = out.getvalue().decode().splitlines()
    same((len(lines), sum(int(line.split("\t")[0]) for line in lines)), (10_000, 50_005_000))
    same(await a.fetchval("SELECT 1"), 1)


@asynchronous
async def copy_out_left(client):
    """COPY out, given up half way"""
    a = await client.plain()

    async def leave(data):
        raise ZeroDivisionError

    for _ in range(3):
        await raises(ZeroDivisionError, a.copy_from_query("SELECT repeat('x', 500) FROM generate_series(1, 10000)", output=leave))
        same(await a.fetchval("SELECT 'goes on'"), "goes on")


@asynchronous
async def copy_error(client):
    """COPY in fails at a row"""
    a = await client.plain()
    await a.execute("CREATE TABLE half (n int CHECK (n < 5000))")
    for _ in range(3):
        await raises(asyncpg.CheckViolationError, a.copy_records_to_table("half", records=[(n,) for n in range(10_000)]))
        same(await a.fetchval("SELECT count(*) FROM half"), 0)
    await a.execute("DROP TABLE half")


@asynchronous
async def copy_fail(client):
    """COPY in given up by the client"""
    a = await client.plain()
    await a.execute("CREATE TABLE half (n int)")

    async def broken():
        for n in range(1000):
            yield f"{n}\n".encode()
        raise ZeroDivisionError

    await raises(ZeroDivisionError, a.copy_to_table("half", source=broken()))
    same(await a.fetchval("SELECT count(*) FROM half"), 0)
    await a.execute("DROP TABLE half")


@asynchronous
async def copy_temporary(client):
    """COPY into a temporary table over transactions"""
    conns = [await client.plain() for _ in range(2)]
    for conn in conns:
        await conn.execute("CREATE TEMP TABLE props (n int)")
    for _ in range(5):
        for conn, width in zip(conns, (100, 50)):
            await conn.copy_records_to_table("props", records=[(7,)] * width)
    same([await conn.fetchval("SELECT count(*) FROM props") for conn in conns], [500, 250])


async def cancelling(a):
    begin = time.monotonic()
    await raises(asyncio.TimeoutError, a.execute("SELECT pg_sleep(10)", timeout=0.3))
    await raises(asyncio.TimeoutError, a.fetch("SELECT pg_sleep($1::int)", 10, timeout=0.3))
    task = asyncio.ensure_future(a.fetch("SELECT pg_sleep(10)"))
    await asyncio.sleep(0.2)
    task.cancel()
    await raises(asyncio.CancelledError, task)
    if time.monotonic() - begin > 4:
        raise Failed("the cancels took more than 3 s")


@asynchronous
async def cancel(client):
    """cancel a query"""
    a, b = [await client.plain() for _ in range(2)]
    for _ in range(2):
        await cancelling(a)
        same((await a.fetchval("SELECT 1"), await b.fetchval("SELECT 2")), (1, 2))


@asynchronous
async def cancel_in_transaction(client):
    """cancel in a transaction"""
    a = await client.plain()
    tx = a.transaction()
    await tx.start()
    await a.execute("CREATE TABLE never (n int)")
    await raises(asyncio.TimeoutError, a.fetch("SELECT pg_sleep(10)", timeout=0.3))
    await raises(asyncpg.InFailedSQLTransactionError, a.fetch("SELECT 1"))
    await tx.rollback()
    same(await a.fetchval("SELECT to_regclass('never')::text"), None)


@asynchronous
async def transactions(client):
    """transactions of the driver"""
    a, b = [await client.plain() for _ in range(2)]
    await b.execute("CREATE TABLE moves (n int)")
    for n in range(6):
        async with a.transaction():
            await a.execute("INSERT INTO moves VALUES ($1)", n)
            same(await b.fetchval("SELECT count(*) FROM moves"), n)
        try:
            async with a.transaction():
                await a.execute("INSERT INTO moves VALUES (1000)")
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    same(await b.fetchval("SELECT max(n) FROM moves"), 5)
    await raises(asyncpg.DivisionByZeroError, a.fetch("SELECT 1/0"))
    same(await a.fetchval("SELECT 1"), 1)
    await b.execute("DROP TABLE moves")


@asynchronous
async def savepoints(client):
    """savepoints of the driver"""
    a = await client.plain()
    await a.execute("CREATE TABLE nested (n int)")
    async with a.transaction():
        await a.execute("INSERT INTO nested VALUES (1)")
        for _ in range(3):
            try:
                async with a.transaction():
                    await a.execute("INSERT INTO nested VALUES (2)")
                    await a.execute("SELECT 1/0")
            except asyncpg.DivisionByZeroError:
                pass
        async with a.transaction():
            await a.execute("INSERT INTO nested VALUES (3)")
    same([row[0] for row in await a.fetch("SELECT n FROM nested ORDER BY n")], [1, 3])
    await a.execute("DROP TABLE nested")


@asynchronous
async def reset(client):
    """reset of the driver"""
    a = await client.plain()
    await a.execute("SET work_mem = '5MB'; SELECT pg_advisory_lock(77)")
    await a.reset()  # pg_advisory_unlock_all, CLOSE ALL, UNLISTEN *, RESET ALL
    for _ in range(5):
        same(await a.fetchval("SHOW work_mem"), "4MB")
        same(await a.fetchval("SELECT pg_advisory_unlock(77)"), False)


@asynchronous
async def isolation(client):
    """isolation and read only of the driver"""
    a, b = [await client.plain() for _ in range(2)]
    for _ in range(5):
        async with a.transaction(isolation="serializable", readonly=True, deferrable=True), b.transaction(isolation="repeatable_read"):
            same((await a.fetchval("SHOW transaction_isolation"), await a.fetchval("SHOW transaction_deferrable")), ("serializable", "on"))
            same(await b.fetchval("SHOW transaction_isolation"), "repeatable read")
        try:
            async with a.transaction(readonly=True):
                await a.execute("INSERT INTO kept (v) VALUES ('never')")
            raise Failed("no error")
        except asyncpg.ReadOnlySQLTransactionError:
            pass
    same((await a.fetchval("SHOW transaction_isolation"), await a.fetchval("SHOW transaction_read_only")), ("read committed", "off"))


@asynchronous
async def serialization(client):
    """serialization failure"""
    a, b = [await client.plain() for _ in range(2)]
    await a.execute("CREATE TABLE counters AS SELECT 0 AS n")
    ta, tb = [conn.transaction(isolation="serializable") for conn in (a, b)]
    for conn, tx in ((a, ta), (b, tb)):
        await tx.start()
        await conn.fetchval("SELECT n FROM counters")
    await a.execute("UPDATE counters SET n = n + 1")
    await ta.commit()
    await raises(asyncpg.SerializationError, b.execute("UPDATE counters SET n = n + 1"))
    await tb.rollback()
    same(await b.fetchval("UPDATE counters SET n = n + 1 RETURNING n"), 2)
    await a.execute("DROP TABLE counters")


@asynchronous
async def batch(client):
    """batch"""
    a = await client.plain()
    await a.execute("CREATE TABLE batched (n int)")
    await a.executemany("INSERT INTO batched VALUES ($1)", [(n,) for n in range(1000)])
    rows = await a.fetchmany("INSERT INTO batched VALUES ($1) RETURNING n", [(n,) for n in range(1000)])
    same([row[0] for row in rows], list(range(1000)))
    same(await a.fetchval("SELECT count(*) FROM batched"), 2000)
    await a.execute("DROP TABLE batched")


@asynchronous
async def batch_error(client):
    """batch with an error in the middle"""
    a = await client.plain()
    await a.execute("CREATE TABLE batched (n int PRIMARY KEY)")
    for _ in range(3):
        await raises(asyncpg.UniqueViolationError, a.executemany("INSERT INTO batched VALUES ($1)", [(n % 50,) for n in range(100)]))
        same(await a.fetchval("SELECT count(*) FROM batched"), 0)
    await a.execute("DROP TABLE batched")


@asynchronous
async def cursor(client):
    """server-side cursor"""
    a, b = [await client.plain() for _ in range(2)]
    for turn in range(3):
        async with a.transaction(), b.transaction():
            total = 0
            async for row in a.cursor("SELECT n FROM generate_series(1, 1000) AS n WHERE n > $1", turn, prefetch=100):
                total += row[0]
            same(total, 500_500 - sum(range(turn + 1)))
            cur = await b.cursor("SELECT generate_series(1, 100)")
            await cur.forward(10)
            same([row[0] for row in await cur.fetch(3)], [11, 12, 13])


@asynchronous
async def cursor_held(client):
    """server-side cursor WITH HOLD"""
    raise Skip("asyncpg's cursors live in a transaction")


@asynchronous
async def megabyte(client):
    """1 MB parameter"""
    a = await client.plain()
    for _ in range(3):
        same(await a.fetchval("SELECT md5($1::text)", "é" * 500_000), await a.fetchval("SELECT md5(repeat('é', 500000))"))


@asynchronous
async def megabytes(client):
    """20 MB parameter and result"""
    a = await client.plain()
    data = bytes(range(256)) * 80_000
    if await a.fetchval("SELECT $1::bytea", data) != data:
        raise Failed("20 MB came back changed")
    same(len(await a.fetchval("SELECT repeat('x', 20000000)")), 20_000_000)


@asynchronous
async def notices(client):
    """notices"""
    a, b = [await client.plain() for _ in range(2)]
    heard = []
    a.add_log_listener(lambda _, m: heard.append(("a", m.severity, m.message)))
    b.add_log_listener(lambda _, m: heard.append(("b", m.severity, m.message)))
    for conn, tag in ((a, "a"), (b, "b")):
        await conn.execute(f"DO $$ BEGIN RAISE NOTICE 'to {tag}'; RAISE WARNING 'also {tag}'; END $$")
    await b.execute("SET client_min_messages = warning")
    for _ in range(3):
        await b.execute("DO $$ BEGIN RAISE NOTICE 'never'; END $$")
    await asyncio.sleep(0)
    same(heard, [("a", "NOTICE", "to a"), ("a", "WARNING", "also a"), ("b", "NOTICE", "to b"), ("b", "WARNING", "also b")])


@asynchronous
async def told(client):
    """settings that the driver is told of"""
    a, b = await client.plain(), await client.plain(dict(application_name="from-the-start"))

    def zones():
        return [conn.get_settings().TimeZone for conn in (a, b)]

    same(zones(), ["UTC", "UTC"])
    same(b.get_settings().application_name, "from-the-start")
    await a.execute("SET TimeZone = 'Europe/Berlin'")
    for _ in range(10):
        same((await a.fetchval("SHOW TimeZone"), await b.fetchval("SHOW TimeZone")), ("Europe/Berlin", "UTC"))
        same(zones(), ["Europe/Berlin", "UTC"])
    tx = a.transaction()
    await tx.start()
    await a.execute("SET TimeZone = 'Asia/Tokyo'")
    same(zones(), ["Asia/Tokyo", "UTC"])
    await tx.rollback()
    same(zones(), ["Europe/Berlin", "UTC"])
    await a.execute("RESET ALL")
    same(zones(), ["UTC", "UTC"])


@asynchronous
async def types(client):
    """types of the database"""
    a = await client.plain()
    for _ in range(3):
        got = await a.fetchrow("SELECT ROW(1, 'x')::s1.pair, 'red'::s1.colour, ARRAY['red', 'blue']::s1.colour[]")
        same((tuple(got[0]), got[1], got[2]), ((1, "x"), "red", ["red", "blue"]))
        same(await a.fetchval("SELECT ($1::s1.pair).t", (2, "y")), "y")
    await a.set_type_codec("json", encoder=repr, decoder=lambda text: ("decoded", text), schema="pg_catalog")
    same(await a.fetchval("SELECT '{}'::json"), ("decoded", "{}"))


@asynchronous
async def introspection(client):
    """a statement described only"""
    a = await client.plain()
    p = await a.prepare("SELECT $1::int AS n, $2::text AS t, id FROM kept")
    same([x.name for x in p.get_parameters()], ["int4", "text"])
    same([(x.name, x.type.name) for x in p.get_attributes()], [("n", "int4"), ("t", "text"), ("id", "int4")])
    e = await raises(asyncpg.UndefinedTableError, a.prepare("SELECT * FROM missing"))
    same(e.sqlstate, "42P01")
    same(await a.fetchval("SELECT 1"), 1)


@asynchronous
async def pooled(client):
    """pool of the driver"""
    t = client.target
    async with asyncpg.create_pool(host=t.host, port=t.port, database=t.database, user=t.user, ssl=SSL, min_size=2, max_size=8) as pool:

        async def one(n):
            async with pool.acquire() as conn:
                await conn.execute(f"SET my.n = '{n}'")
                same(await conn.fetchval("SELECT current_setting('my.n')"), str(n))
                same(await conn.fetchval("SELECT $1::int + 1", n), n + 1)

        await asyncio.gather(*(one(n) for n in range(100)))


if __name__ == "__main__":
    harness.main(
        Client,
        [
            statements, eviction, one_name, no_cache, copy_in, copy_out, copy_out_left, copy_error, copy_fail, copy_temporary, cancel,
            cancel_in_transaction, transactions, savepoints, reset, isolation, serialization, batch, batch_error, cursor, cursor_held, megabyte,
            megabytes, notices, told, types, introspection, pooled,
        ],
    )  # fmt: skip
