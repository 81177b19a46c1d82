package pool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"poolerd/bench/postgres"
	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/wire/wiretest"
)

// conversationPatience bounds one line of a script; nothing in them takes a second.
const conversationPatience = 30 * time.Second

// TestConversations runs every script of wiretest against PostgreSQL itself and through the pooler, whose answers must be PostgreSQL's.
func TestConversations(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("scripts", conversations)
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func conversations(t *testing.T) {
	cluster, err := postgres.Start(t.Context(), postgres.Options{Sample: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	scripts := wiretest.Scripts()
	if len(scripts) == 0 {
		t.Fatal("there are no scripts")
	}
	direct := dialer(net.JoinHostPort(cluster.Host(), strconv.Itoa(cluster.Port())))
	truth := map[string]string{}
	for _, s := range scripts {
		text, err := wiretest.Run(t.Context(), s, wiretest.Options{Dial: direct, Patience: conversationPatience})
		if err != nil {
			t.Errorf("PostgreSQL itself: %v\n%s", err, text[max(0, len(text)-2000):])
		}
		truth[s.Name] = text
	}
	for _, c := range []struct {
		name  string
		set   func(*config.Config)
		piece func(n int) int
	}{
		{"pool of 1", func(c *config.Config) { c.DefaultPoolSize = 1 }, nil},
		{"pool of 3", func(c *config.Config) { c.DefaultPoolSize = 3 }, nil},
		{"byte by byte", func(c *config.Config) { c.DefaultPoolSize = 1 }, func(int) int { return 1 }},
		{"random pieces", func(c *config.Config) { c.DefaultPoolSize = 3 }, randomPieces(t)},
		{"nothing deferred", func(c *config.Config) { c.DefaultPoolSize, c.DeferBegin, c.DeferParse = 3, false, false }, nil},
		{"recorded", func(c *config.Config) {
			c.DefaultPoolSize, c.Record, c.RecordParameters = 3, filepath.Join(t.TempDir(), "traffic"), config.RecordKept
		}, nil},
		{"few statements a server", func(c *config.Config) { c.DefaultPoolSize, c.MaxPreparedStatements = 1, 2 }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			poolers := map[int]*running{} // by the servers that a pool must have
			for _, s := range scripts {
				servers := serversFor(s)
				if poolers[servers] == nil {
					poolers[servers] = startPooler(t, cluster, func(conf *config.Config) {
						c.set(conf)
						if conf.DefaultPoolSize = max(conf.DefaultPoolSize, servers); servers > 1 {
							conf.MaxPinnedServers = servers
						}
					})
				}
				dial := poolers[servers].dial
				if c.piece != nil {
					dial = choppedDialer(dial, c.piece)
				}
				t.Run(s.Name, func(t *testing.T) {
					through, err := wiretest.Run(t.Context(), s, wiretest.Options{Dial: dial, Patience: conversationPatience})
					if diff := wiretest.Compare(truth[s.Name], through); diff != "" {
						t.Errorf("- PostgreSQL, + poolerd:\n%s", diff)
						if testing.Verbose() {
							t.Logf("through poolerd:\n%s", through)
						}
					}
					if err != nil {
						t.Error(err)
						delete(poolers, servers) // what hangs must not make the other scripts hang
					}
				})
			}
		})
	}
}

// serversFor gives how many servers a pool must have for a script, whose first line says so where it is more than one: "# pool 3". So it is where several clients
// keep their servers at a time, and where one is in a transaction while another asks for something.
func serversFor(s wiretest.Script) int {
	n := 1
	if _, err := fmt.Sscanf(s.Text, "# pool %d\n", &n); err != nil {
		return 1
	}
	return n
}

// randomPieces gives lengths up to 40 bytes, most of them short, and logs the seed.
func randomPieces(t *testing.T) func(int) int {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the random pieces: %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	return func(int) int { return 1 + r.IntN(1+r.IntN(40)) }
}

type dialFunc = func(context.Context) (net.Conn, error)

func dialer(addr string) dialFunc {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
}

func choppedDialer(dial dialFunc, piece func(int) int) dialFunc {
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		return wiretest.Chopped(conn, piece), nil
	}
}

// running is a pooler that serves.
type running struct{ dial dialFunc }

// startPooler runs a pooler before the cluster until the test ends.
func startPooler(t *testing.T, cluster *postgres.Cluster, set func(*config.Config)) *running {
	t.Helper()
	conf := config.Defaults()
	conf.AuthType = config.AuthTrust
	if err := config.ApplyUpstream(conf, cluster.URL("", ""), config.Origin{}); err != nil {
		t.Fatal(err)
	}
	set(conf)
	log := zerolog.Nop()
	if testing.Verbose() {
		log = zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, NoColor: true}).Level(zerolog.WarnLevel)
	}
	p, err := pool.New(conf, log)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	t.Cleanup(func() {
		p.Close()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(conversationPatience):
			t.Error("the pooler does not end")
		}
	})
	return &running{dialer(l.Addr().String())}
}
