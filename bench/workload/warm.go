package workload

import "poolerd/wire"

// Warm appends one flight after which the connection knows every statement that the workload prepares, as it does after some minutes of traffic. Without it the first transactions of a short run
// would need twice the round trips, and with a distant server a whole run would be over before each client had sent each statement once. False: there is nothing to prepare.
//
// When the flight ends with an error, as for a script whose statements need tables of its own making, which names the connection knows is not known: open another, and
// call Disconnected.
func (s *Session) Warm(dst []byte) (Flight, bool) {
	if s.protocol != Prepared {
		return Flight{}, false
	}
	f := Flight{Data: dst}
	// A statement's names are resolved when it is parsed, which the login role of an API has no right to.
	asAPI := s.workload.Role == roleAPI
	if asAPI {
		f.Data = wire.AppendQuery(f.Data, "BEGIN; SET LOCAL ROLE web_user")
		f.Ready++
	}
	before := s.counter
	for i := range s.workload.Transactions {
		s.warm(&f, i)
	}
	if s.counter == before {
		return Flight{}, false
	}
	f.Data = wire.AppendEmpty(f.Data, wire.ClientSync)
	f.Ready++
	if asAPI {
		f.Data = wire.AppendQuery(f.Data, "COMMIT")
		f.Ready++
	}
	return f, true
}

// warm appends the Parses of one transaction.
func (s *Session) warm(f *Flight, n int) {
	t := &s.workload.Transactions[n]
	if t.Connect {
		return // its connection is always a new one
	}
	for i, statement := range t.statements {
		id := s.links[n].statements[i]
		if s.via(statement) != asAsked || s.known[id] != 0 {
			continue
		}
		s.counter++
		s.known[id] = s.counter
		f.Data = statement.appendParse(f.Data, int(s.counter)-1)
	}
}
