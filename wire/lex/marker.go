package lex

import "bytes"

// marker looks more closely at where a text may have one of the words that Mark looks for.
type marker struct {
	sql   []byte
	marks Marks
	loose Marks // of words that count only as the first of a statement, and stand elsewhere
	depth int   // of behind's calls of itself
	left  int   // how many bytes may still be looked at once more. With none left everything is in doubt, so that no text takes more than linear time.
}

// wordAt looks at the word that begins at from, if one does.
func (k *marker) wordAt(from int) {
	if !k.startsAt(from) {
		return
	}
	var b [longestWord]byte
	to, n := from, 0
	for ; to < len(k.sql) && n < len(b) && wordPart(k.sql[to]); to++ {
		b[n] = lowerByte(k.sql[to])
		n++
	}
	switch word := b[:n]; {
	case bytes.HasPrefix(word, []byte("pg_")):
		k.system(word, from, to)
	case bytes.HasPrefix(word, []byte("dblink_connect")):
		k.mark(MarkSticky, k.called(to))
	default:
		k.keyword(word, from, to)
	}
}

// longestWord is longer than every word of interest.
const longestWord = 48

// startsAt tells whether a word may begin at i. A digit before it is the end of a number, for servers before PostgreSQL 15; a letter may belong to an
// escape of E'...', as in E'\nCREATE'.
func (k *marker) startsAt(i int) bool {
	if i == 0 || !wordPart(k.sql[i-1]) {
		return true
	}
	digits := true
	for j := i - 1; j >= 0 && i-j <= 10; j-- {
		switch c := k.sql[j]; {
		case c == '\\':
			return true
		case !wordPart(c):
			return digits
		case !digit(c):
			digits = false
		}
	}
	return digits
}

func (k *marker) mark(m Marks, is bool) {
	if is {
		k.marks |= m
	}
}

// system looks at a word that begins with pg_.
func (k *marker) system(word []byte, from, to int) {
	switch {
	case bytes.HasPrefix(word, []byte("pg_temp")):
		k.marks |= MarkTemp
		return
	case bytes.HasPrefix(word, []byte("pg_advisory_unlock")):
		k.marks |= MarkEnds
		return
	case bytes.HasPrefix(word, []byte("pg_advisory_")), bytes.HasPrefix(word, []byte("pg_try_advisory_")):
		k.mark(MarkAdvisory, !bytes.Contains(word, []byte("_xact_")))
		return
	}
	switch string(word) {
	case "pg_settings":
		k.mark(MarkSetConfig, k.updated(from))
	case "pg_notify":
		k.marks |= MarkNotify
	case "pg_backup_stop", "pg_stop_backup", "pg_replication_origin_session_reset", "pg_drop_replication_slot":
		k.marks |= MarkEnds
	case "pg_backup_start", "pg_start_backup", "pg_replication_origin_session_setup", "pg_create_logical_replication_slot",
		"pg_create_physical_replication_slot", "pg_copy_logical_replication_slot", "pg_copy_physical_replication_slot":
		k.mark(MarkSticky, k.called(to))
	}
}

// keyword looks at sql[from:to], which is word in small letters.
func (k *marker) keyword(word []byte, from, to int) {
	switch string(word) {
	case "temp", "temporary":
		k.mark(MarkTemp, k.behind(from, k.makesTemp))
	case "temp_buffers":
		if from > 0 && k.sql[from-1] == '"' {
			from--
		}
		k.mark(MarkSticky, k.behind(from, func(from, to int) bool {
			return k.is(from, to, "set") || k.is(from, to, "local") || k.is(from, to, "session")
		}))
	case "hold":
		k.mark(MarkHold, k.behind(from, func(from, to int) bool { return k.is(from, to, "with") }))
	case "set_config":
		k.config(to)
	case "set_limit":
		k.mark(MarkSetConfig, k.called(to))
	case "currval", "lastval":
		k.mark(MarkSequenceRead, k.called(to))
	case "nextval", "setval":
		k.mark(MarkSequence, k.called(to))
	case "insert", "merge":
		k.mark(MarkInsert, k.ahead(to, "into"))
	case "default":
		k.mark(MarkInsert, k.behind(from, k.assigned))
	case "notify":
		k.marks |= MarkNotify
	case "listen":
		k.marks |= MarkListen
	case "unlisten":
		k.marks |= MarkListen | MarkEnds
	case "setseed":
		k.mark(MarkSticky, k.called(to))
	case "dblink_disconnect":
		k.marks |= MarkEnds
	case "local":
		path := k.ahead(to, "search_path") || k.ahead(to, "role") || k.ahead(to, "schema") || k.ahead(to, "session") || k.ahead(to, "session_authorization")
		k.mark(MarkPath, path && k.behind(from, func(from, to int) bool { return k.is(from, to, "set") }))
	default:
		k.command(word, from, to)
	}
}

// command looks at a word that counts as the first of a statement.
func (k *marker) command(word []byte, from, to int) {
	switch string(word) {
	case "call":
		k.mark(MarkOpaque, k.behind(from, k.start))
	case "copy":
		if !k.called(to) { // COPY (SELECT ...) TO
			k.first(MarkInsert, from)
		}
	case "load":
		if may, _ := k.quoteAhead(to); may {
			k.first(MarkSticky, from)
		}
	case "prepare":
		if !k.twoPhase(to) {
			k.first(MarkPrepare, from)
		}
	case "execute":
		k.explained(MarkPrepare, from)
	case "deallocate":
		k.first(MarkPrepare|MarkEnds, from)
	case "discard", "close":
		k.first(MarkEnds, from)
	case "drop", "alter":
		k.first(MarkDDL|MarkEnds, from)
	case "create":
		k.explained(MarkDDL, from)
	case "import":
		k.first(MarkDDL, from)
	}
}

// first gives a mark to a word that is the first of a statement.
func (k *marker) first(m Marks, from int) {
	k.loose |= m
	if k.marks&m != m {
		k.mark(m, k.behind(from, k.start))
	}
}

// explained is first for what may also stand behind EXPLAIN, and EXECUTE behind CREATE TABLE AS.
func (k *marker) explained(m Marks, from int) {
	k.loose |= m
	if k.marks&m == m {
		return
	}
	k.mark(m, k.behind(from, func(from, to int) bool {
		if from == to {
			return k.start(from, to) || k.sql[to-1] == ')'
		}
		return k.is(from, to, "explain") || k.is(from, to, "analyze") || k.is(from, to, "analyse") || k.is(from, to, "verbose") || k.is(from, to, "as")
	}))
}

// start tells whether a statement begins behind what stands before it.
func (k *marker) start(from, to int) bool { return from == to && (to == 0 || k.sql[to-1] == ';') }

// makesTemp tells whether TEMP behind this word makes something temporary. INSERT INTO temp does not.
func (k *marker) makesTemp(from, to int) bool {
	if !k.is(from, to, "into") {
		return k.is(from, to, "create") || k.is(from, to, "local") || k.is(from, to, "global") || k.is(from, to, "replace")
	}
	at := from
	for at > 0 && isSpace(k.sql[at-1]) {
		at--
	}
	return at < 6 || !k.is(at-6, at, "insert") && !k.is(at-5, at, "merge")
}

// assigned: a DEFAULT that is a new value of a column.
func (k *marker) assigned(from, to int) bool {
	return from == to && to > 0 && (k.sql[to-1] == '=' || k.sql[to-1] == '(' || k.sql[to-1] == ',')
}

// is tells whether sql[from:to] is the word, in any case.
func (k *marker) is(from, to int, lower string) bool {
	return to-from == len(lower) && from >= 0 && token{kind: word, text: k.sql[from:to]}.is(lower)
}

// opaque tells whether a statement of the text begins with DO.
func (k *marker) opaque() bool {
	for at := 0; ; {
		if k.doAt(at) {
			return true
		}
		n := bytes.IndexByte(k.sql[at:], ';')
		if n < 0 {
			return false
		}
		at += n + 1 // and not behind the comments that were skipped: they may be none
	}
}

func (k *marker) doAt(at int) bool {
	s := scanner{b: k.sql, at: at}
	if c := s.peek(0); isSpace(c) || c == '-' || c == '/' {
		known := s.space()
		if k.left -= s.at - at; !known || k.left < 0 {
			return true
		}
	}
	return s.peek(0)|0x20 == 'd' && s.peek(1)|0x20 == 'o' && !wordPart(s.peek(2))
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
