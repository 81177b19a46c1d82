package pool

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
)

// loginHouse is a pooler for tests of logins: over TCP and a Unix socket, with its log.
type loginHouse struct {
	t      *testing.T
	pooler *Pooler
	conf   *config.Config
	tcp    string
	unix   string
	log    *logBook
	dir    string
}

// openHouse starts a pooler that holds up no failed login. change gets the settings and a folder for files, prepare the pooler before it serves.
func openHouse(t *testing.T, upstream string, change func(c *config.Config, dir string), prepare ...func(*Pooler)) *loginHouse {
	t.Helper()
	h := &loginHouse{t: t, log: &logBook{}, dir: t.TempDir()}
	h.conf = h.settings(upstream, change)
	var err error
	if h.pooler, err = New(h.conf, zerolog.New(h.log)); err != nil {
		t.Fatal(err)
	}
	h.pooler.slowdown = nil
	for _, f := range prepare {
		f(h.pooler)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	local, err := net.Listen("unix", filepath.Join(h.dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	h.tcp, h.unix = tcp.Addr().String(), h.dir
	over := make(chan error, 1)
	go func() { over <- h.pooler.Serve(tcp, local) }()
	t.Cleanup(func() {
		h.pooler.Close()
		select {
		case err := <-over:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the pooler did not end within 10 s of Close")
		}
	})
	return h
}

func (h *loginHouse) settings(upstream string, change func(c *config.Config, dir string)) *config.Config {
	h.t.Helper()
	c := config.Defaults()
	c.AuthType, c.WatchFunctions = config.AuthTrust, 0
	c.LogConnections, c.LogDisconnections, c.LogPoolerErrors = true, true, true
	if err := config.ApplyUpstream(c, upstream, config.Origin{}); err != nil {
		h.t.Fatal(err)
	}
	c.Upstream = config.Upstream{} // users come from auth_file
	if change != nil {
		change(c, h.dir)
	}
	return c
}

// file writes a file in a folder, and gives its path.
func file(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// logIn logs in with pgconn, and gives the error that the pooler answered; nil when it came in. settings are libpq's, "user=u password=p"; host and port are added.
func (h *loginHouse) logIn(settings string) *pgconn.PgError {
	h.t.Helper()
	if !strings.Contains(settings, "host=") {
		host, port, _ := net.SplitHostPort(h.tcp)
		settings += " host=" + host + " port=" + port
	}
	if !strings.Contains(settings, "sslmode=") {
		settings += " sslmode=disable"
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	conn, err := pgconn.Connect(ctx, settings)
	if err != nil {
		refused := new(pgconn.PgError)
		if !errors.As(err, &refused) {
			h.t.Fatalf("%s: %v\n%s", settings, err, h.log)
		}
		return refused
	}
	_ = conn.Close(ctx)
	return nil
}

// expect logs in, and wants a text in the answer or, when it is empty, success.
func (h *loginHouse) expect(settings, answer string) {
	h.t.Helper()
	err := h.logIn(settings)
	switch {
	case err == nil && answer != "":
		h.t.Errorf("%s: came in", settings)
	case err != nil && (answer == "" || !strings.Contains(err.Message+"\n"+err.Detail, answer)):
		h.t.Errorf("%s: %s (%s; %s), want %q", settings, err.Message, err.Code, err.Detail, answer)
	}
}

// dial opens a connection, and sends bytes.
func (h *loginHouse) dial(b []byte) net.Conn {
	h.t.Helper()
	nc, err := net.Dial("tcp", h.tcp)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := nc.Write(b); err != nil {
		h.t.Fatal(err)
	}
	return nc
}

// readError reads the error that comes next.
func readError(t *testing.T, nc net.Conn) wire.Error {
	t.Helper()
	typ, body, err := wire.ReadMessage(nc, 1<<16)
	if err != nil || typ != wire.ServerErrorResponse {
		t.Fatalf("got %q, %v, want an error", typ, err)
	}
	e, err := wire.ParseError(body)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// startup makes a startup packet of names and values in turn.
func startup(params ...string) []byte {
	var list []wire.Param
	for i := 0; i < len(params); i += 2 {
		list = append(list, wire.Param{Name: params[i], Value: params[i+1]})
	}
	return wire.AppendStartup(nil, wire.Version30, list)
}

// TestOptionsRefused: what is wrong with the startup parameter options is told once, without a severity in the middle.
func TestOptionsRefused(t *testing.T) {
	h := openHouse(t, startFake(t).url(), func(c *config.Config, _ string) { c.AuthType = config.AuthTrust })
	err := h.logIn("dbname=d user=plain options='-c foo'")
	if err == nil || err.Code != "22023" || err.Message != `startup parameter "options": "foo" is not name=value` {
		t.Errorf("%+v", err)
	}
}
