package config

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"poolerd/wire/secure"
)

// The parsers of values. Their errors have only Reason and Hint.

func parseInt(s string, low, high int) (int, *Error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, badInt(low, high)
	}
	return n, nil
}

func badInt(low, high int) *Error {
	hint := fmt.Sprintf("give one from %d to %d", low, high)
	if high == math.MaxInt32 {
		hint = fmt.Sprintf("give one of at least %d", low)
	}
	return &Error{Reason: "not a usable whole number", Hint: hint}
}

// parseCInt is parseInt for the keys of [pgbouncer], which PgBouncer reads as C does: 0x in front makes it hexadecimal, 0 octal.
func parseCInt(s string, low, high int) (int, *Error) {
	n, err := cInt(s)
	if err != nil || n < int64(low) || n > int64(high) {
		return 0, badInt(low, high)
	}
	return int(n), nil
}

// cInt is C's strtol with base 0, without blanks in front.
func cInt(s string) (int64, error) {
	digits := strings.TrimLeft(s, "+-")
	sign := s[:len(s)-len(digits)]
	if len(sign) > 1 {
		return 0, strconv.ErrSyntax
	}
	base := 10
	switch lower := strings.ToLower(digits); {
	case strings.HasPrefix(lower, "0x"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base, digits = 8, digits[1:]
	}
	return strconv.ParseInt(sign+digits, base, 64)
}

// parseBool reads a switch, where any number but 0 is on, as PgBouncer reads it.
func parseBool(s string) (bool, *Error) {
	switch strings.ToLower(s) {
	case "on", "true", "yes":
		return true, nil
	case "off", "false", "no":
		return false, nil
	}
	if n, err := cInt(s); err == nil {
		return n != 0, nil
	}
	return false, &Error{Reason: "not a switch", Hint: "give 1 or 0 (on or off)"}
}

// maxDuration is far above every sensible setting, and sums of a few of them do not overflow.
const maxDuration = 100 * 365 * 24 * time.Hour

// parseDuration reads seconds, whole or not, or Go's form with units.
func parseDuration(s string) (time.Duration, *Error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if f >= 0 && f <= maxDuration.Seconds() {
			return time.Duration(math.Round(f * float64(time.Second))), nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d >= 0 && d <= maxDuration {
		return d, nil
	}
	return 0, &Error{Reason: "not a usable duration", Hint: `give seconds as "8" or "0.5", or a number with a unit as "500ms" or "2m"`}
}

// parseMilliseconds is for the one key whose unit is not the second.
func parseMilliseconds(s string) (time.Duration, *Error) {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Millisecond, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 && d <= math.MaxInt32*time.Millisecond {
		return d.Truncate(time.Millisecond), nil
	}
	return 0, &Error{Reason: "not a usable duration", Hint: `give milliseconds as "1500", or a number with a unit as "1.5s"`}
}

// formatSeconds is how PgBouncer shows a duration.
func formatSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

func formatBool(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// parseList splits at commas; spaces around items and empty items are dropped.
func parseList(s string) []string {
	var list []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// parseWord finds a word whatever its case, as PgBouncer does.
func parseWord[T fmt.Stringer](what, hint string, words ...T) func(string) (T, *Error) {
	return func(s string) (T, *Error) {
		for _, w := range words {
			if strings.EqualFold(w.String(), s) {
				return w, nil
			}
		}
		var none T
		return none, &Error{Reason: "unknown " + what, Hint: hint}
	}
}

func parseMode(s string) (Mode, *Error) {
	return parseWord("pool mode", "give session, transaction or statement", ModeTransaction, ModeSession, ModeStatement)(s)
}

func parsePinPolicy(s string) (PinPolicy, *Error) {
	return parseWord("pin policy", "give pin, error or off", PinKeep, PinError, PinOff)(s)
}

func parseSSLMode(s string) (secure.Mode, *Error) {
	return parseWord("sslmode", "give disable, allow, prefer, require, verify-ca or verify-full",
		secure.Disable, secure.Allow, secure.Prefer, secure.Require, secure.VerifyCA, secure.VerifyFull)(s)
}

func parseAuthType(s string) (AuthType, *Error) {
	const known = "give scram-sha-256, md5, plain, ldap, cert, hba, trust or any"
	switch strings.ToLower(s) {
	case "pam":
		return 0, &Error{Reason: "pam is not supported: it needs a C library", Hint: known}
	case "peer", "reject":
		return 0, &Error{Reason: s + " stands in access rules only", Hint: "set auth_type = hba, and write a rule with it in auth_hba_file"}
	}
	return parseWord("authentication type", known, AuthSCRAM, AuthMD5, AuthPlain, AuthTrust, AuthAny, AuthCert, AuthHBA, AuthLDAP)(s)
}

// parseFileMode reads permission bits: octal with a 0 in front, as PgBouncer and chmod's users write them.
func parseFileMode(s string) (os.FileMode, *Error) {
	n, err := cInt(s)
	if err != nil || n < 0 || n > 0o777 {
		return 0, &Error{Reason: "not a file mode", Hint: "give one such as 0770, from 0000 to 0777"}
	}
	return os.FileMode(n), nil
}

// deferAccept is for how long Linux holds back a connection without data, as in PgBouncer.
const deferAccept = 45 * time.Second

// The kinds of keys. field gives the place in a Config.

func intKey(k Key, low, high int, field func(*Config) *int) Key {
	k.set = func(c *Config, s string) *Error {
		return store(field(c), s, func(s string) (int, *Error) { return parseCInt(s, low, high) })
	}
	k.get = func(c *Config) string { return strconv.Itoa(*field(c)) }
	return k
}

func boolKey(k Key, field func(*Config) *bool) Key {
	k.set = func(c *Config, s string) *Error { return store(field(c), s, parseBool) }
	k.get = func(c *Config) string { return formatBool(*field(c)) }
	return k
}

func durationKey(k Key, field func(*Config) *time.Duration) Key {
	k.Unit = "seconds"
	k.set = func(c *Config, s string) *Error { return store(field(c), s, parseDuration) }
	k.get = func(c *Config) string { return formatSeconds(*field(c)) }
	return k
}

func textKey(k Key, field func(*Config) *string) Key {
	k.set = func(c *Config, s string) *Error { *field(c) = s; return nil }
	k.get = func(c *Config) string { return *field(c) }
	return k
}

// databaseKey is the name of a database for clients.
func databaseKey(k Key, field func(*Config) *string) Key {
	k = textKey(k, field)
	k.set = func(c *Config, s string) *Error { return store(field(c), s, parseServed) }
	return k
}

// parseServed refuses the console's name.
func parseServed(name string) (string, *Error) {
	if Reserved(name) {
		return "", &Error{Reason: `cannot use the reserved "` + name + `" database as an auth_dbname`, Hint: "name a database of [databases]"}
	}
	return name, nil
}

// maskedKey is a text that may hold a password.
func maskedKey(k Key, field func(*Config) *string) Key {
	k = textKey(k, field)
	k.full = k.get
	k.get = func(c *Config) string { return maskPasswords(*field(c)) }
	return k
}

func listKey(k Key, field func(*Config) *[]string) Key {
	k.set = func(c *Config, s string) *Error { *field(c) = parseList(s); return nil }
	k.get = func(c *Config) string { return strings.Join(*field(c), ",") }
	return k
}

func wordKey(k Key, words []string, field func(*Config) *string) Key {
	k.set = func(c *Config, s string) *Error {
		i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, s) })
		if i < 0 {
			return &Error{Reason: "not one of its words", Hint: "give one of " + strings.Join(words, ", ")}
		}
		*field(c) = words[i]
		return nil
	}
	k.get = func(c *Config) string { return *field(c) }
	return k
}

func modeKey(k Key, field func(*Config) *os.FileMode) Key {
	k.set = func(c *Config, s string) *Error { return store(field(c), s, parseFileMode) }
	k.get = func(c *Config) string { return fmt.Sprintf("%04o", *field(c)) }
	return k
}

func deferKey(k Key) Key {
	k.set = func(c *Config, s string) *Error {
		on, err := parseBool(s)
		if c.TCPDeferAccept = 0; on {
			c.TCPDeferAccept = deferAccept
		}
		return err
	}
	k.get = func(c *Config) string { return formatBool(c.TCPDeferAccept > 0) }
	return k
}

func packetKey(k Key) Key {
	k.set = func(c *Config, s string) *Error {
		n, err := cInt(s)
		if err != nil || n < minPacketSize || n > math.MaxUint32 {
			return &Error{Reason: "not a usable size", Hint: fmt.Sprintf("give bytes, %d at least", minPacketSize)}
		}
		c.MaxPacketSize = n
		return nil
	}
	k.get = func(c *Config) string { return strconv.FormatInt(c.MaxPacketSize, 10) }
	return k
}

// minPacketSize lets every login through.
const minPacketSize = 1024

// store sets *field when s can be read.
func store[T any](field *T, s string, parse func(string) (T, *Error)) *Error {
	v, err := parse(s)
	if err != nil {
		return err
	}
	*field = v
	return nil
}
