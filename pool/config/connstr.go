package config

import "strings"

// pair is one key=value of a line of [databases] or [users].
type pair struct{ key, value string }

// connString reads "key=value key='quoted value'" as PgBouncer does: a value goes to the next blank, or in single quotes, with two for one, to the closing
// one. Empty values are refused. The problems never show the line, which may hold a password.
func connString(s string) ([]pair, *Error) {
	const blanks = " \t"
	var pairs []pair
	for s = strings.TrimLeft(s, blanks); s != ""; s = strings.TrimLeft(s, blanks) {
		n := strings.IndexAny(s, "="+blanks)
		if n <= 0 || !strings.HasPrefix(strings.TrimLeft(s[n:], blanks), "=") {
			return nil, &Error{Reason: "broken connection string: a parameter without a value", Hint: "write name=value pairs with blanks between them, a value that has blanks in 'single quotes'"}
		}
		p := pair{key: s[:n]}
		s = strings.TrimLeft(strings.TrimLeft(s[n:], blanks)[1:], blanks)
		if strings.HasPrefix(s, "'") {
			var ok bool
			if p.value, s, ok = cutQuoted(s[1:], '\''); !ok {
				return nil, &Error{Reason: "broken connection string: the quote before the value of " + p.key + " is not closed", Hint: "close it, and write ' inside it as ''"}
			}
			if s != "" && !strings.ContainsAny(s[:1], blanks) {
				return nil, &Error{Reason: "broken connection string: no blank behind the value of " + p.key, Hint: "put a blank there, and write ' inside quotes as ''"}
			}
		} else if n := strings.IndexAny(s, blanks); n >= 0 {
			p.value, s = s[:n], s[n:]
		} else {
			p.value, s = s, ""
		}
		if p.value == "" {
			return nil, &Error{Reason: "broken connection string: the value of " + p.key + " is empty", Hint: "remove " + p.key}
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}
