package config

import (
	"fmt"
	"io"
	"strings"
)

// SecretKind is the form in which a password is known.
type SecretKind uint8

const (
	NoSecret    SecretKind = iota // none is known: no password is right
	PlainSecret                   // the password itself; serves every authentication, on both sides
	MD5Secret                     // "md5" and 32 hexadecimal digits of md5(password + user)
	SCRAMSecret                   // "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey", PostgreSQL's form (RFC 5803)
)

func (k SecretKind) String() string {
	return [...]string{"none", "plain", "md5", "scram-sha-256"}[k]
}

// Secret is a password or what PostgreSQL stores in its place. However it is printed, formatted or marshalled, its text does not show; Reveal gives it.
type Secret struct {
	kind SecretKind
	text *string // behind a pointer, so that formatting a structure around it shows an address at most
}

// NewSecret tells a secret's kind from its text, as PostgreSQL and PgBouncer do. The empty text is no secret.
func NewSecret(text string) Secret {
	s := Secret{kind: PlainSecret, text: &text}
	switch {
	case text == "":
		return Secret{}
	case isMD5(text):
		s.kind = MD5Secret
	case strings.HasPrefix(text, "SCRAM-SHA-256$"):
		s.kind = SCRAMSecret
	}
	return s
}

func isMD5(text string) bool {
	digits, ok := strings.CutPrefix(text, "md5")
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

// Kind tells the form. It is NoSecret for the zero Secret.
func (s Secret) Kind() SecretKind { return s.kind }

// Reveal gives the text. It must never reach a log, an error, a metric or the console.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Equal tells whether two secrets have the same text.
func (s Secret) Equal(t Secret) bool { return s.kind == t.kind && s.Reveal() == t.Reveal() }

// String gives the kind with the text masked: "(plain, hidden)"; "(none)" when there is no secret.
func (s Secret) String() string {
	if s.kind == NoSecret {
		return "(none)"
	}
	return "(" + s.kind.String() + ", hidden)"
}

// GoString is String: %#v does not show the text either.
func (s Secret) GoString() string { return s.String() }

// Format prints String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is what JSON and the log get: String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
