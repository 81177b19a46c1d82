package config

import (
	"slices"
	"strings"
)

// Entry is a row of SHOW CONFIG.
type Entry struct {
	Key, Value, Default string
	Changeable          bool // by a reload, or by SET
}

// Entries gives every key with its value, by name, those without effect too. Nothing in it is secret: passwords stand in [databases] and the user list, which
// are not here, and one in auth_ldap_options is masked.
func (c *Config) Entries() []Entry {
	var all []Entry
	for _, k := range Keys() {
		all = append(all, Entry{k.Name, k.value(c), k.Default, k.Reloadable})
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// value is what SHOW CONFIG shows.
func (k Key) value(c *Config) string {
	if k.get != nil {
		return k.get(c)
	}
	if text, ok := c.inert[k.Name]; ok {
		return text
	}
	return k.Default
}
