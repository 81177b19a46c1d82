package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// kind is what may be under test.
type kind int

const (
	poolerd   kind = iota
	direct         // PostgreSQL, with no pooler before it
	pgbouncer      // the peer
)

func (k kind) String() string { return [...]string{"poolerd", "direct", "pgbouncer"}[k] }

// target is what is under test.
type target struct {
	kind   kind
	binary string // "" for direct
}

// findTarget reads POOLERD_E2E_TARGET, and builds poolerd into dir when that
// is what it says.
func findTarget(dir string) (target, error) {
	switch text := os.Getenv("POOLERD_E2E_TARGET"); {
	case text == "" || text == poolerd.String():
		binary, err := buildPoolerd(dir)
		return target{poolerd, binary}, err
	case text == direct.String():
		return target{kind: direct}, nil
	case filepath.Base(text) == pgbouncer.String():
		return target{pgbouncer, text}, nil
	default:
		return target{}, fmt.Errorf("POOLERD_E2E_TARGET=%q: must be poolerd, direct, or the path of a pgbouncer", text)
	}
}

// needsPooler leaves out, when PostgreSQL alone is under test, what only a
// pooler can do.
func needsPooler(t *testing.T) {
	t.Helper()
	if under.kind == direct {
		t.Skip("POOLERD_E2E_TARGET=direct: there is no pooler")
	}
}

// needsPoolerd leaves out, when a peer is under test, what only poolerd
// promises.
func needsPoolerd(t *testing.T) {
	t.Helper()
	if under.kind != poolerd {
		t.Skipf("POOLERD_E2E_TARGET=%s does not promise this", under.kind)
	}
}

// needsPreparingAhead leaves out what blocks for ever where a Parse outside a
// transaction waits for a server.
func needsPreparingAhead(t *testing.T) {
	t.Helper()
	if under.kind == pgbouncer {
		t.Skip("PgBouncer takes a server for each Parse")
	}
}

// keepsSessions tells whether each client keeps its own SET values.
func keepsSessions() bool { return under.kind != pgbouncer }
