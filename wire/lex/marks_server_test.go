package lex_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"poolerd/wire/lex"
)

// left asks what a text has left in its session, and gives the mark that must have told.
var left = []struct {
	mark lex.Marks
	ask  string
}{
	{lex.MarkTemp, "SELECT 1 FROM pg_class WHERE relnamespace = pg_my_temp_schema()"},
	{lex.MarkAdvisory, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"},
	{lex.MarkHold, "SELECT 1 FROM pg_cursors WHERE is_holdable"},
	{lex.MarkPrepare, "SELECT 1 FROM pg_prepared_statements WHERE from_sql"},
	{lex.MarkListen, "SELECT 1 FROM pg_listening_channels()"},
	{lex.MarkSetConfig, "SELECT 1 WHERE current_setting('application_name') || coalesce(current_setting('a.b', true), '') <> ''"},
	{lex.MarkSticky, "SELECT 1 FROM pg_replication_slots WHERE temporary"},
}

// markPieces leave something behind, or nearly. Each space may be any whitespace or comment. Where they hold no quotes they also stand in a DO.
var markPieces = []string{
	"CREATE TEMP TABLE t (a int)", "CREATE TEMPORARY TABLE IF NOT EXISTS t (a int)", "CREATE LOCAL TEMP TABLE t (a int)", "CREATE GLOBAL TEMPORARY TABLE t (a int)",
	"CREATE TABLE pg_temp.t (a int)", `CREATE TABLE "pg_temp".t (a int)`, "SELECT 1 AS a INTO TEMP t", "SELECT 1 AS a INTO LOCAL TEMPORARY TABLE t",
	"CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "CREATE TEMP SEQUENCE s", "CREATE TEMP TABLE t AS SELECT 1", "EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1",
	"CREATE TEMP RECURSIVE VIEW v (a) AS SELECT 1", "CREATE TABLE temp (a int)", "CREATE TABLE tt (temp int)", "SELECT temp FROM (SELECT 1 AS temp) AS x",
	"SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock(1, 2)", `SELECT pg_catalog."pg_advisory_lock_shared" (1)`, "SELECT pg_advisory_xact_lock(1)",
	"SELECT pg_try_advisory_xact_lock_shared(3)", "SELECT pg_advisory_unlock_all()",
	"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1", "DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1",
	"PREPARE p AS SELECT 1", "PREPARE transaction AS SELECT 1", "PREPARE transaction (int) AS SELECT $1", "DEALLOCATE ALL",
	"LISTEN a", "UNLISTEN *", "NOTIFY a",
	"SELECT set_config('application_name', 'x', false)", "SELECT set_config('application_name', 'x', true)", "SELECT set_config('a.b', 'x, true)', NOT true)",
	"SELECT set_config('a.b', '''', 'f')", "SELECT set_config('a.b', 'x', 't')", "SELECT set_config('a.b', 'x', 'yes'::bool)", "SELECT set_config('a.b', lower('X'), false)",
	"SELECT set_config('a.b', 'x', 'no'::boolean)", "SELECT set_config(is_local => false, setting_name => 'a.b', new_value => 'true')",
	"SELECT set_config('a.b', $q$x, true)$q$, false)", "SELECT set_config(E'a.b', E'\\', \\'x\\', true)', false)", "SELECT set_config('a.b', 'x', true)",
	"UPDATE pg_settings SET setting = 'x' WHERE name = 'application_name'", "UPDATE ONLY pg_catalog.pg_settings SET setting = 'x' WHERE name = 'application_name'",
	"SELECT count(*) FROM pg_catalog.pg_settings",
	"SELECT pg_create_physical_replication_slot('s', true, true)",
	"SELECT 1", "SELECT 'create', 1", "SELECT '--', 1", "SELECT '/*', 1", "SELECT '*/', 1", "SELECT 1 AS a -- create\n",
}

var markSpaces = []string{" ", "\n", "\t", "/* , */", " -- x\n", "  ", "\r", "\f", "/* /* */ */", "--\r", " /* create */ ", " -- a -- b\n--c\n", "/*'*/", " --'\n", "/*;*/", "--;\n"}

func disguise(r *rand.Rand, sql string) string {
	var b strings.Builder
	for i, part := range strings.Split(sql, " ") {
		if i > 0 {
			if r.IntN(3) > 0 {
				b.WriteByte(' ')
			} else {
				b.WriteString(markSpaces[r.IntN(len(markSpaces))])
			}
		}
		switch {
		case r.IntN(3) == 0 && !strings.ContainsAny(part, `'"$\`):
			b.WriteString(strings.ToLower(part))
		default:
			b.WriteString(part)
		}
	}
	return b.String()
}

// TestMarkAgainstServer looks at what texts leave behind in a real session: their marks must have told.
func TestMarkAgainstServer(t *testing.T) {
	s := connect(t)
	r := rand.New(rand.NewPCG(9, 10))
	seen, spared := map[lex.Marks]int{}, map[lex.Marks]int{}
	for range 2500 {
		var parts []string
		for range 1 + r.IntN(2) {
			sql := disguise(r, markPieces[r.IntN(len(markPieces))])
			if body, isSelect := strings.CutPrefix(sql, "SELECT "); isSelect && r.IntN(5) == 0 {
				sql = "PERFORM " + body
			} else if isSelect || r.IntN(5) > 0 {
				parts = append(parts, sql)
				continue
			}
			switch r.IntN(4) {
			case 0:
				sql = "DO $do$BEGIN " + sql + "; END$do$"
			case 1:
				sql = "DO '" + strings.ReplaceAll("BEGIN\n"+sql+"; END", "'", "''") + "'"
			case 2:
				sql = "DO LANGUAGE plpgsql E'" + strings.NewReplacer("'", "\\'", "\\", "\\\\", "\n", "\\n", "\r", "\\x0d", "\t", "\\011").Replace("BEGIN\n"+sql+"; END") + "'"
			default:
				sql = "DO $do$BEGIN EXECUTE '" + strings.ReplaceAll(strings.Replace(sql, "PERFORM", "SELECT", 1), "'", "''") + "'; END$do$"
			}
			parts = append(parts, disguise(r, "")+sql)
		}
		sql := strings.Join(parts, []string{";", "; ", ";\n-- x\n", ";/* x */"}[r.IntN(4)])
		s.try(sql)
		marks := lex.Mark([]byte(sql))
		for _, l := range left {
			if len(s.rows(l.ask)) == 0 {
				if marks&l.mark == 0 {
					spared[l.mark]++
				}
				continue
			}
			seen[l.mark]++
			if marks&l.mark == 0 {
				t.Errorf("Mark(%q) = %v, and the server is left with %v", sql, marks, l.mark)
			}
			if l.mark == lex.MarkSetConfig {
				names, ok := lex.SetConfigs([]byte(sql))
				for _, row := range s.rows("SELECT 'a.b' WHERE coalesce(current_setting('a.b', true), '') <> '' UNION ALL SELECT 'application_name' WHERE current_setting('application_name') <> ''") {
					if ok && !slices.Contains(names, row) {
						t.Errorf("SetConfigs(%q) = %q, and the server has %s", sql, names, row)
					}
				}
			}
		}
		for _, row := range s.rows("SELECT slot_name FROM pg_replication_slots") {
			s.rows(fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", row))
		}
		s.rows("ROLLBACK")
		s.rows("DISCARD ALL")
		s.rows("DROP TABLE IF EXISTS temp, tt")
	}
	for _, l := range left {
		if seen[l.mark] < 20 || spared[l.mark] < 200 {
			t.Errorf("%v was seen %d times, and not marked without cause %d times", l.mark, seen[l.mark], spared[l.mark])
		}
	}
	t.Logf("left %v, not marked %v", seen, spared)
}
