package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"poolerd/wire/sock"
)

// Server is the server's side of TLS, towards clients. Its certificate and its authorities are those that the files held when it was made: settings loaded anew make a new one.
type Server struct {
	settings Settings
	config   *tls.Config
	suites   suites13
	tickets  ticketUser
	endPoint []byte
}

// NewServer loads what the client_tls_* keys name. Errors name the key. With Disable there is nothing to load, and Handshake refuses.
func NewServer(s Settings) (*Server, error) {
	server := &Server{settings: s}
	if s.Mode == Disable {
		return server, nil
	}
	l := loader{prefix: "client_tls", settings: s}
	if s.KeyFile == "" || s.CertFile == "" {
		return nil, errors.New("to allow TLS connections from clients, client_tls_key_file and client_tls_cert_file must be set")
	}
	if s.Mode >= VerifyCA && s.CAFile == "" {
		return nil, fmt.Errorf("client_tls_sslmode = %v requires client_tls_ca_file", s.Mode)
	}
	c, suites, err := l.config()
	if err != nil {
		return nil, err
	}
	c.ClientCAs = c.RootCAs
	c.RootCAs = nil
	switch {
	case s.Mode >= VerifyCA:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case s.CAFile != "":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	server.config, server.suites = c, suites
	if suites.restricted() {
		c.GetConfigForClient = suites.steer
	}
	c.VerifyConnection = suites.verify
	server.tickets = ticketUser{tickets: new(tickets)}
	leaf := c.Certificates[0].Leaf
	server.endPoint, _ = EndPoint(leaf) // none for certificates without a hash of their own: no channel binding then
	return server, nil
}

// Settings gives what NewServer was given.
func (s *Server) Settings() Settings { return s.settings }

// EndPoint gives the channel binding data of the certificate that clients are shown, nil where it has none.
func (s *Server) EndPoint() []byte { return s.endPoint }

// Inherit lets clients of old, the Server before a reload, resume their sessions with s. Nothing is taken over where the certificate, the authorities or the mode have changed: what a
// resumed session has been told and was asked for would be out of date.
func (s *Server) Inherit(old *Server) {
	if old == nil || old.config == nil || s.config == nil || s.settings.Mode != old.settings.Mode {
		return
	}
	mine, theirs := s.config.Certificates[0].Leaf, old.config.Certificates[0].Leaf
	if mine.Equal(theirs) && s.config.ClientCAs.Equal(old.config.ClientCAs) {
		s.tickets = ticketUser{tickets: old.tickets.tickets}
	}
}

// Protocol is the application protocol of PostgreSQL in TLS (ALPN).
const Protocol = "postgresql"

// Handshake makes nc, on which the client is about to begin TLS, a TLS connection. It waits until ctx ends; nc is closed then. On an error nc is left to the caller to be
// closed. The result may be given to sock.New, which then waits without a buffer, if nc is a syscall.Conn.
//
// direct says that the client has begun without an SSLRequest: it then has to ask for PostgreSQL's protocol, so that nobody can lead another protocol's client here. pace bounds what
// handshakes compute at a time; nil: nothing does.
func (s *Server) Handshake(ctx context.Context, nc net.Conn, direct bool, pace Pace) (*tls.Conn, error) {
	if s.config == nil {
		return nil, errors.New("client_tls_sslmode is disable")
	}
	s.tickets.renew(s.config, time.Now())
	if pace != nil {
		p := &paced{Conn: nc, pace: pace, ctx: ctx}
		defer p.finish()
		nc = p
	}
	if s.suites.restricted() {
		nc = &steered{Conn: nc}
	}
	c := tls.Server(sock.Gate(nc), s.config)
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("make TLS: %w", err)
	}
	if direct && c.ConnectionState().NegotiatedProtocol != Protocol {
		return nil, errors.New("direct TLS connection without the ALPN protocol " + Protocol)
	}
	return c, nil
}

// CommonName gives the name in the certificate that the peer has shown, and which was verified: false when there is none. Of several it is the first, as for PostgreSQL and PgBouncer.
func CommonName(state tls.ConnectionState) (string, bool) {
	if len(state.PeerCertificates) == 0 || len(state.VerifiedChains) == 0 {
		return "", false
	}
	return commonName(state.PeerCertificates[0])
}

// commonName reads the name itself: the certificate's field is the last of several.
func commonName(cert *x509.Certificate) (string, bool) {
	for _, part := range cert.Subject.Names {
		if part.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 3}) {
			name, ok := part.Value.(string)
			return name, ok && name != "" && !strings.ContainsRune(name, 0)
		}
	}
	return "", false
}
