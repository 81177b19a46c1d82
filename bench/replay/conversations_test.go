package replay

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"poolerd/bench/postgres"
	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/wire/wiretest"
)

// TestConversations: whatever wiretest's scripts say, with all their errors and pipelines, is recorded and can be played again: no connection is lost over it, nothing waits for ever.
func TestConversations(t *testing.T) {
	cluster, err := postgres.Start(t.Context(), postgres.Options{Sample: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(t.TempDir(), "traffic")
	conf := config.Defaults()
	conf.AuthType, conf.DefaultPoolSize, conf.Record, conf.RecordParameters = config.AuthTrust, 3, path, config.RecordKept
	if err := config.ApplyUpstream(conf, cluster.URL("", ""), config.Origin{}); err != nil {
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
	dial := func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", l.Addr().String())
	}
	for _, s := range wiretest.Scripts() {
		if s.Name == "cancel" {
			continue // what is never cancelled here would run for long
		}
		if _, err := wiretest.Run(t.Context(), s, wiretest.Options{Dial: dial, Patience: 30 * time.Second}); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	p.Close()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	rec := mustLoad(t, path)
	_, c, err := Run(t.Context(), Options{Recording: rec, Target: cluster.URL("postgres", "fountain"), Patience: 40 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(strings.Join(c.Lines(), "\n"))
	for code, n := range c.Errors {
		if code == codeLost || code == codeTimeout || code == codeConnect {
			t.Errorf("%d times %s", n, code)
		}
	}
	if c.Played != int64(rec.Playable()) || c.Same*100 < c.Played*90 {
		t.Errorf("%d played of %d, %d the same", c.Played, rec.Playable(), c.Same)
	}
}
