package hba

import "net/netip"

// Conn is what is known of a client's connection before it has proved anything.
type Conn struct {
	Addr        netip.Addr // the client's; not valid: a unix socket
	TLS         bool
	Database    string // as the client named it
	User        string
	Replication bool // physical replication (replication=true), which only rules for "replication" fit. Logical (replication=database) is as any other connection
}

// Rule is what a line says of those whom it fits.
type Rule struct {
	Method  string  // one of Trust ... LDAP
	Map     string  // of peer and cert: the user name map, "" when the names must be equal
	Options Options // of ldap: ldapserver and so on, in the order of the line
	// ClientCert is what must be true of the client's certificate besides, whatever the method: it is the caller who sees to it.
	ClientCert ClientCert
	File       string
	Line       int
}

// The methods.
const (
	Trust    = "trust"         // no proof
	Reject   = "reject"        // refused
	MD5      = "md5"           // md5, or SCRAM for a SCRAM secret
	Password = "password"      // the password as it is
	SCRAM    = "scram-sha-256" // and with channel binding over TLS
	Cert     = "cert"          // the common name of a valid client certificate
	Peer     = "peer"          // the system's user on the other end of a unix socket; "ident" on a local line is this
	LDAP     = "ldap"          // the password as it is, judged by an LDAP server
)

// ClientCert is the option clientcert of hostssl lines.
type ClientCert uint8

const (
	AnyCert    ClientCert = iota // none is needed
	VerifyCA                     // clientcert=verify-ca: the client shows a certificate that is valid
	VerifyFull                   // clientcert=verify-full: and its common name is the user, by the map when there is one
)

// Rules is a file that has been read. It does not change, and is safe for concurrent use. A nil Rules fits nobody.
type Rules struct {
	list     []rule
	own      func() []netip.Prefix
	warnings Problems
}

// rule is a line of any kind.
type rule struct {
	kind      kind
	databases names
	users     names
	address   address
	Rule
}

// kind is the connections that a rule is for.
type kind uint8

const (
	kindLocal  kind = iota // unix sockets
	kindHost               // all others
	kindTLS                // hostssl
	kindNoTLS              // hostnossl
	kindGSSEnc             // hostgssenc: nobody, since GSSAPI encryption is always declined
)

// fits tells whether a rule of this kind is for a connection.
func (k kind) fits(c Conn) bool {
	switch k {
	case kindLocal:
		return !c.Addr.IsValid()
	case kindGSSEnc:
		return false
	}
	return c.Addr.IsValid() && (k == kindHost || (k == kindTLS) == c.TLS)
}

// Match gives the first rule that fits a connection. ok is false when none does: then the client is refused.
func (r *Rules) Match(c Conn) (found Rule, ok bool) {
	if r == nil {
		return Rule{}, false
	}
	client := c.Addr.Unmap().WithZone("") // an IPv4 client of a socket for both is an IPv4 client
	for _, l := range r.list {
		if l.kind.fits(c) && (l.kind == kindLocal || l.address.matches(client, r.own)) && l.fitsDatabase(c) && l.users.match(c.User, "") {
			return l.Rule, true
		}
	}
	return Rule{}, false
}

func (r rule) fitsDatabase(c Conn) bool {
	if c.Replication {
		return r.databases.replication()
	}
	return r.databases.match(c.Database, c.User)
}

// List gives all rules, in order.
func (r *Rules) List() []Rule {
	if r == nil {
		return nil
	}
	list := make([]Rule, len(r.list))
	for i, l := range r.list {
		list[i] = l.Rule
	}
	return list
}

// Warnings gives what is worth telling and no reason to refuse the file: rules that can fit nobody.
func (r *Rules) Warnings() Problems {
	if r == nil {
		return nil
	}
	return r.warnings
}
