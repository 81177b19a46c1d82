package e2e

import (
	"context"
	"crypto/elliptic"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"poolerd/bench/postgres"
)

// TestChaos commands and disturbs a pooler at random while many clients, of all kinds and over all ways in, do what clients do (chaos_clients_test.go), and each judges what it is told.
// In the end the table has the rows whose COMMIT was acknowledged and no others, all that was counted is back at zero, and nothing is left in the process.
// What happens follows from the seed, POOLERD_E2E_SEED, as far as it does not depend on who is faster.
func TestChaos(t *testing.T) {
	needsPoolerd(t)
	storming, calm := 12*time.Second, 2*time.Second
	if os.Getenv("POOLERD_E2E_STORM") != "" {
		storming = 2 * time.Minute
	}
	seed := chaosSeed(t)
	t.Logf("POOLERD_E2E_SEED=%d", seed)
	h := newHavoc(t, seed)
	files := h.descriptors(t)

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var clients sync.WaitGroup
	for i := range chaosClients {
		clients.Go(func() { h.client(ctx, i) })
	}
	h.storm(t, storming)
	h.calmDown(t)
	h.calm.Store(true)
	time.Sleep(calm)
	stop()
	clients.Wait()

	h.ledger.judge(t, h.watcher(t))
	for name, n := range h.tally.all() {
		t.Logf("%-12s %6d", name, n)
	}
	for _, name := range chaosStepNames() {
		if h.tally.of(name) == 0 {
			t.Errorf("%s was never done", name)
		}
	}
	h.wantNothingLeft(t, files)
}

func chaosSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("POOLERD_E2E_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("POOLERD_E2E_SEED=%q: %v", text, err)
	}
	return seed
}

// havoc is a pooler, the PostgreSQL behind it, and all that goes on around them.
type havoc struct {
	*pooler
	cluster   *postgres.Cluster
	authority *authority
	shown     certificate
	users     string // auth_file
	sockets   string // unix_socket_dir
	seed      uint64
	settings  chaosSettings
	ledger    rowLedger
	opinion
}

func newHavoc(t *testing.T, seed uint64) *havoc {
	t.Helper()
	h := &havoc{
		cluster: startCluster(t, postgres.Options{Settings: map[string]string{"max_connections": "300"}}), authority: newAuthority(t, "authority", elliptic.P256()),
		users: userlist(t, "postgres", "", "scribe", "", "clerk", ""), sockets: openFolder(t), seed: seed, settings: calmSettings(),
	}
	h.opinion.tally.counts, h.opinion.fail = map[string]int{}, func(err error) { t.Error(err) }
	h.ledger.fate = map[string]fate{}
	h.shown = h.authority.issue(t, "pooler", "pooler.test", "localhost", "127.0.0.1")
	speakTLS(t, h.cluster, h.authority)
	super := observer(t, h.cluster, "postgres")
	defer leave(super)
	mustExec(t, super, "CREATE ROLE watcher LOGIN SUPERUSER")
	mustExec(t, super, "CREATE ROLE scribe LOGIN SUPERUSER")
	mustExec(t, super, "CREATE ROLE clerk LOGIN SUPERUSER")
	mustExec(t, super, "CREATE TABLE deeds (key text); CREATE INDEX ON deeds (key)")
	h.pooler = startPooler(t, options{cluster: h.cluster, ini: h.ini()})
	eventually(t, patience, "the Unix socket is there", func() error { // it comes after the others
		conn, err := net.Dial("unix", fmt.Sprintf("%s/.s.PGSQL.%d", h.sockets, h.port))
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return h
}

// watcher is a client of PostgreSQL itself whose connections are nobody's but the test's.
func (h *havoc) watcher(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(within(t, patience), h.cluster.URL("watcher", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(conn) })
	return conn
}

// chaosSettings are what a RELOAD changes.
type chaosSettings struct {
	poolSize, minSize, reserve, perDatabase, perUser int
	lifetime, idle, queryWait, autodb                float64 // seconds
	roundRobin, fastClose                            int
	mode, serverTLS, check                           string
	extra                                            bool // the database of that name is there
}

// calmSettings are those at the beginning and at the end.
func calmSettings() chaosSettings {
	return chaosSettings{
		poolSize: 6, reserve: 2, lifetime: 3600, idle: 600, queryWait: 30, autodb: 3600, mode: "transaction", serverTLS: "prefer", extra: true,
	}
}

func stormySettings(dice *rand.Rand) chaosSettings {
	return chaosSettings{
		poolSize: 1 + dice.IntN(8), minSize: dice.IntN(3), reserve: dice.IntN(3), perDatabase: []int{0, 4, 9, 14}[dice.IntN(4)], perUser: []int{0, 6, 12}[dice.IntN(3)],
		lifetime: []float64{0, 0.2, 1, 3600}[dice.IntN(4)], idle: []float64{0.3, 600}[dice.IntN(2)], queryWait: []float64{1, 5, 30}[dice.IntN(3)],
		autodb: []float64{0.1, 0.5, 3600}[dice.IntN(3)], roundRobin: dice.IntN(2), fastClose: dice.IntN(2),
		mode: []string{"transaction", "transaction", "session"}[dice.IntN(3)], serverTLS: []string{"disable", "prefer", "require"}[dice.IntN(3)],
		check: []string{"", "select 1", "<empty>"}[dice.IntN(3)], extra: dice.IntN(3) > 0,
	}
}

// ini is the configuration file. All databases are one and the same PostgreSQL database.
func (h *havoc) ini() string {
	s := h.settings
	at := fmt.Sprintf("host=%s port=%d dbname=postgres", h.cluster.Host(), h.cluster.Port())
	var b strings.Builder
	fmt.Fprintf(&b, "[databases]\nforced = %[1]s user=postgres\nown = %[1]s\nkeeping = %[1]s user=postgres pool_mode=session pool_size=8 max_db_connections=8\nsingle = %[1]s pool_mode=statement\n* = %[1]s\n", at)
	if s.extra {
		fmt.Fprintf(&b, "extra = %s user=clerk\n", at)
	}
	fmt.Fprintf(&b, "[pgbouncer]\n%%LISTEN%%unix_socket_dir = %s\nauth_type = trust\nauth_file = %s\nadmin_users = postgres\npool_mode = %s\n", h.sockets, h.users, s.mode)
	fmt.Fprintf(&b, "client_tls_sslmode = prefer\nclient_tls_cert_file = %s\nclient_tls_key_file = %s\nserver_tls_sslmode = %s\n", h.shown.cert, h.shown.key, s.serverTLS)
	fmt.Fprintf(&b, "default_pool_size = %d\nmin_pool_size = %d\nreserve_pool_size = %d\nreserve_pool_timeout = 0.3\nmax_db_connections = %d\nmax_user_connections = %d\n",
		s.poolSize, s.minSize, s.reserve, s.perDatabase, s.perUser)
	fmt.Fprintf(&b, "server_lifetime = %v\nserver_idle_timeout = %v\nquery_wait_timeout = %v\nautodb_idle_timeout = %v\nserver_round_robin = %d\nserver_fast_close = %d\nserver_check_query = %s\nserver_check_delay = 0.05\n",
		s.lifetime, s.idle, s.queryWait, s.autodb, s.roundRobin, s.fastClose, s.check)
	b.WriteString("query_wait_notify = 1\nsuspend_timeout = 1\nserver_login_retry = 0.3\nserver_connect_timeout = 5\nclient_login_timeout = 20\nlog_connections = 0\n")
	return b.String()
}

// replaceConfig puts the configuration file in the place of the old one: a RELOAD may be reading that.
func (h *havoc) replaceConfig(t *testing.T) {
	t.Helper()
	file := h.config
	next := &pooler{host: h.host, port: h.port, config: file + ".next"}
	next.writeConfig(t, h.ini())
	if err := os.Rename(next.config, file); err != nil {
		t.Fatal(err)
	}
}

// calmDown ends whatever the storm has left under way, and waits until everybody is served without an error.
func (h *havoc) calmDown(t *testing.T) {
	t.Helper()
	h.settings = calmSettings()
	h.replaceConfig(t)
	for _, command := range []string{"RESUME", "RESUME", "RELOAD", "RESUME"} {
		_, _ = h.tries(t, command) // an error says that there was nothing to end
	}
	for _, database := range chaosDatabases {
		_, _ = h.tries(t, "RESUME "+database)
		_, _ = h.tries(t, "ENABLE "+database)
	}
	eventually(t, patience, "the errors after the storm are over", func() error {
		before := h.losses.Load()
		time.Sleep(500 * time.Millisecond)
		if n := h.losses.Load() - before; n > 0 {
			return fmt.Errorf("%d more", n)
		}
		return nil
	})
}

// wantNothingLeft: when all clients have gone, so have their traces, and the servers when they are not wanted any more.
func (h *havoc) wantNothingLeft(t *testing.T, files int) {
	t.Helper()
	console := connectConsole(t, h.pooler)
	zero := func(what string, mayBe func(row map[string]string) bool, columns ...string) error {
		for _, row := range show(t, console, what) {
			if mayBe != nil && mayBe(row) {
				continue
			}
			for _, column := range columns {
				if value, ok := row[column]; !ok || value != "0" {
					return fmt.Errorf("SHOW %s: %s is %q in %v", what, column, value, row)
				}
			}
		}
		return nil
	}
	consoles := func(row map[string]string) bool { return row["database"] == "pgbouncer" || row["name"] == "pgbouncer" }
	eventually(t, patience, "nobody is there any more", func() error {
		return errors.Join(
			zero("POOLS", consoles, "cl_active", "cl_waiting", "cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active", "sv_active_cancel", "sv_being_canceled", "sv_tested", "sv_login", "maxwait"),
			zero("DATABASES", consoles, "current_client_connections", "paused", "disabled"),
			zero("USERS", func(row map[string]string) bool { return row["name"] == "postgres" }, "current_client_connections"),
			zero("LISTS", func(row map[string]string) bool { return row["list"] != "login_clients" }, "items"),
		)
	})
	mustExec(t, console, "SET server_idle_timeout = 0.2")
	eventually(t, patience, "no server is left", func() error {
		return errors.Join(
			zero("POOLS", consoles, "sv_idle", "sv_used"), zero("DATABASES", consoles, "current_connections"), zero("USERS", nil, "current_connections"),
			zero("LISTS", func(row map[string]string) bool {
				return row["list"] != "used_servers" && row["list"] != "free_servers"
			}, "items"),
		)
	})
	if rows := show(t, console, "SERVERS"); len(rows) > 0 {
		t.Errorf("SHOW SERVERS has %v", rows[0])
	}
	mustExec(t, console, "RECONNECT") // the connections that listen stay for a while without listeners
	watch := h.watcher(t)
	becomes(t, patience, watch, "SELECT count(*) FROM pg_stat_activity WHERE usename <> 'watcher' AND backend_type = 'client backend'", "0")
	leave(console)
	eventually(t, patience, "the descriptors are closed", func() error {
		if now := h.descriptors(t); now > files+5 {
			return fmt.Errorf("%d are open, %d were at the beginning", now, files)
		}
		return nil
	})
	h.wantFewGoroutines(t, 40)
}

// chaosWay is how a client comes in.
func (h *havoc) chaosWay(number int) string {
	switch number % 3 {
	case 0:
		return fmt.Sprintf("host=%s port=%d sslmode=disable", h.host, h.port)
	case 1:
		return fmt.Sprintf("host=%s port=%d sslmode=require", h.host, h.port)
	default:
		return fmt.Sprintf("host=%s port=%d sslmode=disable", h.sockets, h.port)
	}
}

// connect logs a client in, which tells who it is in its application_name and in a parameter of its session.
func (h *havoc) connect(ctx context.Context, number int, tag, database, user string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(h.chaosWay(number) + fmt.Sprintf(" user=%s dbname=%s", user, database))
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = tag
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "SET chaos.tag = '"+tag+"'", pgx.QueryExecModeSimpleProtocol); err != nil {
		leave(conn)
		return nil, err
	}
	return conn, nil
}
