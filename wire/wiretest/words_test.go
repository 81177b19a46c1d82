package wiretest

import (
	"strings"
	"testing"

	"poolerd/wire"
)

func TestFlights(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    string // the trace of each message on a line
		syncs   int
		copyEnd bool
	}{
		{text: `Query "select 1"`, want: "F\t13\tQuery\t \"select 1\"", syncs: 1},
		{text: "Query `select \"a\" | 'b'`", want: "F\t21\tQuery\t \"select \"a\" | 'b'\"", syncs: 1},
		{text: `Query "a"*3+ONE + "c"`, want: "F\t12\tQuery\t \"aaaonec\"", syncs: 1},
		{text: `Parse "s" "x" 23 705 | Describe S "s" | Sync`, want: "F\t18\tParse\t \"s\" \"x\" 2 23 705\nF\t7\tDescribe\t S \"s\"\nF\t4\tSync", syncs: 1},
		{text: `Bind "p" "s" | Execute "p" 7 | Close P "p" | Flush`, want: "F\t14\tBind\t \"p\" \"s\" 0 0 0\nF\t10\tExecute\t \"p\" 7\nF\t7\tClose\t P \"p\"\nF\t4\tFlush"},
		{text: `Bind "" "s" params=0,1 "a" "\x00" null results=1`, want: "F\t33\tBind\t \"\" \"s\" 2 0 1 3 1 'a' 1 '\\x00' -1 1 1"},
		{text: `Bind "" "" ONE results=0,1,1`, want: "F\t25\tBind\t \"\" \"\" 0 1 3 'one' 3 0 1 1"},
		{text: `FunctionCall 177 params=1 "\x01" null results=1`, want: "F\t25\tFunctionCall\t 177 1 1 2 1 '\\x01' -1 1", syncs: 1},
		{text: `CopyData "1\n" | CopyDone`, want: "F\t6\tCopyData\t '1\\x0a'\nF\t4\tCopyDone", copyEnd: true},
		{text: `CopyFail "no"`, want: "F\t7\tCopyFail\t \"no\"", copyEnd: true},
		{text: `repeat 3 Sync | Terminate`, want: "F\t4\tSync\nF\t4\tSync\nF\t4\tSync\nF\t4\tTerminate", syncs: 3},
	} {
		w := &words{rest: c.text, lets: map[string]string{"ONE": "one"}}
		f, err := readFlight(w)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		var lines []string
		for b := f.bytes; len(b) > 0; {
			_, size, _ := wire.Header(b)
			lines = append(lines, string(wire.AppendTrace(nil, wire.FromClient, b[:size])))
			b = b[size:]
		}
		if got := strings.Join(lines, "\n"); got != c.want || f.syncs != c.syncs || f.copyEnd != c.copyEnd {
			t.Errorf("%s:\n got %s\nwant %s\n%d syncs, copyEnd %v", c.text, got, c.want, f.syncs, f.copyEnd)
		}
	}
}

func TestBadFlights(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, "something is missing"},
		{`Sync |`, "something is missing"},
		{`Syncs`, "no such message"},
		{`Sync Sync`, "want | or the end"},
		{`Query`, "a string is missing"},
		{`Query select`, "want a string in quotes"},
		{`Query TWO`, "want a string in quotes"},
		{`Query "a" "b"`, "want | or the end"},
		{`Query "\q"`, "invalid syntax"},
		{`Query "a"*99999999`, "more than"},
		{`Query "a"*99999999999999999999`, "more than"},
		{`repeat 99999999 Sync`, "more than"},
		{`repeat x Sync`, "want a number"},
		{`Describe "s"`, "want a word without quotes"},
		{`Describe X "s"`, "want S or P"},
		{`Execute "p"`, "something is missing"},
		{`Execute "p" many`, "want a number"},
		{`Parse "s" "x" int4`, "want a number"},
		{`Bind "" "" params=text`, "want format codes"},
		{`FunctionCall 1`, "want results=0 or results=1"},
	} {
		_, err := readFlight(&words{rest: c.text, lets: map[string]string{"ONE": "one"}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestLet(t *testing.T) {
	lets := map[string]string{}
	for _, c := range []struct{ text, name, want, bad string }{
		{text: "ONE = `one`", name: "ONE", want: "one"},
		{text: "TWO_2 = ONE + \" \"*2 + `two\nlines`", name: "TWO_2", want: "one  two\nlines"},
		{text: "ONE = \"again\"", name: "ONE", want: "again"},
		{text: "one = \"x\"", bad: "capitals"},
		{text: "ONE \"x\"", bad: "want = behind"},
		{text: "ONE is \"x\"", bad: "want ="},
		{text: "ONE = \"x\" y", bad: "nothing may follow"},
		{text: "ONE = THREE", bad: "want a string"},
	} {
		err := (&words{rest: c.text, lets: lets}).let()
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%q: got %v, want %q", c.text, err, c.bad)
			}
			continue
		}
		if err != nil || lets[c.name] != c.want {
			t.Errorf("%q: got %q, %v", c.text, lets[c.name], err)
		}
	}
}

func TestBadScripts(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"What is this?", "1: \"What is this?\" is neither"},
		{"\n# fine\nC1 connect", "3: \"C1 connect\" is neither"},
		{"c1 > Sync", "c1: must be connected once"},
		{"c1 fly", "c1: must be connected once"},
		{"let x = \"y\"", "capitals"},
	} {
		_, err := Run(t.Context(), Script{Name: "bad", Text: c.text}, Options{})
		if err == nil || !strings.Contains(err.Error(), "bad.txt:") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func FuzzFlight(f *testing.F) {
	f.Add(`Bind "" "s" params=0,1 "a"*3 "\x00" null results=1 | repeat 2 Execute "" 0 | Sync`)
	f.Add("FunctionCall 1 \"a\"+`b`*2 results=0 | CopyFail \"x\"")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "*") > 3 || strings.Contains(text, "repeat") {
			return // large on purpose
		}
		flight, err := readFlight(&words{rest: text})
		if err != nil {
			return
		}
		for b := flight.bytes; len(b) > 0; {
			if len(b) < wire.HeaderLen {
				t.Fatalf("%q: %d bytes too many", text, len(b))
			}
			_, size, ok := wire.Header(b)
			if !ok || size > len(b) {
				t.Fatalf("%q: not whole messages", text)
			}
			b = b[size:]
		}
	})
}
