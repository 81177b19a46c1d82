package admin

import (
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"poolerd/pool"
	"poolerd/pool/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 10 * time.Second // for what must happen at all

const settings = `
[databases]
shop = host=127.0.0.1 port=5999 dbname=shop_v2 user=keeper pool_size=7 pool_mode=session max_db_connections=9
* = host=127.0.0.1 port=5998
[users]
ann = pool_size=3 pool_mode=statement max_user_connections=4
[pgbouncer]
auth_type = trust
admin_users = root
stats_users = watcher
default_pool_size = 20
reserve_pool_size = 2
server_lifetime = 1800
`

func newPooler(t testing.TB) *pool.Pooler {
	t.Helper()
	conf, _, err := config.Parse("test.ini", []byte(settings))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pool.New(conf, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newConsole(t testing.TB) *Console {
	t.Helper()
	return newConsoleOf(newPooler(t), &fakeControl{}, "v9.8.7", func() error { return nil })
}

// client is the other end of a session.
type client struct {
	*pgproto3.Frontend
	t       *testing.T
	conn    net.Conn // the client's
	server  net.Conn // the console's
	session *pool.ConsoleSession
	served  chan error
	status  map[string]string // ParameterStatus
	key     key               // its cancel key
}

// connect opens a session and reads its welcome.
func connect(t *testing.T, c *Console, user string) *client {
	t.Helper()
	return connectAs(t, c, user, func(*pool.ConsoleSession) {})
}

func connectAs(t *testing.T, c *Console, user string, prepare func(*pool.ConsoleSession)) *client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(limit))
	x := &client{Frontend: pgproto3.NewFrontend(conn, conn), t: t, conn: conn, server: server, session: pool.NewConsoleSession(server, user), served: make(chan error, 1), status: map[string]string{}}
	prepare(x.session)
	go func() {
		err := c.Serve(x.session)
		_ = server.Close()
		x.served <- err
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		_ = server.Close()
	})
	x.welcome()
	return x
}

func (x *client) welcome() {
	x.t.Helper()
	if _, ok := x.next().(*pgproto3.AuthenticationOk); !ok {
		x.t.Fatal("the welcome does not begin with AuthenticationOk")
	}
	keyed := false
	for {
		switch m := x.next().(type) {
		case *pgproto3.ParameterStatus:
			x.status[m.Name] = m.Value
		case *pgproto3.BackendKeyData:
			keyed = len(m.SecretKey) == 4
			x.key = key{m.ProcessID, append([]byte{}, m.SecretKey...)}
		case *pgproto3.ReadyForQuery:
			if !keyed {
				x.t.Fatal("the welcome has no BackendKeyData with a key of 4 bytes")
			}
			return
		default:
			x.t.Fatalf("unexpected %T in the welcome", m)
		}
	}
}

func (x *client) next() pgproto3.BackendMessage {
	x.t.Helper()
	m, err := x.Receive()
	if err != nil {
		x.t.Fatalf("receive: %v", err)
	}
	return m
}

// end waits for Serve and gives its error.
func (x *client) end() error {
	x.t.Helper()
	select {
	case err := <-x.served:
		return err
	case <-time.After(limit):
		x.t.Fatal("Serve did not return")
		return nil
	}
}

// answer is the replies of one request up to ReadyForQuery.
type answer struct {
	types   string // of the messages, by their type bytes
	fields  []pgproto3.FieldDescription
	rows    [][][]byte
	tags    []string
	err     *pgproto3.ErrorResponse
	notices []*pgproto3.NoticeResponse
}

func (x *client) ask(messages ...pgproto3.FrontendMessage) answer {
	x.t.Helper()
	for _, m := range messages {
		x.Send(m)
	}
	if err := x.Flush(); err != nil {
		x.t.Fatal(err)
	}
	return x.answer()
}

func (x *client) query(sql string) answer {
	x.t.Helper()
	return x.ask(&pgproto3.Query{String: sql})
}

func (x *client) answer() answer {
	x.t.Helper()
	var a answer
	for {
		switch m := x.next().(type) {
		case *pgproto3.RowDescription:
			a.types += "T"
			a.fields = nil
			for _, f := range m.Fields {
				f.Name = append([]byte{}, f.Name...)
				a.fields = append(a.fields, f)
			}
		case *pgproto3.DataRow:
			a.types += "D"
			row := make([][]byte, len(m.Values))
			for i, v := range m.Values {
				if v != nil {
					row[i] = append([]byte{}, v...)
				}
			}
			a.rows = append(a.rows, row)
		case *pgproto3.CommandComplete:
			a.types += "C"
			a.tags = append(a.tags, string(m.CommandTag))
		case *pgproto3.ErrorResponse:
			a.types += "E"
			e := *m
			a.err = &e
		case *pgproto3.NoticeResponse:
			a.types += "N"
			n := *m
			a.notices = append(a.notices, &n)
		case *pgproto3.EmptyQueryResponse:
			a.types += "I"
		case *pgproto3.ParseComplete:
			a.types += "1"
		case *pgproto3.BindComplete:
			a.types += "2"
		case *pgproto3.CloseComplete:
			a.types += "3"
		case *pgproto3.NoData:
			a.types += "n"
		case *pgproto3.ParameterDescription:
			a.types += "t"
		case *pgproto3.PortalSuspended:
			a.types += "s"
		case *pgproto3.ReadyForQuery:
			a.types += "Z"
			if m.TxStatus != 'I' {
				x.t.Errorf("transaction status %c", m.TxStatus)
			}
			return a
		default:
			x.t.Fatalf("unexpected %T", m)
		}
	}
}

// texts gives a row as text, NULL as "NULL".
func texts(row [][]byte) []string {
	var all []string
	for _, v := range row {
		if v == nil {
			all = append(all, "NULL")
			continue
		}
		all = append(all, string(v))
	}
	return all
}
