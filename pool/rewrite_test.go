package pool

import (
	"bytes"
	"testing"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/pool/vars"
	"poolerd/wire"
)

// rewriter is a client with a server, without sockets: what it was given to relay can be looked at.
func rewriter(t testing.TB) *Client {
	t.Helper()
	conf := config.Defaults()
	conf.AuthType = config.AuthTrust
	conf.LogPoolerErrors = false
	p, err := New(conf, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	pool := &Pool{watched: newWatched(), pooler: p, space: vars.NewSpace()}
	s := &Server{id: 1, pool: pool, stmts: p.statements.NewServer(), vars: pool.space.Empty()}
	s.pipe.Reset()
	c := &Client{id: 2, pooler: p, pool: pool, names: p.statements.NewClient(), busy: s}
	c.base = pool.space.Empty()
	c.vars = c.base
	return c
}

// sentBy gives what the messages in the client's buffer become.
func sentBy(c *Client, in []byte) []byte {
	c.in = buffer{b: in, w: len(in)}
	for c.left == "" && c.in.len() > 0 && c.body == 0 && c.in.b[c.in.r] != wire.ClientTerminate { // which waits for the server
		if !c.relayMessage() {
			break
		}
	}
	out := append([]byte(nil), c.outgoing()...)
	if len(out) == 0 {
		out = append(out, c.span...)
	}
	c.out, c.span = nil, nil
	return out
}

func TestRewrite(t *testing.T) {
	c := rewriter(t)
	out := sentBy(c, parse("0", "SELECT 1"))
	st, ok := c.names.Get([]byte("0"))
	if !ok {
		t.Fatal("the name is lost")
	}
	if want := wire.AppendEmpty(wire.AppendParse(nil, st.Name, wire.ParseTail("SELECT 1")), wire.ClientSync); !bytes.Equal(out, want) {
		t.Errorf("Parse: %q", out)
	}
	bind := []byte("B\x00\x00\x00\x20portal\x000\x00\x00\x01\x00\x01\x00\x02\x00\x00\x00\x01xabcdefgh")
	bind[4] = byte(len(bind) - 1)
	want := append([]byte("B\x00\x00\x00\x00portal\x00"+st.Name+"\x00"), bind[14:]...)
	want[4] = byte(len(want) - 1)
	if out := sentBy(c, bytes.Clone(bind)); !bytes.Equal(out, want) {
		t.Errorf("Bind:\n%q, want\n%q", out, want)
	}
	if out := sentBy(c, wire.AppendDescribe(nil, 'S', "0")); !bytes.Equal(out, wire.AppendDescribe(nil, 'S', st.Name)) {
		t.Errorf("Describe: %q", out)
	}
	if out := sentBy(c, wire.AppendClose(nil, 'S', "0")); len(out) != 0 {
		t.Errorf("Close of a name went to the server: %q", out)
	}
	for _, m := range [][]byte{wire.AppendQuery(nil, "SELECT 1"), wire.AppendDescribe(nil, 'P', "0"), wire.AppendClose(nil, 'P', "0"), wire.AppendExecute(nil, "0")} {
		if out := sentBy(c, bytes.Clone(m)); !bytes.Equal(out, m) {
			t.Errorf("%q became %q", m, out)
		}
	}
}

// FuzzRewrite: whatever a client sends, what reaches the server is whole messages whose lengths are right, and of a Bind only the statement's name differs.
func FuzzRewrite(f *testing.F) {
	f.Add(append(parse("0", "SELECT 1"), prepared("0")...))
	f.Add(append(unprepared("SELECT 1"), wire.AppendClose(nil, 'S', "0")...))
	f.Add([]byte("B\x00\x00\x00\x06ab"))
	f.Add([]byte("P\x00\x00\x00\x04"))
	f.Add([]byte("D\x00\x00\x00\x05S"))
	f.Add([]byte("C\x00\x00\x00\x05S"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := rewriter(t)
		sentBy(c, parse("0", "SELECT 1"))
		nc := &discardConn{}
		c.conn = nc.sock()
		st, _ := c.names.Get([]byte("0"))
		whole := bytes.Clone(in)
		out := sentBy(c, bytes.Clone(in))
		for b := out; len(b) > 0; {
			if len(b) < wire.HeaderLen {
				t.Fatalf("%q became %q", in, out)
			}
			_, size, ok := wire.Header(b)
			if !ok || len(b) < size && c.body == 0 {
				t.Fatalf("%q became %q, with a broken message", in, out)
			}
			if len(b) < size {
				break // the rest is passed on as it comes
			}
			b = b[size:]
		}
		if _, size, ok := headerOf(whole); ok && size == len(whole) && whole[0] == wire.ClientBind && c.left == "" {
			portal, rest, ok := wire.CString(whole[wire.HeaderLen:])
			if !ok {
				return
			}
			name, tail, ok := wire.CString(rest)
			if ok && string(name) == "0" {
				want := append(append(append([]byte(nil), portal...), 0), st.Name...)
				want = append(append(want, 0), tail...)
				if len(out) < wire.HeaderLen || !bytes.HasSuffix(out, want) {
					t.Fatalf("Bind %q became %q", in, out)
				}
			}
		}
	})
}

func headerOf(b []byte) (byte, int, bool) {
	if len(b) < wire.HeaderLen {
		return 0, 0, false
	}
	return wire.Header(b)
}
