package workload

import (
	"errors"
	"maps"
	"math"
	"strings"
	"testing"
)

func scriptFile(path string) (string, error) {
	text, ok := map[string]string{
		"my.sql":     "SELECT 1;",
		"dir/a=b@c":  "SELECT 2;",
		"plain":      "SELECT 3;",
		"broken.sql": "\\set",
	}[path]
	if !ok {
		return "", errors.New("no such file")
	}
	return text, nil
}

func TestMix(t *testing.T) {
	for _, c := range []struct {
		spec  string
		role  string
		parts map[string]float64
	}{
		{"get-by-pk=60,post=10,my.sql@3", "postgres", map[string]float64{"get-by-pk": 60, "post": 10, "my.sql": 3}},
		{"post", "authenticator", map[string]float64{"post": 1}},
		{" post = 2 , patch@1.5", "authenticator", map[string]float64{"post": 2, "patch": 1.5}},
		{"post=2,post=3", "authenticator", map[string]float64{"post": 5}},
		{"postgrest=200,get-by-pk=30", "authenticator", map[string]float64{
			"get-by-pk": 100, "get-list": 50, "get-embed": 30, "head-count": 10, "post": 16, "patch": 8, "rpc": 14, "prereq-rollback": 2,
		}},
		{"dir/a=b@c=4,my.sql=0", "postgres", map[string]float64{"dir/a=b@c": 4}},
		{"plain=2", "postgres", map[string]float64{"plain": 2}},
		{"select-only,tpcb", "postgres", map[string]float64{"select-only": 1, "tpcb": 1}},
	} {
		w, err := Mix(c.spec, scriptFile)
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		got := map[string]float64{}
		for _, tx := range w.Transactions {
			got[tx.Name] = math.Round(tx.Share*1e9) / 1e9
		}
		if !maps.Equal(got, c.parts) || w.Role != c.role || w.Name != c.spec {
			t.Errorf("%s: %v as %s, want %v as %s", c.spec, got, w.Role, c.parts, c.role)
		}
		if strings.Count(w.Setup, "TRUNCATE pgbench_history") > 1 {
			t.Errorf("%s: the set-up holds the same twice", c.spec)
		}
	}
}

func TestMixErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"get-by-kp=2":          `workload "get-by-kp": did you mean "get-by-pk"?: known are postgrest,`,
		"post=ten":             `the share "ten" of post is no number`,
		"post=-1":              `the share "-1" of post`,
		"post=NaN":             `the share "NaN" of post`,
		"post=":                `the share "" of post`,
		"=3":                   `the part "=3" has no name`,
		"post,,patch":          `the part "" has no name`,
		"":                     `has no name`,
		"post=0":               "no part has a share above 0",
		"missing.sql":          "the script missing.sql: no such file",
		"broken.sql@2":         "broken.sql:1:1: \\set needs a variable's name",
		"listen-fanout,post=1": "listen-fanout cannot be mixed",
		"myscript":             `workload "myscript": known are postgrest,`,
		"other":                "nor can a script file of that name be read: no such file",
	} {
		w, err := Mix(spec, scriptFile)
		if err == nil {
			t.Errorf("%q: %+v", spec, w)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
}

func TestBuiltin(t *testing.T) {
	names := builtinNames()
	for i, w := range Builtins() {
		if w.Name != names[i] || w.Doc == "" || w.Role == "" || len(w.Transactions) == 0 {
			t.Errorf("%d: %s is not whole: %+v", i, names[i], w)
		}
		one, err := Builtin(w.Name)
		if err != nil || one.Name != w.Name {
			t.Errorf("%s: %v", w.Name, err)
		}
	}
	if _, err := Builtin("postgrets"); err == nil || !strings.Contains(err.Error(), `did you mean "postgrest"?`) {
		t.Error(err)
	}
	for _, name := range []string{"nothing-like-it-at-all", ""} {
		_, err := Builtin(name)
		if err == nil || !strings.Contains(err.Error(), "select-only") || strings.Contains(err.Error(), "did you mean") {
			t.Errorf("%q: %v", name, err)
		}
	}
	sum := 0.0
	for _, tx := range postgrest().Transactions {
		sum += tx.Share
	}
	if sum != 100 {
		t.Errorf("the shares of postgrest add up to %v", sum)
	}
}

func TestProtocol(t *testing.T) {
	for _, p := range []Protocol{Prepared, Unprepared, Simple} {
		got, err := ParseProtocol(p.String())
		if err != nil || got != p {
			t.Errorf("%v reads %v, %v", p, got, err)
		}
	}
	for text, want := range map[string]string{"extended": `say "unprepared"`, "prepred": `did you mean "prepared"?`, "": "known are prepared, unprepared, simple"} {
		if _, err := ParseProtocol(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := Protocol(9).String(); got != "Protocol(9)" {
		t.Error(got)
	}
}
