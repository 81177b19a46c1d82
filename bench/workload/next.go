package workload

import (
	"errors"
	"fmt"
	"time"

	"poolerd/wire"
)

var (
	errNoRow      = errors.New("\\gset got no row: the statement before it must give one")
	errOpen       = errors.New("the script ends inside a transaction: it lacks a COMMIT")
	errSleepValue = errors.New("the variable of \\sleep holds no integer")
)

// Next appends the next flight of the current transaction to dst; Flight.Data is dst with what was appended, as append returns it. last is how
// the flight before ended; the first call after Begin gets a zero Outcome. False: the transaction is over, and Err tells whether because of the
// script.
//
// After an outcome with an error the next flights end the transaction, where the server has one open.
func (s *Session) Next(dst []byte, last Outcome) (Flight, bool) {
	r := &s.current
	if r.tx == nil {
		return Flight{}, false
	}
	s.take(&last)
	if r.ending == notEnding {
		return s.advance(dst)
	}
	return s.abort(dst)
}

// take looks at how the flight before ended.
func (s *Session) take(last *Outcome) {
	r := &s.current
	if last.Status != 0 {
		r.status = last.Status
	}
	gset := r.gset
	r.gset = false
	switch {
	case r.ending == aborting:
		if last.Code != "" || !r.parsed {
			s.forget(last.Code != "")
			r.ending = over
		}
	case last.Code != "" || r.status == 'E':
		s.forget(true)
		s.breakOff()
	case gset:
		s.store(last)
	}
	s.forget(false)
}

// forget is what follows a flight with a Parse in it. After an error nobody knows which of them succeeded: their names are not used again.
func (s *Session) forget(failed bool) {
	if failed {
		for _, n := range s.current.fresh {
			s.known[n] = 0
		}
	}
	s.current.fresh = s.current.fresh[:0]
}

// breakOff ends the transaction early.
func (s *Session) breakOff() {
	r := &s.current
	r.parsed = false
	r.ending = aborting
	if r.status == 'I' || r.status == 0 {
		r.ending = over // nothing is open
	}
}

// fail breaks off because of the script.
func (s *Session) fail(at position, err error) {
	r := &s.current
	r.err = fmt.Errorf("%s:%d:%d: %w", r.tx.source, at.line, at.column, err)
	s.forget(true) // what was not sent is not known
	s.breakOff()
}

// abort sends what ends an open transaction.
func (s *Session) abort(dst []byte) (Flight, bool) {
	r := &s.current
	if r.ending == over {
		r.tx = nil
		return Flight{}, false
	}
	if r.tx.abort < 0 {
		return Flight{Data: wire.AppendQuery(dst, "ROLLBACK"), Ready: 1}, true
	}
	return Flight{Data: s.send(dst, r.tx.abort), Ready: 1}, true
}

// advance goes on with the transaction's steps up to the next flight.
func (s *Session) advance(dst []byte) (Flight, bool) {
	r := &s.current
	f := Flight{Data: dst}
	for r.at < len(r.tx.steps) {
		done, err := s.step(&f)
		if err != nil {
			s.fail(faultAt(err, r.tx.steps[r.at].at), err)
			return s.abort(dst)
		}
		if done {
			return f, true
		}
	}
	switch {
	case f.Pause > 0:
		return Flight{Pause: f.Pause}, true
	case r.status == 'T':
		s.fail(r.tx.steps[len(r.tx.steps)-1].at, errOpen)
	default:
		r.ending = over
	}
	return s.abort(dst)
}

// faultAt is the place of an error inside an expression, else the step's.
func faultAt(err error, step position) position {
	if f, ok := err.(*fault); ok {
		return f.at
	}
	return step
}

// step does the next step, or a part of it; done tells that the flight is complete.
func (s *Session) step(f *Flight) (done bool, err error) {
	r := &s.current
	st := &r.tx.steps[r.at]
	switch st.do {
	case doSend:
		return s.sendStep(f, st), nil
	case doCopyData:
		f.Data = append(f.Data, st.data...)
		if s.protocol != Simple {
			f.Data = wire.AppendEmpty(f.Data, wire.ClientSync)
		}
		f.Ready = 1
		r.at++
		return true, nil
	case doSet:
		v, err := st.expr.evaluate(&s.scope)
		if err != nil {
			return false, err
		}
		*s.scope.variable(st.slot) = variable{state: typed, value: v}
	case doPick:
		*s.scope.variable(st.slot) = variable{state: words, text: st.words[s.random.IntN(len(st.words))]}
	case doSleep:
		return false, s.sleep(f, st)
	case doJumpUnless:
		v, err := st.expr.evaluate(&s.scope)
		if err != nil {
			return false, err
		}
		if !v.truth() {
			r.at = st.target
			return false, nil
		}
	case doJump:
		r.at = st.target
		return false, nil
	case doPipe:
		f.Ready = 1
	case doPipeSync:
		f.Data = wire.AppendEmpty(f.Data, wire.ClientSync)
		f.Ready++
	case doPipeEnd:
		f.Data = wire.AppendEmpty(f.Data, wire.ClientSync)
		r.at++
		return true, nil
	}
	r.at++
	return false, nil
}

// sendStep puts a statement into the flight. Inside a pipeline, which Ready above 0 tells, it goes beside the others, its Parse with it.
func (s *Session) sendStep(f *Flight, st *step) (done bool) {
	r := &s.current
	if f.Ready > 0 {
		f.Data = s.queue(f.Data, st.statement)
		r.at++
		return false
	}
	f.Data = s.send(f.Data, st.statement)
	f.Ready = 1
	if r.parsed {
		return true
	}
	r.at++
	if st.copyIn {
		f.CopyIn, f.Ready = true, 0
	}
	f.Rows, r.gset = st.gset, st.gset
	return true
}

func (s *Session) sleep(f *Flight, st *step) error {
	s.current.at++
	if st.slot < 0 {
		f.Pause += st.pause
		return nil
	}
	v := s.scope.variable(st.slot)
	if v.state == unset || v.state == words || v.value.kind != integer {
		s.current.at--
		return errSleepValue
	}
	if n := v.value.int; n > 0 {
		f.Pause += time.Duration(min(n, int64(maxPause/st.pause))) * st.pause
	}
	return nil
}

// maxPause bounds a \sleep, so that no sum of them overflows.
const maxPause = 24 * time.Hour

// send appends a statement as one flight. With Prepared a statement that the connection does not know is only parsed; parsed tells, and the next
// send of it is the rest.
func (s *Session) send(dst []byte, n int) []byte {
	r := &s.current
	statement := r.tx.statements[n]
	r.parsed = false
	if s.via(statement) == viaQuery {
		return statement.appendQuery(dst, &s.scope)
	}
	if s.via(statement) == asAsked && s.known[r.link.statements[n]] == 0 {
		r.parsed = true
		dst = statement.appendParse(dst, s.learn(n))
	} else {
		dst = s.queue(dst, n)
	}
	return wire.AppendEmpty(dst, wire.ClientSync)
}

// queue appends a statement without a Sync.
func (s *Session) queue(dst []byte, n int) []byte {
	r := &s.current
	statement := r.tx.statements[n]
	if s.via(statement) == viaUnnamed {
		return statement.appendBind(statement.appendParse(dst, -1), -1, &s.scope)
	}
	id := r.link.statements[n]
	if s.known[id] == 0 {
		dst = statement.appendParse(dst, s.learn(n))
	}
	return statement.appendBind(dst, int(s.known[id])-1, &s.scope)
}

// learn gives a statement the next name.
func (s *Session) learn(n int) int {
	id := s.current.link.statements[n]
	s.counter++
	s.known[id] = s.counter
	s.current.fresh = append(s.current.fresh, id)
	return int(s.counter) - 1
}

// via says how a statement travels in this session: asAsked is under a name.
func (s *Session) via(statement *statement) via {
	switch {
	case statement.fixed != asAsked:
		return statement.fixed
	case s.protocol == Simple:
		return viaQuery
	case s.protocol == Unprepared:
		return viaUnnamed
	}
	return asAsked
}

// store puts a row into variables, as \gset does.
func (s *Session) store(last *Outcome) {
	r := &s.current
	from := &r.tx.steps[r.at-1]
	if last.Row == nil || len(last.Row) != len(last.Columns) {
		s.fail(from.at, errNoRow)
		return
	}
	for i, column := range last.Columns {
		text := ""
		if last.Row[i] != nil {
			text = *last.Row[i]
		}
		s.define(from.prefix+column, text)
	}
}
