package pool

import (
	"encoding/binary"
	"strings"

	"poolerd/pool/config"
	"poolerd/pool/metrics"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// Pinning: a client keeps its server between transactions while it has there what no other server has. What a text's words reveal is suspected when it is sent, and
// after the transaction the server is asked (inspect.go); nearly every transaction is above suspicion, and costs nothing.

// pins says why a client keeps its server, and what of a server nobody else may inherit.
type pins uint16

const (
	pinTemp        pins = 1 << iota // objects in the temporary schema
	pinAdvisory                     // advisory locks of the session
	pinHold                         // cursors WITH HOLD
	pinPrepared                     // SQL's PREPARE
	pinSettings                     // session parameters that cannot be told
	pinSticky                       // what no statement takes away for certain: LOAD, SET temp_buffers, setseed, dblink_connect and their like
	pinUnknown                      // the server did not say
	pinListen                       // channels that the server itself listens to
	pinSequence                     // what currval and lastval answer
	pinReplication                  // a replication connection, whose server is its own from the start
)

var pinWords = [...]string{"temporary table", "advisory lock", "cursor WITH HOLD", "PREPARE", "session parameters", "LOAD or other lasting state", "unknown state", "LISTEN", "currval", "replication"}

func (p pins) String() string {
	var words []string
	for i, w := range pinWords {
		if p&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}

// resettable is what DISCARD ALL takes away.
const resettable = pinTemp | pinAdvisory | pinHold | pinPrepared | pinSettings | pinUnknown | pinListen | pinSequence

const (
	// leaving marks the texts that may leave something on the server.
	leaving = lex.MarkTemp | lex.MarkAdvisory | lex.MarkHold | lex.MarkSetConfig | lex.MarkOpaque | lex.MarkSticky
	// pinning marks those that are likely to keep it: policies and limits are applied before they are sent.
	pinning = lex.MarkTemp | lex.MarkAdvisory | lex.MarkHold | lex.MarkSticky
)

// keeps tells whether the client keeps its server between transactions.
func (c *Client) keeps() bool { return c.mode == modeSession || c.pins != 0 }

// marksOf is what a text reveals by its words, and by what it calls in this database.
func (c *Client) marksOf(m lex.Marks, sql []byte) lex.Marks {
	called := c.pool.watched.functions.Load().Marks(sql)
	if called == 0 {
		return m
	}
	c.listens = c.listens || called&lex.MarkListen != 0
	c.marks |= called & lex.MarkPrepare
	return m | called&^lex.MarkPrepare
}

// suspect notes what a text that is about to be sent reveals. The error says that it is not to be sent.
func (c *Client) suspect(m lex.Marks, kind lex.Kind, sql []byte) *wire.Error {
	if m&lex.MarkDDL != 0 && m&lex.MarkTemp == 0 {
		c.ddl = true
		c.defaults = c.defaults || setsDefaults(sql)
	}
	if m&lex.MarkPath != 0 && kind != lex.SetLocal { // the ledger knows of SET LOCAL
		c.setPath(sql)
	}
	if c.mode == modeSession {
		return nil
	}
	likely := m & pinning
	if likely == lex.MarkTemp && lex.DropsOnCommit(sql) { // it is asked about all the same
		likely = 0
	}
	if (likely != 0 || kind == lex.Prepare) && c.busy.pipe.Status() != wire.TxFailed {
		if err := c.mayPin(m, kind); err != nil {
			return err
		}
	}
	if m&(lex.MarkSetConfig|lex.MarkOpaque) != 0 {
		names, ok := lex.SetConfigs(sql)
		called, all := c.pool.watched.functions.Load().SetConfigs(sql)
		c.configs = append(append(c.configs, names...), called...)
		c.anyConfig = c.anyConfig || !ok || !all
		if m&lex.MarkOpaque != 0 {
			c.configs = append(c.configs, lex.CustomSets(sql)...)
		}
	}
	if m&sequences != 0 {
		c.useSequences(m)
	}
	if m&lex.MarkListen != 0 && m&lex.MarkOpaque != 0 {
		c.listens = true
	}
	if c.pins != 0 {
		m &= leaving | lex.MarkEnds
	} else {
		m &= leaving
	}
	c.marks |= m
	return nil
}

// suspectCall is suspect for a FunctionCall, whose body begins with the function's OID. Nearly all are libpq's, of large objects, which leave nothing.
func (c *Client) suspectCall(body []byte) {
	if len(body) < 4 || !largeObject(binary.BigEndian.Uint32(body)) {
		_ = c.suspect(lex.MarkOpaque, lex.Other, nil) // which no policy refuses beforehand
	}
}

// largeObject tells whether a function is one of lo_open, loread and their like (PostgreSQL's src/include/catalog/pg_proc.dat).
func largeObject(oid uint32) bool {
	switch oid {
	case 715, 764, 765, 767, 952, 953, 954, 955, 956, 957, 958, 964, 1004, 3170, 3171, 3172, 3457, 3458, 3459, 3460:
		return true
	}
	return false
}

// mayPin applies pin_policy and max_pinned_servers before a statement that is likely to keep its server is sent.
func (c *Client) mayPin(m lex.Marks, kind lex.Kind) *wire.Error {
	conf := c.pool.settings()
	switch conf.PinPolicy {
	case config.PinOff:
		return nil
	case config.PinError:
		what := (m & pinning).String()
		if kind == lex.Prepare {
			what = "prepare"
		}
		err := wire.Errorf(wire.CodeFeatureNotSupported, "pin_policy = error: the statement leaves state in its session (%s), which would keep a server for this client alone", what)
		err.Hint = "Set pin_policy = pin for this database, use pool_mode = session, or do without the session state."
		return err
	}
	if c.pinSlot || c.pool.reservePin() {
		c.pinSlot = true
		return nil
	}
	return errTooManyPinned(conf.MaxPinned)
}

func errTooManyPinned(most int) *wire.Error {
	err := wire.Errorf(wire.CodeConfigurationLimitExceeded, "max_pinned_servers: %d servers of this pool are kept by their clients already, and this statement would keep another", most)
	err.Hint = "SHOW CLIENTS tells who keeps a server and why."
	return err
}

// reservePin counts one more client that keeps its server, if that may be.
func (p *Pool) reservePin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.totals.Pinned >= p.conf.MaxPinned {
		return false
	}
	p.totals.Pinned++
	return true
}

// freePin gives the client's place among those that keep their server back.
func (c *Client) freePin() {
	if c.pinSlot {
		c.pinSlot = false
		c.pool.count(func(t *metrics.Totals) { t.Pinned-- })
	}
}

// keepServer keeps the client on its server from now on. What it has done there cannot be carried to another. Where it may not keep it, the session ends: its state
// cannot be had any longer, and the client is told.
func (c *Client) keepServer(why pins) {
	s := c.busy
	s.pins |= why
	conf := c.pool.settings()
	if c.mode == modeSession || conf.PinPolicy == config.PinOff {
		return
	}
	if conf.PinPolicy == config.PinError {
		c.ending = wire.Fatalf(wire.CodeFeatureNotSupported, "pin_policy = error: a statement has left state in its session (%v), which is lost", why)
		return
	}
	if !c.pinSlot {
		if !c.pool.reservePin() {
			c.ending = errTooManyPinned(conf.MaxPinned)
			return
		}
		c.pinSlot = true
	}
	c.setPins(c.pins | why)
}

// setPins changes what keeps the client on its server.
func (c *Client) setPins(to pins) {
	if to != 0 && c.pins == 0 {
		c.pool.count(func(t *metrics.Totals) { t.Pins++ })
	}
	c.mu.Lock()
	c.pins = to
	c.mu.Unlock()
	if to == 0 {
		c.freePin()
	}
}
