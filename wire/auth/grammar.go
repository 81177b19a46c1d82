package auth

import (
	"encoding/base64"
	"fmt"
	"strings"

	"poolerd/wire"
)

// The mechanisms of SCRAM (RFC 7677), and the one channel binding that PostgreSQL has (RFC 5929): the digest of the certificate of the TLS connection's server.
const (
	mechanism     = "SCRAM-SHA-256"
	mechanismPlus = "SCRAM-SHA-256-PLUS"
	endPointType  = "tls-server-end-point"
)

// attributes reads a SCRAM message from its start: "r=abc,s=def,i=1" (RFC 5802, "Formal Syntax"). Its errors are PostgreSQL's.
type attributes struct {
	rest string
}

// peek gives the next byte, 0 at the end.
func (a *attributes) peek() byte {
	if a.rest == "" {
		return 0
	}
	return a.rest[0]
}

// value takes the value of the attribute that must come next.
func (a *attributes) value(name byte) (string, *wire.Error) {
	if a.peek() != name {
		return "", errMalformed(`Expected attribute "%c" but found "%s".`, name, printable(a.peek()))
	}
	_, value, err := a.any()
	return value, err
}

// any takes the next attribute, whichever it is.
func (a *attributes) any() (name byte, value string, _ *wire.Error) {
	name = a.peek()
	switch {
	case a.rest == "":
		return 0, "", errMalformed("Attribute expected, but found end of string.")
	case (name|0x20) < 'a' || (name|0x20) > 'z':
		return 0, "", errMalformed(`Attribute expected, but found invalid character "%s".`, printable(name))
	case len(a.rest) < 2 || a.rest[1] != '=':
		return 0, "", errMalformed(`Expected character "=" for attribute "%c".`, name)
	}
	value, a.rest, _ = strings.Cut(a.rest[2:], ",")
	return name, value, nil
}

// comma takes the comma that must come next.
func (a *attributes) comma() *wire.Error {
	if a.peek() != ',' {
		return errMalformed(`Comma expected, but found character "%s".`, printable(a.peek()))
	}
	a.rest = a.rest[1:]
	return nil
}

func errMalformed(detail string, args ...any) *wire.Error {
	err := errProtocol("malformed SCRAM message")
	err.Detail = fmt.Sprintf(detail, args...)
	return err
}

// printable shows a byte in an error, as PostgreSQL's sanitize_char.
func printable(c byte) string {
	if c >= 0x21 && c <= 0x7e {
		return "'" + string(rune(c)) + "'"
	}
	return fmt.Sprintf("0x%02x", c)
}

// isNonce tells whether s may stand for a nonce: printable ASCII without commas.
func isNonce(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e || r == ',' })
}

// bindingFlag starts a client's first message, and is what its last one repeats: the header, and the binding's data when there is one.
type bindingFlag struct {
	header string // "n,,", "y,," or "p=tls-server-end-point,,"
	data   []byte
}

// encoded is the value of the attribute "c".
func (b bindingFlag) encoded() string {
	return base64.StdEncoding.EncodeToString(append([]byte(b.header), b.data...))
}
