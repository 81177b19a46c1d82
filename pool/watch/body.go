package watch

import (
	"regexp"
	"slices"
	"strings"

	"poolerd/wire/lex"
)

// reasons are the marks for which a function is watched. Not every function that writes or creates something is: only what outlives its transaction, what
// changes the meaning of later texts, or what the pooler must be told of.
const reasons = lex.MarkTemp | lex.MarkAdvisory | lex.MarkHold | lex.MarkSetConfig | lex.MarkSequenceRead | lex.MarkNotify | lex.MarkListen | lex.MarkSticky |
	lex.MarkPrepare | lex.MarkEnds | lex.MarkPath

// does is what a text does, or may do.
type does struct {
	marks   lex.Marks
	configs []string // parameters that it may set beyond the transaction
	any     bool     // it may set parameters whose names cannot be told
}

func (d does) with(o does) does {
	d.marks |= o.marks
	d.any = d.any || o.any
	if len(o.configs) > 0 {
		d.configs = slices.Concat(d.configs, o.configs)
		slices.Sort(d.configs)
		d.configs = slices.Compact(d.configs)
	}
	return d
}

func (d does) equal(o does) bool {
	return d.marks == o.marks && d.any == o.any && slices.Equal(d.configs, o.configs)
}

// own is what a body does by the words of PostgreSQL itself. As code it may do anything (DO), so that each word counts wherever it stands.
func own(body string) does {
	text := []byte("DO " + body)
	d := does{marks: lex.Mark(text) & reasons &^ (lex.MarkPrepare | lex.MarkEnds)}
	if prepares.MatchString(body) {
		d.marks |= lex.MarkPrepare
	}
	if ends.MatchString(body) {
		d.marks |= lex.MarkEnds
	}
	if d.marks&lex.MarkSetConfig != 0 {
		names, ok := lex.SetConfigs(text)
		d = d.with(does{configs: names, any: !ok})
	}
	for _, at := range sets.FindAllStringIndex(body, -1) {
		d = d.with(set(body[at[1]:]))
	}
	if d.marks == 0 {
		return does{}
	}
	return d
}

// The statements of a body that package lex would see only as the first of a text, where a body's own EXECUTE, CLOSE and UPDATE ... SET must not count.
// None of these ever changes.
var (
	prepares = regexp.MustCompile(`(?i)\bprepare\s+("[^"]+"|[\w%]+)\s*(\([^)]*\)\s*)?as\b`)
	ends     = regexp.MustCompile(`(?i)\b(drop\s+(table|view|sequence|schema|owned|type|function|procedure|materialized|foreign)|discard\s+(all|temp|temporary|plans|sequences)|deallocate|unlisten|` +
		`pg_advisory_unlock\w*|dblink_disconnect|pg_replication_origin_session_reset|pg_drop_replication_slot|pg_backup_stop|pg_stop_backup)\b`)
	// sets ends where the name of a parameter begins. A string that begins with SET counts where it is executed, or put in a variable first.
	sets = regexp.MustCompile(`(?i)(?:^|[;>]|\$\w*\$|\b(?:begin|then|else|loop)\b|(?:\bexecute|\bspi_\w+|:=)[\s(]*(?:format\s*\()?\s*(?:e?'|"))` +
		`(?:\s|--[^\n]*\n|/\*(?:[^*]|\*[^/])*\*/)*(?:re)?set\s+`)
	parameter = regexp.MustCompile(`(?i)^"?([a-z_][\w$]*)"?((?:\."?[a-z_][\w$]*"?)*)(?:\s*=|\s+to\b|\s+from\s+current|\s*[;'"$]|\s*$)`)
)

// set reads what stands behind SET or RESET.
func set(rest string) does {
	word := func(s string) bool { return has(rest, s) }
	if word("session") && !has(rest, "session authorization") && !has(rest, "session characteristics") {
		rest = strings.TrimLeft(rest[len("session"):], " \t\r\n")
	}
	found := does{marks: lex.MarkSetConfig}
	switch {
	case word("local"), word("constraints"), word("transaction"):
		return does{}
	case word("session characteristics"):
		found.configs = []string{"default_transaction_deferrable", "default_transaction_isolation", "default_transaction_read_only"}
	case word("session authorization"):
		found.configs = []string{"role", "session_authorization"}
		found.marks |= lex.MarkPath
	case word("role"):
		found.configs = []string{"role"}
		found.marks |= lex.MarkPath
	case word("time zone"):
		found.configs = []string{"timezone"}
	case word("names"):
		found.configs = []string{"client_encoding"}
	case word("schema"):
		found.configs = []string{"search_path"}
		found.marks |= lex.MarkPath
	case word("all"):
		found.any = true
	default:
		m := parameter.FindStringSubmatch(rest)
		if m == nil {
			found.any = true
			break
		}
		name := strings.ToLower(strings.ReplaceAll(m[1]+m[2], `"`, ""))
		if name == "search_path" {
			found.marks |= lex.MarkPath
		}
		found.configs = []string{name}
	}
	return found
}

// has tells whether a text begins with words, in any case.
func has(s, words string) bool {
	fields := strings.Fields(s[:min(len(s), len(words)+16)])
	want := strings.Fields(words)
	if len(fields) < len(want) {
		return false
	}
	for i, w := range want {
		if !strings.EqualFold(strings.TrimRight(fields[i], ";'\"$"), w) {
			return false
		}
	}
	return true
}
