package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Change is one setting that two Configs differ in. It never shows a secret.
type Change struct {
	Key      string // a key of Keys, or "databases.NAME", "users.NAME", "peers.NUMBER", "upstream"
	Old, New string // as in the file; of a database, a user, a peer or the upstream: empty, "set" or "changed"
	Restart  bool   // a reload does not change it
}

// Diff tells what differs from old to new: keys in the order of Keys, then databases, users and peers by name.
func Diff(old, new *Config) []Change {
	var changes []Change
	for _, k := range honouredKeys() {
		if k.differs(old, new) {
			changes = append(changes, Change{k.Name, k.get(old), k.get(new), !k.Reloadable})
		}
	}
	changes = append(changes, diffMaps("databases.", old.Databases, new.Databases, func(d Database) Database { d.Origin = Origin{}; return d })...)
	changes = append(changes, diffMaps("users.", old.Users, new.Users, func(u UserSettings) UserSettings { u.Origin = Origin{}; return u })...)
	changes = append(changes, diffMaps("peers.", old.Peers, new.Peers, func(p Peer) Peer { p.Origin = Origin{}; return p })...)
	if !reflect.DeepEqual(old.Upstream, new.Upstream) {
		changes = append(changes, Change{Key: "upstream", Old: "set", New: "changed"})
	}
	return changes
}

// diffMaps compares the entries of two maps, where to the operator only what strip leaves counts.
func diffMaps[K cmp.Ordered, T any](prefix string, old, new map[K]T, strip func(T) T) []Change {
	names := slices.AppendSeq(slices.Collect(maps.Keys(old)), maps.Keys(new))
	slices.Sort(names)
	var changes []Change
	for _, name := range slices.Compact(names) {
		a, had := old[name]
		b, has := new[name]
		switch {
		case !had:
			changes = append(changes, Change{Key: prefix + fmt.Sprint(name), New: "set"})
		case !has:
			changes = append(changes, Change{Key: prefix + fmt.Sprint(name), Old: "set"})
		case !reflect.DeepEqual(strip(a), strip(b)):
			changes = append(changes, Change{Key: prefix + fmt.Sprint(name), Old: "set", New: "changed"})
		}
	}
	return changes
}
