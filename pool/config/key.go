package config

import (
	"slices"
	"strings"
)

// Support says what poolerd does with a key.
type Support uint8

const (
	Honoured Support = iota
	Harmless         // accepted without effect; a Warning when it is set to anything but its default
)

// Key is one key of [pgbouncer] or [poolerd].
type Key struct {
	Name       string
	Section    string // "pgbouncer" or "poolerd"
	Default    string // as it would be written; of a key without effect, PgBouncer's
	Unit       string // "seconds", "connections", ...; empty for words and switches
	Doc        string // one line
	Reloadable bool   // a reload changes it; else it needs a restart
	Support    Support
	Reason     string // of a harmless key: why it has no effect

	set func(*Config, string) *Error // the error has only Reason and Hint
	get func(*Config) string
}

// Keys gives every key that is known, honoured ones first, in the order of the reference.
func Keys() []Key { return slices.Concat(honouredKeys(), ignoredKeys()) }

// problem makes a setter's complaint an Error about k.
func (k Key) problem(from Origin, value string, e *Error) *Error {
	e.Origin, e.Key, e.Value = from, k.Name, value
	return e
}

// check judges the value of a key that has no effect: a warning, or none.
func (k Key) check(from Origin, value string) *Warning {
	if value == k.Default {
		return nil
	}
	return &Warning{Origin: from, Key: k.Name, Value: value, Reason: "has no effect: " + k.Reason}
}

func findKey(name string) (Key, bool) {
	for _, k := range Keys() {
		if k.Name == name {
			return k, true
		}
	}
	return Key{}, false
}

func honouredNames() []string {
	var names []string
	for _, k := range honouredKeys() {
		names = append(names, k.Name)
	}
	return names
}

// Entry is a row of SHOW CONFIG.
type Entry struct {
	Key, Value, Default string
	Changeable          bool // by a reload
}

// Entries gives every honoured key with its value, by name. No key of [pgbouncer] or [poolerd] holds a secret; those are in [databases] and the user list,
// which are not here.
func (c *Config) Entries() []Entry {
	var all []Entry
	for _, k := range honouredKeys() {
		all = append(all, Entry{k.Name, k.get(c), k.Default, k.Reloadable})
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return all
}
