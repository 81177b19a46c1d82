package workload

import (
	"math/rand/v2"
	"strconv"
)

// Session is one client's side of a workload: its random numbers, its variables, and which statements its connection knows. One goroutine uses it.
type Session struct {
	// Debug, where set, is given what a script's debug() shows, one line a call.
	Debug func(line string)

	workload *Workload
	protocol Protocol
	client   int
	random   *rand.Rand
	scope    scope
	index    map[string]int32 // of variables
	links    []link           // of the workload's transactions
	shares   []float64        // sums, so that the last is the whole
	known    []int32          // for each statement: its decimal name and 1 more, or 0 when the connection does not know it
	counter  int32            // the next name

	current run
}

// link joins a transaction's numbers to the session's.
type link struct {
	variables  []int32
	statements []int32
}

// run is how far the current transaction has come.
type run struct {
	tx     *Transaction // nil: none, or it is over
	link   *link
	at     int     // the next step
	parsed bool    // of a statement only the Parse was sent: the rest is next
	gset   bool    // the row of the flight before goes to variables
	status byte    // of the last ReadyForQuery; 0 before the first
	ending ending  //
	fresh  []int32 // statements whose Parse is in the flight
	err    error
}

// ending tells whether a transaction is being broken off.
type ending uint8

const (
	notEnding ending = iota
	aborting         // the server has a transaction open, which is being ended
	over
)

// NewSession makes the side of one client, numbered from 0. Sessions with the same seed and client say the same. vars are values of variables,
// as --define gives them to pgbench: "scale", how large the data is, is 1 unless given. Check the workload with the protocol first.
func (w *Workload) NewSession(client int, seed uint64, p Protocol, vars map[string]string) *Session {
	mixed := uint64(client)
	s := &Session{
		workload: w, protocol: p, client: client,
		random: rand.New(rand.NewPCG(seed, splitMix(&mixed))),
		index:  map[string]int32{},
	}
	s.scope.random = s.random
	s.scope.seed = s.variable("default_seed")
	s.linkAll()
	hashSeed := seed
	for name, value := range map[string]string{
		"scale":        "1",
		"client_id":    strconv.Itoa(client),
		"random_seed":  strconv.FormatUint(seed, 10),
		"default_seed": strconv.FormatInt(int64(splitMix(&hashSeed)), 10),
		notification:   "0",
	} {
		s.define(name, value)
	}
	for name, value := range vars {
		s.define(name, value)
	}
	return s
}

// linkAll gives the session's numbers to what the transactions refer to. Equal statements of two transactions are one for the session, as
// they are for PostgREST.
func (s *Session) linkAll() {
	statements := map[string]int32{}
	sum := 0.0
	for i := range s.workload.Transactions {
		t := &s.workload.Transactions[i]
		sum += t.Share
		s.shares = append(s.shares, sum)
		l := link{variables: make([]int32, len(t.variables)), statements: make([]int32, len(t.statements))}
		for n, name := range t.variables {
			l.variables[n] = s.variable(name)
		}
		for n, statement := range t.statements {
			number, ok := statements[statement.key()]
			if !ok {
				number = int32(len(statements))
				statements[statement.key()] = number
			}
			l.statements[n] = number
		}
		s.links = append(s.links, l)
	}
	s.known = make([]int32, len(statements))
	s.current.fresh = make([]int32, 0, len(statements))
}

// variable gives the session's number of a variable.
func (s *Session) variable(name string) int32 {
	n, ok := s.index[name]
	if !ok {
		n = int32(len(s.scope.variables))
		s.index[name] = n
		s.scope.variables = append(s.scope.variables, variable{})
	}
	return n
}

// define sets a variable that something refers to.
func (s *Session) define(name, text string) {
	if n, ok := s.index[name]; ok {
		s.scope.variables[n] = textVariable(text)
	}
}

// Begin picks the next transaction by share. It lives as long as the workload.
func (s *Session) Begin() *Transaction {
	i := 0
	if last := len(s.shares) - 1; last > 0 {
		for x := s.random.Float64() * s.shares[last]; i < last && x >= s.shares[i]; i++ {
		}
	}
	t := &s.workload.Transactions[i]
	s.current = run{tx: t, link: &s.links[i], status: s.current.status, fresh: s.current.fresh[:0]}
	s.scope.slots, s.scope.names, s.scope.debug = s.links[i].variables, t.variables, s.Debug
	if t.Connect {
		s.Disconnected()
	}
	return t
}

// Disconnected tells that the connection was lost, or is a new one: it knows no prepared statements.
func (s *Session) Disconnected() {
	clear(s.known)
	s.counter = 0
	s.current.status = 0
}

// Err tells, once Next has returned false, what was wrong with the script itself: an expression without a value, a row that \gset missed, a
// transaction that the script left open. It is nil after an error of the server, which the caller has seen, and names file and line.
func (s *Session) Err() error { return s.current.err }

// Channel is the channel of notifications that this client's transactions notify, in the workload listen-fanout.
func (s *Session) Channel() string { return channelPrefix + strconv.Itoa(s.client) }

// Payload is what the notification of the current transaction carries, or that of the last one: a number that grows.
func (s *Session) Payload() string {
	n, ok := s.index[notification]
	if !ok {
		return ""
	}
	return string(s.scope.variables[n].appendTo(nil))
}
