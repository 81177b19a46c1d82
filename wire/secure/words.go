package secure

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
)

// The settings' words for versions and curves.

// versions are the protocol versions in their order, with the names that OpenSSL gives them.
var versions = [...]struct {
	id   uint16
	key  string // in the configuration
	name string // as OpenSSL prints it
}{
	{tls.VersionTLS10, "tlsv1.0", "TLSv1"},
	{tls.VersionTLS11, "tlsv1.1", "TLSv1.1"},
	{tls.VersionTLS12, "tlsv1.2", "TLSv1.2"},
	{tls.VersionTLS13, "tlsv1.3", "TLSv1.3"},
}

const (
	allVersions    = 1<<len(versions) - 1
	secureVersions = 1<<2 | 1<<3
)

// parseProtocols reads a list as PgBouncer does: words between commas or colons, each adding versions, or taking them away after "!".
func parseProtocols(text string) (lowest, highest uint16, _ error) {
	if text == "" {
		text = "secure"
	}
	set := 0
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ':' }) {
		word, negated := strings.CutPrefix(strings.ToLower(strings.TrimSpace(word)), "!")
		some := versionSet(word)
		switch {
		case some == 0:
			return 0, 0, fmt.Errorf("%q is none of secure, all, legacy, tlsv1.0, tlsv1.1, tlsv1.2 and tlsv1.3", word)
		case !negated:
			set |= some
		case set == 0:
			set = allVersions &^ some
		default:
			set &^= some
		}
	}
	return versionRange(set)
}

func versionSet(word string) int {
	switch word {
	case "all", "legacy":
		return allVersions
	case "secure", "default":
		return secureVersions
	case "tlsv1":
		return allVersions &^ (1 << 3)
	}
	for i, v := range versions {
		if v.key == word {
			return 1 << i
		}
	}
	return 0
}

// versionRange gives the bounds of a set without gaps, which is all that crypto/tls can do.
func versionRange(set int) (lowest, highest uint16, _ error) {
	ended := false
	for i, v := range versions {
		switch in := set&(1<<i) != 0; {
		case in && ended:
			return 0, 0, errors.New("the versions have to follow each other without a gap")
		case in && lowest == 0:
			lowest, highest = v.id, v.id
		case in:
			highest = v.id
		case lowest != 0:
			ended = true
		}
	}
	if lowest == 0 {
		return 0, 0, errors.New("no version is left")
	}
	return lowest, highest, nil
}

// curves are the key exchanges by OpenSSL's names.
func curves() map[string]tls.CurveID {
	return map[string]tls.CurveID{
		"prime256v1": tls.CurveP256, "secp256r1": tls.CurveP256, "p-256": tls.CurveP256,
		"secp384r1": tls.CurveP384, "p-384": tls.CurveP384,
		"secp521r1": tls.CurveP521, "p-521": tls.CurveP521,
		"x25519": tls.X25519, "x25519mlkem768": tls.X25519MLKEM768,
		"secp256r1mlkem768": tls.SecP256r1MLKEM768, "secp384r1mlkem1024": tls.SecP384r1MLKEM1024,
	}
}

// parseCurves gives nil for Go's own choice. PgBouncer's "none" leaves OpenSSL's, which is all of them.
func parseCurves(text string) ([]tls.CurveID, error) {
	switch strings.ToLower(text) {
	case "", "auto", "none":
		return nil, nil
	}
	var ids []tls.CurveID
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ':' }) {
		id, ok := curves()[strings.ToLower(strings.TrimSpace(word))]
		if !ok {
			return nil, fmt.Errorf("%q is none of auto, none, X25519MLKEM768, X25519, prime256v1, secp384r1 and secp521r1", word)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
