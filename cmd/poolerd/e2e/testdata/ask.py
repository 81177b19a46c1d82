"""psycopg as an application uses it: log in, ask, print the value."""

import sys

import psycopg

with psycopg.connect(sys.argv[1]) as conn:
    print(conn.execute(sys.argv[2]).fetchone()[0])
