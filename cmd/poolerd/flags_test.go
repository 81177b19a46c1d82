package main

import (
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"poolerd/pool/config"
)

// load gives what serve would run with.
func settingsOf(t *testing.T, args ...string) *config.Config {
	t.Helper()
	var cfg *config.Config
	app := &cli.App{Name: "poolerd", Flags: serveFlags(), Action: func(c *cli.Context) (err error) {
		cfg, _, err = loadConfig(c)
		return err
	}}
	if err := app.RunContext(t.Context(), append([]string{"poolerd"}, args...)); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestPrecedence: a flag wins over its variable, that over the file, and that over the default.
func TestPrecedence(t *testing.T) {
	clearEnvironment(t)
	cfg := settingsOf(t, "--config=testdata/good.ini")
	if cfg.DefaultPoolSize != 7 || cfg.PoolMode != config.ModeSession || cfg.MinPoolSize != 0 {
		t.Errorf("file: %+v", cfg)
	}
	t.Setenv("POOLERD_POOL_SIZE", "8")
	t.Setenv("POOLERD_MIN_POOL_SIZE", "")
	t.Setenv("POOLERD_CONFIG", "testdata/good.ini")
	t.Setenv("POOLERD_LISTEN", "127.0.0.1:1,[::1]:2")
	if cfg = settingsOf(t); cfg.DefaultPoolSize != 8 || cfg.MinPoolSize != 0 || strings.Join(cfg.Listen(), " ") != "127.0.0.1:1 [::1]:2" {
		t.Errorf("variables: %+v", cfg)
	}
	cfg = settingsOf(t, "--pool-size=9", "--listen=:3", "--listen=localhost:4", "--query-wait-timeout=500ms", "--server-lifetime=0.5", "--defer-begin=off", "--admin-users=a,b")
	if cfg.DefaultPoolSize != 9 || cfg.PoolMode != config.ModeSession || strings.Join(cfg.Listen(), " ") != ":3 localhost:4" ||
		cfg.QueryWaitTimeout != 500*time.Millisecond || cfg.ServerLifetime != 500*time.Millisecond || cfg.DeferBegin || !cfg.IsAdmin("b") {
		t.Errorf("flags: %+v", cfg)
	}
}

// TestWhereFrom: --upstream wins over the file, that over the environment.
func TestWhereFrom(t *testing.T) {
	clearEnvironment(t)
	host := func(args ...string) string {
		db, ok := settingsOf(t, append(args, "--auth-type=trust")...).Database("x")
		if !ok {
			return "none"
		}
		return db.Host
	}
	t.Setenv("PGHOST", "from-pghost")
	if got := host(); got != "from-pghost" {
		t.Errorf("got %s", got)
	}
	t.Setenv("DATABASE_URL", "postgres://from-url")
	if got := host(); got != "from-url" {
		t.Errorf("got %s", got)
	}
	if got := host("--config=testdata/good.ini"); got != "127.0.0.1" {
		t.Errorf("got %s", got)
	}
	if got := host("--config=testdata/good.ini", "--upstream=postgres://from-flag"); got != "from-flag" {
		t.Errorf("got %s", got)
	}
	if cfg := settingsOf(t, "--demo"); len(cfg.Databases) != 0 || cfg.AuthType != config.AuthTrust {
		t.Errorf("demo: %+v", cfg)
	}
}

// TestEveryKeyFlagIsKnown: a flag sets the key that its name says.
func TestEveryKeyFlagIsKnown(t *testing.T) {
	known := map[string]bool{}
	for _, k := range config.Keys() {
		known[k.Name] = k.Support == config.Honoured
	}
	for _, f := range keyFlags() {
		if !known[f.key] {
			t.Errorf("--%s sets %s, which is no honoured key", f.flag, f.key)
		}
	}
}
