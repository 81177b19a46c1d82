package main

import (
	"fmt"
	"strings"
)

// load is one kind of traffic that pgbench makes.
type load struct {
	name     string // as given to --cases
	title    string // as shown in the table
	protocol string // pgbench's --protocol
	builtin  string // pgbench's --builtin, or empty for the PostgREST-like script
}

// loads are all that can be asked for, in the table's order.
func loads() []load {
	return []load{
		{"select-extended", "-S extended", "extended", "select-only"},
		{"select-simple", "-S simple", "simple", "select-only"},
		{"select-prepared", "-S prepared", "prepared", "select-only"},
		{"postgrest-extended", "PostgREST-like extended", "extended", ""},
		{"postgrest-prepared", "PostgREST-like prepared", "prepared", ""},
		{"tpcb-extended", "TPC-B extended", "extended", "tpcb-like"},
	}
}

// prepared tells whether the load uses named statements, for which PgBouncer
// needs max_prepared_statements.
func (l load) prepared() bool { return l.protocol == "prepared" }

// chooseLoads returns the loads of a comma-separated list of names, in the
// list's order.
func chooseLoads(list string) ([]load, error) {
	var names []string
	known := map[string]load{}
	for _, l := range loads() {
		names = append(names, l.name)
		known[l.name] = l
	}
	if list == "all" {
		return loads(), nil
	}
	var chosen []load
	for name := range strings.SplitSeq(list, ",") {
		l, found := known[strings.TrimSpace(name)]
		if !found {
			return nil, fmt.Errorf("--cases names %q, known are all, %s", name, strings.Join(names, ", "))
		}
		chosen = append(chosen, l)
	}
	return chosen, nil
}

// postgrestScript is what PostgREST sends for GET /playwright?id=eq.N, as a
// pgbench script: four statements, each a round trip of its own. Ids run from 1
// to lastID. The values of the settings are pgbench variables so that they
// travel as parameters, as PostgREST's do.
func postgrestScript(lastID int) string {
	return fmt.Sprintf(`\set id random(1, %d)
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
select set_config('search_path', :search_path, true), set_config('role', :role, true), set_config('request.jwt.claims', :claims, true), set_config('request.method', :method, true), set_config('request.path', :path, true), set_config('request.headers', :headers, true), set_config('request.cookies', :cookies, true);
WITH pgrst_source AS ( SELECT "api"."playwright".* FROM "api"."playwright" WHERE "api"."playwright"."id" = :id ) SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status, '' AS response_inserted FROM ( SELECT * FROM pgrst_source ) _postgrest_t;
COMMIT;
`, lastID)
}

// postgrestVariables are the variables of postgrestScript with the values that
// a browser's request would bring, as pgbench's --define wants them.
func postgrestVariables() []string {
	return []string{
		`search_path="api", "public"`,
		`role=web_anon`,
		`claims={"role":"web_anon"}`,
		`method=GET`,
		`path=/playwright`,
		`headers={"user-agent":"Mozilla/5.0 (X11; Linux x86_64)","host":"api.example.org","accept":"application/json","accept-encoding":"gzip, deflate, br"}`,
		`cookies={}`,
	}
}
