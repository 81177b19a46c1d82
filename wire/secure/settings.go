// Package secure makes TLS of settings: for the clients' side and for the servers'. It loads certificates and keys, turns PgBouncer's words for modes, protocols and
// ciphers into crypto/tls's, and tells afterwards what was agreed on. It refuses to do what crypto/tls holds for broken: export ciphers, renegotiation, SSL 3.
package secure

// Mode is an sslmode, as libpq and PgBouncer mean it.
type Mode uint8

const (
	Disable    Mode = iota // no TLS
	Allow                  // towards servers: TLS only when plain text is refused; towards clients: as Prefer
	Prefer                 // TLS when the other side can
	Require                // TLS, and nobody's certificate is verified: with clients, one that is shown must be valid when there is a CA
	VerifyCA               // TLS, and the certificate must be signed by the CA
	VerifyFull             // towards servers: and name the host; towards clients: as VerifyCA
)

func (m Mode) String() string {
	return [...]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}[m]
}

// Settings are one side's keys of the configuration, client_tls_* or server_tls_*. The texts are as in the file; an empty one is the default.
type Settings struct {
	Mode         Mode
	CAFile       string // "system" on the servers' side: the system's authorities
	CertFile     string
	KeyFile      string
	Protocols    string // "secure", "all", "legacy", or a list of tlsv1.0 to tlsv1.3
	Ciphers      string // of TLS 1.2 and before: "default", "secure", "fast", "normal", "all", or a list of OpenSSL's names
	TLS13Ciphers string // of TLS 1.3
	ECDHCurve    string // "auto", "none", or curves by OpenSSL's names
	Direct       bool   // towards servers: TLS from the first byte, which PostgreSQL 17 takes; else it is asked for first
	DHEParams    string // "auto", "none" or "legacy": crypto/tls has no finite-field Diffie-Hellman, so that nothing depends on it
}
