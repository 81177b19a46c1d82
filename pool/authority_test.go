package pool

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// authority signs certificates for one test.
type authority struct {
	t    testing.TB
	dir  string
	name string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), name: name}
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.key, a.cert = a.make(template, name)
	a.save(name+".crt", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }
func (a *authority) root() string            { return a.file(a.name + ".crt") }

func (a *authority) make(template *x509.Certificate, name string) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	template.Subject = pkix.Name{CommonName: name}
	key, cert, err := certify(template, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

// issue writes name.crt and name.key.
func (a *authority) issue(name string, addresses ...net.IP) {
	a.t.Helper()
	key, cert := a.make(&x509.Certificate{DNSNames: []string{name}, IPAddresses: addresses, KeyUsage: x509.KeyUsageDigitalSignature}, name)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.save(name+".crt", "CERTIFICATE", cert.Raw)
	a.save(name+".key", "PRIVATE KEY", raw)
}

func (a *authority) save(name, kind string, raw []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// certify makes a key and a certificate of it, good for an hour, that parent signs, or, when that is nil, itself.
func certify(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent, signer = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	return key, cert, err
}

// selfSigned is a certificate for whoever verifies none.
var selfSigned = sync.OnceValue(func() *tls.Config {
	key, cert, err := certify(&x509.Certificate{}, nil, nil)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
})
