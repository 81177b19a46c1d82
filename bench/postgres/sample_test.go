package postgres

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestSampleScale: every count grows with the scale, and nothing is astray.
func TestSampleScale(t *testing.T) {
	const counts = `SELECT (SELECT count(*) FROM api.playwright), (SELECT count(*) FROM api.script),
		(SELECT count(*) FROM api.character), (SELECT count(*) FROM api.scene), (SELECT count(*) FROM api.dialogue)`
	for _, test := range []struct {
		scale int
		want  string
	}{
		{0, "20|60|300|480|4800"},
		{2, "40|120|600|960|9600"},
	} {
		c := newCluster(t, Options{Sample: true, Scale: test.scale})
		ask(t, c, "fountain", counts, test.want)
		// Who speaks belongs to the script; only stage directions belong to nobody.
		ask(t, c, "fountain", `SELECT count(*) FROM api.dialogue d JOIN api.scene s ON s.id = d.scene_id
			LEFT JOIN api.character c ON c.id = d.character_id
			WHERE (c.id IS NULL) <> (d.line_no = 1) OR c.script_id <> s.script_id`, "0")
		ask(t, c, "fountain", `SELECT count(DISTINCT tableoid) FROM api.dialogue`, "4")
		ask(t, c, "fountain", `SELECT count(*) FROM pg_stats WHERE schemaname = 'api' AND tablename = 'dialogue'`, "4")
	}
}

func TestSampleReads(t *testing.T) {
	c := newCluster(t, Options{Sample: true})
	ask(t, c, "fountain", "SELECT name, born FROM api.playwright WHERE id = 1", "Bertolt Vance|1617")
	ask(t, c, "fountain", "SELECT title FROM api.script WHERE id = 60", "The Crooked Winter")
	ask(t, c, "fountain", "SELECT line_no, line FROM api.dialogue WHERE scene_id = 2 ORDER BY line_no LIMIT 3",
		"1|(The roof of the opera house. Enter the fool with a bitter violin.)\n"+
			"2|They will never remember my golden lantern.\n"+
			"3|I would follow any shadow for one velvet garden.")
	// A new row goes on where the sample ends.
	ask(t, c, "fountain", "SELECT nextval(pg_get_serial_sequence('api.scene', 'id'))", "481")
}

// web is a connection of the role that an API logs in as.
type web struct {
	t    *testing.T
	conn *pgconn.PgConn
}

// transaction runs statements as role, each as PostgREST sends it, and returns
// the answers of the last one: its rows, or its SQLSTATE.
func (w web) transaction(role, claims string, statements ...statement) string {
	w.t.Helper()
	context := statement{
		sql: `select set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.jwt.claims', $3, true),
			set_config('request.method', $4, true), set_config('request.path', $5, true), set_config('request.headers', $6, true),
			set_config('request.cookies', $7, true)`,
		args: []string{`"api", "public"`, role, claims, "GET", "/", "{}", "{}"},
	}
	statements = append([]statement{{sql: "BEGIN ISOLATION LEVEL READ COMMITTED"}, context}, statements...)
	var last string
	for _, s := range statements {
		if last = w.run(s); strings.HasPrefix(last, "SQLSTATE ") {
			break
		}
	}
	if end := w.run(statement{sql: "ABORT"}); end != "" {
		w.t.Fatalf("ABORT gave %q", end)
	}
	return last
}

// statement is one in the extended protocol. A parameter that is a JSON object
// goes as PostgREST sends a body: typed json, in binary.
type statement struct {
	sql  string
	args []string
}

func (w web) run(s statement) string {
	w.t.Helper()
	const unknownOID, jsonOID = 705, 114
	var values [][]byte
	var types []uint32
	var formats []int16
	for _, arg := range s.args {
		values = append(values, []byte(arg))
		if strings.HasPrefix(arg, `{"`) && strings.Contains(s.sql, "json_to_record") {
			types, formats = append(types, jsonOID), append(formats, 1)
		} else {
			types, formats = append(types, unknownOID), append(formats, 0)
		}
	}
	result := w.conn.ExecParams(w.t.Context(), s.sql, values, types, formats, nil).Read()
	var refused *pgconn.PgError
	if errors.As(result.Err, &refused) {
		return "SQLSTATE " + refused.Code + " " + refused.Message
	}
	if result.Err != nil {
		w.t.Fatalf("%s: %v", s.sql, result.Err)
	}
	var rows []string
	for _, row := range result.Rows {
		var fields []string
		for _, field := range row {
			fields = append(fields, string(field))
		}
		rows = append(rows, strings.Join(fields, "|"))
	}
	return strings.Join(rows, "\n")
}

// read and write wrap a query as an API does.
func read(query, cte, total, body string) string {
	return `WITH pgrst_source AS ( ` + query + ` ) ` + cte + ` SELECT ` + total + ` AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, ` +
		body + ` AS body, ` + tailColumns + ` FROM ( SELECT * FROM pgrst_source ) _postgrest_t`
}

func write(query, header, body, from string) string {
	return `WITH pgrst_source AS ( ` + query + ` ) SELECT '' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, ` +
		header + ` AS header, ` + body + ` AS body, ` + tailColumns + ` FROM ( ` + from + ` ) _postgrest_t`
}

const (
	aggregate   = `coalesce(json_agg(_postgrest_t), '[]')`
	tailColumns = `nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status, '' AS response_inserted`
	post        = `INSERT INTO "api"."dialogue"("scene_id", "line_no", "character_id", "line")
		SELECT "scene_id", "line_no", "character_id", "line" FROM json_to_record($1) AS _("scene_id" integer, "line_no" integer, "character_id" integer, "line" text)
		RETURNING 1`
	patch = `UPDATE "api"."dialogue" SET "line" = _."line" FROM (SELECT $1 AS json_data) pgrst_payload,
		LATERAL (SELECT "line" FROM json_to_record(pgrst_payload.json_data) AS _("line" text)) _
		WHERE "api"."dialogue"."scene_id" = $2 AND "api"."dialogue"."line_no" = $3 RETURNING 1`
)

// TestSampleServesAnAPI runs the shapes of an API's statements, with the roles
// and the rights that they run with.
func TestSampleServesAnAPI(t *testing.T) {
	c := newCluster(t, Options{Sample: true})
	conn, err := pgconn.Connect(t.Context(), c.URL("authenticator", "fountain"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	w := web{t, conn}

	getByPK := statement{read(`SELECT "api"."playwright".* FROM "api"."playwright" WHERE "api"."playwright"."id" = $1`, "", "null::bigint", aggregate), []string{"1"}}
	getList := statement{read(`SELECT "api"."dialogue"."line_no" FROM "api"."dialogue" WHERE "scene_id" = $1 AND "line" ilike $2 ORDER BY "line_no" LIMIT $3 OFFSET $4`,
		"", "null::bigint", aggregate), []string{"2", "%LANTERN%", "5", "0"}}
	getEmbed := statement{read(`SELECT "script"."id", row_to_json("p".*)::jsonb AS "playwright", coalesce("s"."scene", '[]') AS "scene" FROM "api"."script"
		LEFT JOIN LATERAL (SELECT "playwright_1"."name" FROM "api"."playwright" AS "playwright_1" WHERE "playwright_1"."id" = "script"."playwright_id") AS "p" ON TRUE
		LEFT JOIN LATERAL (SELECT json_agg("s") AS "scene" FROM (SELECT "scene_1"."act", "scene_1"."number", coalesce("d"."dialogue", '[]') AS "dialogue"
			FROM "api"."scene" AS "scene_1" LEFT JOIN LATERAL (SELECT json_agg("d") AS "dialogue" FROM (SELECT "dialogue_2"."line_no", "dialogue_2"."line"
				FROM "api"."dialogue" AS "dialogue_2" WHERE "dialogue_2"."scene_id" = "scene_1"."id") AS "d") AS "d" ON TRUE
			WHERE "scene_1"."script_id" = "script"."id") AS "s") AS "s" ON TRUE
		WHERE "script"."id" = $1`, "", "null::bigint",
		`json_build_object('name', min(_postgrest_t.playwright ->> 'name'), 'scenes', min(json_array_length(_postgrest_t.scene)),
		'lines', min(json_array_length(_postgrest_t.scene -> 7 -> 'dialogue')))`), []string{"2"}}
	headCount := statement{read(`SELECT "scene_id" FROM "api"."dialogue" WHERE "scene_id" = ANY ($1) LIMIT $2`,
		`, pgrst_source_count AS (SELECT 1 FROM "api"."dialogue" WHERE "scene_id" = ANY ($1))`,
		`(SELECT pg_catalog.count(*) FROM pgrst_source_count)`, `''`), []string{"{1,2,3}", "7"}}
	search := statement{`SELECT count(*), bool_and(pgrst_call.line ~* 'crooked') FROM (SELECT $1::json AS json_data) pgrst_payload,
		LATERAL (SELECT "q" FROM json_to_record(pgrst_payload.json_data) AS _("q" text)) pgrst_body,
		LATERAL "api"."search_lines"("q" := pgrst_body."q") pgrst_call`, []string{`{"q":"Crooked lantern"}`}}
	addCue := statement{`SELECT line_no, line FROM "api"."add_cue"("scene_id" := $1, "line" := $2)`, []string{"1", "Exeunt."}}
	newLine := statement{write(post, "array[]::text[]", "''", "SELECT * FROM pgrst_source"), []string{`{"scene_id":1,"line_no":11,"character_id":1,"line":"Well met."}`}}
	takenLine := statement{newLine.sql, []string{`{"scene_id":1,"line_no":10,"character_id":1,"line":"Well met."}`}}
	noScene := statement{newLine.sql, []string{`{"scene_id":99999,"line_no":1,"line":"Well met."}`}}
	changeLine := statement{write(patch, "array[]::text[]", "''", "SELECT * FROM pgrst_source"), []string{`{"line":"Silence."}`, "1", "10"}}
	preRequest := statement{`select "api"."check_request"()`, nil}

	for _, test := range []struct {
		name, role, claims string
		statements         []statement
		want               string
	}{
		{"get-by-pk", "web_anon", "{}", []statement{getByPK}, `|1|[{"id":1,"name":"Bertolt Vance","born":1617,"bio":"Wrote tragedies, later masques. Three scripts are in the archive."}]|||`},
		{"get-list", "web_anon", "{}", []statement{getList}, `|1|[{"line_no":2}]|||`},
		{"get-embed", "web_anon", "{}", []statement{getEmbed}, `|1|{"name" : "Bertolt Vance", "scenes" : 8, "lines" : 10}|||`},
		{"head-count", "web_anon", "{}", []statement{headCount}, `30|7||||`},
		{"search", "web_anon", "{}", []statement{search}, `20|t`},
		{"post", "web_user", "{}", []statement{newLine}, `|1|{}||||`},
		{"post twice", "web_user", "{}", []statement{newLine, newLine}, `SQLSTATE 23505 duplicate key value violates unique constraint "dialogue_0_pkey"`},
		{"post of a taken key", "web_user", "{}", []statement{takenLine}, `SQLSTATE 23505 duplicate key value violates unique constraint "dialogue_0_pkey"`},
		{"post to no scene", "web_user", "{}", []statement{noScene}, `SQLSTATE 23503 insert or update on table "dialogue_0" violates foreign key constraint "dialogue_scene_id_fkey"`},
		{"patch", "web_user", "{}", []statement{changeLine}, `|1|{}||||`},
		{"add_cue", "web_user", "{}", []statement{addCue}, `11|Exeunt.`},
		{"add_cue twice", "web_user", "{}", []statement{addCue, addCue}, `12|Exeunt.`},
		{"add_cue to no scene", "web_user", "{}", []statement{{addCue.sql, []string{"99999", "Exeunt."}}}, `SQLSTATE PT404 there is no scene 99999`},
		{"pre-request", "web_user", `{"role":"web_user"}`, []statement{preRequest, newLine, {"SET CONSTRAINTS ALL IMMEDIATE", nil}}, ``},
		{"pre-request without claims", "web_anon", "", []statement{preRequest}, ``},
		{"pre-request refuses", "web_user", `{"suspended":true}`, []statement{preRequest}, `SQLSTATE PT403 this account is suspended`},

		{"anonymous post", "web_anon", "{}", []statement{newLine}, `SQLSTATE 42501 permission denied for table dialogue`},
		{"anonymous patch", "web_anon", "{}", []statement{changeLine}, `SQLSTATE 42501 permission denied for table dialogue`},
		{"anonymous add_cue", "web_anon", "{}", []statement{addCue}, `SQLSTATE 42501 permission denied for function add_cue`},
		{"no role at all", "authenticator", "{}", []statement{getByPK}, `SQLSTATE 42501 permission denied for schema api`},
		{"superuser", "postgres", "{}", []statement{getByPK}, `SQLSTATE 42501 permission denied to set role "postgres"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := web{t, conn}
			if got := w.transaction(test.role, test.claims, test.statements...); got != test.want {
				t.Fatalf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	if got := w.run(statement{sql: "SELECT current_user"}); got != "authenticator" {
		t.Fatalf("left as %s", got)
	}
}

// TestCuesAtOnce: cues for one scene at the same time get one number each.
func TestCuesAtOnce(t *testing.T) {
	c := newCluster(t, Options{Sample: true})
	const clients, each = 4, 10
	failed := make(chan error, clients)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			_, err := c.Psql(t.Context(), "fountain", strings.Repeat("SELECT api.add_cue(1, 'Thunder.'); COMMIT;", each))
			failed <- err
		})
	}
	all.Wait()
	for range clients {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	ask(t, c, "fountain", "SELECT count(*), max(line_no) FROM api.dialogue WHERE scene_id = 1", "50|50")
}
