package wire

import "fmt"

// Op is what a client's (or the pooler's own) message asks of a server, as far as the replies differ.
type Op uint8

const (
	OpParse             Op = iota // ParseComplete
	OpBind                        // BindComplete
	OpDescribeStatement           // ParameterDescription, then RowDescription or NoData
	OpDescribePortal              // RowDescription or NoData
	OpExecute                     // rows or a COPY, then CommandComplete, EmptyQueryResponse or PortalSuspended
	OpClose                       // CloseComplete
	OpSync                        // ReadyForQuery
	OpQuery                       // anything, then ReadyForQuery
	OpFunctionCall                // FunctionCallResponse, then ReadyForQuery
)

func (o Op) String() string {
	return [...]string{"Parse", "Bind", "Describe statement", "Describe portal", "Execute", "Close", "Sync", "Query", "FunctionCall"}[o]
}

// syncPoint tells whether a server ends its answer to o with ReadyForQuery.
func (o Op) syncPoint() bool { return o >= OpSync }

// For says whom the replies to an operation are for.
type For uint8

const (
	ForClient For = iota // the client asked: its replies are forwarded
	ForPooler            // the pooler asked: its replies are dropped, but for an error
	ForNobody            // nothing was sent to the server: the pooler answers when its turn comes
)

// Owed is one operation whose reply is not complete yet. Tag is the caller's.
type Owed struct {
	Op  Op
	For For
	Tag any

	copyEnded bool // CopyDone or CopyFail was sent behind it, before the server said that it is a COPY
	flushed   bool // and a Flush behind that
	eats      int  // how many Syncs were sent in between, which a COPY ignores
}

// Verdict is what becomes of one message from a server.
type Verdict uint8

const (
	Forward Verdict = iota
	Drop
)

// Pipeline tracks the replies that a server owes. It decides whether a server may be given to another client, and is pure: no I/O, no
// clock, no lock. Sent and Receive must see every message in the order of the wire.
//
// After an error in the extended protocol a server skips everything up to the next Sync (PostgreSQL's documentation, "Message Flow:
// Extended Query"); the operations that it skipped are given back by Skipped, so that what the caller assumed of them can be undone.
type Pipeline struct {
	queue   []Owed // queue[head:] is owed, oldest first
	head    int
	due     int    // queue[head:due] is answered without another message from the client
	skipped []Owed // what the last error made the server skip
	status  TxStatus
	skip    bool // the server skips to the next Sync, which is not sent yet
	ours    bool // nothing that the client sent has been skipped yet: what failed was the pooler's
	stuck   bool // the client's Query or FunctionCall was skipped because of that, which it could not foresee
	copyIn  bool // the server reads COPY data
	open    bool // something was sent behind the last Sync: its effects are not committed
	eaten   bool // the COPY reads a Sync and ignores it, unless it fails before it reads
	doubt   bool // the server may answer a Sync that it may also have ignored
}

// Reset makes p ready for a server that is idle and owes nothing.
func (p *Pipeline) Reset() {
	clear(p.queue)
	if cap(p.queue) > 1024 {
		p.queue = nil
	}
	*p = Pipeline{queue: p.queue[:0], skipped: p.skipped[:0], status: TxIdle}
}

// Sent records an operation that was sent, or with ForNobody one whose answer waits for its turn. It reports whether the server will
// carry it out: false when it is skipped because of an earlier error.
func (p *Pipeline) Sent(op Op, whose For, tag any) bool {
	if p.skip {
		if op != OpSync {
			p.stuck = p.stuck || p.ours && op.syncPoint()
			p.ours = p.ours && whose == ForPooler
			return false
		}
		p.skip, p.stuck = false, false
	} else if p.copyIn && op == OpSync && p.head < len(p.queue) {
		p.eaten = true
		return false
	}
	if p.head == len(p.queue) {
		p.queue, p.head, p.due = p.queue[:0], 0, 0
	}
	p.queue = append(p.queue, Owed{Op: op, For: whose, Tag: tag})
	if op.syncPoint() {
		p.due = len(p.queue)
	}
	if whose != ForNobody {
		p.open = !op.syncPoint()
	}
	return true
}

// SentFlush records a Flush: what is owed so far will be answered.
func (p *Pipeline) SentFlush() {
	p.due = len(p.queue)
	if p.head < p.due && p.queue[p.due-1].copyEnded {
		p.queue[p.due-1].flushed = true
	}
}

// SentCopyEnd records CopyDone or CopyFail. A client may send it before the server has said that it reads COPY data.
func (p *Pipeline) SentCopyEnd() {
	if p.copyIn {
		p.copyIn = false
		if p.head < len(p.queue) && p.queue[p.head].Op == OpExecute {
			p.due = p.head // the server says how the COPY ended at the Sync or Flush that follows
		}
		return
	}
	syncs := 0
	for i := len(p.queue) - 1; i >= p.head; i-- {
		switch o := &p.queue[i]; o.Op {
		case OpSync:
			syncs++
			continue
		case OpExecute, OpQuery:
			o.copyEnded, o.eats = true, syncs
		}
		return
	}
}

// Turn gives the operation at the head when it is one that the pooler answers, and forgets it.
func (p *Pipeline) Turn() (Owed, bool) {
	if p.head < len(p.queue) && p.queue[p.head].For == ForNobody {
		return p.pop(), true
	}
	return Owed{}, false
}

func (p *Pipeline) pop() Owed {
	o := p.queue[p.head]
	p.queue[p.head] = Owed{}
	p.head++
	return o
}

// Expecting reports whether the server will send more without another message from the client.
func (p *Pipeline) Expecting() bool { return p.head < p.due && !p.copyIn }

// CopyIn reports whether the server reads COPY data from the client.
func (p *Pipeline) CopyIn() bool { return p.copyIn }

// Status is the transaction status of the last ReadyForQuery.
func (p *Pipeline) Status() TxStatus { return p.status }

// Idle reports that nothing is owed and no transaction is open: at a message boundary the server may serve another client.
func (p *Pipeline) Idle() bool {
	return p.head == len(p.queue) && p.status == TxIdle && !p.skip && !p.copyIn && !p.doubt && !p.open
}

// Open reports that something was sent that no Sync has ended yet.
func (p *Pipeline) Open() bool { return p.open }

// Settled reports that nothing is owed, whatever the transaction's status.
func (p *Pipeline) Settled() bool { return p.head == len(p.queue) && !p.skip && !p.copyIn }

// Doubtful reports that a further ReadyForQuery may or may not come: the server can only be discarded.
func (p *Pipeline) Doubtful() bool { return p.doubt }

// NeedsSync reports that the server skips to a Sync that the client has no reason to send: what the pooler had sent ahead of its Query or
// FunctionCall failed. The pooler sends that Sync.
func (p *Pipeline) NeedsSync() bool { return p.stuck }

// SkipsToSync reports that the server ignores everything up to the next Sync.
func (p *Pipeline) SkipsToSync() bool { return p.skip }

// Owed gives what is owed, oldest first. It is valid until the next call of another method.
func (p *Pipeline) Owed() []Owed { return p.queue[p.head:] }

// Skipped gives the operations that the last error made the server skip, in the order sent. It is valid until the next error.
func (p *Pipeline) Skipped() []Owed { return p.skipped }

// Receive takes the type of a message from the server, and for ReadyForQuery its status. It gives the verdict, and the operation that the message
// belongs to with done set when the message completes or fails it. An error means that the server broke the protocol: discard it.
func (p *Pipeline) Receive(typ byte, status TxStatus) (v Verdict, of Owed, done bool, err error) {
	switch typ {
	case ServerNoticeResponse, ServerParameterStatus:
		if p.head < len(p.queue) && p.queue[p.head].For == ForPooler && p.queue[p.head].Op == OpQuery {
			return Drop, p.queue[p.head], false, nil
		}
		return Forward, Owed{}, false, nil
	case ServerNotificationResponse:
		return Forward, Owed{}, false, nil
	case ServerReadyForQuery:
		return p.ready(status)
	case ServerErrorResponse:
		return p.failed()
	}
	if p.head == len(p.queue) {
		return Drop, Owed{}, false, fmt.Errorf("server sent message %q, which nothing asked for", typ)
	}
	of = p.queue[p.head]
	if of.For == ForPooler {
		v = Drop
	}
	ends, ok := of.Op.answeredBy(typ)
	if !ok {
		return Drop, of, false, fmt.Errorf("server sent message %q in answer to %v", typ, of.Op)
	}
	if typ == ServerCopyInResponse {
		p.enterCopyIn(of.Op)
	}
	if ends {
		p.copyIn, p.eaten = false, false
		p.pop()
	}
	return v, of, ends, nil
}

// answeredBy tells whether typ may answer o, and whether it completes the answer.
func (o Op) answeredBy(typ byte) (ends, ok bool) {
	switch o {
	case OpParse:
		return true, typ == ServerParseComplete
	case OpBind:
		return true, typ == ServerBindComplete
	case OpClose:
		return true, typ == ServerCloseComplete
	case OpDescribeStatement:
		return typ != ServerParameterDescription, typ == ServerParameterDescription || typ == ServerRowDescription || typ == ServerNoData
	case OpDescribePortal:
		return true, typ == ServerRowDescription || typ == ServerNoData
	case OpExecute:
		switch typ {
		case ServerCommandComplete, ServerEmptyQueryResponse, ServerPortalSuspended:
			return true, true
		case ServerDataRow, ServerCopyInResponse, ServerCopyOutResponse, ServerCopyBothResponse, ServerCopyData, ServerCopyDone:
			return false, true
		}
	case OpQuery:
		switch typ {
		case ServerRowDescription, ServerDataRow, ServerCommandComplete, ServerEmptyQueryResponse,
			ServerCopyInResponse, ServerCopyOutResponse, ServerCopyBothResponse, ServerCopyData, ServerCopyDone:
			return false, true
		}
	case OpFunctionCall:
		return false, typ == ServerFunctionCallResponse
	}
	return false, false
}

// enterCopyIn: a COPY reads and ignores the Syncs that were sent behind its Execute. Anything else there makes it fail.
func (p *Pipeline) enterCopyIn(op Op) {
	ended := p.queue[p.head].copyEnded
	p.copyIn = !ended
	if op == OpQuery {
		p.doubt = p.doubt || !ended && p.head+1 < len(p.queue) // the COPY eats the messages that were to be answered
		return
	}
	behind := p.head + 1
	if ended && p.due == behind && !p.queue[p.head].flushed {
		p.due = p.head // how the COPY ended is said at the Sync or Flush that follows, as in SentCopyEnd
	}
	n := 0
	for behind+n < len(p.queue) && p.queue[behind+n].Op == OpSync {
		n++
	}
	if ended {
		n = min(n, p.queue[p.head].eats)
	}
	if n == 0 {
		return
	}
	p.eaten = true
	p.queue = append(p.queue[:behind], p.queue[behind+n:]...)
	p.due = p.lastSyncPoint()
}

// lastSyncPoint is the end of the queue's last operation that a server answers by itself.
func (p *Pipeline) lastSyncPoint() int {
	for i := len(p.queue); i > p.head; i-- {
		if p.queue[i-1].Op.syncPoint() {
			return i
		}
	}
	return p.head
}

func (p *Pipeline) ready(status TxStatus) (Verdict, Owed, bool, error) {
	switch status {
	case TxIdle, TxActive, TxFailed:
	default:
		return Drop, Owed{}, false, fmt.Errorf("server sent the transaction status %q", status)
	}
	if p.head == len(p.queue) || !p.queue[p.head].Op.syncPoint() {
		if !p.doubt {
			return Drop, Owed{}, false, fmt.Errorf("server sent ReadyForQuery, which nothing asked for")
		}
		p.status, p.skip, p.stuck = status, false, false
		return Forward, Owed{}, false, nil
	}
	of := p.pop()
	p.status, p.copyIn, p.eaten = status, false, false
	if of.For == ForPooler {
		return Drop, of, true, nil
	}
	return Forward, of, true, nil
}

// failed: in a Query, a FunctionCall and at a Sync ReadyForQuery follows; else the server skips to the next Sync.
func (p *Pipeline) failed() (Verdict, Owed, bool, error) {
	clear(p.skipped)
	p.skipped = p.skipped[:0]
	if p.head == len(p.queue) {
		p.doubt = true // a server that says why it goes away, or one that does not see things as we do
		return Forward, Owed{}, false, nil
	}
	of := p.queue[p.head]
	if of.Op.syncPoint() {
		p.doubt = p.doubt || p.eaten
		p.copyIn, p.eaten = false, false
		return Forward, of, false, nil
	}
	p.doubt = p.doubt || p.eaten
	p.pop()
	p.copyIn, p.eaten, p.skip, p.ours = false, false, true, of.For == ForPooler
	for p.head < len(p.queue) {
		if p.queue[p.head].Op == OpSync && p.queue[p.head].For != ForNobody {
			p.skip = false
			break
		}
		o := p.pop()
		p.stuck = p.stuck || p.ours && o.Op.syncPoint()
		p.ours = p.ours && o.For == ForPooler
		p.skipped = append(p.skipped, o)
	}
	if !p.skip {
		p.stuck = false
	}
	return Forward, of, true, nil
}
