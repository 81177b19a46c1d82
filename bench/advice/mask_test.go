package advice

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"SELECT 1", "SELECT ?"},
		{"SELECT  a1,\n\tb FROM t2 WHERE c = $1 AND d = 'x''y'", "SELECT a1, b FROM t2 WHERE c = $1 AND d = ?"},
		{`SELECT E'a\'b', 'c'`, "SELECT ?, ?"},
		{`SELECT 'C:\' || "Or'der", 'secret'`, "SELECT ?"}, // it may be one constant
		{`SELECT "Or'der" FROM "a""b"`, `SELECT "Or'der" FROM "a""b"`},
		{"SELECT $$it's$$, $f$ $$ $f$, $2", "SELECT ?, ?, $2"},
		{"SELECT 1.5e-3, .5, 0x1F, 1_000, x'ff', B'01', U&'x', N'y'", "SELECT ?, ?, ?, ?, ?, ?, ?, ?"},
		{"/* secret /* inner */ */ SELECT -- secret\n 1-2", "SELECT ?-?"},
		{"SELECT 'cut sho", "SELECT ?"},
		{"SELECT $tag$cut sho", "SELECT ?"},
		{"SELECT /* cut sho", "SELECT"},
		{"SELECT a->>'k', b::int[], c[1]", "SELECT a->>?, b::int[], c[?]"},
		{"SELECT é1 FROM t", "SELECT é1 FROM t"},
	} {
		if got := Mask(test.text); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestShort(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"SET password = 'x'", "SET"},
		{"/* c */ create role x password 'y'", "CREATE"},
		{"", ""},
		{"((SELECT 1))", "((SELECT ?))"},
		{"SELECT " + strings.Repeat("a, ", 100) + "b", "SELECT " + strings.Repeat("a, ", 34) + "…"},
	} {
		if got := short(test.text); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	sent := `SELECT coalesce(json_agg(x), '[]') AS "Body", null::bigint FROM t WHERE id = $1  LIMIT 5 -- hint`
	kept := `select coalesce(json_agg(x), $2) as "Body", $3::bigint from t where id = $1 limit $4`
	if fingerprint(sent) != fingerprint(kept) {
		t.Errorf("%q and %q differ", fingerprint(sent), fingerprint(kept))
	}
	if fingerprint(sent) == fingerprint(strings.Replace(sent, "Body", "body", 1)) {
		t.Error("quoted names are alike")
	}
}

// FuzzMask: whatever a constant holds, nothing of it is shown, and no text makes it fail.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{"x", "it's", `\`, "$1", "/*", "--", "\x00\xff", "$tag$", `a"b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		Mask(secret)
		terms(secret, "a")
		fingerprint(secret)
		short(secret)
		if strings.HasSuffix(secret, `\`) {
			return // all that follows counts as the constant
		}
		constant := "'" + strings.ReplaceAll(secret, "'", "''") + "'"
		if strings.Contains(constant, `\''`) {
			return // likewise
		}
		if got := Mask("SELECT " + constant + " AS x"); got != "SELECT ? AS x" {
			t.Errorf("%q: got %q", constant, got)
		}
	})
}
