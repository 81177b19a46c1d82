package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What strikes the pooler of TestChaos.

// chaosConsole is an administrator at work. One command does not know of the others' state, so that it may be refused; it must never hang.
type chaosConsole struct {
	h    *havoc
	dice *rand.Rand
}

// tell gives a command in a session of its own, for limit at most: a PAUSE that takes longer is given up by an administrator who goes.
func (c *chaosConsole) tell(command string, limit time.Duration) error {
	config, err := pgx.ParseConfig(c.h.url("pgbouncer"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	defer leave(conn)
	limited, stop := context.WithTimeout(ctx, limit)
	defer stop()
	if _, err = conn.Exec(limited, command, pgx.QueryExecModeSimpleProtocol); err == nil {
		c.h.tally.add(command)
	}
	var pg *pgconn.PgError
	switch {
	case err == nil, errors.As(err, &pg), limited.Err() != nil && limit < patience:
		return nil
	}
	return fmt.Errorf("%s: %w", command, err)
}

// database gives one by chance, "" for all of them.
func (c *chaosConsole) database() string {
	return append(chaosDatabases[:5:5], "", "anything1")[c.dice.IntN(7)]
}

// moment is a short while.
func (c *chaosConsole) moment() time.Duration {
	return time.Duration(c.dice.IntN(150)) * time.Millisecond
}

// strike does one thing and what ends it.
func (c *chaosConsole) strike() error {
	database := c.database()
	kind := c.dice.IntN(10)
	begin := [...]string{"PAUSE ", "KILL ", "RECONNECT ", "SUSPEND", "DISABLE ", "WAIT_CLOSE ", "", "", "", ""}[kind]
	end := [...]string{"RESUME ", "RESUME ", "", "RESUME", "ENABLE ", "", "", "", "", ""}[kind]
	switch {
	case begin == "":
		return c.set()
	case begin == "SUSPEND":
		return c.suspend()
	case begin == "WAIT_CLOSE " || begin == "PAUSE ":
		if err := c.tell(begin+database, 400*time.Millisecond); err != nil {
			return err
		}
	default:
		if err := c.tell(begin+database, patience); err != nil {
			return err
		}
	}
	time.Sleep(c.moment())
	if end == "" {
		return nil
	}
	if err := c.tell(end+database, patience); err != nil {
		return err
	}
	if database == "" { // KILL pauses each one
		return c.tell(end, patience)
	}
	return nil
}

// suspend holds everything for a moment. A session that stays is what keeps it so.
func (c *chaosConsole) suspend() error {
	config, err := pgx.ParseConfig(c.h.url("pgbouncer"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	defer leave(conn)
	if _, err := conn.Exec(ctx, "SUSPEND", pgx.QueryExecModeSimpleProtocol); err == nil {
		c.h.tally.add("SUSPEND")
	} else if sqlState(err) == "" {
		return fmt.Errorf("SUSPEND: %w", err)
	}
	time.Sleep(c.moment())
	if c.dice.IntN(3) > 0 { // else the end of the session is the end of it
		if _, err := conn.Exec(ctx, "RESUME", pgx.QueryExecModeSimpleProtocol); err != nil && sqlState(err) == "" {
			return fmt.Errorf("RESUME: %w", err)
		}
	}
	return nil
}

// set changes one thing, or ends a client.
func (c *chaosConsole) set() error {
	switch c.dice.IntN(5) {
	case 0:
		return c.tell(fmt.Sprintf("SET default_pool_size = %d", 1+c.dice.IntN(8)), patience)
	case 1:
		return c.tell(fmt.Sprintf("SET max_user_connections = %d", []int{0, 5, 9}[c.dice.IntN(3)]), patience)
	case 2:
		return c.tell(fmt.Sprintf("SET server_lifetime = %d", c.dice.IntN(3)), patience)
	case 3:
		return c.tell(fmt.Sprintf("SET server_tls_sslmode = '%s'", []string{"disable", "prefer"}[c.dice.IntN(2)]), patience)
	default:
		return c.killClient()
	}
}

func (c *chaosConsole) killClient() error {
	config, err := pgx.ParseConfig(c.h.url("pgbouncer"))
	if err != nil {
		return err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	defer leave(conn)
	results, err := conn.PgConn().Exec(ctx, "SHOW CLIENTS").ReadAll()
	if err != nil {
		return fmt.Errorf("SHOW CLIENTS: %w", err)
	}
	at := map[string]int{}
	for i, column := range results[0].FieldDescriptions {
		at[column.Name] = i
	}
	rows := results[0].Rows
	row := rows[c.dice.IntN(len(rows))]
	if string(row[at["database"]]) == "pgbouncer" {
		return nil
	}
	begin := time.Now()
	_, err = conn.Exec(ctx, "KILL_CLIENT "+string(row[at["ptr"]]))
	if err != nil && sqlState(err) == "" {
		return fmt.Errorf("KILL_CLIENT: %w", err)
	}
	if took := time.Since(begin); err == nil && took > 1900*time.Millisecond {
		return fmt.Errorf("KILL_CLIENT took %v: the client has not gone", took)
	}
	c.h.tally.add("KILL_CLIENT")
	return nil
}

// faults strike PostgreSQL and the configuration.
func (h *havoc) fault(t *testing.T, dice *rand.Rand, watch *pgx.Conn) {
	t.Helper()
	switch n := dice.IntN(20); {
	case n < 10:
		_, err := watch.Exec(within(t, patience), `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND usename <> 'watcher' ORDER BY random() LIMIT 1) AS victim`)
		if err != nil {
			t.Error(err)
		}
		h.tally.add("terminate")
	case n < 17:
		h.settings = stormySettings(dice)
		if dice.IntN(3) == 0 {
			h.authority.issue(t, "pooler", "pooler.test", "localhost", "127.0.0.1") // over the same files
		}
		h.replaceConfig(t)
		h.signal(t, syscall.SIGHUP)
		h.tally.add("reload")
	default:
		h.replaceConfig(t)
		h.signal(t, syscall.SIGHUP)
	}
}

// storm goes on for a while. PostgreSQL is restarted in the middle of it.
func (h *havoc) storm(t *testing.T, during time.Duration) {
	t.Helper()
	end := time.Now().Add(during)
	failed := make(chan error, 2)
	for i := range 2 {
		go func() {
			c := &chaosConsole{h, rand.New(rand.NewPCG(h.seed, uint64(1000+i)))}
			var err error
			for err == nil && time.Now().Before(end) {
				if err = c.strike(); err == nil {
					time.Sleep(c.moment())
				}
			}
			failed <- err
		}()
	}
	dice := rand.New(rand.NewPCG(h.seed, 2000))
	restart := time.Now().Add(during / 2)
	watch := h.watcher(t)
	for time.Now().Before(end) {
		if !restart.IsZero() && time.Now().After(restart) {
			restart = time.Time{}
			leave(watch)
			if err := h.cluster.Restart(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
			watch = h.watcher(t)
			h.tally.add("restart")
		}
		h.fault(t, dice, watch)
		time.Sleep(time.Duration(dice.IntN(200)) * time.Millisecond)
	}
	leave(watch)
	for range 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
