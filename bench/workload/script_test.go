package workload_test

import (
	"fmt"
	"strings"
	"testing"

	"poolerd/bench/workload"
)

// sent is what a script sends as simple queries, each in brackets, played by a server that agrees.
func sent(t *testing.T, vars map[string]string, text string) string {
	t.Helper()
	s := script(t, workload.Simple, vars, text)
	trace, _ := flights(s, nil)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(trace)) {
		if _, query, ok := strings.Cut(line, "Query\t "); ok {
			b.WriteString("[" + strings.TrimPrefix(strings.TrimSuffix(query, "\"\n"), `"`) + "]")
		}
	}
	return b.String()
}

func TestScriptStatements(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"SELECT 1;", "[SELECT 1]"},
		{"SELECT 1", "[SELECT 1]"},
		{"SELECT 1;;SELECT 2 ; \n", "[SELECT 1][SELECT 2]"},
		{"-- a comment;\n\n  SELECT\n 1 -- another;\n ;", `[SELECT\x0a 1 -- another;]`},
		{"/* a /* nested; */ one; */ SELECT 1", "[SELECT 1]"},
		{"SELECT /* in; side */ 1;", "[SELECT /* in; side */ 1]"},
		{"SELECT ';', E'\\';', 'it''s;';", `[SELECT ';', E'\';', 'it''s;']`},
		{"SELECT 'a\\'; SELECT 2;", `[SELECT 'a\'][SELECT 2]`},
		{`SELECT 1 AS "a;""b"; SELECT 2;`, `[SELECT 1 AS "a;""b"][SELECT 2]`},
		{"SELECT $$a;b$$, $x$a;$$;b$x$, a$1$;", "[SELECT $$a;b$$, $x$a;$$;b$x$, a$1$]"},
		{"SELECT (1;2);", "[SELECT (1;2)]"},
		{"SELECT 1\\;SELECT 2;SELECT 3;", "[SELECT 1;SELECT 2][SELECT 3]"},
		{"\\;SELECT 1;", "[SELECT 1]"},
		{"SELECT 1 \\set x 1\n", "[SELECT 1]"},
		{
			"CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3;",
			"[CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END][SELECT 3]",
		},
		{"CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END; SELECT 3;", "[CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END][SELECT 3]"},
		{"BEGIN; SELECT 1; END;", "[BEGIN][SELECT 1][END]"},

		{"\\set x 5\nSELECT :x, :x::int, a[1:2], :y, 12::text, x := 1;", "[SELECT 5, 5::int, a[1:2], :y, 12::text, x := 1]"},
		{"\\set x 5\nSELECT ':x', \":x\", $$:x$$ -- :x\n, /* :x */ '12::x';", `[SELECT '5', "5", $$5$$ -- :x\x0a, /* :x */ '12::x']`},
		{"SELECT :x, \\:x;", "[SELECT 7, :x]"},
		{"SELECT :x1, :_, :xé;", "[SELECT :x1, :_, :xé]"},
		{"SELECT '12:30', :scale, :client_id, :random_seed;", "[SELECT '12:30', 1, 0, 1]"},
		{"\\set a 1.0 / 4\n\\set b null\n\\set c 1 < 2\nSELECT :a, :b, :c;", "[SELECT 0.25, NULL, true]"},
		{"\\set a 1 + \\\n 2\nSELECT :a;", "[SELECT 3]"},
		{"\\SET a 1\nSELECT :a;", "[SELECT 1]"},
		{"\\set a :a0 + 1\r\nSELECT :a;\r\n", "[SELECT 6]"},

		{"\\if :x = 7\nSELECT 1;\n\\endif\nSELECT 2;", "[SELECT 1][SELECT 2]"},
		{"\\if :x\nSELECT 1;\n\\else\nSELECT 0;\n\\endif", "[SELECT 1]"},
		{"\\if :x = 1\nSELECT 1;\n\\elif :x = 7\nSELECT 7;\n\\elif 1 / 0\nSELECT 8;\n\\else\nSELECT 9;\n\\endif", "[SELECT 7]"},
		{"\\if false\nSELECT 1;\n\\elif null\nSELECT 2;\n\\else\nSELECT 3;\n\\endif\nSELECT 4;", "[SELECT 3][SELECT 4]"},
		{"\\if false\n\\if true\nSELECT 1;\n\\endif\n\\else\n\\if 1.5\nSELECT 2;\n\\else\nSELECT 3;\n\\endif\n\\endif", "[SELECT 2]"},
		{"SELECT 1;\\if false\n\\set y 1 / 0\n\\endif", "[SELECT 1]"},
	} {
		if got := sent(t, map[string]string{"x": "7", "a0": "5"}, c.text); got != c.want {
			t.Errorf("%q sends\n%s, want\n%s", c.text, got, c.want)
		}
	}
}

// In the extended protocols each place of a variable is a parameter of its own.
func TestScriptParameters(t *testing.T) {
	s := script(t, workload.Unprepared, map[string]string{"d": "it's"}, "\\set x 5\nSELECT :x, :d, :nobody, :x::int, ':nobody' -- :x\n;")
	trace, _ := flights(s, nil)
	want := `Parse "" "SELECT $1, $2, $3, $4::int, ':nobody' -- :x" 0 Bind "" "" 0 4 1 '5' 4 'it's' -1 1 '5' 1 0 Describe`
	if !strings.Contains(flat(string(trace)), want) {
		t.Errorf("%s\nwant %s", flat(string(trace)), want)
	}
}

func TestScriptSleep(t *testing.T) {
	for text, want := range map[string]string{
		"\\sleep 10 ms\nSELECT 1;":                             "flight 1: ready 1, after 10ms\n",
		"\\sleep 10ms\nSELECT 1;":                              "flight 1: ready 1, after 10ms\n",
		"\\sleep 2\nSELECT 1;":                                 "flight 1: ready 1, after 2s\n",
		"\\sleep 7 us\n\\sleep 1 us\nSELECT 1;":                "flight 1: ready 1, after 8µs\n",
		"\\set n 3\n\\sleep :n ms\nSELECT 1;":                  "flight 1: ready 1, after 3ms\n",
		"\\set n 3\n\\sleep :n\nSELECT 1;":                     "flight 1: ready 1, after 3s\n",
		"\\set n -3\n\\sleep :n\nSELECT 1;":                    "flight 1: ready 1\n",
		"SELECT 1;\n\\sleep 5 s":                               "flight 2: ready 0, after 5s\n",
		"\\startpipeline\nSELECT 1;\\sleep 5 s\n\\endpipeline": "flight 1: ready 1, after 5s\n",
	} {
		p := workload.Unprepared
		trace, _ := flights(script(t, p, nil, text), nil)
		if !strings.Contains(string(trace), want) {
			t.Errorf("%q: %s", text, trace)
		}
	}
}

func TestScriptGset(t *testing.T) {
	s := script(t, workload.Prepared, nil, "SELECT 1 AS one, 2 AS two, 3 AS other\\gset p_\nSELECT :p_one + :p_two;\nSELECT null AS n;\\gset\n\\set m :p_two * 2\nSELECT :n, :m;")
	text := func(s string) *string { return &s }
	trace, count := flights(s, func(flight int) workload.Outcome {
		o := workload.Outcome{Status: 'I'}
		switch flight {
		case 2:
			o.Columns, o.Row = []string{"one", "two", "other"}, []*string{text("1"), text("21"), text("x")}
		case 6:
			o.Columns, o.Row = []string{"n"}, []*string{nil}
		}
		return o
	})
	got := flat(string(trace))
	for _, want := range []string{
		`Parse "0" "SELECT 1 AS one, 2 AS two, 3 AS other" 0 Sync flight 2: ready 1, rows Bind`,
		`Bind "" "1" 0 2 1 '1' 2 '21'`, `flight 6: ready 1, rows`, `Bind "" "3" 0 2 0 '' 2 '42'`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
	if count != 8 || s.Err() != nil {
		t.Errorf("%d flights, %v", count, s.Err())
	}

	s = script(t, workload.Simple, nil, "BEGIN;\nSELECT 1 AS one WHERE false \\gset\nCOMMIT;")
	trace, count = flights(s, func(int) workload.Outcome { return workload.Outcome{Status: 'T'} })
	if count != 3 || !strings.Contains(string(trace), `"ROLLBACK"`) {
		t.Errorf("%d: %s", count, trace)
	}
	if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), `test.sql:2:1: \gset got no row`) {
		t.Error(err)
	}
}

func TestScriptPipeline(t *testing.T) {
	const text = "\\startpipeline\nSELECT 1;\n\\if true\nSELECT :scale;\n\\endif\n\\syncpipeline\nSELECT 1;\n\\endpipeline\nSELECT 1;"
	s := script(t, workload.Prepared, nil, text)
	cold, count := flights(s, nil)
	want := `# test.sql flight 1: ready 2 Parse "0" "SELECT 1" 0 Bind "" "0" 0 0 1 0 Describe P "" Execute "" 0 ` +
		`Parse "1" "SELECT $1" 0 Bind "" "1" 0 1 1 '1' 1 0 Describe P "" Execute "" 0 Sync ` +
		`Bind "" "0" 0 0 1 0 Describe P "" Execute "" 0 Sync flight 2: ready 1 Bind`
	if got := flat(string(cold)); count != 2 || !strings.HasPrefix(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
	if warm, _ := flights(s, nil); strings.Contains(string(warm), "Parse") {
		t.Errorf("parses again: %s", warm)
	}
	unprepared, _ := flights(script(t, workload.Unprepared, nil, text), nil)
	if got := strings.Count(string(unprepared), "Parse"); got != 4 {
		t.Errorf("%d of 4 statements parsed: %s", got, unprepared)
	}

	// After an error nobody knows which statements were parsed.
	s = script(t, workload.Prepared, nil, text)
	flights(s, func(int) workload.Outcome { return workload.Outcome{Code: "42P01", Status: 'I'} })
	if again, _ := flights(s, nil); !strings.Contains(flat(string(again)), `Parse "2" "SELECT 1" 0 Bind "" "2"`) {
		t.Errorf("%s", again)
	}

	// A script that goes wrong inside a pipeline sends nothing of it.
	s = script(t, workload.Prepared, nil, "BEGIN;\n\\startpipeline\nSELECT 1;\n\\set x 1 / :zero\n\\endpipeline\nCOMMIT;")
	trace, _ := flights(s, func(int) workload.Outcome { return workload.Outcome{Status: 'T'} })
	if got := flat(string(trace)); strings.Contains(got, "SELECT 1") || !strings.HasSuffix(got, `flight 3: ready 1 Query "ROLLBACK"`) {
		t.Errorf("%s", got)
	}
	if err := s.Err(); err == nil || err.Error() != "test.sql:4:12: the variable :zero is not set: set it with \\set, \\gset or --define zero=VALUE" {
		t.Error(err)
	}
}

// What goes wrong in a script while it runs is told by Err, with its place, and ends the transaction.
func TestScriptRuntimeErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"SELECT 1;\n  \\set x 1 + 7 / 0\nSELECT 2;", "test.sql:2:16: division by zero"},
		{"\\if :nope\n\\endif\nSELECT 2;", "test.sql:1:5: the variable :nope is not set"},
		{"\\sleep :nope\nSELECT 2;", "test.sql:1:1: the variable of \\sleep holds no integer"},
		{"BEGIN;\nSELECT 1;", "test.sql:2:1: the script ends inside a transaction: it lacks a COMMIT"},
	} {
		s := script(t, workload.Simple, nil, c.text)
		status := byte('I')
		if strings.HasPrefix(c.text, "BEGIN") {
			status = 'T'
		}
		trace, _ := flights(s, func(int) workload.Outcome { return workload.Outcome{Status: status} })
		if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
		if strings.Contains(string(trace), "SELECT 2") {
			t.Errorf("%q goes on: %s", c.text, trace)
		}
		if ended := strings.HasSuffix(string(trace), "\"ROLLBACK\"\n"); ended != (status == 'T') {
			t.Errorf("%q: %s", c.text, trace)
		}
		s.Begin()
		if s.Err() != nil {
			t.Errorf("%q: the error outlives the transaction", c.text)
		}
	}
}

func TestScriptErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "a.sql:1:1: the script holds no SQL"},
		{"-- nothing\n\\set x 1\n", "the script holds no SQL"},
		{"SELECT 'a\n;\nb", `a.sql:1:8: this string has no end, in "SELECT 'a"`},
		{"SELECT 1;\n  SELECT \"a", "a.sql:2:10: this quoted name has no end"},
		{"SELECT é, $x$ a", "a.sql:1:11: this dollar-quoted text has no end"},
		{"SELECT E'\\'", "a.sql:1:9: this string has no end"},
		{"/* /* */ SELECT 1", "a.sql:1:1: this comment has no end"},
		{"SELECT 1\x00;", "a.sql:1:9: a script cannot hold a zero byte"},
		{"SELECT 'a\x00';", "a.sql:1:10: a script cannot hold a zero byte"},
		{"SELECT :'x';", "a.sql:1:8: :'x' is psql's: write :x"},
		{"COPY t FROM STDIN;\n1\n\\.\n", "a.sql:1:1: a script cannot bring the data that COPY FROM STDIN reads"},

		{"\\set", "a.sql:1:1: \\set needs a variable's name"},
		{"\\set x", "a.sql:1:1: \\set x needs an expression"},
		{"\\set 1x 2", `a.sql:1:6: "1x" cannot be a variable's name`},
		{"SELECT 1;\n\\set x 1 + foo(2) \nSELECT 2;", `a.sql:2:12: there is no function "foo"`},
		{"\\set x 1 +\nSELECT 1;", "a.sql:1:11: the expression ends where a value should follow, in \"\\\\set x 1 +\""},
		{"\\sleep", "a.sql:1:1: \\sleep needs a number"},
		{"\\sleep x", "a.sql:1:8: \\sleep needs a whole number"},
		{"\\sleep -1", "\\sleep needs a whole number"},
		{"\\sleep 1 h", `a.sql:1:10: "h" is no unit of time: us, ms or s`},
		{"\\sleep 1h", `a.sql:1:9: "h" is no unit of time`},
		{"\\sleep 1 s x", "a.sql:1:12: \\sleep takes a number and a unit"},
		{"\\sleep 9999999999 s", "\\sleep needs a whole number of at most 24h0m0s"},
		{"\\if", "a.sql:1:4: an expression is missing"},
		{"\\if true\nSELECT 1;", "a.sql:1:1: this \\if has no \\endif"},
		{"SELECT 1;\\endif", "a.sql:1:10: \\endif without an \\if before it"},
		{"\\else", "\\else without an \\if"},
		{"\\if 1\n\\else\n\\elif 2\n\\endif", "a.sql:3:1: \\elif after \\else"},
		{"\\if 1\n\\else\n\\else\n\\endif", "a.sql:3:1: \\else after \\else"},
		{"\\if 1\n\\else x\n\\endif", "a.sql:2:7: \\else takes no argument"},
		{"\\gset", "\\gset must follow the SQL"},
		{"SELECT 1;\n\\set x 1\n\\gset", "a.sql:3:1: \\gset must follow the SQL"},
		{"SELECT 1\\gset a b", "a.sql:1:17: \\gset takes a prefix"},
		{"SELECT 1\\gset\n\\gset", "a.sql:2:1: \\gset must follow the SQL"},
		{"\\startpipeline\nSELECT 1\\gset\n\\endpipeline", "a.sql:2:9: \\gset inside a pipeline"},
		{"\\startpipeline\nSELECT 1;", "a.sql:1:1: this pipeline has no \\endpipeline"},
		{"\\startpipeline\n\\startpipeline", "a.sql:2:1: \\startpipeline inside a pipeline"},
		{"\\endpipeline", "\\endpipeline outside a pipeline"},
		{"\\syncpipeline", "\\syncpipeline outside a pipeline"},
		{"\\if 1\n\\startpipeline\n\\endif\n\\endpipeline", "a.sql:3:1: \\endif inside a pipeline that began behind its \\if"},
		{"\\startpipeline\n\\if 1\n\\endpipeline\n\\endif", "a.sql:3:1: \\endpipeline inside an \\if that began in the pipeline"},
		{"SELECT 1;\n\\setshell x echo 1", "a.sql:2:1: \\setshell runs programs of this machine"},
		{"\\shell rm -rf x", "--define NAME=VALUE"},
		{"SELECT 1\\aset", "a.sql:1:9: \\aset is not known here: end each statement with a semicolon and use \\gset"},
		{"\\sett x 1", `there is no command \sett: did you mean "set"?`},
		{"\\", "a.sql:1:1: a command must follow the backslash"},
		{"SELECT 1;\n" + strings.Repeat("x", 200) + " 'a", "…"},
	} {
		w, err := workload.FromScript("a.sql", c.text)
		if err == nil {
			t.Errorf("%q: %+v", c.text, w)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

// What a protocol cannot carry is refused before the run.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		text string
		p    workload.Protocol
		want string
	}{
		{"SELECT 1\\;\nSELECT 2;", workload.Simple, ""},
		{"SELECT 1\\;\nSELECT 2;", workload.Prepared, `a.sql:1:9: the protocol "prepared" carries one statement at a time`},
		{"SELECT 1\\;\nSELECT 2;", workload.Unprepared, `use the protocol "simple"`},
		{"\\set x 1\nSELECT ':x';", workload.Simple, ""},
		{"\\set x 1\nSELECT ':x';", workload.Prepared, `a.sql:2:9: :x stands inside quotes`},
		{"SELECT 'scale :scale';", workload.Unprepared, `a.sql:1:15: :scale stands inside quotes`},
		{"SELECT '12:mi';", workload.Prepared, ""},
		{"\\startpipeline\nSELECT 1;\n\\endpipeline", workload.Prepared, ""},
		{"\\startpipeline\nSELECT 1;\n\\endpipeline", workload.Simple, `a.sql:1:1: a pipeline cannot be sent as simple queries`},
	} {
		w, err := workload.FromScript("a.sql", c.text)
		if err != nil {
			t.Fatal(err)
		}
		err = w.Check(c.p)
		if got := fmt.Sprint(err); (err == nil) != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q %v: %v, want %q", c.text, c.p, err, c.want)
		}
	}
}
