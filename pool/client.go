package pool

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/stmt"
	"poolerd/pool/vars"
	"poolerd/wire"
	"poolerd/wire/lex"
	"poolerd/wire/sock"
)

// State is what a client is doing.
type State uint8

const (
	StateLogin   State = iota
	StateIdle          // no server, no transaction: nothing is held
	StateWaiting       // in its pool's queue
	StateActive        // a server works for it
	StateInTx          // between the statements of a transaction, or keeping its server for another reason
	StateClosing
)

func (s State) String() string {
	return [...]string{"login", "idle", "waiting", "active", "idle in transaction", "closing"}[s]
}

// block is the transaction block that the client believes to be in, as far as that is not a server's to know.
type block uint8

const (
	blockNone     block = iota // none, or the server that the client has knows
	blockDeferred              // BEGIN was answered here, and goes to a server together with the next statement
	blockFailed                // a transaction was lost with its server: only its end is accepted
)

// Client is one client after its login. All of it belongs to the client's goroutine, but for what mu guards and the atomics.
type Client struct {
	id          uint64
	pooler      *Pooler
	pool        *Pool
	conn        *sock.Conn
	socket      net.Conn // below conn: the same but for TLS
	addr        net.Addr
	local       net.Addr
	user        string
	database    string // the client's name for it
	version     wire.Version
	replication replicationKind
	key         cancelKey
	began       time.Time
	mode        config.Mode

	base *vars.Set // from the startup packet
	vars *vars.Set // changed by become alone

	transaction
	listening

	names    stmt.Client
	unnamed  unnamedStatement
	said     map[*stmt.Statement][]byte // what it said where names were exchanged in a Parse
	prepared map[string]struct{}        // names that it has given by SQL's PREPARE

	block    block
	begin    *stmt.Statement // the deferred BEGIN
	pins     pins            // why the client keeps its server after the transaction, 0 when it does not
	skipping bool            // an error was answered: messages are ignored up to the next Sync
	busy     *Server         // the server that it has; server below is the same for other goroutines

	in             buffer
	halted         time.Time       // since when it has stopped in the middle of a flight without having a server; zero when it has not
	body           int             // bytes still to come of the message being passed on
	span           []byte          // bytes of in to be sent, all that is to be sent while out is empty
	spanEnd        int             // where span ends in in
	out            []byte          // what is to be sent to the server
	reply          []byte          // what is to be sent to the client, ahead of the server's bytes
	bound          lex.Kind        // of the statement bound last
	boundText      []byte          // its text, as in stmt.Statement.Tail
	boundStatement *stmt.Statement // of the unnamed portal, where it has a name
	boundName      []byte          // that name
	lastKind       lex.Kind        // of what was sent last to be executed
	asked          time.Time       // when the request that is being answered was sent
	counted        bool            // the flight under way is in the tally
	late           lateOp
	attempt        attempt     // the request under way
	terminates     bool        // the simple Query under way ends its own backend
	knows          bool        // it was told its columns, since the last DDL
	believes       bool        // it was told the shape of the statement bound last, and does not ask again
	named          bool        // it gives names, or takes them away
	namesInDoubt   bool        // a name was given or taken away since the last Sync
	lost           *wire.Error // why a transaction was lost while the client was idle in it, until it is told
	sequenced      bool        // it has taken values of sequences: the server it used last is the best
	moved          bool        // it has taken values on the server that it has
	readsSequences bool        // it asks for currval
	doubts         uint64
	pinSlot        bool        // it counts among those that keep their server
	ending         *wire.Error // why the session has to end once the replies are sent
	tally          tally
	opened         bool // the deferred BEGIN was sent, and no ReadyForQuery has come since
	step           func(uintptr) bool

	waiter  *waiter
	attend  *attendant
	toldWhy bool   // it was told why it is ended from outside
	left    string // why the session ended
	logged  bool   // the log says so

	mu     sync.Mutex
	state  State
	inside bool      // StateInTx is a transaction, not a server kept for another reason
	since  time.Time // of the state
	server *Server
	inTx   time.Time // when the transaction began
	served bool      // it has been welcomed
	shown  *vars.Set // vars, for other goroutines; nil for a replication client

	doom atomic.Pointer[doom]
	tap  *tap // nil when nothing is recorded

	seated   bool         // it counts among the clients
	limits   *config.Pool // of limitsOf; the pooler's clock alone uses both
	limitsOf *config.Config
}

// unnamedStatement is the client's unnamed statement.
type unnamedStatement struct {
	exists bool
	tail   []byte // as in stmt.Statement
	kind   lex.Kind
	marks  lex.Marks
	serial uint64
}

// session serves a client that has been welcomed to its end.
func (c *Client) session() {
	defer c.hangUp()
	defer c.depart()
	if c.doom.Load() != nil {
		c.leaveDoomed()
	}
	c.tap = c.pooler.recorder.tap(c)
	defer c.tap.end()
	c.serve()
}

// depart gives back what a client got in its login, however far that went.
func (c *Client) depart() {
	if c.seated {
		c.pooler.exit(c)
	}
	c.pooler.keys.revoke(c.key)
	c.pool.part()
}

// hangUp closes the connection, as login.hangUp does.
func (c *Client) hangUp() {
	_ = c.conn.Close()
	_ = c.socket.Close()
}

// serve runs the session until it ends.
func (c *Client) serve() {
	defer c.tidy()
	c.step = c.onReadable
	c.mu.Lock()
	c.served = true
	c.mu.Unlock()
	c.setState(StateIdle)
	for c.left == "" {
		err := c.conn.Serve(c.step)
		c.stopAttending()
		switch {
		case c.left != "":
		case c.doom.Load() != nil:
			c.leaveDoomed()
		case errors.Is(err, os.ErrDeadlineExceeded):
			_ = c.conn.SetReadDeadline(noDeadline)
			c.hear()
		case err != nil:
			c.leave(reasonClientGone)
		}
	}
	c.setState(StateClosing)
	c.settle()
}

// tidy gives back what the session has taken. A server that it has still has seen a panic, and what was being written to it may be in the buffer.
func (c *Client) tidy() {
	if c.busy != nil {
		c.detach().discard(reasonPanic)
		c.in = buffer{}
	}
	c.forgetAttempt()
	c.setPins(0)
	if c.member != nil {
		c.member.Leave()
	}
	c.in.free()
	c.names.Clear()
}

// onReadable is called by the poller: something has arrived, or may have. It returns true when the session ends.
func (c *Client) onReadable(uintptr) bool {
	c.stopAttending()
	for {
		if c.doom.Load() != nil {
			c.leaveDoomed()
			return true
		}
		space := c.in.space()
		n, err := c.conn.TryRead(space)
		switch {
		case err == nil:
		case err == sock.ErrWait: //nolint:errorlint // never wrapped
			c.rest()
			return c.left != ""
		default:
			c.leave(reasonClientGone)
			return true
		}
		if c.tap != nil {
			c.tap.sent(space[:n])
		}
		c.in.w += n
		c.tally.received += uint64(n)
		c.process()
		if c.left != "" {
			return true
		}
		if c.conn.Drained() {
			c.rest() // the poller tells of the next arrival
			return c.left != ""
		}
	}
}

// process takes what the client sent as far as it is whole.
func (c *Client) process() {
	for c.left == "" {
		before := c.in.len()
		switch {
		case c.busy != nil:
			fresh := c.busy.pipe.Settled() && !c.busy.pipe.Open()
			if fresh && c.pool.suspended.Load() {
				if c.freeze(); c.doom.Load() != nil {
					c.leaveDoomed()
					return
				}
			}
			c.relay(fresh)
		case c.body > 0:
			c.skipBody()
		case c.skipping:
			c.skip()
		case c.block == blockFailed:
			c.refuse()
		default:
			c.dispatch()
		}
		if c.in.len() == before || c.in.len() == 0 {
			break
		}
	}
	c.flushReply()
}

// rest is called before the client's goroutine waits: what need not be held is given back.
func (c *Client) rest() {
	c.in.settle()
	c.noteHalt()
	if cap(c.reply) > keepReply {
		c.reply = nil
	}
	if c.busy == nil {
		if c.block == blockNone {
			c.setState(StateIdle)
		} else {
			c.setState(StateInTx)
		}
	} else {
		c.setState(StateInTx)
	}
	if e := c.pool.ending.Load(); e != nil && c.block == blockNone && (c.busy == nil || e.sessions && c.busy.pipe.Idle()) {
		c.end(e.reason, e.err)
	}
	if c.doom.Load() != nil {
		c.leaveDoomed()
		return
	}
	c.deliver()
	if c.busy != nil {
		c.startAttending()
	}
}

// flushReply sends what was answered here.
func (c *Client) flushReply() {
	if len(c.reply) == 0 {
		return
	}
	c.tally.sent += uint64(len(c.reply))
	if err := c.write(c.reply); err != nil {
		c.leave(reasonClientGone)
	}
	c.reply = c.reply[:0]
}

// write sends to the client. Whatever it is told after its login goes through here.
func (c *Client) write(b []byte) error {
	if c.tap != nil {
		c.tap.replied(b)
	}
	_, err := c.conn.Write(b)
	return err
}

// leave ends the session.
func (c *Client) leave(reason string) {
	if c.left == "" {
		c.left = reason
		c.logClosing(reason) // before the client knows, as PgBouncer does
	}
}

// leaveWith tells the client why, and ends the session.
func (c *Client) leaveWith(reason string, err *wire.Error) {
	if c.left != "" {
		return
	}
	fatal := err.Fatal()
	c.logError(fatal)
	c.leave(reason)
	c.reply = fatal.Append(c.reply)
	c.flushReply()
}

// become gives the client the session parameters that it has from now on.
func (c *Client) become(set *vars.Set) {
	c.vars = set
	c.mu.Lock()
	c.shown = set
	c.mu.Unlock()
}

// setState moves the client to a state. The times that limits are measured from go with it.
func (c *Client) setState(s State) {
	now := time.Now()
	inside := c.busy == nil || c.busy.pipe.Status() != wire.TxIdle || c.busy.pipe.Open() // what no Sync has ended is a transaction, too
	c.mu.Lock()
	if s != c.state {
		c.state, c.since, c.inside = s, now, inside
		if s == StateIdle || s == StateInTx && !inside {
			c.inTx = time.Time{}
		} else if c.inTx.IsZero() && s >= StateActive {
			c.inTx = now
		}
	}
	c.mu.Unlock()
}

// attach makes s the client's server.
func (c *Client) attach(s *Server) {
	now := time.Now()
	c.busy, c.moved = s, false
	s.replies.reset()
	s.requested.Store(now.UnixNano())
	s.uses.Add(1)
	c.tally.assigns++
	c.tally.began = now
	c.mu.Lock()
	c.server, c.state, c.since = s, StateActive, now
	if c.inTx.IsZero() {
		c.inTx = now
	}
	c.mu.Unlock()
}

// detach takes the server from the client: from then on no cancel request reaches it on this client's behalf. One that is under way is waited for,
// since it may hit whatever the server runs next.
func (c *Client) detach() *Server {
	s := c.busy
	c.busy = nil
	c.mu.Lock()
	c.server = nil
	c.mu.Unlock()
	return s
}
