package advice

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// counters are where the server's counters stand, or what they grew by. The server's processes report with a delay of up to a second, idle ones of up to ten
// (Monitoring Database Activity: The Cumulative Statistics System), so they are a little low.
type counters struct {
	raw        map[statementKey]*statement // a reading
	statements []*statement                // a difference

	tables   map[string]*table // by oid
	indexes  map[string]*index // by oid
	database database
	writer   writer
}

// table is a row of pg_stat_user_tables.
type table struct {
	OID        string
	Schema     string
	Name       string
	Root       string // of a partition, the whole table's oid; else its own
	SeqScan    int64  `json:"seq_scan"`
	SeqRead    int64  `json:"seq_tup_read"`
	Inserted   int64  `json:"n_tup_ins"`
	Updated    int64  `json:"n_tup_upd"`
	HotUpdated int64  `json:"n_tup_hot_upd"`
	Deleted    int64  `json:"n_tup_del"`
	Live       int64  `json:"n_live_tup"` // stands, not counters
	Dead       int64  `json:"n_dead_tup"`
}

// index is a row of pg_stat_user_indexes.
type index struct {
	OID   string
	Table string // oid
	Name  string
	Scans int64 `json:"idx_scan"`
	Ever  int64 `json:"-"` // scans since the counters' last reset, in a difference
	Bytes int64
}

// database is this database's row of pg_stat_database.
type database struct {
	Commits   int64  `json:"xact_commit"`
	Rollbacks int64  `json:"xact_rollback"`
	Hit       int64  `json:"blks_hit"`
	Read      int64  `json:"blks_read"`
	TempFiles int64  `json:"temp_files"`
	TempBytes int64  `json:"temp_bytes"`
	Deadlocks int64  `json:"deadlocks"`
	Sessions  int64  `json:"sessions"` // from PostgreSQL 14 on
	Backends  int64  `json:"numbackends"`
	Reset     string `json:"stats_reset"`
}

// writer counts checkpoints that came because the write-ahead log was full.
type writer struct {
	Requested int64
	Timed     int64
}

const (
	tablesQuery = `
		SELECT s.*, s.relid AS oid, s.schemaname AS schema, s.relname AS name, coalesce(pg_partition_root(s.relid), s.relid)::oid AS root
		  FROM pg_stat_user_tables s`
	indexesQuery = `
		SELECT s.indexrelid AS oid, s.relid AS "table", s.indexrelname AS name, s.idx_scan, pg_relation_size(s.indexrelid) AS bytes
		  FROM pg_stat_user_indexes s`
	databaseQuery    = `SELECT * FROM pg_stat_database WHERE datname = current_database()`
	writerQuery      = `SELECT checkpoints_req AS requested, checkpoints_timed AS timed FROM pg_stat_bgwriter`
	checkpointsQuery = `SELECT num_requested AS requested, num_timed AS timed FROM pg_stat_checkpointer`
	checkpointer     = 170000 // the version that has that view
)

// readCounters reads them all.
func readCounters(ctx context.Context, conn *pgx.Conn, s *server, texts bool) (*counters, error) {
	c := &counters{tables: map[string]*table{}, indexes: map[string]*index{}}
	var err error
	if c.raw, err = readStatements(ctx, conn, s, texts); err != nil {
		return nil, err
	}
	tables, err := ask[*table](ctx, conn, tablesQuery)
	if err != nil {
		return nil, fmt.Errorf("reading pg_stat_user_tables: %w", err)
	}
	for _, t := range tables {
		c.tables[t.OID] = t
	}
	indexes, err := ask[*index](ctx, conn, indexesQuery)
	if err != nil {
		return nil, fmt.Errorf("reading pg_stat_user_indexes: %w", err)
	}
	for _, i := range indexes {
		c.indexes[i.OID] = i
	}
	databases, err := ask[database](ctx, conn, databaseQuery)
	if err != nil || len(databases) == 0 {
		return nil, fmt.Errorf("reading pg_stat_database (%d rows): %w", len(databases), err)
	}
	c.database = databases[0]
	query := writerQuery
	if s.version >= checkpointer {
		query = checkpointsQuery
	}
	writers, err := ask[writer](ctx, conn, query)
	if err != nil || len(writers) == 0 {
		return nil, fmt.Errorf("reading the checkpoints' counters (%d rows): %w", len(writers), err)
	}
	c.writer = writers[0]
	return c, nil
}

// since is what was counted after an earlier reading. Counters that somebody has reset meanwhile count from there.
func (c *counters) since(before *counters) *counters {
	d := &counters{
		statements: statementsSince(before.raw, c.raw),
		tables:     map[string]*table{}, indexes: map[string]*index{},
		database: c.database, writer: c.writer,
	}
	reset := c.database.Reset != before.database.Reset
	for oid, now := range c.tables {
		t := *now
		if old := before.tables[oid]; old != nil && !reset {
			t.SeqScan -= old.SeqScan
			t.SeqRead -= old.SeqRead
			t.Inserted -= old.Inserted
			t.Updated -= old.Updated
			t.HotUpdated -= old.HotUpdated
			t.Deleted -= old.Deleted
		}
		d.tables[oid] = &t
	}
	for oid, now := range c.indexes {
		i := *now
		i.Ever = i.Scans
		if old := before.indexes[oid]; old != nil && !reset {
			i.Scans -= old.Scans
		}
		d.indexes[oid] = &i
	}
	if !reset {
		d.database.subtract(&before.database)
	}
	if c.writer.Requested >= before.writer.Requested {
		d.writer.Requested -= before.writer.Requested
		d.writer.Timed -= before.writer.Timed
	}
	return d
}

func (d *database) subtract(o *database) {
	d.Commits -= o.Commits
	d.Rollbacks -= o.Rollbacks
	d.Hit -= o.Hit
	d.Read -= o.Read
	d.TempFiles -= o.TempFiles
	d.TempBytes -= o.TempBytes
	d.Deadlocks -= o.Deadlocks
	d.Sessions -= o.Sessions
}
