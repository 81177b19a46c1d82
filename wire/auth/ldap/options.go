package ldap

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"poolerd/wire/auth/hba"
)

// Limits of a Check.
const (
	mostChecks     = 32               // at the same time, with the same Options; others wait
	connectTimeout = 3 * time.Second  // for one server, TLS included: PgBouncer's LDAP_OPT_NETWORK_TIMEOUT
	answerTimeout  = 10 * time.Second // for each request; the context may end it before
)

// Options is how users are checked. It does not change, and is safe for concurrent use; copies share the limit of concurrent checks. The zero Options lets nobody in.
type Options struct {
	hosts    []string // none: those that the DNS names for baseDN
	port     int
	ldaps    bool
	startTLS bool

	prefix, suffix string // simple bind

	baseDN       string // search and bind
	bindDN       string
	bindPassword string
	scope        int
	filter       string // with $username

	trust trust
	slots chan struct{}
}

// ParseOptions reads options as in PgBouncer's auth_ldap_options: ldapserver=... ldapport=... and so on. The error shows no password.
func ParseOptions(text string) (Options, error) {
	list, err := hba.ParseOptions(text)
	if err != nil {
		return Options{}, err
	}
	return New(list)
}

// New takes the options of a line of auth_hba_file (hba.Rule). It reads the files that the environment names for certificates.
func New(list hba.Options) (Options, error) {
	p := parser{given: map[string]bool{}}
	p.o.scope = ldap.ScopeWholeSubtree
	for _, option := range list {
		if err := p.set(option.Name, option.Value); err != nil {
			return Options{}, err
		}
	}
	if err := p.check(); err != nil {
		return Options{}, err
	}
	var err error
	if p.o.trust, err = readTrust(os.Getenv); err != nil {
		return Options{}, err
	}
	p.o.slots = make(chan struct{}, mostChecks)
	return p.o, nil
}

// parser gathers options.
type parser struct {
	o         Options
	attribute string // of the search, in place of a filter
	given     map[string]bool
}

func (p *parser) set(name, value string) error {
	if value == "" && name != "ldapprefix" && name != "ldapsuffix" && name != "ldapbasedn" {
		return fmt.Errorf("LDAP option %q has no value", name)
	}
	p.given[name] = true
	o := &p.o
	switch name {
	case "ldapserver":
		o.hosts = strings.Fields(value)
	case "ldapport":
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("invalid LDAP port number: %q", value)
		}
		o.port = int(port)
	case "ldapscheme":
		if value != "ldap" && value != "ldaps" {
			return fmt.Errorf("invalid ldapscheme value: %q", value)
		}
		o.ldaps = value == "ldaps"
	case "ldaptls":
		if value != "0" && value != "1" {
			return fmt.Errorf("invalid ldaptls value: %q", value)
		}
		o.startTLS = value == "1"
	case "ldapprefix":
		o.prefix = value
	case "ldapsuffix":
		o.suffix = value
	case "ldapbasedn":
		o.baseDN = value
	case "ldapbinddn":
		o.bindDN = value
	case "ldapbindpasswd":
		o.bindPassword = value
	case "ldapsearchattribute":
		p.attribute = value
	case "ldapsearchfilter":
		o.filter = value
	case "ldapurl":
		return p.setURL(value)
	default:
		return fmt.Errorf("invalid LDAP option: %q", name)
	}
	return nil
}

// setURL reads ldap[s]://host[:port]/basedn[?[attribute][?[scope][?[filter]]]] (RFC 4516).
func (p *parser) setURL(text string) error {
	scheme, rest, ok := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "ldap" && scheme != "ldaps" {
		return fmt.Errorf("unsupported LDAP URL scheme: %q", scheme)
	}
	p.o.ldaps = scheme == "ldaps"
	authority, rest, _ := strings.Cut(rest, "/")
	if err := p.setAuthority(authority); err != nil {
		return err
	}
	parts := strings.Split(rest, "?")
	if len(parts) > 4 {
		return errors.New("LDAP URLs with extensions are not supported")
	}
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return fmt.Errorf("could not parse LDAP URL: %w", err)
		}
	}
	parts = append(parts, make([]string, 4)...)
	p.o.baseDN, p.o.filter = parts[0], parts[3]
	p.attribute, _, _ = strings.Cut(parts[1], ",") // the first counts
	scope, ok := map[string]int{"": ldap.ScopeBaseObject, "base": ldap.ScopeBaseObject, "one": ldap.ScopeSingleLevel, "sub": ldap.ScopeWholeSubtree}[parts[2]]
	if !ok {
		return fmt.Errorf("could not parse LDAP URL: invalid scope %q", parts[2])
	}
	p.o.scope = scope
	p.given["ldapbasedn"] = p.given["ldapbasedn"] || p.o.baseDN != ""
	p.given["ldapsearchattribute"] = p.given["ldapsearchattribute"] || p.attribute != ""
	p.given["ldapsearchfilter"] = p.given["ldapsearchfilter"] || p.o.filter != ""
	return nil
}

func (p *parser) setAuthority(authority string) error {
	u, err := url.Parse("//" + authority)
	if err != nil || u.User != nil || u.Host != authority {
		return errors.New("could not parse LDAP URL: invalid host")
	}
	if u.Hostname() != "" {
		p.o.hosts = []string{u.Hostname()}
	}
	if u.Port() != "" {
		return p.set("ldapport", u.Port())
	}
	return nil
}

// check looks at what contradicts itself, as PostgreSQL does, and completes the rest.
func (p *parser) check() error {
	o := &p.o
	if p.given["ldapprefix"] || p.given["ldapsuffix"] {
		for _, name := range []string{"ldapbasedn", "ldapbinddn", "ldapbindpasswd", "ldapsearchattribute", "ldapsearchfilter"} {
			if p.given[name] {
				return errors.New("cannot mix options for simple bind and search+bind modes")
			}
		}
	} else if o.baseDN == "" {
		return errors.New(`authentication method "ldap" requires argument "ldapbasedn", "ldapprefix", or "ldapsuffix" to be set`)
	}
	if p.attribute != "" && o.filter != "" {
		return errors.New("cannot use ldapsearchattribute together with ldapsearchfilter")
	}
	if len(o.hosts) == 0 && domainOf(o.baseDN) == "" {
		return errors.New(`authentication method "ldap" requires argument "ldapserver", or an "ldapbasedn" that names a domain, to be set`)
	}
	for i, host := range o.hosts {
		o.hosts[i] = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if o.port == 0 {
		o.port = 389
		if o.ldaps {
			o.port = 636
		}
	}
	return p.checkFilter()
}

// checkFilter makes the search's filter of an attribute, and compiles it once for its errors.
func (p *parser) checkFilter() error {
	o := &p.o
	if o.baseDN == "" {
		return nil
	}
	switch {
	case o.filter == "" && p.attribute == "":
		o.filter = "(uid=" + placeholder + ")"
	case o.filter == "":
		o.filter = "(" + p.attribute + "=" + placeholder + ")"
	case !strings.HasPrefix(o.filter, "("):
		o.filter = "(" + o.filter + ")"
	}
	if _, err := ldap.CompileFilter(o.filterFor("user")); err != nil {
		return fmt.Errorf("invalid LDAP search filter: %w", err)
	}
	return nil
}

// domainOf gives the domain that a name's dc parts spell: "example.net" of "ou=people,dc=example,dc=net".
func domainOf(name string) string {
	dn, err := ldap.ParseDN(name)
	if err != nil {
		return ""
	}
	var labels []string
	for _, part := range dn.RDNs {
		for _, a := range part.Attributes {
			if strings.EqualFold(a.Type, "dc") {
				labels = append(labels, a.Value)
			} else {
				labels = nil // only those at the end count
			}
		}
	}
	return strings.Join(labels, ".")
}

// Format prints where the servers are, for every verb, and no password.
func (o Options) Format(f fmt.State, _ rune) {
	scheme := "ldap"
	if o.ldaps {
		scheme = "ldaps"
	}
	var list []string
	for _, host := range o.hosts {
		list = append(list, scheme+"://"+net.JoinHostPort(host, strconv.Itoa(o.port)))
	}
	_, _ = io.WriteString(f, strings.Join(list, " ")+"/"+o.baseDN)
}
