"""PQcancel: the right query only."""

import argparse
import select
import sys
import time

from psycopg import pq

CANCELED = b"57014"


class Wrong(Exception):
    pass


def connect(conninfo):
    conn = pq.PGconn.connect(conninfo)
    if conn.status != pq.ConnStatus.OK:
        raise Wrong(conn.error_message.decode())
    return conn


def results(conn, limit):
    """Waits for all results of what was sent."""
    end, got = time.monotonic() + limit, []
    while True:
        while conn.is_busy():
            if not select.select([conn.socket], [], [], max(0.0, end - time.monotonic()))[0]:
                raise Wrong(f"no reply within {limit} s")
            conn.consume_input()
        result = conn.get_result()
        if result is None:
            return got
        got.append(result)


def want_canceled(conn, limit):
    state = results(conn, limit)[-1].error_field(pq.DiagnosticField.SQLSTATE)
    if state != CANCELED:
        raise Wrong(f"SQLSTATE {state}, want {CANCELED}")
    if conn.transaction_status != pq.TransactionStatus.IDLE:
        raise Wrong(f"transaction status {conn.transaction_status!r}")


def want_rows(conn, limit, value):
    result = results(conn, limit)[-1]
    if result.status != pq.ExecStatus.TUPLES_OK or result.get_value(0, 0) != value:
        raise Wrong(f"status {result.status!r}: {result.error_message.decode()}")


def simple(conn):
    conn.send_query(b"SELECT pg_sleep(20)")


def extended(conn):
    conn.send_query_params(b"SELECT pg_sleep($1::float8)", [b"20"])


def prepared(conn):
    conn.send_prepare(b"0", b"SELECT pg_sleep($1::float8)")
    results(conn, 5)
    conn.send_query_prepared(b"0", [b"20"])


def right_query_only(conninfo):
    """Of two running queries the one that is meant ends."""
    for send in (simple, extended, prepared):
        for swap in (False, True):
            pair = connect(conninfo), connect(conninfo)
            target, neighbour = reversed(pair) if swap else pair
            neighbour.send_query(b"SELECT 'neighbour' || pg_sleep(0.6)")
            send(target)
            time.sleep(0.3)
            target.get_cancel().cancel()
            want_canceled(target, 1)
            want_rows(neighbour, 5, b"neighbour")
            target.send_query(b"SELECT 'next'")
            want_rows(target, 5, b"next")
            for conn in pair:
                conn.finish()


def not_the_next_one(conninfo):
    """A cancel that comes late, when another client has the server, does nothing."""
    first, second = connect(conninfo), connect(conninfo)
    first.send_query(b"SELECT 'first'")
    want_rows(first, 5, b"first")
    cancel = first.get_cancel()
    second.send_query(b"SELECT 'second' || pg_sleep(0.5)")
    time.sleep(0.2)
    cancel.cancel()
    want_rows(second, 5, b"second")
    first.send_query(b"SELECT 'first again' || pg_sleep(0.3)")
    want_rows(first, 5, b"first again")
    first.finish()
    # The key of a client that has left.
    second.send_query(b"SELECT 'second again' || pg_sleep(0.5)")
    time.sleep(0.2)
    cancel.cancel()
    want_rows(second, 5, b"second again")
    second.finish()


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--conninfo", required=True)
    args.add_argument("--one-server", action="store_true", help="the pool has one server")
    args = args.parse_args()
    conninfo = args.conninfo.encode()
    if not args.one_server:
        right_query_only(conninfo)
    not_the_next_one(conninfo)
    print("libpq", pq.version(), "ok")


if __name__ == "__main__":
    sys.exit(main())
