package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is the system user that a cluster's processes run as. PostgreSQL
// refuses to run as root, so root lends them another one.
type account struct {
	other    bool // false: the user of this process
	uid, gid int
}

// serverAccount chooses the account: this process's own, or for root the user
// postgres, else nobody.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	names := []string{"postgres", "nobody"}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil && uid > 0 {
			return account{other: true, uid: uid, gid: gid}, nil
		}
	}
	return account{}, fmt.Errorf("this process is root, PostgreSQL must not be, and none of the users %s exists: add one, or run as another user",
		strings.Join(names, ", "))
}

// dress makes cmd run as the account, in a session of its own: the terminal's
// Ctrl-C then ends this process only, which ends the cluster when it is ready to.
func (a account) dress(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
}

// own hands a file or folder to the account.
func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// maxFolder is how long a cluster's folder may be, in bytes: the path of the
// unix socket in it ("/socket/.s.PGSQL.65535") must fit sockaddr_un, which
// holds 103 bytes on the strictest systems.
const maxFolder = 103 - len("/socket/.s.PGSQL.65535")

// makeFolder makes the folder of a cluster, owned by the account: in
// os.TempDir() where the account can get there and the path is short enough
// for a unix socket, else in /tmp or /var/tmp.
func makeFolder(a account) (string, error) {
	const pattern = "poolerd-postgres-*"
	var last error
	for _, parent := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		// Without symbolic links the path reads the same to everybody who looks.
		parent, err := filepath.EvalSymlinks(parent)
		if err != nil {
			last = err
			continue
		}
		if a.other && !openToAll(parent) {
			last = fmt.Errorf("%s: uid %d cannot enter it", parent, a.uid)
			continue
		}
		dir, err := os.MkdirTemp(parent, pattern)
		if err != nil {
			last = err
			continue
		}
		if len(dir) > maxFolder {
			last = fmt.Errorf("%s: longer than the %d bytes that leave room for a unix socket", dir, maxFolder)
			_ = os.Remove(dir)
			continue
		}
		if err := a.own(dir); err != nil {
			_ = os.Remove(dir)
			return "", err
		}
		return dir, nil
	}
	return "", fmt.Errorf("no temporary folder for a cluster (set TMPDIR to a short path that every user can enter): %w", last)
}

// openToAll tells whether every user may walk into dir.
func openToAll(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}
