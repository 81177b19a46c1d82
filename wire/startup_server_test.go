package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/postgres"
	"poolerd/wire"
)

// TestStartupAgainstServer sends initial packets to a real server, which must say what ReadStartup and ParseOptions say.
func TestStartupAgainstServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cluster, err := postgres.Start(ctx, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Stop(ctx); err != nil {
			t.Error(err)
		}
	}()
	address := net.JoinHostPort(cluster.Host(), fmt.Sprint(cluster.Port()))

	t.Run("packets", func(t *testing.T) {
		for _, c := range refused {
			typ, body := answer(t, ctx, address, c.in)
			e, err := wire.ParseError(body)
			if typ != wire.ServerErrorResponse || err != nil || e.Code != c.code || !strings.Contains(e.Message, c.message) || e.Severity != "FATAL" {
				t.Errorf("%s: the server answers %c %q", c.name, typ, body)
			}
		}
	})

	t.Run("negotiation", func(t *testing.T) {
		// The server is older than protocol 3.2: in what it is asked for beyond 3.0, its answer differs from ours in the version only.
		for _, params := range [][]wire.Param{
			{{"user", "postgres"}},
			{{"user", "postgres"}, {"_pq_.one", "1"}, {"_pq_.two", ""}},
		} {
			for _, v := range []wire.Version{wire.Version30, 3<<16 | 9999} {
				in := wire.AppendStartup(nil, v, params)
				s, err := wire.ReadStartup(bytes.NewReader(in))
				if err != nil {
					t.Fatal(err)
				}
				_, ours, fail := s.Negotiate()
				if fail != nil {
					t.Fatal(fail)
				}
				typ, body := answer(t, ctx, address, in)
				if len(ours) == 0 {
					if typ != wire.ServerAuthentication {
						t.Errorf("%v %v: the server answers %c %q", v, params, typ, body)
					}
					continue
				}
				if typ != ours[0] || len(body) < 4 || !bytes.Equal(body[4:], ours[wire.HeaderLen+4:]) || body[1] != 3 {
					t.Errorf("%v %v: the server answers %c %q, we %q", v, params, typ, body, ours)
				}
			}
		}
		// Before 3 an error was laid out differently, and so the server answers such clients.
		typ, body := answer(t, ctx, address, wire.AppendStartup(nil, 4<<16, []wire.Param{{"user", "postgres"}}))
		e, err := wire.ParseError(body)
		if typ != wire.ServerErrorResponse || err != nil || e.Code != wire.CodeFeatureNotSupported || e.Severity != "FATAL" {
			t.Errorf("4.0: the server answers %c %q", typ, body)
		}
	})

	t.Run("options", func(t *testing.T) {
		for _, c := range options {
			config, err := pgconn.ParseConfig(cluster.URL("postgres", "postgres"))
			if err != nil {
				t.Fatal(err)
			}
			config.RuntimeParams["options"] = c.in
			conn, err := pgconn.ConnectConfig(ctx, config)
			var refusal *pgconn.PgError
			if err != nil && !errors.As(err, &refusal) {
				t.Fatal(err)
			}
			if (c.want == nil) != (refusal != nil) {
				t.Errorf("%q: the server says %v", c.in, err)
			}
			if conn == nil {
				continue
			}
			for i, p := range c.want {
				if slices.ContainsFunc(c.want[i+1:], func(later wire.Param) bool { return later.Name == p.Name }) {
					continue // the last one counts
				}
				result := conn.ExecParams(ctx, "SELECT current_setting($1)", [][]byte{[]byte(p.Name)}, nil, nil, nil).Read()
				if result.Err != nil || string(result.Rows[0][0]) != p.Value {
					t.Errorf("%q: the server has %s = %q, %v", c.in, p.Name, result.Rows, result.Err)
				}
			}
			if err := conn.Close(ctx); err != nil {
				t.Error(err)
			}
		}
	})
}

// answer sends an initial packet and gives the first message that comes back.
func answer(t *testing.T, ctx context.Context, address string, packet []byte) (byte, []byte) {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(packet); err != nil {
		t.Fatal(err)
	}
	typ, body, err := wire.ReadMessage(conn, 10000)
	if err != nil {
		t.Fatalf("%q: %v", packet, err)
	}
	return typ, body
}
