package admin

import (
	"slices"
	"strings"
	"unicode/utf8"

	"poolerd/wire"
)

// SQLSTATEs that only the console sends.
const (
	codeBadEncoding     wire.Code = "22021" // character_not_in_repertoire
	codeUndefinedPortal wire.Code = "34000" // invalid_cursor_name
	codeDuplicatePortal wire.Code = "42P03" // duplicate_cursor
	codeConfigFileError wire.Code = "F0000"
	codePortalState     wire.Code = "55000" // object_not_in_prerequisite_state
)

// find gives the command that a statement names.
func (c *Console) find(s statement) (command, *wire.Error) {
	first := s.words[0]
	if first.kind == plainWord && first.text == "set" {
		return findSet(s)
	}
	if first.kind == plainWord && slices.Contains([]string{"begin", "start", "commit", "end", "rollback", "abort", "savepoint"}, first.text) {
		return command{}, wire.Errorf(wire.CodeFeatureNotSupported, "the console has no transactions (%q): switch the driver to autocommit", shorten(s.text))
	}
	name, ok := plain(s.words)
	if !ok {
		return command{}, unknown(s)
	}
	if cmd, ok := c.commands[name]; ok {
		return cmd, nil
	}
	if cmd, ok := findParameter(name); ok {
		return cmd, nil
	}
	return command{}, unknown(s)
}

// plain joins words that are all plain ones.
func plain(words []word) (name string, ok bool) {
	parts := make([]string, 0, len(words))
	for _, w := range words {
		if w.kind != plainWord {
			return "", false
		}
		parts = append(parts, w.text)
	}
	return strings.Join(parts, " "), true
}

func unknown(s statement) *wire.Error {
	return wire.Errorf(wire.CodeSyntaxError, "unknown command %q: SHOW HELP lists the commands", shorten(s.text))
}

const mostShown = 80 // bytes of a command in a message

// shorten cuts a text between two characters.
func shorten(s string) string {
	if len(s) <= mostShown {
		return s
	}
	n := mostShown
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
