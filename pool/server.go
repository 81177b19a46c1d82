package pool

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"poolerd/pool/stmt"
	"poolerd/pool/vars"
	"poolerd/wire"
	"poolerd/wire/sock"
)

// Server is one connection to PostgreSQL. pgxpool owns it; between acquire and release whoever has it reads and writes its socket raw, and nothing
// of pgx looks at it. It belongs to one goroutine at a time: the client's that was given it, or the pool's.
type Server struct {
	id         uint64
	pool       *Pool
	lease      *pgxpool.Conn // nil while pgxpool has it
	conn       *sock.Conn
	at         endpoint
	secured    *tls.Config // with which TLS was made; nil: the connection is plain
	tls        string      // what was agreed on, as secure.Describe has it; empty: plain
	stale      atomic.Bool // its host has other addresses by now, or its user another secret
	pid        uint32
	secret     []byte
	created    time.Time
	generation int  // of the pgxpool that owns it
	fresh      bool // nobody has had it: its pool's lock guards it
	yields     bool // it is being closed for a replication client: its pool's lock guards it
	surplus    bool // it is being closed because there are too many: likewise

	pipe     wire.Pipeline
	stmts    *stmt.Server
	vars     *vars.Set       // the session parameters it has
	reported []vars.Reported // as its last ParameterStatus messages said
	changed  bool            // reported has changed since it was last compared
	console  bool            // it is the console of a pooler, which knows no parameters
	unnamed  unnamed         // whose unnamed statement it holds
	plans    uint64          // the pool's when its statements were last thrown away
	pins     pins            // session state that nobody may inherit: reset before the next client
	executed bool            // an Execute was sent, and no Sync behind it
	joined   bool            // it may say that a transaction is over which is not: nobody may have it next (Client.unsynced)

	sequences uint64 // the client whose values of sequences it has

	replies replies            // the replies being relayed
	step    func(uintptr) bool // onReadable, bound once
	listen  func(uintptr) bool // readWhatIsThere

	used      time.Time    // when it was last given back
	requested atomic.Int64 // when it was given out, in nanoseconds since 1970; 0: never
	pending   atomic.Int32 // cancel requests under way to it
	cancels   sync.WaitGroup
	suspect   atomic.Bool // a cancel request may hit it at any time
	uses      atomic.Uint64
}

// unnamed names one client's unnamed statement: the client, and which of its many. The zero value says that there is none.
type unnamed struct {
	client uint64
	serial uint64
	doubt  bool // there may be one, and nothing says whose: nobody may bind it
}

func newServer(p *Pool, generation int, nc *loginConn, pid uint32, secret []byte) *Server {
	s := &Server{
		id: nc.id, pool: p, conn: sock.New(nc.Conn), at: nc.at, secured: nc.secured, tls: nc.tls, pid: pid, secret: secret, created: nc.began, generation: generation,
		plans: p.plans.Load(),
		stmts: p.pooler.statements.NewServer(), vars: p.space.Empty(), reported: nc.reported,
	}
	s.console = isConsole(s.reported)
	nc.Conn = s.conn // over TLS, pgconn too has to write through it from now on
	s.pipe.Reset()
	s.step, s.listen = s.onReadable, s.readWhatIsThere
	return s
}

func parameterStatus(body []byte) (name, value []byte, ok bool) {
	name, rest, ok := wire.CString(body)
	if !ok {
		return nil, nil, false
	}
	value, _, ok = wire.CString(rest)
	return name, value, ok
}

// note records a ParameterStatus.
func (s *Server) note(body []byte) {
	name, value, ok := parameterStatus(body)
	if !ok {
		return
	}
	s.changed = true
	for i := range s.reported {
		if s.reported[i].Name == string(name) {
			if s.reported[i].Value != string(value) {
				s.reported = slices.Clone(s.reported)
				s.reported[i].Value = string(value)
			}
			return
		}
	}
	s.reported = append(slices.Clip(s.reported), vars.Reported{Name: string(name), Value: string(value)})
}

// errRefused is an error that the server answered to a statement of ours.
type errRefused struct {
	answer *wire.Error
	op     wire.Op // that failed
}

func (e errRefused) Error() string { return "server answered: " + e.answer.Error() }

// run carries out a statement of ours on an idle or failed server, and waits for the end of it. The server is not settled after an error other
// than errRefused: discard it.
func (s *Server) run(sql string, limit time.Duration) error {
	return s.runRows(sql, limit, nil)
}

// runRows is run for a statement whose rows are wanted: row is called with the body of each DataRow, which it may keep.
func (s *Server) runRows(sql string, limit time.Duration, row func(body []byte)) error {
	if err := s.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := s.conn.Write(wire.AppendQuery(nil, sql)); err != nil {
		return err
	}
	s.pipe.Sent(wire.OpQuery, wire.ForPooler, nil)
	s.unnamed = unnamed{}
	err := s.drain(row)
	if reset := s.conn.SetDeadline(noDeadline); reset != nil { // also after a refusal: the server lives on
		return reset
	}
	return err
}

// drain reads until nothing is owed, and forgets what it reads but for rows, where those are wanted. It gives the first error that the server answered.
func (s *Server) drain(row func(body []byte)) error {
	var refused *wire.Error
	var at wire.Op
	for !s.pipe.Settled() {
		typ, body, err := wire.ReadMessage(s.conn, wire.MaxMessageLen)
		if err != nil {
			return err
		}
		var status wire.TxStatus
		switch {
		case typ == wire.ServerReadyForQuery && len(body) == 1:
			status = wire.TxStatus(body[0])
		case typ == wire.ServerParameterStatus:
			s.note(body)
		case typ == wire.ServerDataRow && row != nil:
			row(body)
		case typ == wire.ServerCommandComplete:
			s.resetBy(string(body))
		case typ == wire.ServerErrorResponse && refused == nil:
			e, err := wire.ParseError(body)
			if err != nil {
				return err
			}
			refused = &e
		}
		_, of, _, err := s.pipe.Receive(typ, status)
		if err != nil {
			return err
		}
		if typ == wire.ServerErrorResponse && refused != nil && at == 0 {
			at = of.Op
		}
		if d, ok := of.Tag.(*description); ok && typ != wire.ServerErrorResponse {
			d.add(typ, body, true)
		}
	}
	if refused != nil {
		return errRefused{refused, at}
	}
	return nil
}

// resetBy takes the tag of a statement that takes session state away.
func (s *Server) resetBy(tag string) {
	switch tag {
	case "DISCARD ALL\x00":
		s.stmts.Clear()
		s.unnamed, s.vars, s.changed = unnamed{doubt: true}, s.pool.space.Empty(), false // it stays, if it is what has just been carried out
		s.pins, s.sequences = s.pins&^resettable, 0
	case "DEALLOCATE ALL\x00":
		s.stmts.Clear()
	}
}

// untouched tells whether the client at hand has nothing under way: what is owed, if anything, is what puts its parameters in place.
func (s *Server) untouched() bool {
	if s.pipe.Open() || s.pipe.SkipsToSync() || s.pipe.CopyIn() {
		return false
	}
	return !slices.ContainsFunc(s.pipe.Owed(), func(o wire.Owed) bool { return o.For != wire.ForPooler || o.Op != wire.OpQuery })
}

// current brings an idle server up to date: a statement that was prepared before a DDL may be of no use after it.
func (s *Server) current(limit time.Duration) error {
	plans := s.pool.plans.Load()
	if s.plans == plans {
		return nil
	}
	s.plans = plans
	if s.stmts.Len() == 0 {
		return nil
	}
	return s.run(s.deallocate(func(*stmt.Statement) bool { return false }), limit)
}

// deallocate gives the text that takes away what we have prepared on the server, but for what is kept, and forgets it. What a client has prepared by SQL stays.
func (s *Server) deallocate(keep func(*stmt.Statement) bool) string {
	var b strings.Builder
	for st := range s.stmts.All() {
		if !keep(st) {
			b.WriteString("DEALLOCATE ")
			b.WriteString(st.Name)
			b.WriteByte(';')
			s.stmts.Remove(st)
		}
	}
	return b.String()
}

// adopt brings an idle server to a Set, and waits until it has it.
func (s *Server) adopt(to *vars.Set, limit time.Duration) error {
	sql := vars.Replay(s.vars, to)
	if sql != "" && !s.console {
		if err := s.run(sql, limit); err != nil {
			return err
		}
	}
	s.vars, s.changed = to, false
	to.Learn(s.reported)
	return nil
}

// isConsole tells by server_version, "1.25.2/bouncer", whether what was logged in to is no PostgreSQL but the console of a PgBouncer, or of a poolerd: an entry of [databases] may lead to one.
func isConsole(reported []vars.Reported) bool {
	return slices.ContainsFunc(reported, func(v vars.Reported) bool {
		return v.Name == "server_version" && (strings.HasSuffix(v.Value, "/bouncer") || strings.HasSuffix(v.Value, "/poolerd"))
	})
}

// cancel asks PostgreSQL to cancel what the server runs, and waits until PostgreSQL has taken the request: it closes the connection once it has sent the signal, and from then on
// the request cannot hit a later query.
func (s *Server) cancel(ctx context.Context) error {
	return s.pool.pooler.sendCancel(ctx, s.at, s.secured, cancelKey{s.pid, s.secret})
}
