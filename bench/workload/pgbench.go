package workload

// What pgbench runs as "select-only" and "tpcb-like" (PostgreSQL's documentation, pgbench): the same statements, so that rates can be compared.

const selectOnlyScript = `\set aid random(1, 100000 * :scale)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
`

const tpcbScript = `\set aid random(1, 100000 * :scale)
\set bid random(1, 1 * :scale)
\set tid random(1, 10 * :scale)
\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
`

// pgbenchSetup makes pgbench's tables at scale 1. Tables that are there already, of whatever scale, stay as they are; only the history of
// earlier runs is emptied, as pgbench does.
const pgbenchSetup = `CREATE TABLE IF NOT EXISTS pgbench_branches (bid integer PRIMARY KEY, bbalance integer, filler character(88)) WITH (fillfactor = 100);
CREATE TABLE IF NOT EXISTS pgbench_tellers (tid integer PRIMARY KEY, bid integer, tbalance integer, filler character(84)) WITH (fillfactor = 100);
CREATE TABLE IF NOT EXISTS pgbench_accounts (aid integer PRIMARY KEY, bid integer, abalance integer, filler character(84)) WITH (fillfactor = 100);
CREATE TABLE IF NOT EXISTS pgbench_history (tid integer, bid integer, aid integer, delta integer, mtime timestamp, filler character(22));
TRUNCATE pgbench_history;
INSERT INTO pgbench_branches (bid, bbalance) SELECT 1, 0 WHERE NOT EXISTS (SELECT FROM pgbench_branches);
INSERT INTO pgbench_tellers (tid, bid, tbalance) SELECT n, 1, 0 FROM generate_series(1, 10) AS n WHERE NOT EXISTS (SELECT FROM pgbench_tellers);
INSERT INTO pgbench_accounts (aid, bid, abalance, filler) SELECT n, 1, 0, '' FROM generate_series(1, 100000) AS n WHERE NOT EXISTS (SELECT FROM pgbench_accounts);
GRANT SELECT, UPDATE ON pgbench_branches, pgbench_tellers, pgbench_accounts TO PUBLIC;
GRANT INSERT ON pgbench_history TO PUBLIC;
ANALYZE pgbench_branches, pgbench_tellers, pgbench_accounts, pgbench_history;
`

func selectOnly() *Workload {
	return builtinScript("select-only", "pgbench's select-only: one row by its key", selectOnlyScript)
}

func tpcb() *Workload {
	return builtinScript("tpcb", "pgbench's tpcb-like: three updates, a read and an insert in a transaction", tpcbScript)
}

func builtinScript(name, doc, text string) *Workload {
	b, err := parseScript(name, text)
	if err != nil {
		panic("workload: a built-in script is wrong: " + err.Error())
	}
	w := b.alone(doc, roleOwner, pgbenchSetup)
	w.Restore = []string{"TRUNCATE pgbench_history", "VACUUM pgbench_branches", "VACUUM pgbench_tellers"} // as pgbench does
	return w
}
