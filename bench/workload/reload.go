package workload

import (
	_ "embed" // catalog.sql
	"strings"
)

//go:embed catalog.sql
var catalogSQL string

// reloadStorm is what a starting PostgREST asks: many clients at once are the storm that follows a DDL where many instances run.
func reloadStorm() *Workload {
	statements := catalogStatements()
	r := newRequest("reload-storm", "", "", false)
	r.connect = true
	r.simple("SET client_encoding = 'UTF8';SET client_min_messages TO WARNING;")
	version := r.compose("SELECT current_setting('server_version_num')::integer, current_setting('server_version'), version()")
	version.fixed = viaUnnamed
	r.send(version)
	begin := func() { r.send(r.compose("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")) }
	commit := func() { r.send(r.compose("COMMIT")) }
	begin()
	r.send(r.compose(statements["config"], plain("pgrst.")))
	commit()
	begin()
	r.send(r.compose(statements["roles"]))
	commit()
	begin()
	r.simple("set local schema ''")
	schemas, more := plain("{api}"), plain("{public}")
	r.send(r.compose(statements["tables"], schemas, more))
	r.send(r.compose(statements["views"], schemas, more))
	r.send(r.compose(statements["relationships"]))
	r.send(r.compose(statements["functions"], schemas))
	r.send(r.compose(statements["computed"]))
	r.send(r.compose(statements["casts"]))
	r.send(r.compose(statements["timezones"]))
	commit()
	return r.alone("what PostgREST asks when it starts, on a connection of its own: 20 kB of SQL about the catalogs", roleAPI, "")
}

// catalogStatements are the statements of catalog.sql by their names.
func catalogStatements() map[string]string {
	statements := map[string]string{}
	for _, part := range strings.Split(catalogSQL, "\n--- ")[1:] {
		name, sql, _ := strings.Cut(part, "\n")
		statements[name] = strings.TrimSpace(sql)
	}
	return statements
}
