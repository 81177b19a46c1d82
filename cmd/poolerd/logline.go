package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// lineWriter writes events as PgBouncer writes its log, for the scripts that read it:
//
//	2026-11-26 21:00:00.000 UTC [4711] LOG C-0x11: db/user@127.0.0.1:5 closing because: client close request (age=0s)
//
// It takes zerolog's JSON, one event in each Write. The fields that say whom an event is about make the prefix; the others follow the message as key=value, and an
// error follows it as its text.
type lineWriter struct {
	to   io.Writer
	bare bool // without time, process and level: syslog has those itself
}

// lineTime is PgBouncer's format of time: local, with the zone's name.
const lineTime = "2006-01-02 15:04:05.000 MST"

// Write turns one event into one line, which it writes at once: other processes may append to the same file.
func (w lineWriter) Write(event []byte) (int, error) {
	e, err := readEvent(event)
	if err != nil {
		return 0, fmt.Errorf("a log event that is no JSON: %w", err)
	}
	var b strings.Builder
	if !w.bare {
		fmt.Fprintf(&b, "%s [%d] %s ", e.when().Local().Format(lineTime), os.Getpid(), levelWord(e.take(zerolog.LevelFieldName)))
	}
	start := b.Len()
	e.writePrefix(&b)
	message := e.take(zerolog.MessageFieldName)
	b.WriteString(message)
	if text := e.take(zerolog.ErrorFieldName); text != "" {
		b.WriteString(": " + text)
	}
	e.take(zerolog.TimestampFieldName)
	e.take(zerolog.LevelFieldName)
	if complete(message) {
		e.fields = nil
	}
	for _, f := range e.fields {
		b.WriteString(" " + f.key + "=" + quoteWhereNeeded(f.value))
	}
	line := b.String()
	line = line[:start] + oneEntry(line[start:])
	if _, err := io.WriteString(w.to, line+"\n"); err != nil {
		return 0, err
	}
	return len(event), nil
}

// complete tells whether a message is one that is read to the end of the line by those who know PgBouncer's: pgBadger wants the age there. Fields of ours are left to the other formats.
func complete(message string) bool {
	return strings.HasPrefix(message, "closing because: ") || strings.HasPrefix(message, "pooler error: ") || strings.HasPrefix(message, "registered new auto-database: ")
}

// levelWord is PgBouncer's word for one of zerolog's levels.
func levelWord(level string) string {
	switch level {
	case "trace":
		return "NOISE"
	case "debug":
		return "DEBUG"
	case "warn":
		return "WARNING"
	case "error":
		return "ERROR"
	case "fatal", "panic":
		return "FATAL"
	}
	return "LOG"
}

// oneEntry keeps what clients can put into a message (their names, for one) from looking like an entry of its own, as PgBouncer does: a new line is indented.
// Other control characters could steer the terminal of whoever looks at the log.
func oneEntry(text string) string {
	text = strings.TrimRight(text, " \t\r\n")
	if !strings.ContainsFunc(text, isControl) {
		return text
	}
	text = strings.ReplaceAll(text, "\n", "\n\t")
	return strings.Map(func(r rune) rune {
		if isControl(r) && r != '\n' && r != '\t' {
			return '?'
		}
		return r
	}, text)
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

func quoteWhereNeeded(value string) string {
	if value == "" || strings.ContainsAny(value, " =\"") {
		return strconv.Quote(value)
	}
	return value
}

// event is one entry of the log, its fields in the order in which they were given.
type event struct{ fields []field }

type field struct{ key, value string }

func readEvent(text []byte) (*event, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil { // the brace
		return nil, err
	}
	e := &event{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		value := string(raw)
		if len(raw) > 0 && raw[0] == '"' {
			if err := json.Unmarshal(raw, &value); err != nil {
				return nil, err
			}
		}
		e.fields = append(e.fields, field{fmt.Sprint(key), value})
	}
	return e, nil
}

// take removes a field and gives its value, "" when it is not there.
func (e *event) take(key string) string {
	for i, f := range e.fields {
		if f.key == key {
			e.fields = append(e.fields[:i:i], e.fields[i+1:]...)
			return f.value
		}
	}
	return ""
}

func (e *event) has(key string) bool {
	for _, f := range e.fields {
		if f.key == key {
			return true
		}
	}
	return false
}

func (e *event) when() time.Time {
	when, err := time.Parse(zerolog.TimeFieldFormat, e.take(zerolog.TimestampFieldName))
	if err != nil {
		return time.Now()
	}
	return when
}

// writePrefix says whom the event is about: "C-0x11: db/user@address " of a client, "S-0x4: db/user@address " of a server, where PgBouncer has
// an address of memory and SHOW CLIENTS a ptr: pgBadger wants the 0x. An event about both has the client's.
func (e *event) writePrefix(b *strings.Builder) {
	kind, id, addr := "C", "client", "client_addr"
	if !e.has(id) {
		kind, id, addr = "S", "server", "server_addr"
	}
	if !e.has(id) {
		return
	}
	number, where := e.take(id), e.take(addr)
	if n, err := strconv.ParseUint(number, 10, 64); err == nil {
		number = fmt.Sprintf("%#x", n)
	}
	if where == "@" { // Go's word for the other end of a Unix socket
		where = ""
	}
	fmt.Fprintf(b, "%s-%s: %s/%s@%s ", kind, number, cmp.Or(e.take("database"), "(nodb)"), cmp.Or(e.take("user"), "(nouser)"), cmp.Or(where, "unix"))
}
