package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"poolerd/bench/postgres"
)

// waiting is how many of the tests that mostly wait run at the same time, where
// the command line does not say.
const waiting = "6"

// What TestMain makes before the first test and no test changes.
var (
	under  target            // what is under test
	shared *postgres.Cluster // for tests that do not disturb a server
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if err := waitTogether(); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "poolerd-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if under, err = findTarget(dir); err != nil {
		return 0, err
	}

	ctx := context.Background()
	shared, err = postgres.Start(ctx, postgres.Options{Sample: true, Settings: map[string]string{
		"max_connections": "400", // direct needs one for each client
	}})
	if err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := shared.Stop(ctx); err == nil {
			err = stopErr
		}
	}()
	if _, err := shared.Psql(ctx, "postgres", "CREATE DATABASE bench"); err != nil {
		return 0, err
	}
	before := goleak.IgnoreCurrent() // the shared cluster's
	code = m.Run()
	if code == 0 {
		err = goleak.Find(before)
	}
	return code, err
}

// waitTogether raises -parallel, whose default is the number of processors.
func waitTogether() error {
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if set {
		return nil
	}
	return flag.Set("test.parallel", waiting)
}

// buildPoolerd makes the binary under test.
func buildPoolerd(dir string) (string, error) {
	if path := os.Getenv("POOLERD_E2E_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(dir, "poolerd")
	args := []string{"build", "-o", path}
	if os.Getenv("POOLERD_E2E_RACE") != "" {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "poolerd/cmd/poolerd")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build poolerd/cmd/poolerd: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return path, nil
}
