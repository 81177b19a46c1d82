package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// anyServer is a client's configuration that takes every certificate.
func anyServer(certs ...tls.Certificate) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, Certificates: certs}
}

// mustPair takes what authority.issue gives.
func mustPair(certFile, keyFile string) tls.Certificate {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		panic(err)
	}
	return pair
}

// TestServerModes: what each of the clients' modes asks of the client's certificate, and whose name is believed.
func TestServerModes(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.issue("server", "localhost")
	alice, mallory := mustPair(ours.issue("alice")), mustPair(theirs.issue("alice"))
	tests := []struct {
		mode  Mode
		ca    bool
		shown []tls.Certificate
		name  string
		ok    bool
	}{
		{Allow, false, nil, "", true},
		{Prefer, true, nil, "", true},
		{Require, false, nil, "", true},
		{Require, false, []tls.Certificate{mallory}, "", true}, // not asked for
		{Require, true, nil, "", true},
		{Require, true, []tls.Certificate{alice}, "alice", true},
		{Require, true, []tls.Certificate{mallory}, "", false},
		{VerifyCA, true, nil, "", false},
		{VerifyCA, true, []tls.Certificate{alice}, "alice", true},
		{VerifyCA, true, []tls.Certificate{mallory}, "", false},
		{VerifyFull, true, nil, "", false},
		{VerifyFull, true, []tls.Certificate{alice}, "alice", true},
	}
	for _, test := range tests {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			s := Settings{Mode: test.mode, CertFile: cert, KeyFile: key}
			if test.ca {
				s.CAFile = ours.file
			}
			conf := anyServer()
			conf.MaxVersion = version
			if test.shown != nil { // also where the server's list of authorities does not ask for this one
				conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &test.shown[0], nil }
			}
			state, _, err, farErr := meet(t, mustServer(t, s), conf, false)
			if ok := err == nil && farErr == nil; ok != test.ok {
				t.Errorf("%v, CA %v, %d certificates, %s: %v, %v", test.mode, test.ca, len(test.shown), tls.VersionName(version), err, farErr)
			}
			if name, ok := CommonName(state); name != test.name || ok != (name != "") {
				t.Errorf("%v, CA %v: named %q", test.mode, test.ca, name)
			}
		}
	}
}

// TestDirect: without an SSLRequest the client has to ask for PostgreSQL's protocol; with one it may, but for no other.
func TestDirect(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server")
	server := mustServer(t, Settings{Mode: Require, CertFile: cert, KeyFile: key})
	tests := []struct {
		direct bool
		protos []string
		ok     bool
	}{
		{true, []string{"postgresql"}, true},
		{true, nil, false},
		{true, []string{"http/1.1"}, false},
		{false, []string{"postgresql"}, true},
		{false, nil, true},
		{false, []string{"h2"}, false},
	}
	for _, test := range tests {
		conf := anyServer()
		conf.NextProtos = test.protos
		if _, _, err, _ := meet(t, server, conf, test.direct); (err == nil) != test.ok {
			t.Errorf("direct %v, %q: %v", test.direct, test.protos, err)
		}
	}
	client := mustClient(t, Settings{Mode: Require})
	if _, far, err, _ := meet(t, server, client.Config("localhost"), true); err != nil || far.NegotiatedProtocol != Protocol {
		t.Errorf("our own client: %q, %v", far.NegotiatedProtocol, err)
	}
}

// TestResumption: sessions are resumed, after a reload too as long as nothing has changed that they rest on.
func TestResumption(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server", "localhost")
	settings := Settings{Mode: VerifyCA, CertFile: cert, KeyFile: key, CAFile: a.file}
	alice := mustPair(a.issue("alice"))
	old := mustServer(t, settings)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conf := anyServer(alice)
		conf.MaxVersion, conf.ServerName, conf.ClientSessionCache = version, "localhost", tls.NewLRUClientSessionCache(1)
		resumed := func(server *Server) bool {
			t.Helper()
			state, far, err, farErr := meet(t, server, conf, false)
			if err := errors.Join(err, farErr); err != nil {
				t.Fatal(err)
			}
			if name, _ := CommonName(state); name != "alice" {
				t.Errorf("named %q", name)
			}
			return far.DidResume
		}
		if resumed(old) || !resumed(old) {
			t.Errorf("%s: the second connection is not resumed, or the first one is", tls.VersionName(version))
		}
		again := mustServer(t, settings)
		again.Inherit(old)
		if !resumed(again) {
			t.Errorf("%s: not resumed after a reload", tls.VersionName(version))
		}
		if stranger := mustServer(t, settings); resumed(stranger) {
			t.Errorf("%s: resumed with other keys", tls.VersionName(version))
		}
		if resumed(old); !resumed(old) {
			t.Fatal("no session")
		}
		changed := settings
		changed.CertFile, changed.KeyFile = a.issue("other", "localhost")
		other := mustServer(t, changed)
		if other.Inherit(old); resumed(other) {
			t.Errorf("%s: resumed under another certificate", tls.VersionName(version))
		}
	}
	var none *Server
	old.Inherit(none)
	mustServer(t, Settings{}).Inherit(old)
}

// TestTicketKeys: a new key a day, and the old ones are known for a week.
func TestTicketKeys(t *testing.T) {
	shared := new(tickets)
	u, v, c := ticketUser{tickets: shared}, ticketUser{tickets: shared}, new(tls.Config)
	now := time.Now()
	u.renew(c, now)
	oldest := shared.keys[0]
	for day := 1; day <= ticketKeys; day++ {
		v.renew(c, now.Add(time.Duration(day)*ticketKeyLife-time.Second))
		if len(shared.keys) != day || shared.keys[day-1] != oldest {
			t.Fatalf("day %d: %d keys", day, len(shared.keys))
		}
		u.renew(c, now.Add(time.Duration(day)*ticketKeyLife))
	}
	if len(shared.keys) != ticketKeys || shared.keys[ticketKeys-1] == oldest {
		t.Errorf("%d keys at the end", len(shared.keys))
	}
	if !v.made.Before(u.made) {
		t.Error("the other server has the newest key already")
	}
}

// TestHandshakeEnds: a client that says nothing is not waited for longer than the context lasts.
func TestHandshakeEnds(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server")
	server := mustServer(t, Settings{Mode: Require, CertFile: cert, KeyFile: key})
	near, _ := loopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := server.Handshake(ctx, near, false, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	near, far := loopback(t)
	_, _ = far.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	if _, err := server.Handshake(t.Context(), near, false, nil); err == nil {
		t.Error("HTTP is taken for TLS")
	}
	if _, err := mustServer(t, Settings{}).Handshake(t.Context(), near, false, nil); err == nil {
		t.Error("a handshake with TLS disabled")
	}
}

// TestFiles: what is wrong with files is told with the key that names them.
func TestFiles(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	cert, key := a.issue("server")
	_, wrong := b.issue("server")
	locked := a.write("locked", "ENCRYPTED PRIVATE KEY", []byte("x"))
	broken := a.write("broken", "CERTIFICATE", []byte("x"))
	text := filepath.Join(a.dir, "text")
	if err := os.WriteFile(text, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(a.dir, "missing")
	tests := []struct {
		s    Settings
		want []string
	}{
		{Settings{Mode: Require}, []string{"client_tls_key_file and client_tls_cert_file must be set"}},
		{Settings{Mode: Require, CertFile: cert}, []string{"client_tls_key_file"}},
		{Settings{Mode: VerifyCA, CertFile: cert, KeyFile: key}, []string{"verify-ca requires client_tls_ca_file"}},
		{Settings{Mode: Require, CertFile: missing, KeyFile: key}, []string{"client_tls_cert_file: ", missing}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: missing}, []string{"client_tls_key_file: ", missing}},
		{Settings{Mode: Require, CertFile: text, KeyFile: key}, []string{"client_tls_cert_file: ", "no certificate"}},
		{Settings{Mode: Require, CertFile: broken, KeyFile: key}, []string{"client_tls_cert_file: ", "cannot be read"}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: text}, []string{"client_tls_key_file: ", "no private key"}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: locked}, []string{"client_tls_key_file: ", "encrypted"}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: wrong}, []string{"client_tls_key_file: ", "does not go with client_tls_cert_file " + cert}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: key, CAFile: missing}, []string{"client_tls_ca_file: ", missing}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: key, CAFile: text}, []string{"client_tls_ca_file: ", "no certificate"}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: key, CAFile: "system"}, []string{"client_tls_ca_file: "}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: key, Protocols: "tlsv1.4"}, []string{`client_tls_protocols: "tlsv1.4"`}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: key, Ciphers: "nonsense"}, []string{`client_tls_ciphers: "nonsense"`, "ECDHE-RSA-AES256-GCM-SHA384"}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: key, TLS13Ciphers: "unknown"}, []string{"client_tls13_ciphers: failed to set the TLSv1.3 cipher suites"}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: key, ECDHCurve: "square"}, []string{`client_tls_ecdhcurve: "square"`}},
		{Settings{Mode: Require, CertFile: cert, KeyFile: key, DHEParams: "some"}, []string{`client_tls_dheparams: "some"`}},
	}
	for _, test := range tests {
		_, err := NewServer(test.s)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v:\n%v\nwant %q", test.s, err, want)
			}
		}
	}
	if _, err := NewClient(Settings{Mode: VerifyFull}); err != nil { // the system's authorities
		t.Error(err)
	}
	if _, err := NewClient(Settings{Mode: Require, CertFile: cert}); err == nil || !strings.Contains(err.Error(), "server_tls_key_file") {
		t.Error(err)
	}
}

// TestChain: intermediate certificates behind the server's own are shown.
func TestChain(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server", "localhost")
	leaf, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, append(leaf, root...), 0o600); err != nil {
		t.Fatal(err)
	}
	_, far, err, _ := meet(t, mustServer(t, Settings{Mode: Require, CertFile: cert, KeyFile: key}), anyServer(), false)
	if err != nil || len(far.PeerCertificates) != 2 {
		t.Errorf("%d certificates, %v", len(far.PeerCertificates), err)
	}
}

// TestClientConfig: where there is no TLS, and what a client of ours shows.
func TestClientConfig(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server", "localhost")
	mine, mineKey := a.issue("pooler")
	if mustClient(t, Settings{}).Config("h") != nil {
		t.Error("TLS with disable")
	}
	client := mustClient(t, Settings{Mode: VerifyFull, CAFile: a.file, CertFile: mine, KeyFile: mineKey})
	if client.Config("/var/run/postgresql") != nil || client.Config("@abstract") != nil {
		t.Error("TLS on a Unix socket")
	}
	server := mustServer(t, Settings{Mode: VerifyFull, CertFile: cert, KeyFile: key, CAFile: a.file})
	for i := range 2 {
		state, far, err, farErr := meet(t, server, client.Config("localhost"), false)
		if err := errors.Join(err, farErr); err != nil {
			t.Fatal(err)
		}
		if name, ok := CommonName(state); name != "pooler" || !ok {
			t.Errorf("named %q", name)
		}
		if far.DidResume != (i == 1) {
			t.Errorf("connection %d: resumed %v", i, far.DidResume)
		}
	}
	if _, err := NewClient(Settings{Mode: VerifyFull, CAFile: "system"}); err != nil {
		t.Error(err)
	}
}

// TestCommonName: of several names the first one counts, as for those who read certificates by OpenSSL; one with a zero byte is none.
func TestCommonName(t *testing.T) {
	commonNameType, organization := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 10}
	for _, test := range []struct {
		names []pkix.AttributeTypeAndValue
		want  string
	}{
		{nil, ""},
		{[]pkix.AttributeTypeAndValue{{Type: organization, Value: "alice"}}, ""},
		{[]pkix.AttributeTypeAndValue{{Type: organization, Value: "o"}, {Type: commonNameType, Value: "alice"}}, "alice"},
		{[]pkix.AttributeTypeAndValue{{Type: commonNameType, Value: "alice"}, {Type: commonNameType, Value: "postgres"}}, "alice"},
		{[]pkix.AttributeTypeAndValue{{Type: commonNameType, Value: ""}, {Type: commonNameType, Value: "postgres"}}, ""},
		{[]pkix.AttributeTypeAndValue{{Type: commonNameType, Value: "postgres\x00.example.org"}}, ""},
	} {
		var subject pkix.Name
		subject.ExtraNames = test.names
		der, err := asn1.Marshal(subject.ToRDNSequence())
		if err != nil {
			t.Fatal(err)
		}
		var read pkix.RDNSequence
		if _, err := asn1.Unmarshal(der, &read); err != nil {
			t.Fatal(err)
		}
		cert := &x509.Certificate{}
		cert.Subject.FillFromRDNSequence(&read)
		if got, ok := commonName(cert); ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%v: %q, %v", test.names, got, ok)
		}
	}
}
