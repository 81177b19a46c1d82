package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestFirstLogins lets clients with session parameters of their own log in at
// once, when no server is there yet and the pool's first ones pass from login to
// login. Each must find its own parameters afterwards.
func TestFirstLogins(t *testing.T) {
	t.Parallel()
	for range 3 {
		p := startPooler(t, options{poolSize: 2})
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if err := firstLogin(p, fmt.Sprintf("login %d", i)); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		all.Wait()
	}
}

func firstLogin(p *pooler, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	config, err := pgx.ParseConfig(p.url("fountain"))
	if err != nil {
		return err
	}
	config.RuntimeParams["application_name"] = name
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer leave(conn)
	for range 50 {
		got, err := ask(ctx, conn, "SELECT current_setting('application_name')")
		if err != nil {
			return err
		}
		if err := same("application_name", []byte(got), name); err != nil {
			return err
		}
	}
	return nil
}
