package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// What TestDrivers runs with.
const (
	driverServers = 5               // of one database: two clients under test, two disturbers and one that leaves may keep one at the same time
	driverRun     = 2 * time.Minute // what one run of a program may take
	driversAtOnce = 4               // each twice, with disturbers
)

// place is where a driver's program connects to, and which behaviours it is to
// show: those whose name matches a regular expression.
type place struct {
	host     string
	port     int
	database string
	user     string
	wanted   string
}

func (at place) args() []string {
	return []string{at.host, strconv.Itoa(at.port), at.database, at.user, at.wanted}
}

// outcome is one behaviour of one client, and one line of a program's output:
// testdata/drivers/harness.py says what the fields mean.
type outcome struct {
	Behaviour string `json:"behaviour"`
	OK        bool   `json:"ok"`
	Skip      bool   `json:"skip"`
	Detail    string `json:"detail"`
	Where     string `json:"where"` // the program's stack, when it is not OK
	Allowed   int    `json:"allowed"`
}

// driver is a client of the table.
type driver struct {
	name string
	all  bool // only where POOLERD_E2E_ALL is set: it needs what CI does not install
	// prepare installs what show needs, once; nil is nothing.
	prepare func(t *testing.T) error
	// show runs every behaviour and reports each.
	show func(ctx context.Context, at place, report func(outcome)) error
}

func drivers(t *testing.T) []driver {
	return append(append([]driver{psqlDriver(t)}, programDrivers()...), pgxDrivers()...)
}

// TestDrivers shows, client by client, that nothing a session can do tells
// that there is a pooler. Every client's program runs twice, with a database of
// its own each time: direct, where all must hold, or the program is wrong; and
// through the pooler with few servers and with disturbers, which are other
// clients of the same pool that use the same names for other things. Where a
// behaviour allows an error (0A000 after a DDL, say), it must not occur more
// often than it does direct.
//
// POOLERD_E2E_BEHAVIOURS is a regular expression of the behaviours to show;
// POOLERD_E2E_TABLE is a file that takes the table of all of them.
func TestDrivers(t *testing.T) {
	cluster := startDriverCluster(t)
	o := options{cluster: cluster, poolSize: driverServers}
	if under.kind == poolerd {
		// The limit is not what is shown here; a client that keeps no server waits until a disturber leaves.
		o.settings = map[string]string{"max_pinned_servers": strconv.Itoa(driverServers)}
	}
	if driverSSLMode() == "require" {
		o.ini = driverTLS(t, cluster)
		t.Setenv("PGSSLMODE", "require") // which the programs heed
	}
	p := startPooler(t, o)
	wanted := os.Getenv("POOLERD_E2E_BEHAVIOURS")
	var shown table
	t.Cleanup(func() { shown.print(t) })
	turns := make(chan struct{}, driversAtOnce)
	for _, d := range drivers(t) {
		t.Run(d.name, func(t *testing.T) {
			if d.all {
				onlyAll(t)
			}
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			if d.prepare != nil {
				if err := d.prepare(t); err != nil {
					unavailable(t, err)
				}
			}
			straight := place{cluster.Host(), cluster.Port(), "direct_" + databaseName(d.name), p.user, wanted}
			pooled := place{p.host, p.port, "pooled_" + databaseName(d.name), p.user, wanted}
			for _, at := range []place{straight, pooled} {
				if err := makeDriverDatabase(within(t, patience), cluster, at.database); err != nil {
					t.Fatal(err)
				}
			}
			var group errgroup.Group
			var direct, through []outcome
			group.Go(func() (err error) {
				direct, err = showAll(t, d, straight)
				return err
			})
			group.Go(func() (err error) {
				stop := disturb(t, pooled)
				defer stop()
				through, err = showAll(t, d, pooled)
				return err
			})
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
			shown.add(d.name, judge(t, direct, through))
		})
	}
}

func databaseName(driver string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, driver)
}

// showAll runs a driver's program and returns what it reported, also where it
// then broke down.
func showAll(t *testing.T, d driver, at place) ([]outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), driverRun)
	defer cancel()
	var all []outcome
	begin := time.Now()
	err := d.show(ctx, at, func(o outcome) { all = append(all, o) })
	t.Logf("%s: %d behaviours in %.1f s", at.database, len(all), time.Since(begin).Seconds())
	if err != nil {
		return all, fmt.Errorf("%s: %w", at.database, err)
	}
	return all, nil
}

// judge compares what a client saw through the pooler with what it saw direct,
// fails the test for each difference, and returns the table's cells.
func judge(t *testing.T, direct, through []outcome) (cells []cell) {
	t.Helper()
	found := make(map[string]outcome, len(through))
	for _, o := range through {
		found[o.Behaviour] = o
	}
	if len(direct) == 0 {
		t.Error("no behaviour was shown")
	}
	for _, want := range direct {
		got, ok := found[want.Behaviour]
		c := cell{behaviour: want.Behaviour, state: passed}
		switch {
		case !want.OK:
			t.Errorf("%s: does not hold direct, so the program is wrong: %s\n%s", want.Behaviour, want.Detail, want.Where)
			c.state, c.reason = failed, "direct: "+want.Detail
		case want.Skip:
			c.state = unable
		case !ok:
			c.state, c.reason = failed, "the program did not get so far"
		case !got.OK || got.Skip:
			c.state, c.reason = failed, got.Detail
		case got.Allowed > want.Allowed:
			c.state, c.reason = failed, fmt.Sprintf("%d errors that only DDL or DEALLOCATE explain, direct %d", got.Allowed, want.Allowed)
		}
		if c.state == failed && want.OK {
			t.Errorf("%s: %s\n%s", c.behaviour, c.reason, got.Where)
		}
		cells = append(cells, c)
	}
	return cells
}

// external is the show of a driver whose behaviours are a program in another
// language; further arguments follow those of the place.
func external(command func() ([]string, error), further ...string) func(context.Context, place, func(outcome)) error {
	return func(ctx context.Context, at place, report func(outcome)) error {
		argv, err := command()
		if err != nil {
			return err
		}
		argv = append(append(argv, at.args()...), further...)
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{}
		endWithTests(cmd.SysProcAttr)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		decoder := json.NewDecoder(stdout)
		for {
			var o outcome
			if err = decoder.Decode(&o); err != nil {
				break
			}
			report(o)
		}
		if waitErr := cmd.Wait(); waitErr != nil {
			return fmt.Errorf("%s: %w\n%s", filepath.Base(argv[0]), waitErr, stderr.String())
		}
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: output: %w", filepath.Base(argv[0]), err)
		}
		return nil
	}
}
