package pool

import (
	"maps"
	"slices"
	"strings"
)

// What each client's session must show, if the client had a PostgreSQL of its own: the model of TestNothingLeaks.

// layer is what savepoints and rollbacks undo.
type layer struct {
	set      map[string]string // session parameters that differ from the startup packet's
	local    map[string]string // of the transaction only
	temps    map[string]bool
	holds    map[string]bool
	channels map[string]bool
}

func (l layer) clone() layer {
	return layer{maps.Clone(l.set), maps.Clone(l.local), maps.Clone(l.temps), maps.Clone(l.holds), maps.Clone(l.channels)}
}

type savepointModel struct {
	name string
	at   layer
}

// sessionModel is one client's session.
type sessionModel struct {
	base     map[string]string // by the startup packet
	now      layer
	before   *layer // where a rollback leads to; nil outside a transaction
	saves    []savepointModel
	failed   bool
	notified []string // by the transaction under way

	// What no rollback undoes.
	locks    map[string]int
	prepared map[string]statementModel
	last     string // what currval answers, empty where it fails
	opaque   bool   // parameters were set that the pooler cannot know by name
}

type statementModel struct {
	answer string // its only value; empty for one whose answer depends on the search_path
	sql    bool   // by PREPARE
	where  string // the schema that it was prepared for
}

func newSession(base map[string]string) *sessionModel {
	s := &sessionModel{base: base}
	s.clear()
	return s
}

// clear is DISCARD ALL.
func (s *sessionModel) clear() {
	s.now = layer{map[string]string{}, map[string]string{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	s.locks, s.prepared, s.last, s.opaque = map[string]int{}, map[string]statementModel{}, "", false
}

func (s *sessionModel) status() string {
	switch {
	case s.failed:
		return "E"
	case s.before != nil:
		return "T"
	}
	return "I"
}

func (s *sessionModel) begin() {
	at := s.now.clone()
	s.before = &at
}

// end is COMMIT, or with commit false or in a failed transaction ROLLBACK.
func (s *sessionModel) end(commit bool) (notified []string) {
	if commit && !s.failed {
		notified = s.notified
	} else {
		s.now = *s.before
	}
	s.now.local = map[string]string{}
	s.before, s.saves, s.failed, s.notified = nil, nil, false, nil
	return notified
}

func (s *sessionModel) savepoint(name string) {
	s.saves = append(s.saves, savepointModel{name, s.now.clone()})
}

func (s *sessionModel) find(name string) int {
	for i, p := range slices.Backward(s.saves) {
		if p.name == name {
			return i
		}
	}
	return -1
}

func (s *sessionModel) rollbackTo(at int) {
	s.now, s.failed = s.saves[at].at.clone(), false
	s.saves = s.saves[:at+1]
}

func (s *sessionModel) set(name, value string) {
	s.now.set[name] = value
	delete(s.now.local, name)
}

func (s *sessionModel) reset(name string) {
	delete(s.now.set, name)
	delete(s.now.local, name)
}

func (s *sessionModel) resetAll() {
	for _, p := range leakParameters {
		s.reset(p.name)
	}
}

// show gives a parameter's value.
func (s *sessionModel) show(name string) string {
	for _, m := range []map[string]string{s.now.local, s.now.set, s.base, leakDefaults} {
		if v, ok := m[name]; ok {
			return v
		}
	}
	return ""
}

// where gives the schema in which an unqualified table is found.
func (s *sessionModel) where() string {
	first, _, _ := strings.Cut(s.show("search_path"), ",")
	if first == `"$user"` {
		return "public"
	}
	return first
}

// sqlPrepared tells whether SQL's PREPARE has left anything.
func (s *sessionModel) sqlPrepared() bool {
	for _, p := range s.prepared {
		if p.sql {
			return true
		}
	}
	return false
}

// pinned tells whether the session has what no other server can have.
func (s *sessionModel) pinned() bool {
	return len(s.now.temps)+len(s.now.holds)+len(s.locks) > 0 || s.sqlPrepared() || s.opaque
}

// parameterModel is a session parameter that the test sets.
type parameterModel struct {
	name   string
	values []string // as SET takes and as SHOW gives them
}

var leakParameters = []parameterModel{
	{"work_mem", []string{"5MB", "6MB", "7MB"}},
	{"TimeZone", []string{"Asia/Tokyo", "Europe/Rome", "UTC"}},
	{"search_path", []string{"api", "public", "api, public"}},
	{"application_name", []string{"one", "two"}},
	{"my.own", []string{"x", "it's"}},
	{"statement_timeout", []string{"50s", "1min"}},
	{"DateStyle", []string{"ISO, DMY", "German, DMY"}},
	{"client_min_messages", []string{"warning", "error"}},
	{"default_transaction_deferrable", []string{"on"}},
}

// leakDefaults are the values in a session that nobody has touched.
var leakDefaults = map[string]string{
	"work_mem": "4MB", "TimeZone": "UTC", "search_path": `"$user", public`, "application_name": "", "my.own": "", "your.own": "", "statement_timeout": "0", "DateStyle": "ISO, MDY",
	"client_min_messages": "notice", "default_transaction_deferrable": "off", "role": "none", "session_authorization": "postgres",
}

// leakReported are those that a server reports by ParameterStatus.
var leakReported = []string{"TimeZone", "application_name", "DateStyle", "session_authorization"}

// literal writes a parameter's value for SET: a search_path is a list of names.
func literal(name, value string) string {
	if name == "search_path" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", "''") + "'"
}

// quoted writes a string for SQL.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
