package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// noteInputs makes go test's cache of results right. This package does not
// import what it tests, so the go command cannot see that a changed poolerd
// needs another run; it does see which files and variables the tests look at,
// once they run. To call it in TestMain would be too early.
func noteInputs(t *testing.T) {
	t.Helper()
	if err := noteOnce(); err != nil {
		t.Fatal(err)
	}
}

var noteOnce = sync.OnceValue(func() error {
	for _, name := range []string{"TARGET", "BINARY", "RACE", "ALL", "LONG", "OPTIONAL", "SEED"} {
		_ = os.Getenv("POOLERD_E2E_" + name)
	}
	root := filepath.Join("..", "..", "..")
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if name := entry.Name(); path != root && (strings.HasPrefix(name, ".") || name == "bin") {
				return fs.SkipDir
			}
			return nil
		case strings.HasSuffix(path, "_test.go"):
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
})
