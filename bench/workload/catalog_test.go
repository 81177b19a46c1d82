package workload

import (
	"strings"
	"testing"
)

// The catalog queries of reload-storm find what is in the sample, and are as long as a schema cache's.
func TestCatalogStatements(t *testing.T) {
	c := Server(t)
	// A database of its own, since the others' tests must not see what is added.
	if _, err := c.Psql(t.Context(), "postgres", "CREATE DATABASE catalogs TEMPLATE fountain"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Psql(t.Context(), "catalogs", `CREATE VIEW api.poet AS SELECT id, name FROM api.playwright;
CREATE VIEW api.poem AS SELECT s.id, s.playwright_id, p.name FROM api.script AS s JOIN api.poet AS p ON p.id = s.playwright_id;
CREATE FUNCTION api.author(api.script) RETURNS api.playwright LANGUAGE sql STABLE AS 'SELECT p.* FROM api.playwright AS p WHERE p.id = $1.playwright_id';
CREATE DOMAIN api."text/plain" AS text;
CREATE DOMAIN api.colour AS integer;
CREATE FUNCTION api.paint(api.colour) RETURNS json LANGUAGE sql IMMUTABLE AS 'SELECT to_json($1::integer)';
SET client_min_messages = error;
CREATE CAST (api.colour AS json) WITH FUNCTION api.paint(api.colour) AS IMPLICIT;
ALTER ROLE authenticator IN DATABASE catalogs SET pgrst.db_schemas = 'api';
ALTER ROLE web_user SET statement_timeout = '3s';
ALTER ROLE web_user SET default_transaction_isolation = 'serializable'`); err != nil {
		t.Fatal(err)
	}
	all := catalogStatements()
	size := 0
	for name, want := range map[string][]string{
		"config":        {"db_schemas|api"},
		"roles":         {"web_anon||{}", "web_user|serializable|{{statement_timeout,3s}}"},
		"tables":        {"api|character|", "api|dialogue|", "api|playwright|Who wrote|f|t|t|t|{id}|", "nextval('api.playwright_id_seq')", "api|poet|", "{line_no,scene_id}"},
		"views":         {"api|playwright|api|poet|playwright_pkey|p|{id=id}", "api|script|api|poem|script_playwright_id_fkey|f|{playwright_id=playwright_id}", "api|playwright|api|poet|script_playwright_id_fkey|r|{id=id}"},
		"relationships": {"api|scene|api|script|f|scene_script_id_fkey|{{script_id,id}}|f|f", "api|dialogue|api|scene|f|dialogue_scene_id_fkey|{{scene_id,id}}|f|t"},
		"functions":     {"api|add_cue|Adds a line", "(line,text,text,t,f)", `(character_id,integer,integer,f,f)`, "|api|dialogue|t|t|f|s|", "api|check_request|"},
		"computed":      {"api|author|api|script|api|playwright|t|f"},
		"casts":         {`representation|api.colour|json|api.paint`, `media type|api.text/plain|text|`},
		"timezones":     {"Europe/London|"},
	} {
		sql, ok := all[name]
		if !ok {
			t.Fatalf("%s: there is no such statement", name)
		}
		size += len(sql)
		sql = strings.ReplaceAll(sql, "$1", map[bool]string{true: "'pgrst.'", false: "'{api}'"}[name == "config"])
		sql = strings.ReplaceAll(sql, "$2", "'{public}'")
		out, err := c.Psql(t.Context(), "catalogs", "SET SESSION AUTHORIZATION authenticator; SET search_path = '';"+sql)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, line := range want {
			if !strings.Contains(out, line) {
				t.Errorf("%s: lacks %q in\n%s", name, line, out)
			}
		}
	}
	if size < 17_000 || size > 25_000 || len(all) != 9 {
		t.Errorf("%d statements of %d bytes", len(all), size)
	}
}
