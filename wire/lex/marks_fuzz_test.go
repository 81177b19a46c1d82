package lex_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"poolerd/wire/lex"
)

// needs says which words, whitespace apart, must give which mark wherever they stand. It knows nothing of how Mark looks for them.
var needs = []struct {
	mark lex.Marks
	when *regexp.Regexp
}{
	{lex.MarkTemp, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])(create|local|global|replace)[ \n\r\t\f]+temp(orary)?($|[^\w$\x80-\xff])`)},
	{lex.MarkTemp, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])pg_temp`)},
	{lex.MarkHold, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])with[ \n\r\t\f]+hold($|[^\w$\x80-\xff])`)},
	{lex.MarkAdvisory, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])pg_(try_)?advisory_lock(_shared)?($|[^\w$\x80-\xff])`)},
	{lex.MarkSequenceRead, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])(currval|lastval)[ \n\r\t\f]*\(`)},
	{lex.MarkSequence, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])(nextval|setval)[ \n\r\t\f]*\(`)},
	{lex.MarkInsert, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])(insert|merge)[ \n\r\t\f]+into($|[^\w$\x80-\xff])`)},
	{lex.MarkNotify, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])(pg_)?notify($|[^\w$\x80-\xff])`)},
	{lex.MarkListen, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])(un)?listen($|[^\w$\x80-\xff])`)},
	{lex.MarkSticky, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])(setseed|dblink_connect\w*|pg_start_backup|pg_backup_start)[ \n\r\t\f]*\(`)},
	{lex.MarkSticky, regexp.MustCompile(`(?i)(^|;)[ \n\r\t\f]*load[ \n\r\t\f]*'`)},
	{lex.MarkOpaque, regexp.MustCompile(`(?i)(^|;)[ \n\r\t\f]*(do|call)($|[^\w$\x80-\xff])`)},
	{lex.MarkPrepare, regexp.MustCompile(`(?i)(^|;)[ \n\r\t\f]*(execute|deallocate)($|[^\w$\x80-\xff])`)},
	{lex.MarkDDL, regexp.MustCompile(`(?i)(^|;)[ \n\r\t\f]*(create|alter|drop|import)($|[^\w$\x80-\xff])`)},
	{lex.MarkEnds, regexp.MustCompile(`(?i)(^|;)[ \n\r\t\f]*(drop|alter|discard|close|deallocate|unlisten)($|[^\w$\x80-\xff])`)},
	{lex.MarkSetConfig, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])set_config[ \n\r\t\f]*\('[\w.]*'(::text)?,[^,'()$"\\]*,[ \n\r\t\f]*(false|'f'|null)`)},
	{lex.MarkPath, regexp.MustCompile(`(?i)(^|[^\w$\x80-\xff])set[ \n\r\t\f]+local[ \n\r\t\f]+(search_path|role|schema|session)($|[^\w$\x80-\xff])`)},
}

func FuzzMark(f *testing.F) {
	for _, sql := range append(statements[:], markPieces...) {
		f.Add([]byte(sql))
		f.Add([]byte("DO $$BEGIN " + sql + "; END$$"))
	}
	for _, sql := range markTexts() {
		if len(sql) < 1000 {
			f.Add([]byte(sql))
		}
	}
	f.Fuzz(func(t *testing.T, sql []byte) {
		got := lex.Mark(sql)
		_ = got.String()
		names, ok := lex.SetConfigs(sql)
		text, _, _ := bytes.Cut(sql, []byte{0})
		if again := lex.Mark(text); again != got {
			t.Errorf("Mark(%q) = %v, and up to its zero byte %v", sql, got, again)
		}
		for _, n := range needs {
			if got&n.mark == 0 && n.when.Match(latin(text)) {
				t.Errorf("Mark(%q) = %v, but has %s", sql, got, n.when.Find(latin(text)))
			}
		}
		if swapped := lex.Mark(bytes.Map(swapCase, text)); ascii(text) && !bytes.Contains(text, []byte(`\`)) && swapped != got {
			t.Errorf("Mark(%q) = %v, and with capitals exchanged %v", sql, got, swapped)
		}
		if after := lex.Mark(append([]byte("SELECT 1;"), text...)); got&^after != 0 {
			t.Errorf("Mark(%q) = %v, and behind another statement %v", sql, got, after)
		}
		if got&lex.MarkSetConfig != 0 && len(names) == 0 && ok {
			t.Errorf("Mark(%q) = %v, and SetConfigs has no names", sql, got)
		}
		if (len(names) > 0 || !ok) && got&lex.MarkSetConfig == 0 {
			t.Errorf("Mark(%q) = %v, and SetConfigs has %q, %v", sql, got, names, ok)
		}
	})
}

// latin makes a character of each byte, since regular expressions look at characters.
func latin(b []byte) []byte {
	if ascii(b) {
		return b
	}
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return []byte(s.String())
}

func swapCase(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case 'A' <= r && r <= 'Z':
		return r - 'A' + 'a'
	}
	return r
}

func FuzzEffects(f *testing.F) {
	for _, sql := range append(statements[:], effectPieces...) {
		f.Add([]byte(sql))
		f.Add([]byte("BEGIN;" + sql + ";COMMIT"))
	}
	f.Fuzz(func(t *testing.T, sql []byte) {
		list, ok := lex.Effects(sql)
		if !ok && list != nil {
			t.Errorf("Effects(%q) gives %+v, and is not sure", sql, list)
		}
		for _, e := range list {
			if e.Kind == lex.Other || e.Kind == lex.Empty || (e.Tag() == "") != (e.Kind == lex.Execute) {
				t.Errorf("Effects(%q) has %+v with the tag %q", sql, e, e.Tag())
			}
			if len(e.Name) > 63 && e.Kind != lex.Discard {
				t.Errorf("Effects(%q) has the name %q", sql, e.Name)
			}
			for _, s := range e.Settings {
				if !e.Unknown && e.Kind != lex.Reset {
					again(t, s)
				}
			}
		}
		// What Settings and Name read, Effects reads as well.
		if settings, isSettings := lex.Settings(sql); isSettings {
			n := 0
			for _, e := range list {
				if len(e.Settings) != 1 || e.Settings[0] != settings[n] {
					t.Fatalf("Settings(%q) = %+v, and Effects has %+v", sql, settings, list)
				}
				n++
			}
			if n != len(settings) {
				t.Errorf("Settings(%q) = %+v, and Effects has %+v", sql, settings, list)
			}
		}
		if name, isName := lex.Name(sql); isName && (len(list) != 1 || list[0].Name != name || list[0].Unknown) {
			t.Errorf("Name(%q) = %q, and Effects has %+v", sql, name, list)
		}
		if ok && !lex.Multi(sql) && len(list) > 1 {
			t.Errorf("%q is one statement, and has %+v", sql, list)
		}
		if kind := lex.Classify(sql); ok && (kind == lex.Begin || kind == lex.Commit || kind == lex.Rollback) && (len(list) != 1 || list[0].Kind != kind || list[0].Unknown) {
			t.Errorf("%q is %v, and has %+v", sql, kind, list)
		}
	})
}
