"""PostgREST's call pattern by a real libpq: many clients on few servers.

Each client names its prepared statements "0", "1", ... in the order in which
it first needs them, as PostgREST does, and that order is its own: the same name
means something else in every client. Each request is one transaction of BEGIN,
set_config, a statement, COMMIT or ABORT, a round trip each, with binary
results; what comes back must be what this client asked for in this request.

All clients are in one process on non-blocking sockets. The result is one line
of JSON; the exit code is 0 when there was no error.
"""

import argparse
import json
import random
import selectors
import struct
import sys
import time

from psycopg import pq

READ_ONLY = b"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
READ_WRITE = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
CONTEXT = (
    b"select set_config('search_path', $1, true), set_config('role', $2, true), "
    b"set_config('request.jwt.claims', $3, true), set_config('request.method', $4, true), "
    b"set_config('request.path', $5, true), set_config('request.headers', $6, true), "
    b"set_config('request.cookies', $7, true)"
)
UNKNOWN, INT4, TEXT, JSON = 705, 23, 25, 114
SETTING = b"nullif(current_setting('%s', true), '')"
TAIL = (
    SETTING % b"response.headers" + b" AS response_headers, "
    + SETTING % b"response.status" + b" AS response_status, '' AS response_inserted, "
    # What PostgREST does not ask: whose settings these are.
    b"$2 AS nonce, current_setting('request.jwt.claims', true) AS claims, current_user::text AS role, "
    b"current_setting('request.path', true) AS path, current_setting('client_min_messages') AS messages"
)
TABLES = {b"playwright": 20, b"script": 60, b"character": 300, b"scene": 480}


def read(source):
    return (
        b"WITH pgrst_source AS ( " + source + b" ) SELECT null::bigint AS total_result_set, "
        b"pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, "
        + TAIL + b" FROM ( SELECT * FROM pgrst_source ) _postgrest_t"
    )


BY_KEY = {
    table: read(b'SELECT "api"."%s".* FROM "api"."%s" WHERE "api"."%s"."id" = $1' % (table, table, table))
    for table in TABLES
}
LIST = read(
    b'SELECT "api"."dialogue".* FROM "api"."dialogue" WHERE "api"."dialogue"."scene_id" = $1 '
    b'ORDER BY "api"."dialogue"."line_no" LIMIT 5'
)
INSERT = (
    b'WITH pgrst_source AS (INSERT INTO "api"."playwright"("id", "name") SELECT pgrst_body."id", pgrst_body."name" '
    b"FROM (SELECT $1 AS json_data) pgrst_payload, LATERAL (SELECT \"id\", \"name\" FROM "
    b'json_to_record(pgrst_payload.json_data) AS _("id" integer, "name" text)) pgrst_body '
    b'RETURNING "api"."playwright".*) SELECT \'\' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, '
    b"array[]::text[] AS header, coalesce(json_agg(_postgrest_t), '[]') AS body, "
    + TAIL + b" FROM (SELECT * FROM pgrst_source) _postgrest_t"
)


class Wrong(Exception):
    """What came back is not what was asked for."""


class Client:
    def __init__(self, number, conninfo, stats):
        self.number, self.conninfo, self.stats = number, conninfo, stats
        self.random = random.Random(number)
        self.names = {}
        # A tenth of the clients never sets client_min_messages.
        self.messages = {3: b"notice", 5: b"error", 7: b"log"}.get(number % 10, b"warning")
        self.connect()

    def connect(self):
        self.conn = pq.PGconn.connect(self.conninfo)
        if self.conn.status != pq.ConnStatus.OK:
            raise Wrong(f"connect: {self.conn.error_message.decode()}")
        self.conn.nonblocking = 1

    # One statement each; a generator that yields where it waits for results.

    def simple(self, text):
        self.conn.send_query(text)
        return (yield)

    def prepared(self, text, types=(), values=(), formats=None):
        name = self.names.get(text)
        if name is None:
            name = self.names[text] = b"%d" % len(self.names)
            self.conn.send_prepare(name, text, types or None)
            self.check((yield), pq.ExecStatus.COMMAND_OK)
        self.conn.send_query_prepared(name, values or None, formats, result_format=1)
        return (yield)

    def check(self, results, *statuses):
        got = tuple(r.status for r in results)
        if got != statuses:
            raise Wrong(f"status {got}, want {statuses}: {[r.error_message.decode() for r in results]}")
        return results[-1]

    def inside(self, status):
        if self.conn.transaction_status != status:
            raise Wrong(f"transaction status {self.conn.transaction_status!r}, want {status!r}")

    def command(self, text, tag, status):
        result = self.check((yield from self.prepared(text)), pq.ExecStatus.COMMAND_OK)
        if result.command_status != tag:
            raise Wrong(f"{text}: command tag {result.command_status}, want {tag}")
        self.inside(status)

    def session(self, requests):
        if self.messages != b"notice":
            text = b"SET client_encoding = 'UTF8';SET client_min_messages TO %s;" % self.messages.upper()
            self.check((yield from self.simple(text)), pq.ExecStatus.COMMAND_OK, pq.ExecStatus.COMMAND_OK)
            self.inside(pq.TransactionStatus.IDLE)
        for n in range(requests):
            if n % 25 == 24 and self.stats.sessions:
                result = self.check((yield from self.simple(b"SHOW client_min_messages")), pq.ExecStatus.TUPLES_OK)
                if result.get_value(0, 0) != self.messages:
                    raise Wrong(f"client_min_messages is {result.get_value(0, 0)}, want {self.messages}")
            self.stats.enter()
            yield from self.request(n)
            self.stats.leave()

    def request(self, n):
        dice = self.random.random()
        nonce = b"c%d-r%d" % (self.number, n)
        claims = b'{"sub": "client %d", "nonce": "%s"}' % (self.number, nonce)
        if dice < 0.90:
            yield from self.get(nonce, claims, dice)
        else:
            yield from self.post(nonce, claims, n, "conflict" if dice < 0.95 else "rollback" if dice < 0.98 else "keep")

    def begin(self, text, nonce, claims, role, method):
        yield from self.command(text, b"BEGIN", pq.TransactionStatus.INTRANS)
        values = (b'"api", "public"', role, claims, method, b"/" + nonce, b"{}", b"{}")
        result = self.check((yield from self.prepared(CONTEXT, (UNKNOWN,) * 7, values)), pq.ExecStatus.TUPLES_OK)
        if tuple(result.get_value(0, i) for i in range(7)) != values:
            raise Wrong(f"set_config returned {[result.get_value(0, i) for i in range(7)]}, want {values}")
        self.inside(pq.TransactionStatus.INTRANS)

    def verify(self, result, nonce, claims, role):
        if result.ntuples != 1:
            raise Wrong(f"{result.ntuples} rows, want 1")
        row = {result.fname(i): result.get_value(0, i) for i in range(result.nfields)}
        want = {b"nonce": nonce, b"claims": claims, b"role": role, b"path": b"/" + nonce}
        if self.stats.sessions:
            want[b"messages"] = self.messages
        for name, value in want.items():
            if row[name] != value:
                raise Wrong(f"{name}: {row[name]}, want {value}")
        rows = json.loads(row[b"body"])
        if struct.unpack("!q", row[b"page_total"])[0] != len(rows):
            raise Wrong(f"page_total beside {len(rows)} rows")
        return rows

    def get(self, nonce, claims, dice):
        role = b"web_anon" if self.number % 2 else b"web_user"
        yield from self.begin(READ_ONLY, nonce, claims, role, b"GET")
        if dice < 0.2:
            key, name, text, count = self.random.randint(1, 480), "scene_id", LIST, 5
        else:
            table = self.random.choice(list(TABLES))
            key, name, text, count = self.random.randint(1, TABLES[table]), "id", BY_KEY[table], 1
        values = (struct.pack("!i", key), nonce)
        result = self.check((yield from self.prepared(text, (INT4, TEXT), values, (1, 0))), pq.ExecStatus.TUPLES_OK)
        rows = self.verify(result, nonce, claims, role)
        if [row[name] for row in rows] != [key] * count:
            raise Wrong(f"asked for {name} {key}, got {rows}")
        if count == 5 and [row["line_no"] for row in rows] != [1, 2, 3, 4, 5]:
            raise Wrong(f"lines out of order: {rows}")
        yield from self.command(b"COMMIT", b"COMMIT", pq.TransactionStatus.IDLE)

    def post(self, nonce, claims, n, what):
        role = b"web_user"
        yield from self.begin(READ_WRITE, nonce, claims, role, b"POST")
        key = 7 if what == "conflict" else 1_000_000 + self.number * 10_000 + n
        body = json.dumps({"id": key, "name": nonce.decode()}).encode()
        results = yield from self.prepared(INSERT, (JSON, TEXT), (body, nonce), (1, 0))
        if what == "conflict":
            result = self.check(results, pq.ExecStatus.FATAL_ERROR)
            state = result.error_field(pq.DiagnosticField.SQLSTATE)
            if state != b"23505":
                raise Wrong(f"SQLSTATE {state}, want 23505: {result.error_message.decode()}")
            self.inside(pq.TransactionStatus.INERROR)
            yield from self.command(b"ABORT", b"ROLLBACK", pq.TransactionStatus.IDLE)
            self.stats.conflicts += 1
            return
        rows = self.verify(self.check(results, pq.ExecStatus.TUPLES_OK), nonce, claims, role)
        if [(row["id"], row["name"]) for row in rows] != [(key, nonce.decode())]:
            raise Wrong(f"inserted {key}, got {rows}")
        if what == "rollback":
            self.check((yield from self.simple(b"SET CONSTRAINTS ALL IMMEDIATE")), pq.ExecStatus.COMMAND_OK)
            yield from self.command(b"ABORT", b"ROLLBACK", pq.TransactionStatus.IDLE)
            return
        yield from self.command(b"COMMIT", b"COMMIT", pq.TransactionStatus.IDLE)
        self.stats.kept += 1


class Stats:
    def __init__(self, sessions):
        self.sessions = sessions  # does each client keep its own SET values?
        self.requests = self.conflicts = self.kept = self.running = self.most = 0
        self.errors = []

    def enter(self):
        self.running += 1
        self.most = max(self.most, self.running)

    def leave(self):
        self.running -= 1
        self.requests += 1


class Loop:
    """Runs the clients' generators as their sockets allow."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()

    def add(self, client, generator):
        client.generator, client.results, client.mask = generator, [], selectors.EVENT_READ
        self.selector.register(client.conn.socket, client.mask, client)
        self.resume(client, None)

    def resume(self, client, results):
        """Lets a client send its next statement, or ends it."""
        try:
            client.generator.send(results)
            self.flush(client)
        except StopIteration:
            self.end(client)
        except Exception as error:
            self.fail(client, error)

    def flush(self, client):
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.conn.flush() else 0)
        if mask != client.mask:
            client.mask = mask
            self.selector.modify(client.conn.socket, mask, client)

    def fail(self, client, error):
        client.stats.errors.append(f"client {client.number}: {type(error).__name__}: {error}")
        self.end(client)

    def end(self, client):
        self.selector.unregister(client.conn.socket)
        client.conn.finish()

    def ready(self, client, mask):
        try:
            if mask & selectors.EVENT_WRITE:
                self.flush(client)
            if not mask & selectors.EVENT_READ:
                return
            client.conn.consume_input()
            while not client.conn.is_busy():
                result = client.conn.get_result()
                if result is None:
                    results, client.results = client.results, []
                    self.resume(client, results)
                    return
                client.results.append(result)
        except Exception as error:
            self.fail(client, error)

    def run(self, limit):
        while self.selector.get_map():
            events = self.selector.select(timeout=max(0.0, limit - time.monotonic()))
            if not events and time.monotonic() >= limit:
                for key in list(self.selector.get_map().values()):
                    self.fail(key.data, Wrong("timed out"))
            for key, mask in events:
                self.ready(key.data, mask)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--conninfo", required=True)
    args.add_argument("--clients", type=int, required=True)
    args.add_argument("--requests", type=int, required=True, help="of all clients together")
    args.add_argument("--limit", type=float, required=True, help="seconds")
    args.add_argument("--leaks", action="store_true", help="settings may leak from one client to another")
    args = args.parse_args()

    begin = time.monotonic()
    stats, loop = Stats(not args.leaks), Loop()
    conninfo = args.conninfo.encode() + b" fallback_application_name='PostgREST 14.14'"
    clients = [Client(n, conninfo, stats) for n in range(args.clients)]
    for client in clients:
        loop.add(client, client.session(args.requests // args.clients))
    loop.run(begin + args.limit)
    json.dump(
        {
            "requests": stats.requests,
            "errors": len(stats.errors),
            "first": stats.errors[:10],
            "most_at_a_time": stats.most,
            "conflicts": stats.conflicts,
            "kept": stats.kept,
            "seconds": round(time.monotonic() - begin, 2),
        },
        sys.stdout,
    )
    return 1 if stats.errors else 0


if __name__ == "__main__":
    sys.exit(main())
