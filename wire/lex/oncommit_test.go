package lex

import "testing"

func TestDropsOnCommit(t *testing.T) {
	for sql, want := range map[string]bool{
		"CREATE TEMP TABLE t (a int) ON COMMIT DROP":                              true,
		"create temporary table t on /* at its */ commit\n drop as select 1;":     true,
		"CREATE TEMP TABLE t (a int) ON COMMIT DROP;":                             true,
		"CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS":                       false,
		"CREATE TEMP TABLE t (a int)":                                             false,
		"CREATE TEMP TABLE t (a text DEFAULT 'on commit drop')":                   false,
		"CREATE TEMP TABLE t (a int) -- on commit drop":                           false,
		"CREATE TEMP TABLE t (a int) ON COMMIT DROP; CREATE TEMP TABLE u (a int)": false,
		"CREATE TEMP TABLE on_commit (\"drop\" int)":                              false,
		"CREATE TEMP TABLE t (a int) ON ON COMMIT DROP":                           true,
		"CREATE TEMP TABLE t (a text DEFAULT 'without an end) ON COMMIT DROP":     false,
		"": false,
	} {
		if got := DropsOnCommit([]byte(sql)); got != want {
			t.Errorf("%q: %v", sql, got)
		}
	}
}
