package secure

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

// loader makes crypto/tls's configuration of one side's settings.
type loader struct {
	prefix   string // of the keys, for errors
	settings Settings
}

// errorf makes an error that begins with a key of the configuration.
func (l loader) errorf(key, format string, args ...any) error {
	return fmt.Errorf("%s_%s: %w", l.prefix, key, fmt.Errorf(format, args...))
}

// config gives what both sides have in common; the authorities are RootCAs.
func (l loader) config() (*tls.Config, suites13, error) {
	s := l.settings
	// A record a write: the peers read whole messages, so that small first records would gain nothing and cost a system call each.
	c := &tls.Config{NextProtos: []string{Protocol}, DynamicRecordSizingDisabled: true}
	var suites suites13
	var err error
	if c.MinVersion, c.MaxVersion, err = parseProtocols(s.Protocols); err != nil {
		return nil, nil, l.errorf("protocols", "%w", err)
	}
	if c.CipherSuites, err = parseCiphers(s.Ciphers); err != nil {
		return nil, nil, l.errorf("ciphers", "%w", err)
	}
	if c.MaxVersion == tls.VersionTLS13 {
		if suites, err = parseSuites13(s.TLS13Ciphers); err != nil {
			return nil, nil, fmt.Errorf("%s13_ciphers: %w", l.prefix, err)
		}
	}
	if c.CurvePreferences, err = parseCurves(s.ECDHCurve); err != nil {
		return nil, nil, l.errorf("ecdhcurve", "%w", err)
	}
	switch strings.ToLower(s.DHEParams) {
	case "", "auto", "none", "legacy":
	default:
		return nil, nil, l.errorf("dheparams", "%q is none of auto, none and legacy", s.DHEParams)
	}
	if c.RootCAs, err = l.authorities(); err != nil {
		return nil, nil, err
	}
	if s.CertFile != "" {
		pair, err := l.keyPair()
		if err != nil {
			return nil, nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, suites, nil
}

// authorities loads the CA file: nil where none is set.
func (l loader) authorities() (*x509.CertPool, error) {
	file := l.settings.CAFile
	switch {
	case file == "":
		return nil, nil
	case file == "system" && l.prefix == "server_tls":
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, l.errorf("ca_file", "load the system's authorities: %w", err)
		}
		return pool, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, l.errorf("ca_file", "%w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, l.errorf("ca_file", "%s holds no certificate in PEM format", file)
	}
	return pool, nil
}

// keyPair loads the certificate, with the intermediate ones that follow it, and its key.
func (l loader) keyPair() (tls.Certificate, error) {
	s := l.settings
	cert, err := os.ReadFile(s.CertFile)
	if err != nil {
		return tls.Certificate{}, l.errorf("cert_file", "%w", err)
	}
	if err := checkCertificates(cert); err != nil {
		return tls.Certificate{}, l.errorf("cert_file", "%s %w", s.CertFile, err)
	}
	key, err := os.ReadFile(s.KeyFile)
	if err != nil {
		return tls.Certificate{}, l.errorf("key_file", "%w", err)
	}
	defer clear(key)
	if err := checkKey(key); err != nil {
		return tls.Certificate{}, l.errorf("key_file", "%s %w", s.KeyFile, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, l.errorf("key_file", "%s does not go with %s_cert_file %s: %w", s.KeyFile, l.prefix, s.CertFile, err)
	}
	return pair, nil
}

func checkCertificates(text []byte) error {
	found := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("holds a certificate that cannot be read: %w", err)
		}
		found = true
	}
	if !found {
		return errors.New("holds no certificate in PEM format")
	}
	return nil
}

// checkKey tells of an encrypted key, which nobody is there to give the password of.
func checkKey(text []byte) error {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return errors.New("is encrypted with a password: decrypt it (openssl pkey -in FILE -out NEW)")
		case block.Type == "PRIVATE KEY", strings.HasSuffix(block.Type, " PRIVATE KEY"):
			return nil
		}
	}
	return errors.New("holds no private key in PEM format")
}
