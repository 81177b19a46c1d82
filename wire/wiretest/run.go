package wiretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"poolerd/wire"
)

// Options say where and how a script runs.
type Options struct {
	// Dial connects to the server or pooler. It is needed.
	Dial func(ctx context.Context) (net.Conn, error)

	// User and Database are what connect sends; "" means authenticator and fountain.
	User, Database string

	// Patience bounds each line; 0 means 10 s.
	Patience time.Duration

	// Portable leaves out of the transcript what only some versions of PostgreSQL say (some parameters, the context of errors), so that
	// it can be compared with one that was made with another version.
	Portable bool
}

// Run sends a script and returns it with the replies that came. An error means that the script is wrong, or that something did not happen
// in time; what came until then is returned with it. An ErrorResponse and the end of a connection are replies.
func Run(ctx context.Context, s Script, o Options) (string, error) {
	if o.User == "" {
		o.User = "authenticator"
	}
	if o.Database == "" {
		o.Database = "fountain"
	}
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	lines, err := s.lines()
	if err != nil {
		return "", err
	}
	r := &runner{options: o, lets: map[string]string{}, clients: map[string]*client{}}
	r.transcript.portable = o.Portable
	defer r.end()
	for i, l := range lines {
		r.transcript.line(l.text)
		if err := r.line(ctx, l, waits(l.conn, lines[i+1:])); err != nil {
			return r.transcript.text(), fmt.Errorf("%s.txt:%d: %w", s.Name, l.number, err)
		}
	}
	return r.transcript.text(), nil
}

// waits tells whether the next command, if it is of the same connection, says what to wait for.
func waits(conn string, next []line) bool {
	for _, l := range next {
		if l.conn != "" {
			return l.conn == conn && l.verb == "wait"
		}
	}
	return false
}

type runner struct {
	options    Options
	transcript transcript
	lets       map[string]string
	clients    map[string]*client
}

func (r *runner) end() {
	for _, c := range r.clients {
		c.end()
	}
}

// line carries out one line. told means that the next one says what to wait for.
func (r *runner) line(ctx context.Context, l line, told bool) error {
	if l.verb == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.options.Patience)
	defer cancel()
	w := &words{rest: l.args, lets: r.lets}
	if l.verb == "let" {
		return w.let()
	}
	if l.verb == verbDiffers || l.verb == verbInstead { // what Compare reads
		return nil
	}
	c, known := r.clients[l.conn]
	if known == (l.verb == "connect") {
		return fmt.Errorf("%s: must be connected once, before anything else", l.conn)
	}
	var err error
	switch l.verb {
	case "connect":
		err = r.connect(ctx, l.conn, w)
	case ">":
		err = r.send(ctx, c, w, told)
	case "wait":
		err = r.wait(ctx, c, w)
	case "pause":
		err = pause(ctx, w)
	case "await":
		err = r.await(ctx, c, w)
	case "cancel":
		err = r.cancel(ctx, c, w)
	case "close":
		delete(r.clients, l.conn)
		c.end()
	default:
		return fmt.Errorf("%q is no command", l.verb)
	}
	if err == nil && !w.done() {
		err = fmt.Errorf("too much: %.20q", w.rest)
	}
	return err
}

// send sends the messages of a line and waits for what they ask for.
func (r *runner) send(ctx context.Context, c *client, w *words, told bool) error {
	f, err := readFlight(w)
	if err != nil {
		return err
	}
	if err := c.write(ctx, f.bytes); err != nil {
		return err
	}
	if c.owes != nil {
		c.owes.asked(f.bytes)
	}
	c.owed += f.syncs
	if told || f.syncs == 0 && !f.copyEnd {
		return nil
	}
	for c.owed > 0 {
		typ, err := r.reply(ctx, c)
		if err != nil {
			return orEnd(err)
		}
		if typ == wire.ServerCopyInResponse && !f.copyEnd {
			return nil
		}
	}
	return nil
}

// orEnd: that a server closes is a reply.
func orEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// reply takes the next message, or the end of the connection, into the transcript.
func (r *runner) reply(ctx context.Context, c *client) (byte, error) {
	m, err := c.next(ctx)
	if errors.Is(err, io.EOF) {
		r.transcript.line(c.name + " EOF")
	}
	if err != nil {
		return 0, err
	}
	r.transcript.reply(c.name, m)
	c.noteKey(m)
	if c.owes != nil {
		c.owes.came(m)
	}
	if m[0] == wire.ServerReadyForQuery && c.owed > 0 {
		c.owed--
	}
	return m[0], nil
}

func (r *runner) wait(ctx context.Context, c *client, w *words) error {
	what, err := w.word()
	if err != nil {
		return err
	}
	switch what {
	case "nothing":
		return nil
	case "answers":
		return r.waitAnswers(ctx, c)
	case "eof":
		for {
			if _, err := r.reply(ctx, c); err != nil {
				return orEnd(err)
			}
		}
	}
	times := uint32(1)
	if !w.done() {
		if times, err = w.number(); err != nil {
			return err
		}
	}
	if len(what) != 1 {
		return fmt.Errorf("%q is not the byte of a message", what)
	}
	for times > 0 {
		typ, err := r.reply(ctx, c)
		if err != nil {
			return err
		}
		if typ == what[0] {
			times--
		}
	}
	if what[0] == wire.ServerReadyForQuery {
		c.owed = 0 // the script knows better how many come
	}
	return nil
}

// connect opens a session.
func (r *runner) connect(ctx context.Context, name string, w *words) error {
	conn, err := r.options.Dial(ctx)
	if err != nil {
		return err
	}
	c := newClient(name, conn)
	welcome, err := r.startup(ctx, c, w)
	if err != nil {
		_ = conn.Close()
		return err
	}
	r.clients[name] = c
	r.transcript.silent = !welcome
	defer func() { r.transcript.silent = false }()
	go c.read()
	for {
		typ, err := r.reply(ctx, c)
		if err != nil {
			return orEnd(err)
		}
		if typ == wire.ServerReadyForQuery {
			c.owes = newAnswers()
			return nil
		}
	}
}

// startup sends the startup message. welcome tells that its answer is to be shown whole.
func (r *runner) startup(ctx context.Context, c *client, w *words) (welcome bool, err error) {
	params := []wire.Param{{Name: "user", Value: r.options.User}, {Name: "database", Value: r.options.Database}}
	for !w.done() {
		name, value, isParam := strings.Cut(bareWord.FindString(w.rest), "=")
		w.rest = w.rest[len(name):]
		switch {
		case isParam:
			w.rest = w.rest[1:]
			if w.rest != "" && (w.rest[0] == '"' || w.rest[0] == '`') {
				if value, err = w.string(); err != nil {
					return false, err
				}
			} else {
				w.rest = w.rest[len(value):]
			}
			params = withParam(params, name, value)
		case name == "ssl":
			if err := r.requestTLS(ctx, c); err != nil {
				return false, err
			}
		case name == "welcome":
			welcome = true
		default:
			return false, fmt.Errorf("want ssl, welcome or NAME=STRING, not %q", name)
		}
	}
	return welcome, c.write(ctx, wire.AppendStartup(nil, wire.Version30, params))
}

// withParam adds a parameter, or changes the user or the database.
func withParam(params []wire.Param, name, value string) []wire.Param {
	for i := range params[:2] {
		if params[i].Name == name {
			params[i].Value = value
			return params
		}
	}
	return append(params, wire.Param{Name: name, Value: value})
}

func (r *runner) requestTLS(ctx context.Context, c *client) error {
	if err := c.write(ctx, wire.AppendSSLRequest(nil)); err != nil {
		return err
	}
	if err := c.refusal(ctx); err != nil {
		return fmt.Errorf("SSLRequest: %w", err)
	}
	r.transcript.line(c.name + " SSLRequest refused")
	return nil
}

// cancel sends a CancelRequest. That the server closes its connection means that it has passed the request on (PostgreSQL's documentation, "Canceling
// Requests in Progress").
func (r *runner) cancel(ctx context.Context, c *client, w *words) error {
	key := append([]byte(nil), c.key...)
	if len(key) == 0 {
		return fmt.Errorf("%s got no key", c.name)
	}
	if !w.done() {
		if word, err := w.word(); err != nil || word != "wrong" {
			return fmt.Errorf("want nothing or wrong behind cancel")
		}
		key[len(key)-1] ^= 1
	}
	conn, err := r.options.Dial(ctx)
	if err != nil {
		return err
	}
	side := newClient(c.name, conn)
	defer conn.Close()
	if err := side.write(ctx, wire.AppendCancelRequest(nil, c.pid, key)); err != nil {
		return err
	}
	go side.read()
	m, err := side.next(ctx)
	if err == nil {
		return fmt.Errorf("the server answers a CancelRequest with %s", strconv.Quote(string(m)))
	}
	return orEnd(err)
}

// await runs a query until it says true.
func (r *runner) await(ctx context.Context, c *client, w *words) error {
	sql, err := w.string()
	if err != nil {
		return err
	}
	for {
		if err := c.write(ctx, wire.AppendQuery(nil, sql)); err != nil {
			return err
		}
		var last []byte
		for typ := byte(0); typ != wire.ServerReadyForQuery; {
			m, err := c.next(ctx)
			if err != nil {
				return fmt.Errorf("%w; the last answer of %q was %q", err, sql, last)
			}
			if typ = m[0]; typ == wire.ServerErrorResponse {
				return fmt.Errorf("%q: %q", sql, m)
			}
			if typ == wire.ServerDataRow {
				last = m[wire.HeaderLen:]
			}
		}
		if string(last) == "\x00\x01\x00\x00\x00\x01t" {
			return nil
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%q did not become true: %w", sql, context.Cause(ctx))
		}
	}
}
