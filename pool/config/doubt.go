package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// Warnings finds what works and is likely not meant: dangerous combinations, settings without effect beside others, and what PgBouncer would do otherwise. It looks
// at the modes of the files that hold secrets, and reads auth_file and auth_hba_file; what is wrong with them is CheckFiles' to say. The order is fixed.
func (c *Config) Warnings() []Warning {
	d := doubter{c: c}
	d.users, _ = c.Secrets()
	d.logins()
	d.rules()
	d.authQuery()
	d.encryption()
	d.pools()
	d.times()
	d.files()
	d.fold()
	return d.warnings
}

// mostAlike is how many databases are named that share one doubt: a file may have hundreds.
const mostAlike = 3

type doubter struct {
	c        *Config
	users    *Userlist // nil when it cannot be read
	warnings []Warning
	alike    map[string]*doubts // by parameter and hint
}

// doubts are those that several databases share.
type doubts struct {
	count int
	last  int // the last one that is told, in warnings
}

// key doubts a key of [pgbouncer] or [poolerd] with its effective value.
func (d *doubter) key(name, reason, hint string) {
	known, _ := findKey(name)
	d.warnings = append(d.warnings, Warning(*known.problem(d.c.origins[name], known.value(d.c), &Error{Reason: reason, Hint: hint})))
}

// database doubts a parameter of a line of [databases].
func (d *doubter) database(db Database, param, value, reason, hint string) {
	if d.alike == nil {
		d.alike = map[string]*doubts{}
	}
	same := d.alike[param+hint]
	if same == nil {
		same = &doubts{}
		d.alike[param+hint] = same
	}
	if same.count++; same.count > mostAlike {
		return
	}
	same.last = len(d.warnings)
	d.warnings = append(d.warnings, Warning{Origin: db.Origin, Key: db.Name + ": " + param, Value: value, Reason: reason, Hint: hint})
}

// fold says of how many databases more the same is true.
func (d *doubter) fold() {
	for _, same := range d.alike {
		if more := same.count - mostAlike; more > 0 {
			d.warnings[same.last].Reason += fmt.Sprintf(", and so of %d more databases", more)
		}
	}
}

// set tells whether a key was given.
func (d *doubter) set(key string) bool {
	_, ok := d.c.origins[key]
	return ok
}

// databases gives the entries by name.
func (d *doubter) databases() []Database {
	all := make([]Database, 0, len(d.c.Databases))
	for _, name := range slices.Sorted(maps.Keys(d.c.Databases)) {
		all = append(all, d.c.Databases[name])
	}
	return all
}

// exposed tells whether other machines can reach a TCP address that is listened on.
func (c *Config) exposed() bool {
	return slices.ContainsFunc(c.ListenAddr, func(a string) bool {
		host, _ := splitAddr(a)
		return !isLoopback(host)
	})
}

// isLoopback tells whether a host is this machine alone, as far as its name says.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// remote tells whether a database has a host that is not this machine, as far as its name says.
func (db Database) remote() bool {
	return slices.ContainsFunc(db.Hosts(), func(h string) bool { return h[0] != '/' && h[0] != '@' && !isLoopback(h) })
}
