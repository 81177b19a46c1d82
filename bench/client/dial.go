package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// applicationName is what connections say that they are, unless the target's URL says something else.
const applicationName = "poolerd bench"

// Parse reads a target's URL or keywords, as libpq does, with what the environment and .pgpass add. Its errors leave passwords out.
func Parse(target string) (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig(target)
	if err != nil {
		return nil, err
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = applicationName
	}
	return config, nil
}

// failure is an error with the code that it is counted under.
type failure struct {
	code string
	text string
}

func (f *failure) Error() string {
	if len(f.code) == sqlStateLen {
		return f.text + " (SQLSTATE " + f.code + ")"
	}
	return f.text
}

const sqlStateLen = 5

// dial logs in. The failure's code is the server's SQLSTATE where it refused, else "connect".
func dial(ctx context.Context, o *Options) (*conn, *failure) {
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	pg, err := pgconn.ConnectConfig(ctx, o.Config)
	if err != nil {
		return nil, refused(err)
	}
	if err := pg.SyncConn(ctx); err != nil { // nothing that came behind the login may stay in pgconn's buffer
		return nil, &failure{"connect", fmt.Sprintf("after the login: %v", err)}
	}
	bare, err := pg.Hijack()
	if err != nil {
		return nil, &failure{"connect", fmt.Sprintf("after the login: %v", err)}
	}
	return newConn(bare.Conn, o.Limit), nil
}

func refused(err error) *failure {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return &failure{said.Code, said.Severity + ": " + said.Message}
	}
	// An error for each address tried, on lines of their own.
	return &failure{"connect", strings.Join(strings.Fields(err.Error()), " ")}
}
