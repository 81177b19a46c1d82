package admin

import (
	"strings"

	"poolerd/wire"
)

// parameter is a setting of a session. The console's are what they are: drivers ask for some and set others before they know whom they talk to.
type parameter struct{ name, value string }

// parameters gives what the welcome reports, but for what depends on the user.
func parameters() []parameter {
	return []parameter{
		{"server_version", dialect + "/poolerd"},
		{"server_encoding", "UTF8"},
		{"client_encoding", "UTF8"},
		{"DateStyle", "ISO, MDY"},
		{"IntervalStyle", "postgres"},
		{"TimeZone", "GMT"},
		{"standard_conforming_strings", "on"},
		{"integer_datetimes", "on"},
		{"application_name", ""},
		{"default_transaction_read_only", "off"},
		{"in_hot_standby", "off"},
	}
}

// unreported gives those that a session can be asked for all the same.
func unreported() []parameter {
	return []parameter{
		{"default_transaction_isolation", "read committed"},
		{"transaction_isolation", "read committed"},
		{"extra_float_digits", "1"},
	}
}

func lookUp(name string) (parameter, bool) {
	for _, p := range append(parameters(), unreported()...) {
		if strings.EqualFold(p.name, name) {
			return p, true
		}
	}
	return parameter{}, false
}

// findParameter gives the command that shows a parameter.
func findParameter(name string) (command, bool) {
	asked, ok := strings.CutPrefix(name, "show ")
	if !ok {
		return command{}, false
	}
	p, ok := lookUp(asked)
	if !ok {
		return command{}, false
	}
	return show(asked, columnsOf(text, p.name), func(*Console) (result, *wire.Error) { return rows([][]any{{p.value}}) }), true
}

// findSet gives the command for SET name = value, or TO in place of the sign, of a parameter: it does nothing and says so.
func findSet(s statement) (command, *wire.Error) {
	words := s.words[1:]
	if len(words) > 0 && words[0].kind == plainWord && (words[0].text == "session" || words[0].text == "local") {
		words = words[1:]
	}
	if len(words) < 3 || words[0].kind > quotedWord || words[1] != (word{symbol, "="}) && words[1] != (word{plainWord, "to"}) {
		return command{}, unknown(s)
	}
	p, ok := lookUp(words[0].text)
	if !ok {
		return command{}, wire.Errorf(wire.CodeUndefinedObject, "%q cannot be set here: change the configuration file and RELOAD", shorten(words[0].text))
	}
	return command{name: "set " + p.name, tag: "SET", run: func(*Console) (result, *wire.Error) {
		note := &wire.Error{Severity: "NOTICE", Code: "00000", Message: "the console does not use " + p.name + ": SET has no effect"}
		return result{notices: []*wire.Error{note}}, nil
	}}, nil
}
