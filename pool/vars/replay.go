package vars

import "strings"

// Replay gives the statements that bring a server from one Set to another: one text for a simple Query, empty when there is nothing to do. Whom the server takes its user for
// is put back first and set last, so that all else is set with the rights of the pool's user.
func Replay(from, to *Set) string {
	if from == to {
		return ""
	}
	var list []string
	other := false
	for _, name := range identities {
		other = other || from.item(name) != to.item(name)
	}
	for _, name := range identities {
		if _, has := from.find(name); has && other {
			list = append(list, "RESET "+quoteName(name))
		}
	}
	for _, i := range from.items {
		if _, kept := to.find(i.Name); !kept && !identity(i.Name) {
			list = append(list, "RESET "+quoteName(i.Name))
		}
	}
	for _, i := range to.items {
		if from.item(i.Name) != i && !identity(i.Name) {
			if _, has := from.find(i.Name); has && i.Name == "datestyle" {
				list = append(list, `RESET "datestyle"`) // what a value leaves out stays as it was
			}
			list = append(list, i.statement())
		}
	}
	for _, name := range identities {
		if i, has := to.Get(name); has && other {
			list = append(list, i.statement())
		}
	}
	return strings.Join(list, ";")
}

// Sure tells whether a server is certain to accept Replay(from, to), so that a statement may follow it unseen: a server has accepted the
// Set before, and what differs are parameters whose acceptance depends on nothing but their value.
func Sure(from, to *Set) bool {
	if _, ok := to.Reported(); !ok {
		return false
	}
	for _, i := range to.items {
		if had, ok := from.Get(i.Name); (!ok || had != i) && !steady(i.Name) {
			return false
		}
	}
	for _, i := range from.items {
		if _, kept := to.find(i.Name); !kept && identity(i.Name) {
			return false
		}
	}
	return true
}

// identities decide the rights that all else runs with. Setting the first ends the second.
var identities = [...]string{"session_authorization", "role"}

func identity(name string) bool { return name == "role" || name == "session_authorization" }

// steady: accepted once, accepted always.
func steady(name string) bool {
	switch name {
	case "application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle", "default_transaction_isolation",
		"default_transaction_read_only", "extra_float_digits", "idle_in_transaction_session_timeout", "intervalstyle", "jit",
		"lock_timeout", "search_path", "standard_conforming_strings", "statement_timeout", "synchronous_commit", "timezone", "work_mem":
		return true
	}
	return false
}

func (i Item) statement() string {
	switch {
	case i.Raw && i.Name == "timezone":
		return "SET TIME ZONE " + i.Value // which knows LOCAL
	case i.Raw:
		return "SET " + quoteName(i.Name) + " TO " + i.Value
	}
	// As in a startup packet: SET would take a list such as search_path's for one name.
	return "SELECT pg_catalog.set_config(" + Quote(i.Name) + "," + Quote(i.Value) + ",false)"
}

// Settable tells whether a client may set the parameter, as far as servers report it.
func Settable(name string) bool {
	switch name {
	case "in_hot_standby", "integer_datetimes", "is_superuser", "role", "server_encoding", "server_version", "session_authorization":
		return false
	}
	return true
}

// quoteName writes a parameter's name, which may have two parts.
func quoteName(name string) string {
	parts := strings.Split(name, ".")
	for n, p := range parts {
		parts[n] = `"` + strings.ReplaceAll(p, `"`, `""`) + `"`
	}
	return strings.Join(parts, ".")
}

// Quote writes a string literal that means the same whatever standard_conforming_strings says.
func Quote(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if !strings.Contains(s, `\`) {
		return q
	}
	return " E" + strings.ReplaceAll(q, `\`, `\\`)
}
