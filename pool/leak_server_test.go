package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/pool/vars"
	"poolerd/wire"
)

// auditor looks at every server that is about to be free: whether its session's state is a fresh one's, but for the session parameters and the prepared statements that the
// pooler believes it to have.
type auditor struct {
	mu       sync.Mutex
	mirror   *pgconn.PgConn    // a session of its own, brought to the parameters that a server should have
	expected map[string]string // what the mirror shows with them, by the statements that lead there
	found    []string
	looks    int
}

// parametersShown is all that sessions of one role and database differ in by their parameters. A placeholder such as my.own is in no view, and is empty once it was reset.
const parametersShown = `coalesce((SELECT pg_catalog.string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_catalog.pg_settings
	WHERE setting IS DISTINCT FROM reset_val AND context IN ('user', 'superuser') AND name NOT LIKE 'transaction\_%'), 'as at first')
	|| ' ' || session_user || ' ' || current_user || ' ' || pg_catalog.current_setting('role')
	|| ' own=' || coalesce(pg_catalog.current_setting('my.own', true), '') || ' yours=' || coalesce(pg_catalog.current_setting('your.own', true), '')`

// leftBehind asks for everything else.
const leftBehind = `SELECT ` + parametersShown + `,
	(SELECT pg_catalog.string_agg(name, ' ' ORDER BY name COLLATE "C") FROM pg_catalog.pg_prepared_statements WHERE NOT from_sql AND name <> 'audit'),
	(SELECT pg_catalog.string_agg('PREPARE ' || name, ', ') FROM pg_catalog.pg_prepared_statements WHERE from_sql),
	(SELECT pg_catalog.string_agg(locktype || ' lock ' || mode, ', ') FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid() AND locktype <> 'virtualxid' AND mode <> 'AccessShareLock'),
	(SELECT pg_catalog.string_agg('cursor ' || name, ', ') FROM pg_catalog.pg_cursors WHERE name <> ''),
	(SELECT pg_catalog.string_agg('LISTEN ' || c, ', ') FROM pg_catalog.pg_listening_channels() c),
	(SELECT pg_catalog.string_agg('temporary ' || pg_catalog.pg_describe_object(classid, objid, objsubid), ', ') FROM pg_catalog.pg_depend
		WHERE refclassid = 2615 AND refobjid = pg_catalog.pg_my_temp_schema())` // 2615 is pg_namespace

func newAuditor(t *testing.T, url string) *auditor {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return &auditor{mirror: conn, expected: map[string]string{}}
}

// look is Pooler.released.
func (a *auditor) look(s *Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looks++
	if err := a.compare(s); err != nil {
		a.found = append(a.found, fmt.Sprintf("server %d: %v", s.pid, err))
	}
}

// findings gives what was found since the last call.
func (a *auditor) findings() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := a.found
	a.found = nil
	return found
}

func (a *auditor) compare(s *Server) error {
	if s.pins != 0 {
		return fmt.Errorf("it is marked as having: %v", s.pins)
	}
	row, code, err := auditAsk(s, leftBehind)
	switch {
	case err != nil:
		return err
	case code != "":
		return fmt.Errorf("looking at its state: %s", code)
	}
	want, err := a.expect(s.pool.space.Empty(), s.vars)
	if err != nil {
		return err
	}
	var found []error
	if row[0] != want {
		found = append(found, fmt.Errorf("its parameters are\n\t%s\nbelieved to be\n\t%s", row[0], want))
	}
	var believed []string
	for st := range s.stmts.All() {
		believed = append(believed, st.Name)
	}
	slices.Sort(believed)
	if names := strings.Join(believed, " "); row[1] != names {
		found = append(found, fmt.Errorf("prepared are %q, believed to be %q", row[1], names))
	}
	for _, left := range row[2:] {
		if left != "" {
			found = append(found, errors.New(left))
		}
	}
	if s.sequences == 0 {
		if row, code, err := auditAsk(s, "SELECT pg_catalog.lastval()"); err != nil || code != "55000" {
			found = append(found, fmt.Errorf("lastval gives %v, %s, %w", row, code, err))
		}
	}
	return errors.Join(found...)
}

// expect gives what a session with the parameters shows.
func (a *auditor) expect(empty, set *vars.Set) (string, error) {
	ctx, stop := context.WithTimeout(context.Background(), leakPatience)
	defer stop()
	sql := vars.Replay(empty, set)
	if want, ok := a.expected[sql]; ok {
		return want, nil
	}
	if _, err := a.mirror.Exec(ctx, "DISCARD ALL").ReadAll(); err != nil {
		return "", err
	}
	if _, err := a.mirror.Exec(ctx, sql).ReadAll(); err != nil {
		return "", fmt.Errorf("%s: %w", sql, err)
	}
	results, err := a.mirror.Exec(ctx, "SELECT "+parametersShown).ReadAll()
	if err != nil {
		return "", err
	}
	want := string(results[0].Rows[0][0])
	a.expected[sql] = want
	return want, nil
}

// auditAsk asks a server that nobody has for one row. It leaves the unnamed statement alone, which may still be somebody's.
func auditAsk(s *Server, sql string) (row []string, code wire.Code, err error) {
	b := wire.AppendParse(nil, "audit", wire.ParseTail(sql))
	b = wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(b, "", "audit"), ""), wire.ClientSync)
	b = wire.AppendEmpty(wire.AppendClose(b, 'S', "audit"), wire.ClientSync)
	if err := s.conn.SetDeadline(time.Now().Add(leakPatience)); err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, s.conn.SetDeadline(noDeadline)) }()
	if _, err := s.conn.Write(b); err != nil {
		return nil, "", err
	}
	for ready := 0; ready < 2; {
		typ, body, err := wire.ReadMessage(s.conn, 1<<20)
		if err != nil {
			return nil, "", err
		}
		switch typ {
		case wire.ServerDataRow:
			values, ok := wire.ParseDataRow(body)
			if !ok {
				return nil, "", errors.New("a DataRow that is not one")
			}
			for _, v := range values {
				row = append(row, string(v))
			}
		case wire.ServerErrorResponse:
			code = wire.Code(wire.ErrorCode(body))
		case wire.ServerReadyForQuery:
			ready++
		}
	}
	return row, code, nil
}
