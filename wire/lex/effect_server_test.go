package lex_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"poolerd/wire/lex"
)

// effectPieces are statements with and without an effect, as they may follow each other.
var effectPieces = []string{
	"SET application_name = 'a'", "SET LOCAL application_name = 'b'", "RESET application_name", "SET TIME ZONE 'UTC'", "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE",
	"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "SET application_name FROM CURRENT", "SET XML OPTION CONTENT", "SET CONSTRAINTS ALL DEFERRED",
	"SET TRANSACTION READ WRITE", "SET transaction_read_only = off", "SET a.b TO 'c;d'", "SET statement_timeout = 1e3",
	"LISTEN a", "UNLISTEN a", "UNLISTEN *", "NOTIFY a", "LISTEN U&\"a;\"",
	"BEGIN", "START TRANSACTION", "COMMIT", "END", "ROLLBACK", "ABORT", "COMMIT AND CHAIN", "ROLLBACK WORK AND CHAIN", "COMMIT AND NO CHAIN",
	"SAVEPOINT a", "SAVEPOINT a", "RELEASE a", "ROLLBACK TO SAVEPOINT a", "RELEASE SAVEPOINT a", "ROLLBACK TRANSACTION TO a",
	"PREPARE a AS SELECT 1", "PREPARE transaction AS SELECT 2", "DEALLOCATE a", "DEALLOCATE ALL", "DEALLOCATE PREPARE a",
	"DISCARD PLANS", "DISCARD SEQUENCES", "DISCARD TEMPORARY", "DISCARD TEMP", "DISCARD ALL", "LOAD 'plpgsql'",
	"SELECT ';'", "SELECT $$;$$, \"x;\" FROM (SELECT 1 AS \"x;\") AS y", "SELECT E'\\';'", "SELECT 1 /* ; /* ; */ */", "SELECT 1 -- ;\n", "", " ", "/* ; */",
	"CREATE TEMP TABLE IF NOT EXISTS t (a int)", "CREATE OR REPLACE RULE r AS ON INSERT TO ruled DO ALSO (NOTIFY a; NOTIFY b)", "UPDATE ruled SET a = 1",
	"DO $$BEGIN PERFORM 1; END$$", "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1; SELECT 2'", "PREPARE TRANSACTION 'x'", "COMMIT PREPARED 'x'",
}

// TestEffectsAgainstServer compares the tags of texts of several statements with those that the server gives.
func TestEffectsAgainstServer(t *testing.T) {
	s := connect(t)
	s.rows("CREATE TABLE ruled (a int)")
	r := rand.New(rand.NewPCG(5, 6))
	effect := map[string]bool{"DISCARD PLANS": true, "DISCARD SEQUENCES": true, "DISCARD TEMP": true, "": false}
	for k := lex.Begin; k <= lex.RollbackPrepared; k++ {
		effect[lex.Effect{Kind: k}.Tag()] = k != lex.Execute && k != lex.Discard
	}
	effect["START TRANSACTION"] = true
	seen, whole := 0, 0
	for range 4000 {
		var text []string
		for range 1 + r.IntN(5) {
			text = append(text, effectPieces[r.IntN(len(effectPieces))])
		}
		sql := strings.Join(text, []string{";", "; ", ";\n--;\n"}[r.IntN(3)])
		if r.IntN(2) == 0 {
			s.rows("BEGIN; SAVEPOINT a")
		}
		tags, code := s.try(sql)
		list, ok := lex.Effects([]byte(sql))
		if !ok {
			t.Fatalf("%q is not split", sql)
		}
		var want []string
		for _, tag := range tags {
			if effect[tag] {
				want = append(want, tag)
			}
		}
		if len(want) > len(list) || code == "" && len(want) != len(list) {
			t.Fatalf("%q has %+v, and the server gives %q %s", sql, list, tags, code)
		}
		for i, tag := range want { // after an error the server carries out no more
			if got := list[i].Tag(); got != tag && (tag != "ROLLBACK" || got != "PREPARE TRANSACTION") {
				t.Errorf("%q: effect %d is %+v, and the server gives %q %s", sql, i, list[i], tags, code)
			}
		}
		seen += len(want)
		if code == "" {
			whole++
		}
		s.rows("ROLLBACK")
		s.rows("DISCARD ALL")
	}
	if seen < 2000 || whole < 800 {
		t.Errorf("only %d effects were seen, and %d texts carried out as a whole", seen, whole)
	}
	t.Logf("%d effects, %d texts carried out as a whole", seen, whole)
}

// TestNamesAgainstServer compares the names in effects with those that the server keeps.
func TestNamesAgainstServer(t *testing.T) {
	s := connect(t)
	long := strings.Repeat("n", 62)
	for _, name := range []string{
		"a", "A", "Mixed_1$", `"Mixed ""q"" "`, "none", "savepoint", "prepare", "transaction", `"é"`, "É", "aÉ", long + "a", long + "ab", `"` + long + `ab"`, `"` + long + `é"`,
		long + "éx", `"` + long[:60] + `aé€"`, `"` + strings.Repeat("é", 40) + `"`, strings.Repeat("€", 22), `"a b;"`, "_x", "ähnlich",
	} {
		for _, f := range []struct{ sql, ask string }{
			{"LISTEN %s", "SELECT pg_listening_channels()"},
			{"PREPARE %s AS SELECT 1", "SELECT name FROM pg_prepared_statements WHERE from_sql"},
		} {
			sql := fmt.Sprintf(f.sql, name)
			list, ok := lex.Effects([]byte(sql))
			_, code := s.try(sql)
			if !ok || len(list) != 1 || code != "" {
				t.Errorf("%q has %+v, %v, and the server gives %q", sql, list, ok, code)
				continue
			}
			if got := s.rows(f.ask); len(got) != 1 || got[0] != list[0].Name {
				t.Errorf("%q has %+v, and the server says %q", sql, list, got)
			}
			s.rows("UNLISTEN *; DEALLOCATE ALL")
		}
		// A savepoint is found by the name that its effect has.
		s.rows("BEGIN; SAVEPOINT " + name)
		for _, sql := range []string{"ROLLBACK TO " + name, "ROLLBACK TO SAVEPOINT " + name, "RELEASE " + name} {
			list, _ := lex.Effects([]byte(sql))
			quoted := `"` + strings.ReplaceAll(list[0].Name, `"`, `""`) + `"`
			if _, code := s.try(fmt.Sprintf("ROLLBACK TO %s; %s", quoted, sql)); code != "" {
				t.Errorf("%q has %+v, and the server gives %s", sql, list, code)
			}
		}
		s.rows("ROLLBACK")
	}
}

// TestCharacteristicsAgainstServer replays what is read of SET SESSION CHARACTERISTICS.
func TestCharacteristicsAgainstServer(t *testing.T) {
	s := connect(t)
	r := rand.New(rand.NewPCG(7, 8))
	show := "SELECT current_setting('default_transaction_isolation'), current_setting('default_transaction_read_only'), current_setting('default_transaction_deferrable')"
	reset := "ROLLBACK; RESET ALL; BEGIN"
	modes := []string{
		"READ ONLY", "READ WRITE", "DEFERRABLE", "NOT DEFERRABLE", "ISOLATION LEVEL SERIALIZABLE", "ISOLATION LEVEL REPEATABLE READ", "ISOLATION LEVEL READ COMMITTED",
		"ISOLATION LEVEL READ UNCOMMITTED", "read /* , */ only", "READ",
	}
	read := 0
	for range 600 {
		sql := []string{"SET SESSION CHARACTERISTICS AS TRANSACTION ", "SET SESSION SESSION CHARACTERISTICS AS TRANSACTION ", "SET LOCAL SESSION CHARACTERISTICS AS TRANSACTION "}[r.IntN(3)]
		for i := range 1 + r.IntN(4) {
			if i > 0 {
				sql += []string{" ", ", ", ","}[r.IntN(3)]
			}
			sql += modes[r.IntN(len(modes))]
		}
		list, ok := lex.Effects([]byte(sql))
		if !ok || len(list) != 1 {
			t.Fatalf("%q has %+v, %v", sql, list, ok)
		}
		s.rows(reset)
		_, code := s.try(sql)
		if e := list[0]; e.Unknown != (code != "") {
			t.Errorf("%q has %+v, and the server gives %q", sql, e, code)
		}
		if code != "" {
			continue
		}
		want := s.rows(show)
		s.rows(reset)
		for _, one := range list[0].Settings {
			if one.Local != (list[0].Kind == lex.SetLocal) {
				t.Errorf("%q has %+v", sql, list[0])
			}
			s.rows("SET " + one.Name + " TO " + one.Value)
		}
		if got := s.rows(show); !slices.Equal(got, want) {
			t.Errorf("%q leads to %q, and replayed as %+v to %q", sql, want, list[0], got)
		}
		read++
	}
	if read < 200 {
		t.Errorf("only %d were read", read)
	}
}
