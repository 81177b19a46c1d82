package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"poolerd/pool/config"
)

// openUnix opens the socket that libpq looks for in a folder, with the mode and the group of the settings.
func (o *opener) openUnix(ctx context.Context) error {
	path := unixSocket(o.conf, o.port)
	abstract := path[0] == '@'
	if !abstract {
		if err := clearWay(path); err != nil {
			return err
		}
	}
	// Until the file has its mode nobody may connect: who does waits to be accepted, whatever the mode is then.
	mask := syscall.Umask(0o777)
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	syscall.Umask(mask)
	if err != nil {
		return err
	}
	o.opened = append(o.opened, l)
	if !abstract {
		if err := dressSocket(path, o.conf); err != nil {
			return err
		}
	}
	return o.tune(l)
}

// unixSocket is the path of the socket, by libpq's rule: the folder and ".s.PGSQL." with the port. That is listen_port, but where nobody has set it, or the system has
// chosen one, that of the first TCP socket, if there is any: clients give one port for both. A path that begins with "@" is abstract: a name without a file.
func unixSocket(conf *config.Config, tcp int) string {
	port := conf.ListenPort
	if tcp != 0 && (port == 0 || conf.Origin("listen_port") == config.Origin{}) {
		port = tcp
	}
	return filepath.Join(conf.UnixSocketDir, ".s.PGSQL."+strconv.Itoa(port))
}

// clearWay removes the socket of a process that has ended. One that somebody listens on is left alone, and so is what is no socket.
func clearWay(path string) error {
	if _, err := os.Lstat(path + ".lock"); err == nil {
		return fmt.Errorf("it is PostgreSQL's: %s.lock is there; choose another listen_port or unix_socket_dir", path)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is no socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
		return errors.New("unix socket is in use, cannot continue: another process listens on it")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
		// Not allowed to connect, or its queue is full: somebody may listen.
		return fmt.Errorf("unix socket may be in use: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// dressSocket gives the socket's file its group and its mode.
func dressSocket(path string, conf *config.Config) error {
	if conf.UnixSocketGroup != "" {
		gid, err := groupID(conf.UnixSocketGroup)
		if err != nil {
			return fmt.Errorf("unix_socket_group: %w", err)
		}
		if err := os.Chown(path, -1, gid); err != nil {
			return fmt.Errorf("unix_socket_group: %w", err)
		}
	}
	if err := os.Chmod(path, conf.UnixSocketMode.Perm()); err != nil {
		return fmt.Errorf("unix_socket_mode: %w", err)
	}
	return nil
}

// groupID is the number of a group that is given by name or by number.
func groupID(group string) (int, error) {
	if id, err := strconv.Atoi(group); err == nil && id >= 0 {
		return id, nil
	}
	g, err := user.LookupGroup(strings.TrimSpace(group))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}
