package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Client is the client's side of TLS, towards PostgreSQL. What its files held when it was made holds; settings loaded anew make a new one.
type Client struct {
	settings Settings
	config   *tls.Config
	suites   suites13
}

// sessionsKept is of how many hosts a session is kept to be resumed: hosts of databases, and one a host.
const sessionsKept = 256

// NewClient loads what the server_tls_* keys name. Errors name the key. Without server_tls_ca_file the system's authorities count, as with PgBouncer.
func NewClient(s Settings) (*Client, error) {
	client := &Client{settings: s}
	if s.Mode == Disable {
		return client, nil
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		return nil, errors.New("server_tls_cert_file and server_tls_key_file go together: one of them is not set")
	}
	l := loader{prefix: "server_tls", settings: s}
	c, suites, err := l.config()
	if err != nil {
		return nil, err
	}
	c.ClientSessionCache = tls.NewLRUClientSessionCache(sessionsKept)
	c.InsecureSkipVerify = true // Config's VerifyConnection does, as far as the mode asks for it
	client.config, client.suites = c, suites
	return client, nil
}

// Config gives the configuration for a connection to host: a name, an address, or nothing. It is nil for Disable and for Unix sockets, which TLS is never used on. The
// connection that TLS is put on has to go through sock.Gate first, if it is to wait without a buffer.
func (c *Client) Config(host string) *tls.Config {
	if c.config == nil || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return nil
	}
	conf := c.config.Clone()
	conf.ServerName = host // crypto/tls tells the server only of names, not of addresses
	conf.VerifyConnection = func(state tls.ConnectionState) error { return c.verify(state, host) }
	return conf
}

// verify checks the certificate that a server shows as far as the mode asks for it, on resumed sessions too.
func (c *Client) verify(state tls.ConnectionState, host string) error {
	if err := c.suites.verify(state); err != nil {
		return err
	}
	if c.settings.Mode < VerifyCA {
		return nil
	}
	leaf := state.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: c.config.RootCAs, Intermediates: intermediates}); err != nil {
		return fmt.Errorf("certificate verify failed: %w", err)
	}
	if c.settings.Mode == VerifyFull {
		if err := verifyHost(leaf, host); err != nil {
			return fmt.Errorf("certificate verify failed: %w", err)
		}
	}
	return nil
}

// verifyHost checks that the certificate is for host. One that names no host in the modern way is taken by its common name, as libpq and PgBouncer do: PostgreSQL's own manual makes such
// certificates.
func verifyHost(leaf *x509.Certificate, host string) error {
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 {
		if name, ok := commonName(leaf); ok {
			named := *leaf
			if addr, err := netip.ParseAddr(name); err == nil {
				named.IPAddresses = append(named.IPAddresses, addr.AsSlice())
			} else {
				named.DNSNames = []string{name}
			}
			leaf = &named
		}
	}
	return leaf.VerifyHostname(host)
}
