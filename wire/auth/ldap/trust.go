package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
)

// trust is whose certificates are taken.
type trust struct {
	roots  *x509.CertPool // nil: the system's
	anyone bool           // TLS_REQCERT never or allow: nothing is verified
}

// readTrust reads ldap.conf(5)'s TLS_CACERT and TLS_REQCERT: from the file in LDAPCONF, if it is set, then LDAPTLS_CACERT and LDAPTLS_REQCERT, which win.
func readTrust(getenv func(string) string) (t trust, _ error) {
	if getenv("LDAPNOINIT") != "" {
		return t, nil
	}
	var authorities, demand string
	if path := getenv("LDAPCONF"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return t, fmt.Errorf("LDAPCONF: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) < 2 {
				continue
			}
			switch strings.ToUpper(words[0]) {
			case "TLS_CACERT":
				authorities = words[1]
			case "TLS_REQCERT":
				demand = words[1]
			}
		}
	}
	if v := getenv("LDAPTLS_CACERT"); v != "" {
		authorities = v
	}
	if v := getenv("LDAPTLS_REQCERT"); v != "" {
		demand = v
	}
	switch strings.ToLower(demand) {
	case "never", "allow":
		t.anyone = true
	case "", "try", "demand", "hard":
	default:
		return t, fmt.Errorf("TLS_REQCERT: %q is not one of never, allow, try, demand, hard", demand)
	}
	if authorities == "" || t.anyone {
		return t, nil
	}
	pem, err := os.ReadFile(authorities)
	if err != nil {
		return t, fmt.Errorf("TLS_CACERT: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return t, fmt.Errorf("TLS_CACERT: no certificate in %s", authorities)
	}
	t.roots = roots
	return t, nil
}

func (t trust) config(host string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: t.roots, InsecureSkipVerify: t.anyone, MinVersion: tls.VersionTLS12}
}
