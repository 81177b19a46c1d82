package lex_test

import (
	"testing"

	"poolerd/wire/lex"
)

func TestQuery(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1": true, " /* x */ ((select 1))": true, "WITH a AS (SELECT 1) SELECT * FROM a": true, "INSERT INTO t VALUES (1)": true, "TABLE t": true, "VALUES (1)": true,
		"": false, "FETCH 1 FROM c": false, "EXECUTE p": false, "SHOW ALL": false, "selected": false, `"select"`: false, "CALL f()": false, "EXPLAIN SELECT 1": false,
	} {
		if got := lex.Query([]byte(sql)); got != want {
			t.Errorf("Query(%q) = %v", sql, got)
		}
	}
}

func TestSessional(t *testing.T) {
	for sql, want := range map[string]bool{"FETCH 1 FROM c": true, "; move c": true, "EXECUTE p": true, "EXPLAIN SELECT 1": true, "SELECT 1": false, "": false, "fetched": false} {
		if got := lex.Sessional([]byte(sql)); got != want {
			t.Errorf("Sessional(%q) = %v", sql, got)
		}
	}
}
