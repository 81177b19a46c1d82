package webtest

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// session is one connection to the database, with the statements that it has prepared.
type session struct {
	database string
	conn     *pgconn.PgConn
	names    map[string]string // by text; decimal counters, as PostgREST's
}

// transaction is a request's.
type transaction struct {
	statement
	role, method, path   string
	preRequest, rollback bool
}

// answer is what the statement's row holds.
type answer struct {
	total string
	body  []byte
}

func (s *session) connect(ctx context.Context) error {
	if s.conn != nil && !s.conn.IsClosed() {
		return nil
	}
	conn, err := pgconn.Connect(ctx, s.database)
	if err != nil {
		return err
	}
	s.conn, s.names = conn, map[string]string{}
	_, err = conn.Exec(ctx, "SET client_encoding = 'UTF8';SET client_min_messages TO WARNING;").ReadAll()
	return err
}

func (s *session) close(ctx context.Context) error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close(ctx)
}

// run runs one statement, prepared by its first use.
func (s *session) run(ctx context.Context, text string, values ...[]byte) (*pgconn.Result, error) {
	name, known := s.names[text]
	if !known {
		name = strconv.Itoa(len(s.names))
		if _, err := s.conn.Prepare(ctx, name, text, nil); err != nil {
			return nil, err
		}
		s.names[text] = name
	}
	r := s.conn.ExecPrepared(ctx, name, values, nil, nil).Read()
	return r, r.Err
}

// transact runs t, and ends it in any case.
func (s *session) transact(ctx context.Context, t *transaction) (*answer, error) {
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	begin := "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
	if t.writes {
		begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	}
	if _, err := s.run(ctx, begin); err != nil {
		return nil, err
	}
	a, err := s.inside(ctx, t)
	end := "COMMIT"
	if err != nil || t.rollback {
		end = "ABORT"
	}
	if _, endErr := s.run(ctx, end); endErr != nil {
		return nil, errors.Join(err, endErr)
	}
	return a, err
}

const setConfig = `select set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.jwt.claims', $3, true), ` +
	`set_config('request.method', $4, true), set_config('request.path', $5, true), set_config('request.headers', $6, true), set_config('request.cookies', $7, true)`

// inside is what stands between BEGIN and its end.
func (s *session) inside(ctx context.Context, t *transaction) (*answer, error) {
	var context [][]byte
	for _, v := range []string{`"api", "public"`, t.role, `{"role":"` + t.role + `"}`, t.method, t.path, `{}`, `{}`} {
		context = append(context, []byte(v))
	}
	if _, err := s.run(ctx, setConfig, context...); err != nil {
		return nil, err
	}
	if t.preRequest {
		if _, err := s.run(ctx, `select "api"."check_request"()`); err != nil {
			return nil, err
		}
	}
	r, err := s.run(ctx, t.sql, t.values...)
	if err != nil {
		return nil, err
	}
	if t.rollback {
		if _, err := s.conn.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE").ReadAll(); err != nil {
			return nil, err
		}
	}
	if len(r.Rows) != 1 || len(r.Rows[0]) < 3 {
		return nil, errors.New("the statement returned no row")
	}
	return &answer{total: string(r.Rows[0][0]), body: r.Rows[0][2]}, nil
}
