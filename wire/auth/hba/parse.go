package hba

import (
	"fmt"
	"slices"
	"strings"
)

// Parse reads a file. name is its path, to which included files are relative. include may be nil when there are none. The error is Problems: all that is wrong, and then there are no rules.
func Parse(name string, text []byte, include Include) (*Rules, error) {
	s := &source{include: include}
	r := &Rules{own: ownAddresses}
	s.lines(name, text, 0, func(l line) {
		before := len(s.problems)
		if rule := s.rule(l); len(s.problems) == before {
			r.list = append(r.list, rule)
		}
	})
	if err := s.err(); err != nil {
		return nil, err
	}
	r.warnings = s.warnings
	return r, nil
}

// kindOf gives the connections that a line of a type is for.
func kindOf(word string) (k kind, ok bool) {
	k, ok = map[string]kind{"local": kindLocal, "host": kindHost, "hostssl": kindTLS, "hostnossl": kindNoTLS, "hostgssenc": kindGSSEnc, "hostnogssenc": kindHost}[word]
	return k, ok
}

// mistyped shows a word that should have been a connection type, if it may be one that was mistyped. The file may not be one of rules at all, but one of passwords, and whoever names it on the console is
// told of its problems.
func mistyped(word string) string {
	lower := strings.ToLower(word)
	letters := strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz") == ""
	if letters && len(word) <= len("hostnogssenc") && (strings.HasPrefix(lower, "host") || strings.HasPrefix(lower, "local")) {
		return ` "` + word + `"`
	}
	return ": this is no line of a file of rules"
}

// rule reads a line: type, databases, users, address, method, options. When it complains, the rule is of no use.
func (s *source) rule(l line) (r rule) {
	r.File, r.Line = l.file, l.number
	rest := l.fields
	word, rest, problem := single(rest, "connection type")
	kind, ok := kindOf(word)
	switch {
	case problem != "":
		s.complain(l, "%s", problem)
		return r
	case !ok:
		s.complain(l, "invalid connection type%s", mistyped(word))
		return r
	}
	r.kind = kind
	if kind == kindGSSEnc {
		s.warn(l, "hostgssenc record cannot match because GSSAPI is not supported")
	}
	if len(rest) == 0 {
		s.complain(l, "end-of-line before database specification")
		return r
	}
	r.databases, rest = s.names(l, rest[0], true), rest[1:]
	if len(rest) == 0 {
		s.complain(l, "end-of-line before role specification")
		return r
	}
	r.users, rest = s.names(l, rest[0], false), rest[1:]
	if kind != kindLocal {
		if r.address, rest, problem = parseAddress(rest); problem != "" {
			s.complain(l, "%s", problem)
			return r
		}
		if r.address.empty() {
			s.warn(l, "address does not match mask: the rule fits nobody")
		}
	}
	method, rest, problem := single(rest, "authentication method")
	if problem == "" {
		r.Method, problem = methodOf(method, word)
	}
	if problem == "" {
		problem = r.setOptions(rest, word)
	}
	if problem != "" {
		s.complain(l, "%s", problem)
	}
	return r
}

// single takes a field that has one token.
func single(fields []field, what string) (word string, rest []field, problem string) {
	switch {
	case len(fields) == 0:
		return "", nil, "end-of-line before " + what
	case len(fields[0]) > 1:
		return "", nil, "multiple values specified for " + what
	}
	return fields[0][0].text, fields[1:], ""
}

// foreign says why a method that PostgreSQL has is not here; "" of any other word.
func foreign(method string) (why string) {
	return map[string]string{
		"gss":    "GSSAPI is not supported",
		"sspi":   "SSPI is not supported",
		"pam":    "PAM is not supported",
		"bsd":    "BSD authentication is not supported",
		"radius": "RADIUS is not supported",
		"ident":  "asking the client's own machine who it is (RFC 1413) is not supported; on a local line it is peer",
	}[method]
}

// methodOf checks a method on a line of a connection type.
func methodOf(method, word string) (_, problem string) {
	local := word == "local"
	switch method {
	case Trust, Reject, MD5, Password, SCRAM, LDAP:
		return method, ""
	case Peer:
		if !local {
			return "", "peer authentication is only supported on local sockets"
		}
		return method, ""
	case Cert:
		if local || word == "hostnossl" || word == "hostgssenc" {
			return "", "cert authentication is only supported on hostssl connections"
		}
		return method, ""
	case "ident":
		if local {
			return Peer, ""
		}
	}
	if why := foreign(method); why != "" {
		return "", fmt.Sprintf(`authentication method "%s": %s`, method, why)
	}
	return "", fmt.Sprintf(`invalid authentication method "%s"`, method)
}

var ldapOptions = [...]string{
	"ldapserver", "ldapport", "ldapscheme", "ldaptls", "ldapprefix", "ldapsuffix", "ldapbasedn", "ldapbinddn", "ldapbindpasswd", "ldapsearchattribute", "ldapsearchfilter", "ldapurl",
}

// setOptions reads the options of a line.
func (r *Rule) setOptions(fields []field, word string) (problem string) {
	list, err := parseOptions(fields)
	if err != nil {
		return err.Error()
	}
	for _, o := range list {
		switch {
		case o.Name == "map":
			if r.Method != Peer && r.Method != Cert {
				return `authentication option "map" is only valid for authentication methods ident, peer, and cert`
			}
			r.Map = o.Value
		case o.Name == "clientcert":
			if problem := r.setClientCert(o.Value, word); problem != "" {
				return problem
			}
		case o.Name == "clientname":
			if r.Method != Cert || o.Value != "CN" {
				return `authentication option "clientname" is only supported as clientname=CN, with authentication method cert`
			}
		case slices.Contains(ldapOptions[:], o.Name):
			if r.Method != LDAP {
				return fmt.Sprintf(`authentication option "%s" is only valid for authentication method ldap`, o.Name)
			}
			r.Options = append(r.Options, o)
		default:
			return fmt.Sprintf(`unrecognized authentication option name: "%s"`, strings.ToValidUTF8(o.Name, "?"))
		}
	}
	if r.Method == LDAP && len(r.Options) == 0 {
		return `authentication method "ldap" requires argument "ldapbasedn", "ldapprefix", or "ldapsuffix" to be set`
	}
	return ""
}

func (r *Rule) setClientCert(value, word string) (problem string) {
	switch {
	case word != "hostssl":
		return `clientcert can only be configured for "hostssl" rows`
	case value == "verify-full":
		r.ClientCert = VerifyFull
	case value == "verify-ca" && r.Method == Cert:
		return `clientcert only accepts "verify-full" when using "cert" authentication`
	case value == "verify-ca":
		r.ClientCert = VerifyCA
	default:
		return fmt.Sprintf(`invalid value for clientcert: "%s"`, value)
	}
	return ""
}
