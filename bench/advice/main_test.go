package advice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"poolerd/bench/postgres"
	"poolerd/bench/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster starts a private PostgreSQL with the sample, as the bench does.
func cluster(t *testing.T, preload bool, scale int, without ...string) *postgres.Cluster {
	t.Helper()
	settings := map[string]string{"jit": "off", "autovacuum": "off", "synchronous_commit": "off", "max_connections": "50"}
	if preload {
		settings["shared_preload_libraries"] = "pg_stat_statements"
	}
	c, err := postgres.Start(t.Context(), postgres.Options{Sample: true, Scale: scale, Without: without, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// sql runs statements as the superuser and returns what psql -At would print.
func sql(t *testing.T, c *postgres.Cluster, text string) string {
	t.Helper()
	out, err := c.Psql(t.Context(), "fountain", text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return strings.TrimSuffix(out, "\n")
}

const (
	unknownOID = 705
	jsonOID    = 114
)

// request is a statement of the load, as an API sends it.
type request struct {
	name   string
	role   string
	sql    string
	types  []uint32
	params func(n int) []string // of the n-th call
	every  int                  // runs in each n-th transaction
}

const tail = `nullif(current_setting('response.headers', true), '') AS response_headers`

// wrap is how an API wraps what it reads.
func wrap(query, cte, total string) string {
	return "WITH pgrst_source AS ( " + query + " ) " + cte + " SELECT " + total + ` AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, ` +
		`coalesce(json_agg(_postgrest_t), '[]') AS body, ` + tail + ` FROM ( SELECT * FROM pgrst_source ) _postgrest_t`
}

// requests are the mix's shapes, for a sample of so many scenes.
func requests(scenes int) []request {
	return []request{
		{
			name: "get-by-pk", role: "web_anon", every: 1,
			sql:    wrap(`SELECT "api"."playwright".* FROM "api"."playwright" WHERE "api"."playwright"."id" = $1`, "", "null::bigint"),
			params: func(n int) []string { return []string{fmt.Sprint(1 + n%(scenes/24))} },
		},
		{
			name: "get-list", role: "web_anon", every: 1,
			sql: wrap(`SELECT "api"."dialogue".* FROM "api"."dialogue" WHERE "api"."dialogue"."scene_id" = $1 AND "api"."dialogue"."line" ilike $2 `+
				`ORDER BY "api"."dialogue"."line_no" LIMIT $3 OFFSET $4`, "", "null::bigint"),
			params: func(n int) []string { return []string{fmt.Sprint(1 + n%scenes), "%lantern%", "5", "0"} },
		},
		{
			name: "get-embed", role: "web_anon", every: 2,
			sql: wrap(`SELECT "script"."id", row_to_json("p".*)::jsonb AS "playwright", coalesce("s"."scene", '[]') AS "scene" FROM "api"."script"
				LEFT JOIN LATERAL (SELECT "playwright_1"."name" FROM "api"."playwright" AS "playwright_1" WHERE "playwright_1"."id" = "script"."playwright_id") AS "p" ON TRUE
				LEFT JOIN LATERAL (SELECT json_agg("s") AS "scene" FROM (SELECT "scene_1"."act", "scene_1"."number", coalesce("d"."dialogue", '[]') AS "dialogue"
					FROM "api"."scene" AS "scene_1" LEFT JOIN LATERAL (SELECT json_agg("d") AS "dialogue" FROM (SELECT "dialogue_2"."line_no", "dialogue_2"."line"
						FROM "api"."dialogue" AS "dialogue_2" WHERE "dialogue_2"."scene_id" = "scene_1"."id") AS "d") AS "d" ON TRUE
					WHERE "scene_1"."script_id" = "script"."id") AS "s") AS "s" ON TRUE
				WHERE "script"."id" = $1`, "", "null::bigint"),
			params: func(n int) []string { return []string{fmt.Sprint(1 + n%(scenes/8))} },
		},
		{
			name: "head-count", role: "web_anon", every: 5,
			sql: wrap(`SELECT "scene_id" FROM "api"."dialogue" WHERE "scene_id" = ANY ($1) LIMIT $2`,
				`, pgrst_source_count AS (SELECT 1 FROM "api"."dialogue" WHERE "scene_id" = ANY ($1))`, `(SELECT pg_catalog.count(*) FROM pgrst_source_count)`),
			params: func(n int) []string { return []string{fmt.Sprintf("{%d,%d,%d}", 1+n%100, 101+n%100, 201+n%100), "7"} },
		},
		{
			name: "search", role: "web_anon", every: 10,
			sql: `WITH pgrst_source AS (SELECT pgrst_call.* FROM (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "q" FROM json_to_record(pgrst_payload.json_data) AS _("q" text)) pgrst_body,
				LATERAL "api"."search_lines"("q" := pgrst_body."q") pgrst_call) SELECT coalesce(json_agg(_postgrest_t), '[]') AS body, ` + tail + ` FROM (SELECT * FROM pgrst_source) _postgrest_t`,
			types:  []uint32{jsonOID},
			params: func(int) []string { return []string{`{"q":"crooked lantern"}`} },
		},
		{
			name: "post", role: "web_user", every: 10,
			sql: `WITH pgrst_source AS ( INSERT INTO "api"."dialogue"("scene_id", "line_no", "character_id", "line")
				SELECT "scene_id", "line_no", "character_id", "line" FROM json_to_record($1) AS _("scene_id" integer, "line_no" integer, "character_id" integer, "line" text)
				RETURNING 1 ) SELECT '' AS total_result_set, ` + tail + ` FROM ( SELECT * FROM pgrst_source ) _postgrest_t`,
			types: []uint32{jsonOID},
			params: func(n int) []string {
				return []string{fmt.Sprintf(`{"scene_id":%d,"line_no":%d,"character_id":1,"line":"Well met."}`, 1+n%scenes, 11+n)}
			},
		},
		{
			name: "patch", role: "web_user", every: 20,
			sql: `WITH pgrst_source AS ( UPDATE "api"."dialogue" SET "line" = _."line" FROM (SELECT $1 AS json_data) pgrst_payload,
				LATERAL (SELECT "line" FROM json_to_record(pgrst_payload.json_data) AS _("line" text)) _
				WHERE "api"."dialogue"."scene_id" = $2 AND "api"."dialogue"."line_no" = $3 RETURNING 1 ) SELECT '' AS total_result_set, ` + tail + ` FROM ( SELECT * FROM pgrst_source ) _postgrest_t`,
			types: []uint32{jsonOID},
			params: func(n int) []string {
				return []string{`{"line":"Silence."}`, fmt.Sprint(1 + n%scenes), fmt.Sprint(2 + n%9)}
			},
		},
	}
}

const contextSQL = `select set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.jwt.claims', $3, true), set_config('request.method', $4, true)`

// examples are the load's statements as the bench would hand them over.
func examples(all []request) (list []Example) {
	for _, r := range all {
		for n := range 3 {
			x := Example{
				Name: r.name, SQL: r.sql, Types: r.types, Weight: 1 / float64(r.every),
				Setup: []string{`SELECT set_config('search_path', '"api", "public"', true), set_config('role', '` + r.role + `', true)`},
			}
			for _, p := range r.params(1000000 + n*7) {
				x.Params = append(x.Params, []byte(p))
			}
			list = append(list, x)
		}
	}
	return list
}

// play runs transactions until the time is over, as so many clients, and returns how many there were.
func play(t *testing.T, c *postgres.Cluster, all []request, clients int, during time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	failed := make(chan error, clients)
	var done sync.WaitGroup
	for i := range clients {
		done.Go(func() { failed <- playOne(ctx, c.URL("authenticator", "fountain"), all, i) })
	}
	done.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func playOne(ctx context.Context, url string, all []request, client int) error {
	conn, err := pgconn.Connect(context.WithoutCancel(ctx), url)
	if err != nil {
		return err
	}
	// Its end is waited for, so that its counters are in.
	defer conn.Close(context.Background())
	life := context.WithoutCancel(ctx)
	if _, err := conn.Prepare(life, "context", contextSQL, []uint32{unknownOID, unknownOID, unknownOID, unknownOID}); err != nil {
		return err
	}
	known := map[string]bool{}
	for n := client * 1000; ctx.Err() == nil; n++ {
		for _, r := range all {
			if n%r.every != 0 {
				continue
			}
			if err := transact(life, conn, r, n, known); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

// transact runs a request in its transaction.
func transact(ctx context.Context, conn *pgconn.PgConn, r request, n int, known map[string]bool) error {
	var failed error
	step := func(result *pgconn.Result) {
		if failed == nil {
			failed = result.Err
		}
	}
	step(conn.ExecParams(ctx, "BEGIN", nil, nil, nil, nil).Read())
	step(conn.ExecPrepared(ctx, "context", texts(`"api", "public"`, r.role, "{}", "GET"), nil, nil).Read())
	if !known[r.name] {
		// PostgreSQL resolves names under the role and path of the transaction.
		if _, err := conn.Prepare(ctx, r.name, r.sql, r.types); err != nil {
			return err
		}
		known[r.name] = true
	}
	step(conn.ExecPrepared(ctx, r.name, texts(r.params(n)...), nil, nil).Read())
	end := "COMMIT"
	var refused *pgconn.PgError
	if errors.As(failed, &refused) && refused.Code == "23505" {
		failed, end = nil, "ABORT"
	}
	step(conn.ExecParams(ctx, end, nil, nil, nil, nil).Read())
	return failed
}

func texts(all ...string) [][]byte {
	values := make([][]byte, len(all))
	for i, s := range all {
		values[i] = []byte(s)
	}
	return values
}

// advised watches while do runs.
func advised(t *testing.T, o Options, do func()) []report.Advice {
	t.Helper()
	o.Log = t.Logf
	w, err := Begin(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	do()
	began := time.Now()
	all, err := w.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("looked for %v, found:\n%s", time.Since(began).Round(time.Millisecond), strings.ReplaceAll(string(text), `\n`, "\n      "))
	return all
}

// find returns the advice whose title holds a text, nil where there is none.
func find(all []report.Advice, title string) *report.Advice {
	for i := range all {
		if strings.Contains(all[i].Title, title) {
			return &all[i]
		}
	}
	return nil
}
