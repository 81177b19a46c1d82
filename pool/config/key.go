package config

import "slices"

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

	set  func(*Config, string) *Error // the error has only Reason and Hint
	get  func(*Config) string         // as it may be shown
	full func(*Config) string         // with the secrets that get masks; nil: there are none
}

// Keys gives every key that is known, honoured ones first, in the order of the reference.
func Keys() []Key { return slices.Concat(honouredKeys(), ignoredKeys()) }

// problem makes a setter's complaint an Error about k.
func (k Key) problem(from Origin, value string, e *Error) *Error {
	e.Origin, e.Key, e.Value = from, k.Name, shownValue(k.Name, value)
	return e
}

// check judges the value of a key that has no effect: a warning, or none.
func (k Key) check(from Origin, value string) *Warning {
	if value == k.Default {
		return nil
	}
	return &Warning{Origin: from, Key: k.Name, Value: value, Reason: "has no effect: " + k.Reason}
}

// differs tells whether two Configs have another value of an honoured key.
func (k Key) differs(a, b *Config) bool {
	if k.full != nil {
		return k.full(a) != k.full(b)
	}
	return k.get(a) != k.get(b)
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
