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
		{"server_version", dialect + "/bouncer"},
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

func lookUpParameter(name string) (parameter, bool) {
	for _, p := range append(parameters(), unreported()...) {
		if strings.EqualFold(p.name, name) {
			return p, true
		}
	}
	return parameter{}, false
}

// findParameter gives the command that shows a parameter.
func findParameter(name string) (command, bool) {
	p, ok := lookUpParameter(name)
	if !ok {
		return command{}, false
	}
	return show(p.name, columnsOf(text, p.name), func(*Console) (result, *wire.Error) { return rows([][]any{{p.value}}) }), true
}
