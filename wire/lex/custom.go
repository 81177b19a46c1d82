package lex

import (
	"bytes"
	"strings"
)

// CustomSets gives the names of parameters of the kind my.own that a text sets by SET or RESET anywhere, in the bodies of DO too: servers list no such
// parameters. It reads words as they stand and knows nothing of quotes around them; names may repeat, and may be none.
func CustomSets(sql []byte) (names []string) {
	sql, _, _ = bytes.Cut(sql, []byte{0})
	for at := 0; at < len(sql); {
		start := bytes.IndexAny(sql[at:], "sSrR")
		if start < 0 {
			break
		}
		start += at
		word, next := wordAt(sql, start)
		at = next
		if start > 0 && part(sql[start-1]) || !strings.EqualFold(word, "set") && !strings.EqualFold(word, "reset") {
			continue
		}
		name, next := nameAt(sql, next)
		if strings.EqualFold(name, "local") || strings.EqualFold(name, "session") {
			name, next = nameAt(sql, next)
		}
		if strings.Contains(name, ".") {
			names = append(names, strings.ToLower(name))
			at = next
		}
	}
	return names
}

// wordAt reads the letters and digits at a place.
func wordAt(sql []byte, at int) (string, int) {
	from := at
	for at < len(sql) && part(sql[at]) {
		at++
	}
	return string(sql[from:at]), max(at, from+1)
}

// nameAt reads a name with dots in it behind whitespace; its parts may be quoted.
func nameAt(sql []byte, at int) (string, int) {
	for at < len(sql) && bytes.IndexByte([]byte(" \t\r\n\f\v"), sql[at]) >= 0 {
		at++
	}
	from := at
	for at < len(sql) && (part(sql[at]) || sql[at] == '.' || sql[at] == '"') {
		at++
	}
	return strings.ReplaceAll(string(sql[from:at]), `"`, ""), at
}

// part tells whether a byte may stand in an identifier.
func part(c byte) bool {
	return c >= 0x80 || c == '_' || c == '$' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
