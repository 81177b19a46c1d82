package wiretest_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"poolerd/bench/postgres"
	"poolerd/wire/wiretest"
)

var (
	rewrite = flag.Bool("rewrite", false, "write the replies of the real server into testdata")
	against = flag.String("against", "", "host:port of a server or pooler to run the scripts against, in place of a private PostgreSQL")
)

// What TestMain sets, and no test changes.
var (
	address string // the server's
	major   int    // its version; 0 where that is not known
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "wiretest:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if address = *against; address != "" {
		return m.Run(), nil
	}
	ctx := context.Background()
	cluster, err := postgres.Start(ctx, postgres.Options{Sample: true})
	if err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := cluster.Stop(ctx); err == nil {
			err = stopErr
		}
	}()
	if major, err = cluster.Major(); err != nil {
		return 0, err
	}
	address = net.JoinHostPort(cluster.Host(), strconv.Itoa(cluster.Port()))
	before := goleak.IgnoreCurrent() // the cluster's
	if code = m.Run(); code == 0 {
		err = goleak.Find(before)
	}
	return code, err
}

func dialServer(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// TestScripts runs every script against a real PostgreSQL, twice: it must leave nothing behind that changes the second run.
func TestScripts(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	scripts := wiretest.Scripts()
	if len(scripts) == 0 {
		t.Fatal("no scripts")
	}
	for _, s := range scripts {
		t.Run(s.Name, func(t *testing.T) {
			if major > 0 && !s.Holds(major) {
				t.Skipf("has no replies of PostgreSQL %d", major)
			}
			for round := range 2 {
				got, err := wiretest.Run(ctx, s, wiretest.Options{Dial: dialServer, Portable: true})
				if err != nil {
					t.Fatalf("%v\n%s", err, tail(got))
				}
				if *rewrite && round == 0 {
					if err := os.WriteFile(filepath.Join("testdata", s.Name+".txt"), []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
					s.Text = got
				}
				if got != s.Text {
					t.Fatalf("run %d: %s\ngo test ./wire/wiretest -rewrite takes what came", round+1, difference(s.Text, got))
				}
			}
		})
	}
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// difference shows the first line that differs.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := at(w, i), at(g, i)
		if a != b {
			return fmt.Sprintf("line %d\nwant %s\n got %s", i+1, a, b)
		}
	}
	return "no difference"
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}
