package replay

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rs/zerolog"

	"poolerd/bench/postgres"
	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/wire"
)

// What must not be in any recording.
const (
	secretClaims   = `{"role":"replay_anon","sub":"everardo-47114711","email":"everardo@hushhush.example"}`
	secretHeaders  = `{"authorization":"Bearer eyJhushhushhush.x.y"}`
	secretCookies  = `{"session":"hushcookie99"}`
	secretPassword = "swordfish"
)

func secrets() []string {
	return []string{"everardo", "47114711", "hushhush", "eyJhush", "hushcookie", secretPassword}
}

// plain are words in parameters, in constants and in data of COPY that speak of no secret: they are kept if so is said, data of COPY never.
func plain() []string { return []string{"marigold", "52525252", "6f1e2d3c"} }

const copied = "petunia"

// TestRecordedByPoolerd: traffic of many kinds is recorded by a pooler before a real PostgreSQL and played against another database, in either mode: as many transactions, the same SQLSTATEs, and no secret in the file.
func TestRecordedByPoolerd(t *testing.T) {
	cluster, err := postgres.Start(t.Context(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, mode := range []string{config.RecordHashed, config.RecordKept} {
		t.Run(mode, func(t *testing.T) {
			was, will := "was_"+mode, "will_"+mode
			for _, database := range []string{was, will} {
				prepare(t, cluster, database)
			}
			path := filepath.Join(t.TempDir(), "traffic")
			done := recordTraffic(t, cluster, was, path, mode)
			raw := decompressed(t, path)
			never := append(secrets(), copied)
			if mode == config.RecordHashed {
				never = append(never, plain()...)
			}
			for _, word := range never {
				if i := strings.Index(raw, word); i >= 0 {
					t.Errorf("%q is in the file: %q", word, raw[max(0, i-80):min(len(raw), i+40)])
				}
			}
			for _, word := range plain() {
				if mode == config.RecordKept && !strings.Contains(raw, word) {
					t.Errorf("%q is not in the file", word)
				}
			}
			rec := mustLoad(t, path)
			if rec.Cut || rec.LeftOut > 0 || rec.Peak < 3 {
				t.Errorf("cut %v, %d left out, peak %d", rec.Cut, rec.LeftOut, rec.Peak)
			}
			if n := rec.Skipped[skipWithheld]; n != 1 || len(rec.Skipped) != 1 { // ALTER ROLE ... PASSWORD
				t.Errorf("skipped: %v", rec.Skipped)
			}
			counted := 0
			for _, s := range rec.Sessions {
				if s.User != driver {
					counted += len(s.Transactions)
				}
			}
			if counted != done {
				t.Errorf("%d transactions in the recording, the clients counted %d", counted, done)
			}
			result, c, err := Run(t.Context(), Options{Recording: rec, Target: cluster.URL("postgres", will), Speed: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s", strings.Join(c.Lines(), "\n"))
			// The COPY that failed at its data succeeds without them.
			if c.Played != int64(rec.Playable()) || c.Same != c.Played-1 || c.Different[Outcome{"23505", ""}] != 1 {
				for code, f := range result.Errors {
					t.Logf("%s: %+v", code, f)
				}
				t.Errorf("%d played of %d, %d the same", c.Played, rec.Playable(), c.Same)
			}
			c.RecordedErrors["23505"]--
			for _, code := range []string{"22012", "23505", "42P01"} {
				if c.Errors[code] == 0 || c.Errors[code] != c.RecordedErrors[code] {
					t.Errorf("%s: %d now, %d recorded", code, c.Errors[code], c.RecordedErrors[code])
				}
			}
			if c.CopyBytes == 0 {
				t.Error("no data of COPY was counted")
			}
			if mode == config.RecordHashed && c.StandIns == 0 || c.StandIns > c.Params {
				t.Errorf("%d stand-ins of %d parameters", c.StandIns, c.Params)
			}
			if last := lastEnd(rec); c.Took < last-50*time.Millisecond || c.Took > last+500*time.Millisecond {
				t.Errorf("took %v, and the last transaction ended after %v when it was recorded", c.Took, last)
			}
		})
	}
}

func lastEnd(rec *Recording) time.Duration {
	var last time.Duration
	for _, s := range rec.Sessions {
		for _, tx := range s.Transactions {
			last = max(last, tx.End)
		}
	}
	return last
}

func decompressed(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// prepare makes a database for the traffic.
func prepare(t *testing.T, cluster *postgres.Cluster, database string) {
	t.Helper()
	run := func(db string, statements ...string) {
		conn, err := pgx.Connect(t.Context(), cluster.URL("postgres", db))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for _, sql := range statements {
			if _, err := conn.Exec(t.Context(), sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
	run("postgres", "CREATE DATABASE "+database)
	run("postgres", `DO $$ BEGIN CREATE ROLE replay_driver SUPERUSER LOGIN; EXCEPTION WHEN duplicate_object THEN END $$`)
	run(database, `DO $$ BEGIN CREATE ROLE replay_anon; EXCEPTION WHEN duplicate_object THEN END $$`, `DO $$ BEGIN CREATE ROLE replay_joe; EXCEPTION WHEN duplicate_object THEN END $$`,
		"CREATE SCHEMA api", "GRANT ALL ON SCHEMA api TO replay_anon",
		"CREATE TABLE api.item (id int PRIMARY KEY, name text NOT NULL, price numeric, made timestamptz DEFAULT now(), tags text[], key uuid, ok bool, ratio float8)",
		"GRANT ALL ON api.item TO replay_anon", "INSERT INTO api.item (id, name) SELECT n, 'item ' || n FROM generate_series(1, 100) AS n")
}

// recordTraffic serves a pooler that records while clients of several kinds talk, and counts their transactions.
func recordTraffic(t *testing.T, cluster *postgres.Cluster, database, path, mode string) int {
	t.Helper()
	conf := config.Defaults()
	conf.AuthType, conf.DefaultPoolSize = config.AuthTrust, 4
	conf.Record, conf.RecordParameters = path, mode
	if err := config.ApplyUpstream(conf, cluster.URL("postgres", database), config.Origin{}); err != nil {
		t.Fatal(err)
	}
	p, err := pool.New(conf, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	url := "postgres://postgres:" + secretPassword + "@" + l.Addr().String() + "/" + database + "?sslmode=disable"
	var clients sync.WaitGroup
	counts := make([]int, 4)
	for i := range 3 {
		clients.Go(func() { counts[i] = postgrest(t, url, i) })
	}
	clients.Go(func() { counts[3] = simple(t, url) })
	clients.Go(func() { throughPgx(t, strings.Replace(url, "postgres:"+secretPassword, driver, 1)) })
	clients.Wait()
	p.DrainServers()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// speaker is a client that speaks message by message.
type speaker struct {
	t            *testing.T
	conn         *conn
	transactions int
}

func speak(t *testing.T, url string) *speaker {
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		t.Error(err)
		return nil
	}
	c, err := dial(t.Context(), config, 10*time.Second)
	if err != nil {
		t.Error(err)
		return nil
	}
	return &speaker{t: t, conn: c}
}

// flight sends messages up to a Sync or Query, and gives the SQLSTATE of the answer.
func (s *speaker) flight(b []byte) string {
	if _, err := s.conn.Write(b); err != nil {
		s.t.Error(err)
		return err.Error()
	}
	code := ""
	for {
		typ, body, err := wire.ReadMessage(s.conn, 1<<20)
		switch {
		case err != nil:
			s.t.Error(err)
			return err.Error()
		case typ == wire.ServerErrorResponse:
			code = string(wire.ErrorCode(body))
		case typ == wire.ServerReadyForQuery:
			if body[0] == byte(wire.TxIdle) {
				s.transactions++
			}
			return code
		}
	}
}

func (s *speaker) parse(name, sql string, types ...uint32) {
	s.flight(wire.AppendEmpty(wire.AppendParse(nil, name, wire.ParseTail(sql, types...)), wire.ClientSync))
}

func (s *speaker) execute(name string, values ...string) string {
	b := append([]byte{wire.ClientBind, 0, 0, 0, 0, 0}, name+"\x00"...)
	b = binary.BigEndian.AppendUint16(append(b, 0, 0), uint16(len(values)))
	for _, v := range values {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	b = append(b, 0, 1, 0, 1)
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-1))
	b = wire.AppendExecute(wire.AppendDescribe(b, 'P', ""), "")
	return s.flight(wire.AppendEmpty(b, wire.ClientSync))
}

// postgrest talks as PostgREST does, which is in POSTGREST.md: statements prepared once under numbers, claims in every transaction.
func postgrest(t *testing.T, url string, number int) int {
	s := speak(t, url)
	if s == nil {
		return 0
	}
	defer func() { _ = s.conn.leave() }()
	s.flight(wire.AppendQuery(nil, "SET client_encoding = 'UTF8';SET client_min_messages TO WARNING;"))
	s.parse("0", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	s.parse("1", "select set_config('search_path', $1, true), set_config($2, $3, true), set_config('role', $4, true), set_config('request.jwt.claims', $5, true), "+
		"set_config('request.method', $6, true), set_config('request.path', $7, true), set_config('request.headers', $8, true), set_config('request.cookies', $9, true)",
		705, 705, 705, 705, 705, 705, 705, 705, 705)
	s.parse("2", "WITH pgrst_source AS (SELECT * FROM api.item WHERE id = $1) SELECT null::bigint, count(_postgrest_t), coalesce(json_agg(_postgrest_t), '[]') FROM (SELECT * FROM pgrst_source) _postgrest_t", 705)
	s.parse("3", "INSERT INTO api.item (id, name) SELECT b.id, b.name FROM json_to_record($1) AS b(id int, name text)", 114)
	s.parse("4", "COMMIT")
	for i := range 6 {
		if s.execute("0") != "" || s.execute("1", `"api"`, "statement_timeout", "60s", "replay_anon", secretClaims, "POST", "/hushhush", secretHeaders, secretCookies) != "" {
			t.Error("a request does not begin")
		}
		if code := s.execute("2", strconv.Itoa(10+i)); code != "" {
			t.Errorf("select: %s", code)
		}
		end := "4"
		if i%2 == 0 {
			// The second one of these has the key of the first.
			if code := s.execute("3", fmt.Sprintf(`{"id": %d, "name": "Bo\"b %d"}`, 100_000*(number+1)+i/4, i)); code != map[int]string{2: "23505"}[i] {
				t.Errorf("insert %d: %s", i, code)
			}
			if i == 2 {
				s.parse("5", "ABORT")
				end = "5"
			}
		}
		if code := s.execute(end); code != "" {
			t.Errorf("%s: %s", end, code)
		}
		time.Sleep(20 * time.Millisecond) // between two requests
	}
	return s.transactions
}

// simple talks in simple queries, with constants in them.
func simple(t *testing.T, url string) int {
	s := speak(t, url)
	if s == nil {
		return 0
	}
	defer func() { _ = s.conn.leave() }()
	for _, one := range []struct{ sql, code string }{
		{"SELECT * FROM api.item WHERE name = 'marigold' AND id = 52525252", ""},
		{"SELECT 1/0", "22012"},
		{"SELECT * FROM nowhere", "42P01"},
		{"BEGIN", ""},
		{"SELECT set_config('request.jwt.claims', '" + secretClaims + "', true)", ""},
		{`SET LOCAL "request.headers" TO '` + secretHeaders + `'`, ""},
		{"SELECT name, now() - interval '3 days' FROM api.item WHERE made > '2020-01-31 10:11:12+01' LIMIT 5", ""},
		{"ROLLBACK", ""},
		{"ALTER ROLE replay_joe PASSWORD '" + secretPassword + "'", ""},
		{"SELECT 'marigold'; SELECT 2", ""},
		{"", ""},
	} {
		if code := s.flight(wire.AppendQuery(nil, one.sql)); code != one.code {
			t.Errorf("%s: %q, want %q", one.sql, code, one.code)
		}
	}
	s.flight(append(wire.AppendQuery(nil, "SELECT 1"), wire.AppendQuery(nil, "BEGIN")...)) // the second answer comes with the next
	s.flight(nil)
	s.flight(wire.AppendQuery(nil, "COMMIT"))
	return s.transactions - 1 // the first of two in one flight is one transaction with the second
}

// driver is the user that throughPgx logs in as.
const driver = "replay_driver"

// throughPgx talks as a driver does: binary parameters, a batch, COPY in both directions.
func throughPgx(t *testing.T, url string) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close(context.Background()) }()
	insert := func(id int) error {
		_, err := conn.Exec(ctx, "INSERT INTO api.item (id, name, price, made, tags, key, ok, ratio) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			id, "marigold", "12.50", time.Now(), []string{"marigold", "b"}, "6f1e2d3c-1111-2222-3333-444455556666", true, 2.5)
		return err
	}
	if err := insert(5_000_001); err != nil {
		t.Error(err)
	}
	var pg *pgconn.PgError
	if err := insert(5_000_001); !errors.As(err, &pg) || pg.Code != "23505" {
		t.Errorf("the same key again: %v", err)
	}
	batch := &pgx.Batch{}
	for i := range 3 {
		batch.Queue("SELECT name FROM api.item WHERE id = $1", i)
	}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		t.Error(err)
	}
	rows := [][]any{{7_000_001, copied}, {7_000_002, copied}}
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{"api", "item"}, []string{"id", "name"}, pgx.CopyFromRows(rows)); err != nil {
		t.Error(err)
	}
	if _, err := conn.PgConn().CopyTo(ctx, io.Discard, "COPY api.item TO STDOUT"); err != nil {
		t.Error(err)
	}
	if _, err := conn.PgConn().CopyFrom(ctx, strings.NewReader("1\t"+copied+"\n"), "COPY api.item (id, name) FROM STDIN"); !errors.As(err, &pg) || pg.Code != "23505" {
		t.Errorf("COPY of a key that is there: %v", err)
	}
}
