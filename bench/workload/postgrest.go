package workload

import "fmt"

// The eight requests of PostgREST, on the Fountain Array sample. Reads keep to the first nine tenths of the scripts, and writes to the scenes of
// the last tenth, with words that nobody searches: what is read does not grow while a run writes, and the last minute measures what the first did.
const (
	readScene  = "random(1, 432 * :scale)"
	writeScene = "random(432 * :scale + 1, 480 * :scale)"
	readScript = "random(1, 54 * :scale)"
)

// tail is what PostgREST asks for beside each result.
const tail = `nullif(current_setting('response.headers', true), '') AS response_headers, ` +
	`nullif(current_setting('response.status', true), '') AS response_status, '' AS response_inserted`

// rowsAsJSON is the body of a response that is a list.
const rowsAsJSON = `coalesce(json_agg(_postgrest_t), '[]')`

// readStatement wraps a SELECT. more is further parts of its WITH; total counts the rows that a limit hides.
func readStatement(source, more, total, body string) string {
	return fmt.Sprintf(`WITH pgrst_source AS ( %s ) %s SELECT %s AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, %s AS body, %s FROM ( SELECT * FROM pgrst_source ) _postgrest_t`,
		source, more, total, body, tail)
}

// writeStatement wraps an INSERT or UPDATE whose response has no body.
func writeStatement(source string) string {
	return fmt.Sprintf(`WITH pgrst_source AS ( %s ) SELECT '' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, array[]::text[] AS header, ''::text AS body, %s FROM ( SELECT * FROM pgrst_source ) _postgrest_t`,
		source, tail)
}

// request is one HTTP request as a transaction, while it is put together.
type request struct {
	*builder
	method string
	path   string
	write  bool
}

func newRequest(name, method, path string, write bool) *request {
	r := &request{builder: newBuilder(name), method: method, path: path, write: write}
	r.abort = r.add(r.compose("ABORT"))
	return r
}

// open sends BEGIN and the settings of the request.
func (r *request) open() {
	mode, role := "READ ONLY", "web_anon"
	claims := `{"role":"web_anon"}`
	if r.write {
		mode, role = "READ WRITE", "web_user"
		claims = `{"role":"web_user","sub":"bench"}`
	}
	r.send(r.compose("BEGIN ISOLATION LEVEL READ COMMITTED " + mode))
	r.send(r.compose(`select set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.jwt.claims', $3, true), `+
		`set_config('request.method', $4, true), set_config('request.path', $5, true), set_config('request.headers', $6, true), `+
		`set_config('request.cookies', $7, true)`,
		plain(`"api", "public"`), plain(role), plain(claims), plain(r.method), plain(r.path),
		plain(`{"user-agent":"Mozilla/5.0 (X11; Linux x86_64)","host":"api.example.org","accept":"application/json","accept-encoding":"gzip, deflate, br"}`),
		plain(`{}`)))
}

// simple sends SQL that travels as a simple query in every protocol.
func (r *request) simple(sql string) {
	s := r.compose(sql)
	s.fixed = viaQuery
	r.send(s)
}

// query sends BEGIN, the settings, a statement and COMMIT.
func (r *request) query(sql string, params ...parameter) *request {
	r.open()
	r.send(r.compose(sql, params...))
	r.send(r.compose("COMMIT"))
	return r
}

func getByPK() *builder {
	r := newRequest("get-by-pk", "GET", "/playwright", false)
	r.set("id", "random(1, 20 * :scale)")
	return r.query(readStatement(`SELECT "api"."playwright".* FROM "api"."playwright" WHERE "api"."playwright"."id" = $1`, "", "null::bigint", rowsAsJSON),
		plain(":id")).builder
}

func getList() *builder {
	r := newRequest("get-list", "GET", "/dialogue", false)
	r.set("scene", readScene)
	// Words of which a scene's ten lines hold all, some or none.
	r.pick("pattern", "%e%", "%the%", "%any%", "%never%", "%mirror%", "%lantern%")
	r.set("offset", "5 * random(0, 1)")
	return r.query(readStatement(
		`SELECT "api"."dialogue"."line_no", "api"."dialogue"."character_id", "api"."dialogue"."line" FROM "api"."dialogue" `+
			`WHERE "api"."dialogue"."scene_id" = $1 AND "api"."dialogue"."line" ilike $2 ORDER BY "api"."dialogue"."line_no" LIMIT $3 OFFSET $4`,
		"", "null::bigint", rowsAsJSON),
		plain(":scene"), plain(":pattern"), plain("5"), plain(":offset")).builder
}

func getEmbed() *builder {
	r := newRequest("get-embed", "GET", "/script", false)
	r.set("script", readScript)
	return r.query(readStatement(
		`SELECT "api"."script".*, row_to_json("writer".*) AS "playwright", coalesce("scenes"."rows", '[]') AS "scene" FROM "api"."script" `+
			`LEFT JOIN LATERAL ( SELECT "p"."name" FROM "api"."playwright" AS "p" WHERE "p"."id" = "api"."script"."playwright_id" ) AS "writer" ON TRUE `+
			`LEFT JOIN LATERAL ( SELECT json_agg("one") AS "rows" FROM ( SELECT "s"."act", "s"."number", coalesce("lines"."rows", '[]') AS "dialogue" `+
			`FROM "api"."scene" AS "s" LEFT JOIN LATERAL ( SELECT json_agg("said") AS "rows" FROM ( SELECT "d"."line_no", "d"."line" `+
			`FROM "api"."dialogue" AS "d" WHERE "d"."scene_id" = "s"."id" ) AS "said" ) AS "lines" ON TRUE `+
			`WHERE "s"."script_id" = "api"."script"."id" ) AS "one" ) AS "scenes" ON TRUE WHERE "api"."script"."id" = $1`,
		"", "null::bigint", rowsAsJSON),
		plain(":script")).builder
}

func headCount() *builder {
	r := newRequest("head-count", "HEAD", "/dialogue", false)
	r.set("a", readScene)
	r.set("b", readScene)
	r.set("c", readScene)
	const scenes = "{:a,:b,:c}"
	return r.query(readStatement(
		`SELECT "api"."dialogue".* FROM "api"."dialogue" WHERE "api"."dialogue"."scene_id" = ANY ($1) LIMIT $2`,
		`, pgrst_source_count AS ( SELECT 1 FROM "api"."dialogue" WHERE "api"."dialogue"."scene_id" = ANY ($3) )`,
		`( SELECT pg_catalog.count(*) FROM pgrst_source_count )`, "''::text"),
		plain(scenes), plain("10"), plain(scenes)).builder
}

const insertDialogue = `INSERT INTO "api"."dialogue" ("character_id", "line", "line_no", "scene_id") ` +
	`SELECT "sent"."character_id", "sent"."line", "sent"."line_no", "sent"."scene_id" FROM json_to_record($1) ` +
	`AS "sent" ("character_id" integer, "line" text, "line_no" integer, "scene_id" integer) RETURNING 1`

// newLine is a body for insertDialogue.
const newLine = `{"character_id": null, "line": "Posted by the bench, take :take.", "line_no": :line, "scene_id": :scene}`

// unusedLine is a number that hardly a line has: once there are a hundred million of them, one insert in a thousand meets one.
const unusedLine = "random(1000001, 2000000000)"

// post inserts a line. Two in a hundred take the number of a line that is there, for which the server answers with unique_violation.
func post() *builder {
	r := newRequest("post", "POST", "/dialogue", true)
	r.expect = []string{"23505"}
	r.set("scene", writeScene)
	r.set("take", "random(1, 1000)")
	r.set("line", "case when random(1, 100) <= 2 then random(1, 10) else "+unusedLine+" end")
	return r.query(writeStatement(insertDialogue), body(newLine)).builder
}

func patch() *builder {
	r := newRequest("patch", "PATCH", "/dialogue", true)
	r.set("scene", writeScene)
	r.set("line", "random(1, 10)")
	r.set("take", "random(1, 1000)")
	return r.query(writeStatement(
		`UPDATE "api"."dialogue" SET "line" = "sent"."line" FROM ( SELECT "line" FROM json_to_record($1) AS "body" ("line" text) ) AS "sent" `+
			`WHERE "api"."dialogue"."scene_id" = $2 AND "api"."dialogue"."line_no" = $3 RETURNING 1`),
		body(`{"line": "Patched by the bench, take :take."}`), plain(":scene"), plain(":line")).builder
}

// rpc searches five times in seven, and adds a cue twice.
func rpc() *builder {
	r := newRequest("rpc", "GET", "/rpc/search_lines", false)
	r.set("kind", "random(1, 7)")
	r.choose(":kind <= 5", func() {
		r.pick("word", "mirror", "silver lantern", "carry", "golden", "harvest", "messenger", "absent")
		r.query(readStatement(`SELECT "called".* FROM "api"."search_lines"("q" := $1) AS "called"`, "", "null::bigint", rowsAsJSON), plain(":word"))
	}, func() {
		r.method, r.path, r.write = "POST", "/rpc/add_cue", true
		r.set("scene", writeScene)
		r.set("take", "random(1, 1000)")
		r.query(readStatement(
			`SELECT "called".* FROM ( SELECT * FROM json_to_record($1) AS "sent" ("scene_id" integer, "line" text) ) AS "args", `+
				`LATERAL "api"."add_cue"("scene_id" := "args"."scene_id", "line" := "args"."line") AS "called"`,
			"", "null::bigint", `coalesce(json_agg(_postgrest_t)->0, 'null')`),
			body(`{"scene_id": :scene, "line": "Cued by the bench, take :take."}`))
	})
	return r.builder
}

// prereqRollback is post with db-pre-request and "Prefer: tx=rollback": nothing of it stays.
func prereqRollback() *builder {
	r := newRequest("prereq-rollback", "POST", "/dialogue", true)
	r.set("scene", writeScene)
	r.set("take", "random(1, 1000)")
	r.set("line", unusedLine)
	r.open()
	r.send(r.compose(`select "api"."check_request"()`))
	r.send(r.compose(writeStatement(insertDialogue), body(newLine)))
	r.simple("SET CONSTRAINTS ALL IMMEDIATE")
	r.send(r.compose("ABORT"))
	return r.builder
}
