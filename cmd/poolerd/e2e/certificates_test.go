package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates. It and what it signs are files of a folder that goes with the test.
type authority struct {
	dir  string
	file string // its own certificate, PEM
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificate is the files of one certificate and its key, PEM.
type certificate struct{ cert, key string }

// newAuthority makes one whose signatures are by curve: SHA-256 with P-256, SHA-384 with P-384.
func newAuthority(t *testing.T, name string, curve elliptic.Curve) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{dir: openFolder(t), key: key}
	a.cert = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, nil, key)
	a.file = filepath.Join(a.dir, name+".crt")
	writePEM(t, a.file, "CERTIFICATE", a.cert.Raw)
	return a
}

// sign makes a certificate of key. Without a parent it is the authority's own.
func (a *authority) sign(t *testing.T, template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-48 * time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// issue signs a certificate of commonName, a server's where it names hosts; its files are called file.
func (a *authority) issue(t *testing.T, file, commonName string, hosts ...string) certificate {
	t.Helper()
	return a.issueUntil(t, time.Time{}, file, commonName, hosts...)
}

// issueUntil is issue with an end: the zero time is an hour from now.
func (a *authority) issueUntil(t *testing.T, end time.Time, file, commonName string, hosts ...string) certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: commonName}, NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	cert := a.sign(t, template, a.cert, key)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := certificate{filepath.Join(a.dir, file+".crt"), filepath.Join(a.dir, file+".key")}
	writePEM(t, c.cert, "CERTIFICATE", cert.Raw)
	writePEM(t, c.key, "PRIVATE KEY", pkcs8)
	return c
}

// writePEM makes a file that only this user may read: libpq takes no other key.
func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pkcs8 is the key as pgjdbc takes it beside a certificate of PEM: DER.
func (c certificate) pkcs8(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(c.key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	path := c.key + ".pk8"
	if err := os.WriteFile(path, block.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pkcs12 is the certificate and its key in one file with a password, as Java's programs like it.
func (c certificate) pkcs12(t *testing.T, password string) string {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		unavailable(t, err)
	}
	path := c.cert + ".p12"
	runClient(t, patience, openssl, "pkcs12", "-export", "-name", "user", "-in", c.cert, "-inkey", c.key, "-out", path, "-passout", "pass:"+password)
	return path
}
