package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"poolerd/bench/postgres"
	"poolerd/wire"
)

// welcome is what a server says to a startup packet, up to its ReadyForQuery or
// its error.
type welcome struct {
	types     string       // of the messages, without the ParameterStatus in between
	version   wire.Version // of a NegotiateProtocolVersion
	unknown   []string     // the options that it names
	pid       uint32
	secret    []byte
	sqlState  string
	parameter map[string]string
}

// greet opens a connection and logs in by hand.
func greet(t *testing.T, address string, v wire.Version, params ...string) (net.Conn, welcome) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	all := []wire.Param{{Name: "user", Value: "postgres"}, {Name: "database", Value: "fountain"}}
	for i := 0; i < len(params); i += 2 {
		all = append(all, wire.Param{Name: params[i], Value: params[i+1]})
	}
	if _, err := conn.Write(wire.AppendStartup(nil, v, all)); err != nil {
		t.Fatal(err)
	}
	w := welcome{parameter: map[string]string{}}
	for {
		typ, body, err := wire.ReadMessage(conn, 1<<20)
		if err != nil {
			t.Fatalf("%v %v: %v after %q", v, params, err, w.types)
		}
		if typ == wire.ServerParameterStatus {
			name, rest, _ := wire.CString(body)
			value, _, _ := wire.CString(rest)
			w.parameter[string(name)] = string(value)
			continue
		}
		w.types += string(typ)
		switch typ {
		case wire.ServerNegotiateProtocol:
			w.version = wire.Version(binary.BigEndian.Uint32(body))
			for rest := body[8:]; len(rest) > 0; {
				var name []byte
				name, rest, _ = wire.CString(rest)
				w.unknown = append(w.unknown, string(name))
			}
		case wire.ServerBackendKeyData:
			w.pid, w.secret = binary.BigEndian.Uint32(body), body[4:]
		case wire.ServerErrorResponse:
			w.sqlState = string(wire.ErrorCode(body))
			return conn, w
		case wire.ServerReadyForQuery:
			return conn, w
		}
	}
}

// TestProtocolVersions: what clients of other versions of the protocol, and with
// options that nobody knows, hear is what PostgreSQL itself says, but that
// poolerd speaks 3.2 where PostgreSQL before 18 speaks 3.0.
func TestProtocolVersions(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	logical := startCluster(t, postgres.Options{Settings: map[string]string{"wal_level": "logical"}, Sample: true})
	p := startPooler(t, options{cluster: logical})
	watch := observer(t, logical, "fountain")
	direct := fmt.Sprintf("%s:%d", logical.Host(), logical.Port())
	major, err := logical.Major()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		version wire.Version
		params  []string
		types   string // through poolerd
		own     string // PostgreSQL's before 18, where they differ
		settled wire.Version
		key     int
	}{
		{wire.Version30, nil, "RKZ", "", 0, 4},
		{wire.Version30, []string{"_pq_.one", "1", "_pq_.two", ""}, "vRKZ", "", wire.Version30, 4},
		{wire.Version32, nil, "RKZ", "vRKZ", 0, 32},
		{wire.Version32, []string{"_pq_.one", "1"}, "vRKZ", "", wire.Version32, 32},
		{3<<16 | 9, nil, "vRKZ", "", wire.Version32, 32},
		{3<<16 | 9999, []string{"_pq_.one", "1"}, "vRKZ", "", wire.Version32, 32},
		{wire.Version32, []string{"replication", "database"}, "RKZ", "vRKZ", 0, 32},
		{3<<16 | 9, []string{"replication", "true", "_pq_.one", ""}, "vRKZ", "", wire.Version32, 32},
		{4 << 16, nil, "E", "", 0, 0},
	} {
		name := fmt.Sprint(tc.version, tc.params)
		conn, got := greet(t, p.address(), tc.version, tc.params...)
		_, want := greet(t, direct, tc.version, tc.params...)
		if tc.own == "" || major >= 18 {
			tc.own = tc.types
		}
		if got.types != tc.types || want.types != tc.own {
			t.Errorf("%s: poolerd says %s, want %s; PostgreSQL says %s, want %s", name, got.types, tc.types, want.types, tc.own)
			continue
		}
		if got.version != tc.settled || len(got.secret) != tc.key || got.sqlState != want.sqlState {
			t.Errorf("%s: settled on %v with a key of %d bytes, SQLSTATE %q; want %v, %d, %q", name, got.version, len(got.secret), got.sqlState, tc.settled, tc.key, want.sqlState)
		}
		if strings.Contains(tc.types, "v") && strings.Join(got.unknown, " ") != strings.Join(want.unknown, " ") {
			t.Errorf("%s: unknown options %q, PostgreSQL's %q", name, got.unknown, want.unknown)
		}
		if fmt.Sprint(got.parameter) != fmt.Sprint(want.parameter) {
			t.Errorf("%s: reported\n%v\nPostgreSQL reports\n%v", name, got.parameter, want.parameter)
		}
		if len(tc.params) > 0 && tc.params[1] == "true" || tc.types == "E" {
			continue
		}
		cancelByHand(t, p, watch, conn, name, got)
	}
}

// cancelByHand cancels a query with the key of the welcome.
func cancelByHand(t *testing.T, p *pooler, watch *pgx.Conn, conn net.Conn, name string, w welcome) {
	t.Helper()
	text := "SELECT pg_sleep(60) /* " + name + " */"
	if _, err := conn.Write(wire.AppendQuery(nil, text)); err != nil {
		t.Fatal(err)
	}
	becomes(t, patience, watch, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '"+text+"'", "1")
	sendCancel(t, p, w.pid, w.secret)
	heard := ""
	for !strings.HasSuffix(heard, "Z") {
		typ, body, err := wire.ReadMessage(conn, 1<<20)
		if err != nil {
			t.Fatalf("%s: %v after %q", name, err, heard)
		}
		heard += string(typ)
		if typ == wire.ServerErrorResponse {
			heard += "(" + string(wire.ErrorCode(body)) + ")"
		}
	}
	if heard != "TE(57014)Z" {
		t.Errorf("%s: the cancelled query answers %s", name, heard)
	}
}
