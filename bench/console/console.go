package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// database is where a pooler's console is.
const database = "pgbouncer"

// limit bounds each question, besides the caller's context.
const limit = 5 * time.Second

var (
	// ErrNone says that there is no console: the target is PostgreSQL itself, or a pooler without one.
	ErrNone = errors.New("it has no pooler's console")
	// ErrRefused says that there is one, and that the user may not see it.
	ErrRefused = errors.New("the console refuses this user")
)

// Console is a connection to a pooler's console. One goroutine uses it.
type Console struct {
	conn    *pgconn.PgConn
	version string
}

// Open connects to the console of the pooler behind url: the same host, port, user, password and TLS settings; url's database and other parameters
// do not count. The error wraps ErrNone or ErrRefused where it is one of them.
func Open(ctx context.Context, url string) (*Console, error) {
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("connect to the console: %w", err)
	}
	config.Database = database
	// PgBouncer's console refuses parameters that it does not know.
	config.RuntimeParams = map[string]string{"application_name": "poolerd bench"}
	config.ValidateConnect, config.AfterConnect = nil, nil
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := pgconn.ConnectConfig(limited, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the console: %w", classify(err))
	}
	c := &Console{conn: conn}
	if c.version, err = c.askVersion(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends the connection.
func (c *Console) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return c.conn.Close(ctx)
}

// Version is how the pooler's console calls itself: "PgBouncer 1.25.2", which is also what poolerd's says.
func (c *Console) Version() string { return c.version }

func (c *Console) askVersion(ctx context.Context) (string, error) {
	t, err := c.show(ctx, "VERSION")
	if err != nil {
		return "", err
	}
	// PgBouncer before 1.12 tells it in a notice, and returns no row.
	if len(t.rows) == 0 || len(t.rows[0]) == 0 {
		return "", nil
	}
	return strings.TrimSpace(string(t.rows[0][0])), nil
}

// show runs SHOW and returns its rows.
func (c *Console) show(ctx context.Context, what string) (*table, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	results, err := c.conn.Exec(limited, "SHOW "+what).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("SHOW %s: %w", what, classify(err))
	}
	t := &table{what: "SHOW " + what}
	for _, r := range results {
		for _, f := range r.FieldDescriptions {
			t.columns = append(t.columns, f.Name)
		}
		t.rows = r.Rows
	}
	return t, nil
}

// classify adds to an error what it means here.
func classify(err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	// invalid_catalog_name of a database that does not exist, undefined_object where a database of that name has no such thing as SHOW STATS.
	case slices.Contains([]string{"3D000", "42704"}, refused.Code), strings.Contains(refused.Message, "no such database"):
		return fmt.Errorf("%w (%s, SQLSTATE %s)", ErrNone, refused.Message, refused.Code)
	// PgBouncer says 08P01 for whatever it refuses at a login.
	case strings.HasPrefix(refused.Code, "28"), refused.Code == "42501", strings.Contains(refused.Message, "not allowed"),
		strings.Contains(refused.Message, "authentication failed"), strings.Contains(refused.Message, "no such user"):
		return fmt.Errorf("%w: name it in the pooler's admin_users or stats_users (%s, SQLSTATE %s)", ErrRefused, refused.Message, refused.Code)
	}
	return err
}
