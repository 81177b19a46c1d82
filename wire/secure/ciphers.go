package secure

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// suite is a cipher suite of TLS 1.2 and before, with the words that OpenSSL's cipher lists know it by.
type suite struct {
	id    uint16
	name  string // OpenSSL's
	words string
}

// suites are those that crypto/tls has and that are not broken: RC4 and 3DES are left out.
var suites = [...]suite{
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", withECDSA + "AES256 AESGCM SHA384 TLSv1.2"},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", withRSA + "AES256 AESGCM SHA384 TLSv1.2"},
	{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", withECDSA + "CHACHA20 TLSv1.2"},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", withRSA + "CHACHA20 TLSv1.2"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", withECDSA + "AES128 AESGCM SHA256 TLSv1.2"},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", withRSA + "AES128 AESGCM SHA256 TLSv1.2"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256", withECDSA + "AES128 SHA256 TLSv1.2"},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256", withRSA + "AES128 SHA256 TLSv1.2"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", withECDSA + "AES256 SHA TLSv1.0"},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", withRSA + "AES256 SHA TLSv1.0"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", withECDSA + "AES128 SHA TLSv1.0"},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", withRSA + "AES128 SHA TLSv1.0"},
	{tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", byRSA + "AES256 AESGCM SHA384 TLSv1.2"},
	{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", byRSA + "AES128 AESGCM SHA256 TLSv1.2"},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "AES128-SHA256", byRSA + "AES128 SHA256 TLSv1.2"},
	{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", byRSA + "AES256 SHA SSLv3"},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", byRSA + "AES128 SHA SSLv3"},
}

// How a suite exchanges keys and authenticates, in OpenSSL's words.
const (
	ephemeral = "ECDHE EECDH kECDHE kEECDH ECDH "
	withECDSA = ephemeral + "ECDSA aECDSA "
	withRSA   = ephemeral + "aRSA "
	byRSA     = "RSA kRSA aRSA "
)

// has tells whether the suite is one of those that OpenSSL means by word.
func (s suite) has(word string) bool {
	switch word {
	case "ALL", "HIGH", "DEFAULT":
		return true
	case "AES":
		return s.has("AES128") || s.has("AES256")
	case "SHA1":
		return s.has("SHA")
	case "AESCBC":
		return s.has("AES") && !s.has("AESGCM")
	}
	return s.name == word || slices.Contains(strings.Fields(s.words), word)
}

// absentWords are OpenSSL's words for what crypto/tls has not: they match nothing, and a list that forbids or allows them is as good without.
const absentWords = " LOW MEDIUM EXP EXPORT EXPORT40 EXPORT56 NULL eNULL aNULL COMPLEMENTOFALL COMPLEMENTOFDEFAULT DH DHE EDH kDHE kEDH kDH kDHr kDHd aDH aDSS DSS ADH AECDH aECDH kECDHr kECDHe " +
	"DES 3DES RC2 RC4 IDEA SEED CAMELLIA CAMELLIA128 CAMELLIA256 ARIA ARIA128 ARIA256 ARIAGCM AESCCM AESCCM8 MD5 PSK kPSK aPSK kECDHEPSK kDHEPSK kRSAPSK SRP kSRP aSRP KRB5 kKRB5 aKRB5 " +
	"GOST GOST89MAC GOST94 kGOST aGOST aGOST01 kFZA aFZA FZA SSLv2 TLSv1 "

// absentStarts and absentParts are what tells the single suites that OpenSSL has or had, and crypto/tls has not.
var (
	absentStarts = [...]string{"DHE-", "EDH-", "ADH-", "AECDH-", "ECDH-", "DH-", "PSK-", "RSA-PSK-", "ECDHE-PSK-", "SRP-", "KRB5-", "EXP-", "GOST", "AES256-SHA256"}
	absentParts  = [...]string{"CAMELLIA", "ARIA", "SEED", "IDEA", "RC4", "RC2", "DES-", "NULL", "CCM", "-AES256-SHA384"}
)

func isSeparator(r rune) bool { return r == ':' || r == ',' || r == ' ' || r == ';' }

// parseCiphers reads one of PgBouncer's words, or a cipher list as openssl-ciphers(1) has it; nil is Go's own choice. crypto/tls takes the suites in an order of its own, so that what
// only concerns the order ("+word", "@STRENGTH") has no effect.
func parseCiphers(text string) ([]uint16, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "default", "secure", "fast", "normal":
		return nil, nil
	case "all":
		text = "ALL"
	}
	var chosen, killed []uint16
	for item := range strings.FieldsFuncSeq(text, isSeparator) {
		if strings.HasPrefix(item, "@") {
			continue
		}
		action, word := item[0], item
		if strings.IndexByte("!-+", action) >= 0 {
			word = item[1:]
		} else {
			action = 0
		}
		ids, err := match(word)
		if err != nil {
			return nil, err
		}
		switch action {
		case '!':
			killed = append(killed, ids...)
			chosen = without(chosen, ids)
		case '-':
			chosen = without(chosen, ids)
		case '+': // to the end
		default:
			chosen = append(chosen, without(ids, killed)...)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no ciphers for %q", text)
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}

func without(ids, these []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(ids), func(id uint16) bool { return slices.Contains(these, id) })
}

func suiteNames() string {
	names := make([]string, len(suites))
	for i, s := range suites {
		names[i] = s.name
	}
	return strings.Join(names, ", ")
}

// match gives the suites that have all of the words between "+".
func match(words string) ([]uint16, error) {
	parts := strings.Split(words, "+")
	for _, word := range parts {
		if !known(word) {
			return nil, fmt.Errorf("%q is not known: default, secure, fast, normal and all are, and OpenSSL's words and names, of which there are %s", word, suiteNames())
		}
	}
	var ids []uint16
	for _, s := range suites {
		if !slices.ContainsFunc(parts, func(word string) bool { return !s.has(word) }) {
			ids = append(ids, s.id)
		}
	}
	return ids, nil
}

func known(word string) bool {
	return slices.ContainsFunc(suites[:], func(s suite) bool { return s.has(word) }) || strings.Contains(absentWords, " "+word+" ") ||
		slices.ContainsFunc(absentStarts[:], func(start string) bool { return strings.HasPrefix(word, start) }) ||
		slices.ContainsFunc(absentParts[:], func(part string) bool { return strings.Contains(word, part) })
}
