package workload

import (
	"encoding/binary"
	"fmt"

	"poolerd/wire"
)

// copyRows is how many rows each COPY moves.
const copyRows = 1000

// copySetup makes a table that takes rows and keeps none, so that it does not grow and clients do not wait for one another, and one that gives rows.
const copySetup = `CREATE SCHEMA IF NOT EXISTS poolerd_bench;
GRANT USAGE ON SCHEMA poolerd_bench TO PUBLIC;
CREATE TABLE IF NOT EXISTS poolerd_bench.copy_in (id integer NOT NULL, name text NOT NULL, amount numeric(12, 2), noted timestamptz);
CREATE TABLE IF NOT EXISTS poolerd_bench.copy_out (LIKE poolerd_bench.copy_in);
CREATE OR REPLACE FUNCTION poolerd_bench.keep_nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
DROP TRIGGER IF EXISTS keep_nothing ON poolerd_bench.copy_in;
CREATE TRIGGER keep_nothing BEFORE INSERT ON poolerd_bench.copy_in FOR EACH ROW EXECUTE FUNCTION poolerd_bench.keep_nothing();
TRUNCATE poolerd_bench.copy_in, poolerd_bench.copy_out;
INSERT INTO poolerd_bench.copy_out
SELECT n, 'row number ' || n || ' of the bench', n * 1.25, timestamptz '2026-01-01 12:00:00+00' + n * interval '1 minute' FROM generate_series(1, 1000) AS n;
GRANT INSERT ON poolerd_bench.copy_in TO PUBLIC;
GRANT SELECT ON poolerd_bench.copy_out TO PUBLIC;
ANALYZE poolerd_bench.copy_out;
`

// copyData is the rows as messages: one CopyData a row, as libpq makes them of lines, and CopyDone.
func copyData() []byte {
	var data []byte
	for n := range copyRows {
		at := len(data)
		data = append(data, wire.ClientCopyData, 0, 0, 0, 0)
		data = fmt.Appendf(data, "%d\trow number %d of the bench\t%d.25\t2026-01-01 12:%02d:00+00\n", n+1, n+1, n, n%60)
		binary.BigEndian.PutUint32(data[at+1:], uint32(len(data)-at-1))
	}
	return wire.AppendEmpty(data, wire.ClientCopyDone)
}

func copyBoth() *Workload {
	b := newBuilder("copy")
	b.send(b.compose("BEGIN"))
	b.step(step{do: doSend, copyIn: true, statement: b.add(b.compose("COPY poolerd_bench.copy_in FROM STDIN"))})
	b.step(step{do: doCopyData, data: copyData()})
	b.send(b.compose("COPY poolerd_bench.copy_out TO STDOUT"))
	b.send(b.compose("COMMIT"))
	return b.alone("a transaction that copies 1,000 rows in, which the server reads and drops, and 1,000 out", roleOwner, copySetup)
}
