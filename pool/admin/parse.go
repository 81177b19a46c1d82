package admin

import (
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

// find gives the command that a statement names: SET, or a word and at most one more, each plain or quoted.
func (c *Console) find(s statement) (command, *wire.Error) {
	if s.words[0].is("set") {
		return c.findSet(s)
	}
	arg := ""
	switch {
	case len(s.words) > 2, s.words[0].kind > quotedWord:
		return command{}, invalid(s)
	case len(s.words) == 2:
		if s.words[1].kind > quotedWord {
			return command{}, invalid(s)
		}
		arg = s.words[1].text
	}
	if cmd, ok := c.lookUp(strings.ToLower(s.words[0].text), arg); ok {
		return cmd, nil
	}
	return command{}, invalid(s)
}

// lookUp finds a command by its first word, in lower case, and the word behind it.
func (c *Console) lookUp(word, arg string) (command, bool) {
	switch word {
	case "show", "select": // as in PgBouncer, both
		if cmd, ok := findParameter(arg); ok {
			return cmd, true
		}
		cmd, ok := c.shows[strings.ToLower(arg)]
		return cmd, ok
	case "shutdown":
		return findShutdown(arg)
	}
	v, ok := c.verbs[word]
	if !ok || v.takes == noArgument && arg != "" {
		return command{}, false
	}
	return v.command(arg), true
}

// invalid is what PgBouncer answers to whatever it does not know.
func invalid(s statement) *wire.Error {
	return refuse(invalidCommand, shorten(s.text))
}

const invalidCommand = "invalid command '%s', use SHOW HELP;"

const mostShown = 200 // bytes of a command in a message

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
