package wiretest

import (
	"context"
	"fmt"
	"time"

	"poolerd/wire"
)

// answers is what is owed to a connection, for lines that wait for all of it without saying what it is: what a random script sends is answered as it may be.
type answers struct {
	pipe   wire.Pipeline
	broken bool  // a COPY was broken by another message, which ends the session
	err    error // a reply that nothing has asked for
}

func newAnswers() *answers {
	a := &answers{}
	a.pipe.Reset()
	return a
}

var asks = map[byte]wire.Op{
	wire.ClientParse: wire.OpParse, wire.ClientBind: wire.OpBind, wire.ClientDescribe: wire.OpDescribePortal, wire.ClientExecute: wire.OpExecute,
	wire.ClientClose: wire.OpClose, wire.ClientSync: wire.OpSync, wire.ClientQuery: wire.OpQuery, wire.ClientFunctionCall: wire.OpFunctionCall,
}

// asked notes what a flight asks of the server.
func (a *answers) asked(flight []byte) {
	for len(flight) > 0 {
		typ, size, _ := wire.Header(flight)
		op, known := asks[typ]
		switch {
		case typ == wire.ClientFlush:
			a.pipe.SentFlush()
		case typ == wire.ClientCopyDone, typ == wire.ClientCopyFail:
			a.pipe.SentCopyEnd()
		case typ == wire.ClientDescribe && flight[wire.HeaderLen] == 'S' && !a.pipe.CopyIn():
			a.pipe.Sent(wire.OpDescribeStatement, wire.ForClient, nil)
		case known && a.pipe.CopyIn() && typ != wire.ClientSync:
			a.broken = true
		case known:
			a.pipe.Sent(op, wire.ForClient, nil)
		}
		flight = flight[size:]
	}
}

// came notes a reply.
func (a *answers) came(message []byte) {
	status := wire.TxStatus(0)
	if message[0] == wire.ServerReadyForQuery && len(message) > wire.HeaderLen {
		status = wire.TxStatus(message[wire.HeaderLen])
	}
	if a.broken {
		return
	}
	if _, _, _, err := a.pipe.Receive(message[0], status); err != nil && a.err == nil {
		a.err = err
	}
}

// waitAnswers waits until the server has no more to say.
func (r *runner) waitAnswers(ctx context.Context, c *client) error {
	if c.owes == nil {
		return fmt.Errorf("%s has no session", c.name)
	}
	for c.owes.err == nil && (c.owes.broken || c.owes.pipe.Expecting()) {
		if _, err := r.reply(ctx, c); err != nil {
			return orEnd(err)
		}
	}
	c.owed = 0
	return c.owes.err
}

// pause lets time pass.
func pause(ctx context.Context, w *words) error {
	word, err := w.word()
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(word)
	if err != nil {
		return err
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
