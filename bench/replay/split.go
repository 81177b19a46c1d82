package replay

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"poolerd/wire"
	"poolerd/wire/lex"
	"poolerd/wire/record"
)

// The reasons for which a transaction cannot be played.
const (
	skipLeftOut    = "messages are missing from the recording"
	skipUnfinished = "it had not ended when the client or the recording did"
	skipWithheld   = "the text of a statement is withheld"
	skipTooLarge   = "a message was too large to be recorded"
	skipCall       = "a function call, whose arguments are not recorded"
	skipUnknown    = "it uses a prepared statement whose Parse is not played"
)

// splitter makes sessions and transactions of records.
type splitter struct {
	recording  *Recording
	statements []record.Statement
	open       map[uint64]*splitting
	names      map[int]string   // of transactions, by the number of the main statement
	known      map[string]int32 // the numbers of messages, by their bytes
	last       time.Duration
}

// splitting is a session that is being read.
type splitting struct {
	session  *Session
	current  *Transaction
	asked    int            // messages of the current transaction that are answered with ReadyForQuery
	answered int            // of them, those that were
	names    map[string]int // the numbers of the statements that are prepared, as far as their Parse is played
	given    map[string]int // by the current transaction; -1 when it takes a name away
	prepares bool           // there was a PREPARE in SQL, and so names may come from there
	main     int            // the longest statement of the current transaction
	asking   time.Duration  // when the message came that is being answered; negative when none is
}

func (s *splitter) take(r record.Record) {
	if r.Kind == record.KindStatement {
		s.statements = append(s.statements, r.Statement)
		return
	}
	if r.Kind == record.KindEnd {
		s.recording.LeftOut = r.LeftOut
		return
	}
	s.last = max(s.last, r.At)
	o := s.of(r)
	switch r.Kind {
	case record.KindMessage:
		s.message(o, r)
	case record.KindReady:
		s.ready(o, r)
	case record.KindCopyIn:
		if o.current != nil {
			o.current.events = append(o.current.events, event{at: r.At, kind: r.Kind})
			o.waited(r.At)
		}
	case record.KindLeftOut:
		o.begin(r.At)
		o.skip(skipLeftOut)
		s.finish(o, r.At)
	case record.KindClosed:
		s.close(r.Session, o, r.At)
	}
}

// of finds the session of a record, whose start may be missing.
func (s *splitter) of(r record.Record) *splitting {
	o := s.open[r.Session]
	if o == nil {
		o = &splitting{session: &Session{User: r.User, Database: r.Database, Opened: r.At}, names: map[string]int{}, given: map[string]int{}, main: -1, asking: -1}
		s.open[r.Session] = o
		s.recording.Sessions = append(s.recording.Sessions, o.session)
	}
	return o
}

func (o *splitting) begin(at time.Duration) {
	if o.current == nil {
		o.current = &Transaction{Start: at}
		o.asked, o.answered, o.main, o.asking = 0, 0, -1, -1
		clear(o.given)
	}
}

// skip leaves the current transaction out. A statement that is not known is the weakest of the reasons.
func (o *splitting) skip(why string) {
	if o.current.Skip == "" || o.current.Skip == skipUnknown {
		o.current.Skip = why
	}
}

// waited counts the time in which the client waited for an answer.
func (o *splitting) waited(at time.Duration) {
	if o.asking >= 0 {
		o.current.Wait += max(0, at-o.asking)
		o.asking = -1
	}
}

func (s *splitter) message(o *splitting, r record.Record) {
	o.begin(r.At)
	m := r.Message
	o.asking = r.At
	switch m.Type {
	case wire.ClientParse:
		if s.statement(o, m.Statement) {
			o.given[m.Name] = m.Statement
		}
	case wire.ClientQuery:
		o.asked++
		s.statement(o, m.Statement)
		delete(o.names, "")
		delete(o.given, "")
	case wire.ClientBind:
		if m.Withheld {
			o.skip(skipTooLarge)
		}
		s.uses(o, m.Name)
	case wire.ClientDescribe:
		if m.Kind == 'S' {
			s.uses(o, m.Name)
		}
	case wire.ClientClose:
		if m.Kind == 'S' {
			o.given[m.Name] = -1
		}
	case wire.ClientSync:
		o.asked++
	case wire.ClientFunctionCall:
		o.asked++
		o.skip(skipCall)
	}
	if o.current.Skip == "" || o.current.Skip == skipUnknown {
		o.current.events = append(o.current.events, event{r.At, s.number(m), record.KindMessage})
	}
}

// mostKnown bounds the messages that are looked for again.
const mostKnown = 1 << 20

// number finds the number of a message, or gives it one.
func (s *splitter) number(recorded record.Message) int32 {
	m := newMessage(recorded, s.statements)
	key := m.key()
	if n, ok := s.known[key]; ok {
		return n
	}
	n := int32(len(s.recording.messages))
	s.recording.messages = append(s.recording.messages, m)
	if len(s.known) < mostKnown {
		s.known[key] = n
	}
	return n
}

// statement takes note of a text that the current transaction has; false means that it is not known.
func (s *splitter) statement(o *splitting, number int) bool {
	if number >= len(s.statements) || s.statements[number].Withheld {
		o.skip(skipWithheld)
		return false
	}
	text := s.statements[number].Text
	o.prepares = o.prepares || lex.Classify([]byte(text)) == lex.Prepare
	if o.main < 0 || len(text) > len(s.statements[o.main].Text) {
		o.main = number
	}
	return true
}

// uses takes note of a prepared statement that the current transaction uses.
func (s *splitter) uses(o *splitting, name string) {
	number, ok := o.given[name]
	if !ok {
		number, ok = o.names[name]
	}
	switch {
	case ok && number >= 0:
		s.statement(o, number)
	case !o.prepares:
		o.skip(skipUnknown)
	}
}

func (s *splitter) ready(o *splitting, r record.Record) {
	if o.current == nil {
		return // the answer to messages that were left out
	}
	o.current.events = append(o.current.events, event{at: r.At, kind: r.Kind})
	o.waited(r.At)
	if o.current.Code == "" {
		o.current.Code = r.Code
	}
	if o.answered++; r.Status == wire.TxIdle && o.answered >= o.asked {
		s.finish(o, r.At)
	}
}

// finish ends the current transaction.
func (s *splitter) finish(o *splitting, at time.Duration) {
	t := o.current
	o.current = nil
	t.End, t.Name = at, s.name(o.main)
	s.recording.Transactions++
	if t.Skip == skipUnknown && t.Code == string(wire.CodeUndefinedPreparedStatement) {
		t.Skip = "" // nor did the server know it
	}
	if t.Skip != "" {
		s.recording.Skipped[t.Skip]++
		t.events = nil
		o.forget()
	} else {
		o.learn(t.Code != "")
	}
	t.events = slices.Clip(t.events)
	o.session.Transactions = append(o.session.Transactions, *t)
}

// learn makes the names that a transaction has given those of the session. What becomes of them in a transaction that failed the target decides as PostgreSQL did then.
func (o *splitting) learn(failed bool) {
	for name, number := range o.given {
		if number < 0 {
			delete(o.names, name)
		} else if _, taken := o.names[name]; !taken || !failed || name == "" {
			o.names[name] = number
		}
	}
}

// forget: the target will not know the names that a skipped transaction has given.
func (o *splitting) forget() {
	for name, number := range o.given {
		if number >= 0 {
			delete(o.names, name)
		}
	}
}

func (s *splitter) close(id uint64, o *splitting, at time.Duration) {
	if o.current != nil {
		o.skip(skipUnfinished)
		s.finish(o, at)
	}
	o.session.Closed = at
	delete(s.open, id)
}

func (s *splitter) end() (*Recording, error) {
	for id, o := range s.open {
		s.close(id, o, s.last)
	}
	rec := s.recording
	rec.Span, rec.Peak = s.last, peak(rec.Sessions)
	if rec.Playable() == 0 {
		if rec.Transactions == 0 {
			return nil, ErrEmpty
		}
		return nil, fmt.Errorf("%w: none of its %d transactions can be played (%s)", ErrEmpty, rec.Transactions, reasons(rec.Skipped))
	}
	return rec, nil
}

// Playable counts the transactions that can be played.
func (r *Recording) Playable() int {
	n := r.Transactions
	for _, skipped := range r.Skipped {
		n -= skipped
	}
	return n
}

const (
	mostNames  = 200
	longestSQL = 60
)

// name names a transaction by its main statement.
func (s *splitter) name(main int) string {
	if main < 0 {
		return "other"
	}
	if s.names == nil {
		s.names = map[int]string{}
	}
	name, ok := s.names[main]
	if !ok {
		name = "other"
		if len(s.names) < mostNames {
			text := strings.ToValidUTF8(s.statements[main].Text, "?")
			name = fmt.Sprintf("#%d %s", main, strings.Join(strings.Fields(text[:min(len(text), 4*longestSQL)]), " "))
			if runes := []rune(name); len(runes) > longestSQL {
				name = string(runes[:longestSQL]) + "..."
			}
			s.names[main] = name
		}
	}
	return name
}
