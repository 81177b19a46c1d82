package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestStartAndStop(t *testing.T) {
	c := newCluster(t, Options{Settings: map[string]string{
		"application_name": `it's a \ test`,
		"max_connections":  "33",
		"fountain.scale":   "7",
	}})
	if c.Host() != "127.0.0.1" || c.Port() < lowestPort || c.Port() >= highestPort {
		t.Fatalf("listens on %s:%d", c.Host(), c.Port())
	}
	if want := "postgres://me@127.0.0.1:" + strconv.Itoa(c.Port()) + "/a%20b?sslmode=disable"; c.URL("me", "a b") != want {
		t.Fatalf("URL is %s, want %s", c.URL("me", "a b"), want)
	}
	ask(t, c, "postgres", "SHOW max_connections", "33")
	ask(t, c, "postgres", "SHOW fsync", "off")
	ask(t, c, "postgres", "SHOW server_encoding", "UTF8")
	ask(t, c, "postgres", "SHOW fountain.scale", "7")
	ask(t, c, "postgres", "SELECT reset_val FROM pg_settings WHERE name = 'application_name'", `it's a \ test`)
	ask(t, c, "postgres", "SELECT 1, NULL, 'x'; SELECT generate_series(1, 2)", "1||x\n1\n2")

	// The unix socket is in the folder, for whoever may enter it.
	socket, err := pgconn.Connect(t.Context(), "user=postgres host="+c.socketDir()+" port="+strconv.Itoa(c.Port()))
	if err != nil {
		t.Fatal(err)
	}
	if err := socket.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	if _, err := c.Psql(t.Context(), "postgres", "SELECT 1/0"); err == nil || !strings.Contains(err.Error(), "22012") {
		t.Fatalf("division by zero gave %v", err)
	}
	for range 2 { // the second one has nothing to do
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if exists(c.Dir()) || portTaken(c.Port()) {
			t.Fatal("the folder or the server is still there")
		}
	}
	if err := c.Resume(t.Context()); !errors.Is(err, errStopped) {
		t.Fatalf("resume after stop: %v", err)
	}
}

func TestTwoAtOnce(t *testing.T) {
	a, b := newCluster(t, Options{}), newCluster(t, Options{})
	if a.Port() == b.Port() || a.Dir() == b.Dir() {
		t.Fatalf("ports %d and %d, folders %s and %s", a.Port(), b.Port(), a.Dir(), b.Dir())
	}
	ask(t, a, "postgres", "CREATE TABLE only_in_a (); SELECT count(*) FROM pg_class WHERE relname = 'only_in_a'", "1")
	ask(t, b, "postgres", "SELECT count(*) FROM pg_class WHERE relname = 'only_in_a'", "0")
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(t, b, "postgres", "SELECT 1", "1")
}

func TestScram(t *testing.T) {
	c := newCluster(t, Options{Auth: "scram-sha-256"})
	ask(t, c, "postgres", "CREATE ROLE authenticator LOGIN PASSWORD 'authenticator'", "")
	conn, err := pgconn.Connect(t.Context(), c.URL("authenticator", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = pgconn.Connect(t.Context(), strings.Replace(c.URL("postgres", "postgres"), "postgres:postgres@", "postgres:wrong@", 1))
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "28P01" {
		t.Fatalf("a wrong password gave %v", err)
	}
}

// TestOtherUser runs as whoever does not run the other tests: where those are
// root's, an ordinary user starts a cluster; everywhere the server's processes
// are not root's.
func TestOtherUser(t *testing.T) {
	who := account{uid: os.Getuid(), gid: os.Getgid()}
	if os.Getuid() == 0 {
		var err error
		if who, err = serverAccount(); err != nil {
			t.Fatal(err)
		}
	}
	tmp := openFolder(t)
	h := startHolder(t, openTestBinary(t), tmp, who.uid, who.gid)
	c := h.cluster(t)
	if c.UID != who.uid || c.UID == 0 {
		t.Fatalf("the holder ran as uid %d, want %d", c.UID, who.uid)
	}
	if filepath.Dir(c.Dir) != tmp {
		t.Fatalf("the cluster is in %s, want it in %s", c.Dir, tmp)
	}
	h.release(t)
	if exists(c.Dir) {
		t.Fatalf("%s is still there", c.Dir)
	}
}

func TestServerIsNotRoot(t *testing.T) {
	c := newCluster(t, Options{})
	info, err := os.Stat(filepath.Join(c.Dir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner == 0 || int(owner) != c.account.uid {
		t.Fatalf("the data directory is owned by uid %d, want %d", owner, c.account.uid)
	}
}

// openTestBinary is a copy of this program that every user may run.
func openTestBinary(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(openFolder(t), "postgres.test")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Options
		want string
	}{
		{"auth", Options{Auth: "md5"}, `auth "md5": must be "trust" or "scram-sha-256"`},
		{"scale below", Options{Scale: -1}, "sample scale -1: must be from 1 to 10000"},
		{"scale above", Options{Scale: 10001}, "sample scale 10001: must be from 1 to 10000"},
		{"without", Options{Sample: true, Without: []string{"indexes"}}, `sample without "indexes": must be "index" or "partitions"`},
		{"without of nothing", Options{Without: []string{"index"}}, "without index, but no sample is asked for: set Options.Sample as well"},
		{"port", Options{Port: 65536}, "port 65536: must be from 1 to 65535, or 0 for a free one"},
		{"port as a setting", Options{Settings: map[string]string{"Port": "1"}}, `setting port "1": use Options.Port`},
		{"setting's name", Options{Settings: map[string]string{"a b": "1"}}, `setting "a b": not a name that postgresql.conf can hold`},
		{"setting's value", Options{Settings: map[string]string{"work_mem": "1\nx=2"}}, `setting work_mem: the value "1\nx=2" is more than one line`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Start(t.Context(), test.o); err == nil || err.Error() != test.want {
				t.Fatalf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestFailedStart wants the server's own words in the error, and nothing left.
func TestFailedStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		name string
		o    Options
		want string
	}{
		{"unknown setting", Options{Settings: map[string]string{"no_such_setting": "1"}}, `unrecognized configuration parameter "no_such_setting"`},
		{"port is taken", Options{Port: taken.Addr().(*net.TCPAddr).Port}, "could not bind"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tmp := openFolder(t)
			t.Setenv("TMPDIR", tmp)
			_, err := Start(t.Context(), test.o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want it to contain %q", err, test.want)
			}
			wantEmpty(t, tmp)
		})
	}
	t.Run("context has ended", func(t *testing.T) {
		tmp := openFolder(t)
		t.Setenv("TMPDIR", tmp)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		binDir, err := Find(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o := Options{}
		if err := o.complete(); err != nil {
			t.Fatal(err)
		}
		if _, err := start(ctx, binDir, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		wantEmpty(t, tmp)
	})
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v (%v)", left, err)
	}
}

func TestFolder(t *testing.T) {
	self := account{uid: os.Getuid(), gid: os.Getgid()}
	t.Run("too long for a socket", func(t *testing.T) {
		long := filepath.Join(openFolder(t), strings.Repeat("x", 100))
		if err := os.Mkdir(long, 0o777); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", long)
		dir, err := makeFolder(self)
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(dir)
		if strings.HasPrefix(dir, long) || len(dir) > maxFolder {
			t.Fatalf("made %s", dir)
		}
		wantEmpty(t, long)
	})
	t.Run("closed to the account", func(t *testing.T) {
		closed := openFolder(t)
		if err := os.Chmod(closed, 0o700); err != nil {
			t.Fatal(err)
		}
		if openToAll(closed) {
			t.Fatal("a folder with mode 0700 counts as open to all")
		}
		inside := filepath.Join(closed, "in")
		if err := os.Mkdir(inside, 0o755); err != nil {
			t.Fatal(err)
		}
		if openToAll(inside) {
			t.Fatal("a folder inside one with mode 0700 counts as open to all")
		}
		if open := openFolder(t); !openToAll(open) {
			t.Fatalf("%s does not count as open to all", open)
		}
	})
}
