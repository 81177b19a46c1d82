package config

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Userlist is the users that auth_file names, with their secrets. It is not changed once it is made, and it is safe for concurrent use. Printed, it shows
// how many users it has and nothing else.
type Userlist struct{ secrets map[string]Secret }

// ParseUserlist reads text in the format of PgBouncer's userlist.txt: a line for each user, with the name and the password or secret in double quotes, "" for one quote
// inside them, and what stands between and behind them ignored. Lines that start with ; or # are comments. The last of several lines for one user wins. name stands for
// the file in messages, which never show a line's text.
func ParseUserlist(name string, text []byte) (*Userlist, error) {
	list := &Userlist{secrets: map[string]Secret{}}
	var problems Errors
	at := Origin{File: name}
	for line := range strings.SplitSeq(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		at.Line++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		user, secret, problem := userLine(line)
		if problem != nil {
			problem.Origin = at
			problems = append(problems, problem)
			continue
		}
		list.secrets[user] = secret
	}
	if err := problems.orNil(); err != nil {
		return nil, err
	}
	return list, nil
}

func userLine(line string) (user string, secret Secret, _ *Error) {
	broken := &Error{Reason: "broken line of the user list", Hint: `write "user" "password", both in double quotes`}
	if line[0] != '"' {
		return "", Secret{}, broken
	}
	user, rest, ok := cutQuoted(line[1:], '"')
	_, rest, found := strings.Cut(rest, `"`)
	text, _, closed := cutQuoted(rest, '"')
	if !ok || !found || !closed || user == "" {
		return "", Secret{}, broken
	}
	secret = NewSecret(text)
	if secret.Kind() == SCRAMSecret && !validSCRAM(text) {
		return "", Secret{}, &Error{Key: user, Reason: "broken SCRAM secret", Hint: "copy it whole from pg_authid.rolpassword: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey"}
	}
	return user, secret, nil
}

// validSCRAM tells whether text has the form of a SCRAM-SHA-256 secret.
func validSCRAM(text string) bool {
	parts := strings.Split(text, "$")
	if len(parts) != 3 {
		return false
	}
	iterations, salt, ok1 := strings.Cut(parts[1], ":")
	stored, server, ok2 := strings.Cut(parts[2], ":")
	n, err := strconv.ParseUint(iterations, 10, 31)
	return ok1 && ok2 && err == nil && n > 0 && decodedLen(salt) > 0 && decodedLen(stored) == 32 && decodedLen(server) == 32
}

// decodedLen is the length of what base64 text stands for, -1 when it is none.
func decodedLen(text string) int {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return -1
	}
	return len(b)
}

// Secret gives a user's secret. ok is false for a user who is not in the list; a user may be there without a secret.
func (l *Userlist) Secret(user string) (s Secret, ok bool) {
	s, ok = l.secrets[user]
	return s, ok
}

// Users gives the names, sorted.
func (l *Userlist) Users() []string { return slices.Sorted(maps.Keys(l.secrets)) }

// Format prints the number of users for every verb.
func (l *Userlist) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "user list of "+strconv.Itoa(len(l.secrets)))
}

// Secrets gives the users that may be known: those of auth_file, when one is set, and the one of the upstream URL, whose password wins.
func (c *Config) Secrets() (*Userlist, error) {
	list := &Userlist{secrets: map[string]Secret{}}
	if c.AuthFile != "" {
		text, err := os.ReadFile(filepath.Clean(c.AuthFile))
		if err != nil {
			return nil, Errors{c.unreadable("auth_file", c.AuthFile, err)}
		}
		if list, err = ParseUserlist(c.AuthFile, text); err != nil {
			return nil, err
		}
	}
	if c.Upstream.User != "" {
		list.secrets[c.Upstream.User] = c.Upstream.Password
	}
	return list, nil
}

// Reveal gives the text of a user's secret: it is what wire/auth asks for. ok is false for a user who is not in the list.
func (l *Userlist) Reveal(user string) (text string, ok bool) {
	s, ok := l.secrets[user]
	return s.Reveal(), ok
}
