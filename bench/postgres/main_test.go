package postgres

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// holdVariable makes the test binary a program that starts a cluster, says
// where, and holds it until its standard input ends.
const holdVariable = "POOLERD_TEST_HOLD_CLUSTER"

func TestMain(m *testing.M) {
	if os.Getenv(holdVariable) != "" {
		if err := hold(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// held is what a holder prints about its cluster.
type held struct {
	Dir string
	URL string
	UID int // of the holder
}

func hold() error {
	// Notify, not Ignore: what is ignored would be ignored by children too,
	// and the test is whether they get the signal.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	ctx := context.Background()
	c, err := Start(ctx, Options{})
	if err != nil {
		return err
	}
	h := held{Dir: c.Dir(), URL: c.URL(superuser, superuser), UID: os.Getuid()}
	if err := json.NewEncoder(os.Stdout).Encode(h); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return c.Stop(ctx)
}

// holder is a running hold in a process group of its own.
type holder struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
}

// startHolder runs hold with its temporary files in tmp, as user id uid.
func startHolder(t *testing.T, binary, tmp string, uid, gid int) *holder {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), holdVariable+"=1", "TMPDIR="+tmp)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if uid != os.Getuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &holder{cmd: cmd, stdin: stdin, out: bufio.NewReader(stdout)}
}

// cluster waits for the holder's cluster.
func (h *holder) cluster(t *testing.T) held {
	t.Helper()
	line, err := h.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the holder said nothing: %v", err)
	}
	var c held
	if err := json.Unmarshal([]byte(line), &c); err != nil {
		t.Fatalf("the holder said %q: %v", line, err)
	}
	return c
}

// release lets the holder stop its cluster, and waits.
func (h *holder) release(t *testing.T) {
	t.Helper()
	if err := h.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Wait(); err != nil {
		t.Fatalf("the holder: %v", err)
	}
}

// openFolder is a temporary folder that every user may enter and write to,
// which t.TempDir's are not.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "poolerd-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newCluster starts a cluster that is stopped with the test.
func newCluster(t *testing.T, o Options) *Cluster {
	t.Helper()
	o.Log = t.Logf
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// ask runs SQL as the superuser and wants one answer.
func ask(t *testing.T, c *Cluster, database, sql, want string) {
	t.Helper()
	got, err := c.Psql(t.Context(), database, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if got = strings.TrimSuffix(got, "\n"); got != want {
		t.Fatalf("%s: got %q, want %q", sql, got, want)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.Now().Add(15 * time.Second)
	for !holds() {
		if time.Now().After(limit) {
			t.Fatalf("after 15 s still not so: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
