package web

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"time"
)

const defaultLimit = 30 * time.Second

// DefaultRole is the role that a token signed with Options.Secret names: the one that may write to the sample.
const DefaultRole = "web_user"

// Options say what a client asks, and of whom.
type Options struct {
	URL string // "http://127.0.0.1:3000", with a path in front of all others where there is one; https:// works as well

	// Token is a JWT that goes with each request. On the sample it must name the role web_user. Without Token and Secret the requests of the sample's
	// mix that write are left out.
	Token string
	// Secret is the server's HS256 secret (PostgREST's jwt-secret), at least 32 bytes: each client signs a token with it for DefaultRole.
	Secret string

	// Requests are the user's own, in the language of ParseRequests; "" means PostgREST's eight on the sample.
	Requests string

	Scale  int    // of the sample; 0 means 1
	Client int    // number of this client, from 0
	Seed   uint64 // the same seed and number ask the same things in the same order

	Limit time.Duration // for a connection, and for a request until its response is whole; 0 means 30 s
}

// server is where requests go, and what stands in each of them.
type server struct {
	address string // host:port
	name    string // for TLS
	secure  bool
	roots   *x509.CertPool // nil: the machine's
	prefix  string         // of all paths: "" or "/rest/v1"
	host    string         // as in the header Host
}

// parseURL takes a base URL apart.
func parseURL(text string) (*server, error) {
	u, err := url.Parse(text)
	if err != nil {
		var inner *url.Error // says it all again, with the URL and what may be in it
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("the HTTP server's URL: %w; give one as http://127.0.0.1:3000", err)
	}
	port := u.Port()
	s := &server{name: u.Hostname(), prefix: strings.TrimRight(u.EscapedPath(), "/")}
	switch u.Scheme {
	case "http":
		port = or(port, "80")
	case "https":
		s.secure, port = true, or(port, "443")
	default:
		return nil, fmt.Errorf("the HTTP server's URL %s: must begin with http:// or https://, as in http://127.0.0.1:3000", u.Redacted())
	}
	switch {
	case s.name == "":
		return nil, fmt.Errorf("the HTTP server's URL %s: names no host", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the HTTP server's URL %s: must end with the path; what follows ? or # belongs to the requests", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("the HTTP server's URL %s: a user in it is not supported; give a token, or a header Authorization among your own requests", u.Redacted())
	}
	s.address = net.JoinHostPort(s.name, port)
	s.host = u.Host
	return s, nil
}

func or(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// authorization is the token's header, or "".
func (o *Options) authorization() (string, error) {
	token := o.Token
	if token == "" && o.Secret != "" {
		var err error
		if token, err = Sign(o.Secret, DefaultRole, tokenLife); err != nil {
			return "", err
		}
	}
	if token == "" {
		return "", nil
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return "", errors.New("the HTTP token: has characters that no token has; a JWT is three base64 texts with dots between")
		}
	}
	return "Authorization: Bearer " + token + "\r\n", nil
}

// complete makes a client of o, not yet connected.
func (o *Options) complete() (*client, error) {
	s, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	authorization, err := o.authorization()
	if err != nil {
		return nil, err
	}
	if o.Scale < 0 || o.Client < 0 || o.Limit < 0 {
		return nil, fmt.Errorf("scale %d, client %d, limit %v: none may be negative", o.Scale, o.Client, o.Limit)
	}
	c := &client{server: s, authorization: authorization, limit: o.Limit, random: rand.New(rand.NewPCG(o.Seed, uint64(o.Client)+1))}
	if c.limit == 0 {
		c.limit = defaultLimit
	}
	c.scratch, c.told = make([]byte, scratch), map[int]int{}
	c.making.random = c.random
	kinds, err := o.kinds(authorization != "")
	if err != nil {
		return nil, err
	}
	c.mix = newMix(kinds)
	for _, k := range kinds {
		k.complete(s, authorization)
	}
	return c, nil
}

// kinds are what the client may ask.
func (o *Options) kinds(mayWrite bool) ([]*kind, error) {
	if o.Requests != "" {
		own, err := ParseRequests(o.Requests)
		if err != nil {
			return nil, err
		}
		return ownKinds(own), nil
	}
	var kinds []*kind
	for _, k := range sampleKinds(max(o.Scale, 1)) {
		if mayWrite || !k.writes {
			kinds = append(kinds, k)
		}
	}
	return kinds, nil
}
