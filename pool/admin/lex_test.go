package admin

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSplit(t *testing.T) {
	plainWords := func(s string) (all []word) {
		for _, w := range strings.Fields(s) {
			all = append(all, word{plainWord, w})
		}
		return all
	}
	for _, test := range []struct {
		text  string
		words [][]word
		texts []string
	}{
		{text: ""},
		{text: ";;  ; -- x ; y\n/* ; */"},
		{text: "SHOW Pools", words: [][]word{plainWords("SHOW Pools")}, texts: []string{"SHOW Pools"}},
		{text: " SHOW Pools; ", words: [][]word{plainWords("SHOW Pools")}, texts: []string{" SHOW Pools; "}},
		{text: "\tA b ;c--d\n; ", words: [][]word{plainWords("A b"), plainWords("c")}, texts: []string{"A b", "c--d"}},
		{text: "a/*x*/b", words: [][]word{plainWords("a b")}, texts: []string{"a/*x*/b"}},
		{text: "a-b", words: [][]word{plainWords("a-b")}, texts: []string{"a-b"}},
		{
			text: `SET x='it''s;' , "Y""z"`, texts: []string{`SET x='it''s;' , "Y""z"`},
			words: [][]word{{{plainWord, "SET"}, {plainWord, "x"}, {symbol, "="}, {stringWord, "it's;"}, {symbol, ","}, {quotedWord, `Y"z`}}},
		},
	} {
		got, err := split(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if len(got) != len(test.words) {
			t.Errorf("%q has %d commands, want %d", test.text, len(got), len(test.words))
			continue
		}
		for i, s := range got {
			if !slices.Equal(s.words, test.words[i]) || s.text != test.texts[i] {
				t.Errorf("%q: command %d is %q %+v, want %q %+v", test.text, i, s.text, s.words, test.texts[i], test.words[i])
			}
		}
	}
}

// FuzzFind: whatever is asked, the answer is a command or an error, never both, in valid UTF-8, and of a bounded size.
func FuzzFind(f *testing.F) {
	for _, s := range []string{
		"SHOW POOLS;", "show stats; SHOW help", "SET a = 'b'", `SET "a" TO b, c`, "RELOAD -- x", "/* a /* b */ c */ SHOW VERSION", "SHUTDOWN WAIT_FOR_CLIENTS", "'", `"""`, "/*", "begin",
		"show timezone", "\xff", "PAUSE \"a\"\"b\";", "KILL_CLIENT 0x1f", "set default_pool_size to 5", "SELECT databases", "wait_close a b", "SET \"\" = 1", "disable x=y", "set session datestyle=iso", "é",
	} {
		f.Add(s)
	}
	c := New(nil, "", nil)
	f.Fuzz(func(t *testing.T, text string) {
		commands, err := split(text)
		if err != nil {
			if commands != nil || err.Severity != "ERROR" || !utf8.ValidString(err.Message) {
				t.Fatalf("%q: %v and %v", text, commands, err)
			}
			return
		}
		for _, s := range commands {
			if len(s.words) == 0 || s.text == "" || !strings.Contains(text, s.text) {
				t.Fatalf("%q has the command %+v", text, s)
			}
			cmd, err := c.find(s)
			if (err == nil) != (cmd.run != nil) {
				t.Fatalf("%q: %v and %v", s.text, cmd.name, err)
			}
			if err != nil && (err.Severity != "ERROR" || len(err.Code) != 5 || !utf8.ValidString(err.Message) || len(err.Message) > 1000) {
				t.Fatalf("%q: %+v", s.text, err)
			}
			if again, err := split(s.text); err != nil || len(again) != 1 || !slices.Equal(again[0].words, s.words) {
				t.Fatalf("%q is split into %+v the second time, %v", s.text, again, err)
			}
		}
	})
}
