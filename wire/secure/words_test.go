package secure

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func TestParseProtocols(t *testing.T) {
	tests := []struct {
		text            string
		lowest, highest uint16
		err             string
	}{
		{"", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"secure", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"default", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"all", tls.VersionTLS10, tls.VersionTLS13, ""},
		{"legacy", tls.VersionTLS10, tls.VersionTLS13, ""},
		{"tlsv1", tls.VersionTLS10, tls.VersionTLS12, ""},
		{"tlsv1.0", tls.VersionTLS10, tls.VersionTLS10, ""},
		{"TLSv1.3", tls.VersionTLS13, tls.VersionTLS13, ""},
		{"tlsv1.2, tlsv1.1", tls.VersionTLS11, tls.VersionTLS12, ""},
		{"tlsv1.2:tlsv1.3", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"!tlsv1.3", tls.VersionTLS10, tls.VersionTLS12, ""},
		{"all,!tlsv1.0,!tlsv1.1", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"tlsv1.1,tlsv1.3", 0, 0, "gap"},
		{"secure,!secure", 0, 0, "no version"},
		{"sslv3", 0, 0, `"sslv3" is none of`},
	}
	for _, test := range tests {
		lowest, highest, err := parseProtocols(test.text)
		if lowest != test.lowest || highest != test.highest || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%q: %x to %x, %v", test.text, lowest, highest, err)
		}
	}
}

func TestParseCiphers(t *testing.T) {
	const gcm256 = "ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384"
	tests := []struct{ text, want string }{ // want: names, "default" or "error: ..."
		{"", "default"},
		{"secure", "default"},
		{"Fast", "default"},
		{"normal", "default"},
		{"ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
		{"ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256,ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305 ECDHE-RSA-AES128-GCM-SHA256"},
		{"ECDHE+AESGCM+AES256", gcm256},
		{"EECDH+AES256:!SHA", gcm256},
		{"HIGH:!kRSA:!SHA1:!AES128:!CHACHA20:!aNULL:@STRENGTH", gcm256},
		{"kRSA+AESGCM:-AES128", "AES256-GCM-SHA384"},
		{"!AES128:ALL:!ECDHE:AES128", "AES256-GCM-SHA384 AES256-SHA"},
		{"AESGCM:-AESGCM:kRSA+AES256+SHA", "AES256-SHA"},
		{"HIGH:MEDIUM:+3DES:!aNULL:!ECDHE:!AES128", "AES256-GCM-SHA384 AES256-SHA"},
		{"RC4:DES-CBC3-SHA:DHE-RSA-AES256-SHA", "error: no ciphers"},
		{"ECDHE-RSA-AES512", "error: \"ECDHE-RSA-AES512\" is not known"},
		{"HIGH:!aNUL", "error: \"aNUL\" is not known"},
	}
	for _, test := range tests {
		ids, err := parseCiphers(test.text)
		var names []string
		for _, s := range suites {
			if slices.Contains(ids, s.id) {
				names = append(names, s.name)
			}
		}
		got := strings.Join(names, " ")
		switch {
		case err != nil:
			got = "error: " + err.Error()
		case ids == nil:
			got = "default"
		}
		if got != test.want && !(err != nil && strings.HasPrefix(got, test.want)) {
			t.Errorf("%q: %s, want %s", test.text, got, test.want)
		}
	}
	if ids, err := parseCiphers("all"); err != nil || len(ids) != len(suites) {
		t.Errorf("all: %d of %d, %v", len(ids), len(suites), err)
	}
}

// TestSuitesAreGos: each suite of the table is one of crypto/tls, under the name that goes with its parts.
func TestSuitesAreGos(t *testing.T) {
	all := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, c := range all {
		if slices.Contains(c.SupportedVersions, tls.VersionTLS13) || strings.Contains(c.Name, "RC4") || strings.Contains(c.Name, "3DES") {
			continue
		}
		i := slices.IndexFunc(suites[:], func(s suite) bool { return s.id == c.ID })
		if i < 0 {
			t.Errorf("%s is missing", c.Name)
			continue
		}
		name := strings.NewReplacer("TLS_RSA_WITH_", "", "TLS_", "", "_WITH_", "-", "AES_", "AES", "_CBC", "", "POLY1305_SHA256", "POLY1305", "_", "-").Replace(c.Name)
		if suites[i].name != name {
			t.Errorf("%s is called %s, want %s", c.Name, suites[i].name, name)
		}
	}
}

func TestParseCurves(t *testing.T) {
	if ids, err := parseCurves("prime256v1:X25519"); err != nil || !slices.Equal(ids, []tls.CurveID{tls.CurveP256, tls.X25519}) {
		t.Errorf("%v, %v", ids, err)
	}
	for _, text := range []string{"", "auto", "none"} {
		if ids, err := parseCurves(text); ids != nil || err != nil {
			t.Errorf("%q: %v, %v", text, ids, err)
		}
	}
}

// TestAgreed: what is agreed on is what the settings allow, and is described in OpenSSL's words. A choice among the suites of TLS 1.3 holds on the server's side also when the client
// has to send its offer again.
func TestAgreed(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server", "localhost")
	tests := []struct {
		server Settings
		client *tls.Config
		want   string // "" is a refusal
	}{
		{Settings{Protocols: "tlsv1.2", Ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384"}, &tls.Config{}, "TLSv1.2/ECDHE-ECDSA-AES256-GCM-SHA384"},
		{Settings{Protocols: "all", Ciphers: "ECDHE+AES128+SHA"}, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, "TLSv1/ECDHE-ECDSA-AES128-SHA"},
		{Settings{}, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, ""},
		{Settings{Protocols: "tlsv1.3"}, &tls.Config{MaxVersion: tls.VersionTLS12}, ""},
		{Settings{TLS13Ciphers: "TLS_CHACHA20_POLY1305_SHA256"}, &tls.Config{}, "TLSv1.3/TLS_CHACHA20_POLY1305_SHA256"},
		{Settings{TLS13Ciphers: "TLS_AES_256_GCM_SHA384"}, &tls.Config{}, "TLSv1.3/TLS_AES_256_GCM_SHA384"},
		{Settings{TLS13Ciphers: "TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256"}, &tls.Config{}, "TLSv1.3/TLS_AES_128_GCM_SHA256"},
		{Settings{TLS13Ciphers: "TLS_CHACHA20_POLY1305_SHA256", ECDHCurve: "prime256v1"}, &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}, "TLSv1.3/TLS_CHACHA20_POLY1305_SHA256"},
		{Settings{TLS13Ciphers: "TLS_CHACHA20_POLY1305_SHA256", Protocols: "tlsv1.2"}, &tls.Config{}, "TLSv1.2/ECDHE-ECDSA-AES128-GCM-SHA256"},
	}
	for _, test := range tests {
		s := test.server
		s.Mode, s.CertFile, s.KeyFile = Require, cert, key
		conf := test.client.Clone()
		conf.InsecureSkipVerify = true
		state, _, err, farErr := meet(t, mustServer(t, s), conf, false)
		if again := test.client.CurvePreferences != nil; state.HelloRetryRequest != again {
			t.Errorf("%+v: the offer was sent again: %v", test.server, state.HelloRetryRequest)
		}
		if got := Describe(state); got != test.want || (errors.Join(err, farErr) == nil) != (test.want != "") {
			t.Errorf("%+v: %q, want %q: %v, %v", test.server, got, test.want, err, farErr)
		}
	}
	client := mustClient(t, Settings{Mode: Require, TLS13Ciphers: "TLS_CHACHA20_POLY1305_SHA256"})
	if _, _, _, err := meet(t, mustServer(t, Settings{Mode: Require, CertFile: cert, KeyFile: key}), client.Config("localhost"), false); err == nil || !strings.Contains(err.Error(), "do not allow") {
		t.Errorf("a suite that server_tls13_ciphers leaves out: %v", err)
	}
	if _, _, _, err := meet(t, mustServer(t, Settings{Mode: Require, CertFile: cert, KeyFile: key, TLS13Ciphers: "TLS_CHACHA20_POLY1305_SHA256"}), client.Config("localhost"), false); err != nil {
		t.Error(err)
	}
}

// TestEndPoint: the hash is that of the certificate's signature, but never a broken one.
func TestEndPoint(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(by x509.SignatureAlgorithm) *x509.Certificate {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), SignatureAlgorithm: by}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	cert := signed(x509.ECDSAWithSHA256)
	if sum, err := EndPoint(cert); err != nil || string(sum) != string(sum256(cert.Raw)) {
		t.Errorf("SHA-256: %x, %v", sum, err)
	}
	cert.SignatureAlgorithm = x509.SHA1WithRSA
	if sum, err := EndPoint(cert); err != nil || string(sum) != string(sum256(cert.Raw)) {
		t.Errorf("SHA-1: %x, %v", sum, err)
	}
	cert = signed(x509.ECDSAWithSHA384)
	if sum, want := first(EndPoint(cert)), sha512.Sum384(cert.Raw); string(sum) != string(want[:]) {
		t.Errorf("SHA-384: %x", sum)
	}
	cert = signed(x509.ECDSAWithSHA512)
	if sum, want := first(EndPoint(cert)), sha512.Sum512(cert.Raw); string(sum) != string(want[:]) {
		t.Errorf("SHA-512: %x", sum)
	}
	if _, err := EndPoint(&x509.Certificate{PublicKey: ed25519.PublicKey{}, SignatureAlgorithm: x509.PureEd25519}); err == nil {
		t.Error("Ed25519 has a hash")
	}
}

func first(sum []byte, _ error) []byte { return sum }

func sum256(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}
