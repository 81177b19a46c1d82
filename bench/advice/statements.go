package advice

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// statement is a row of pg_stat_statements, or the sum of those of several roles. Times are milliseconds.
type statement struct {
	UserID   string
	QueryID  int64
	TopLevel *bool // from PostgreSQL 14 on
	Query    string

	Calls int64
	Rows  int64
	Exec  float64 `json:"total_exec_time"` // from PostgreSQL 13 on
	Older float64 `json:"total_time"`      // the same before
	Plans int64   // only where pg_stat_statements.track_planning is on
	Plan  float64 `json:"total_plan_time"`

	Hit         int64   `json:"shared_blks_hit"`
	Read        int64   `json:"shared_blks_read"`
	TempWritten int64   `json:"temp_blks_written"`
	WALBytes    float64 `json:"wal_bytes"`

	JITGeneration   float64 `json:"jit_generation_time"` // the four from PostgreSQL 15 on
	JITInlining     float64 `json:"jit_inlining_time"`
	JITOptimization float64 `json:"jit_optimization_time"`
	JITEmission     float64 `json:"jit_emission_time"`
	JITFunctions    int64   `json:"jit_functions"`
}

// jit is the time spent on compiling.
func (s *statement) jit() float64 {
	return s.JITGeneration + s.JITInlining + s.JITOptimization + s.JITEmission
}

// statementKey tells rows apart.
type statementKey struct {
	user  string
	query int64
	inner bool
}

func (s *statement) key() statementKey {
	return statementKey{s.UserID, s.QueryID, s.TopLevel != nil && !*s.TopLevel}
}

// readStatements reads the rows of this database; the texts, which cost the most, only on request.
func readStatements(ctx context.Context, conn *pgx.Conn, s *server, texts bool) (map[statementKey]*statement, error) {
	if s.statements == "" {
		return nil, nil
	}
	rows, err := ask[*statement](ctx, conn, fmt.Sprintf(
		"SELECT * FROM %s.pg_stat_statements(%t) WHERE queryid IS NOT NULL AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())", s.statements, texts))
	if err != nil {
		return nil, fmt.Errorf("reading pg_stat_statements: %w", err)
	}
	all := make(map[statementKey]*statement, len(rows))
	for _, row := range rows {
		row.Exec += row.Older
		all[row.key()] = row
	}
	return all, nil
}

// statementsSince is what statements did between two readings, roles added up, the costliest first. Our own are left out, and those that ran inside functions,
// since the function's caller is counted with them.
func statementsSince(before, after map[statementKey]*statement) []*statement {
	sums := map[int64]*statement{}
	var all []*statement
	for key, now := range after {
		d := *now
		// Fewer calls than before: the row was thrown out in between and is a new one.
		if old := before[key]; old != nil && old.Calls <= now.Calls {
			d.subtract(old)
		}
		if d.Calls == 0 || key.inner || strings.Contains(d.Query, tag) {
			continue
		}
		if sum := sums[key.query]; sum != nil {
			sum.add(&d)
			continue
		}
		sums[key.query] = &d
		all = append(all, &d)
	}
	slices.SortFunc(all, func(a, b *statement) int {
		switch {
		case a.Exec > b.Exec:
			return -1
		case a.Exec < b.Exec:
			return 1
		}
		return strings.Compare(a.Query, b.Query)
	})
	return all
}

func (s *statement) add(o *statement)      { s.combine(o, 1) }
func (s *statement) subtract(o *statement) { s.combine(o, -1) }

func (s *statement) combine(o *statement, sign int64) {
	s.Calls += sign * o.Calls
	s.Rows += sign * o.Rows
	s.Plans += sign * o.Plans
	s.Hit += sign * o.Hit
	s.Read += sign * o.Read
	s.TempWritten += sign * o.TempWritten
	s.JITFunctions += sign * o.JITFunctions
	f := float64(sign)
	s.Exec += f * o.Exec
	s.Plan += f * o.Plan
	s.WALBytes += f * o.WALBytes
	s.JITGeneration += f * o.JITGeneration
	s.JITInlining += f * o.JITInlining
	s.JITOptimization += f * o.JITOptimization
	s.JITEmission += f * o.JITEmission
}
