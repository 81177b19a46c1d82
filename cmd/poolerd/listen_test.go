package main

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"poolerd/pool/config"
)

// listenOn opens what a configuration asks for, and closes it with the test.
func listenOn(t *testing.T, conf *config.Config) ([]net.Listener, error) {
	t.Helper()
	all, err := listen(t.Context(), conf, zerolog.Nop())
	t.Cleanup(func() { closeAll(all) })
	return all, err
}

// emptyConfig listens nowhere.
func emptyConfig() *config.Config {
	conf := config.Defaults()
	conf.ListenAddr, conf.ListenPort, conf.UnixSocketDir, conf.UnixSocketMode = nil, 0, "", 0o777
	conf.TCPDeferAccept = 0
	return conf
}

// canTalk connects and sends a byte through.
func canTalk(t *testing.T, l net.Listener, network, address string) {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Errorf("%s: %v", address, err)
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{'x'}); err != nil { // a deferred accept waits for it
		t.Error(err)
	}
	got, err := l.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer got.Close()
	if _, err := io.ReadFull(got, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestListenTCP(t *testing.T) {
	conf := emptyConfig()
	conf.ListenAddr = []string{"127.0.0.1", "127.0.0.2", "localhost"}
	if err := conf.Set("listen_backlog", "7", config.Origin{File: "x.ini"}); err != nil {
		t.Fatal(err)
	}
	conf.TCPDeferAccept = time.Second
	all, err := listenOn(t, conf)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 3 {
		t.Fatalf("%d sockets", len(all))
	}
	for _, l := range all {
		canTalk(t, l, "tcp", l.Addr().String())
	}
	if got := backlog(t, all[0]); got != 7 {
		t.Errorf("backlog %d, want 7", got)
	}
	if got := option(t, all[0], unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT); got == 0 {
		t.Error("accept is not deferred")
	}
	if err := deferAccept(all[0], 0); err != nil || option(t, all[0], unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT) != 0 {
		t.Errorf("accept is deferred still: %v", err)
	}
}

// TestListenAll: "*" is IPv4 and IPv6, on one port.
func TestListenAll(t *testing.T) {
	conf := emptyConfig()
	conf.ListenAddr = []string{"*"}
	all, err := listenOn(t, conf)
	if err != nil {
		t.Fatal(err)
	}
	port := all[0].Addr().(*net.TCPAddr).Port
	canTalk(t, all[0], "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if len(all) == 2 {
		canTalk(t, all[1], "tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
	}
}

func TestListenNowhere(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tc := range []struct{ addr, dir, want string }{
		{"", "", "nowhere to listen on"},
		{taken.Addr().String(), "", "address already in use"},
		{"192.0.2.1", "", "cannot assign requested address"},
		{"", filepath.Join(t.TempDir(), "nowhere"), "unix_socket_dir"},
	} {
		conf := emptyConfig()
		if tc.addr != "" {
			conf.ListenAddr = []string{"127.0.0.1", tc.addr}
		}
		if tc.dir != "" {
			if err := conf.Set("unix_socket_dir", tc.dir, config.Origin{Flag: "--unix-socket-dir"}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := listenOn(t, conf); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

// TestUnixSocketPort: clients find both sockets by one port.
func TestUnixSocketPort(t *testing.T) {
	conf := emptyConfig()
	conf.UnixSocketDir, conf.ListenPort = "/run", 6432
	if got := unixSocket(conf, 7000); got != "/run/.s.PGSQL.7000" {
		t.Errorf("listen_addr names the port: %s", got)
	}
	if got := unixSocket(conf, 0); got != "/run/.s.PGSQL.6432" {
		t.Errorf("no TCP: %s", got)
	}
	if err := conf.Set("listen_port", "6432", config.Origin{File: "x.ini"}); err != nil {
		t.Fatal(err)
	}
	if got := unixSocket(conf, 7000); got != "/run/.s.PGSQL.6432" {
		t.Errorf("listen_port is set: %s", got)
	}
}

// TestReusePort: two processes share a port when both say so.
func TestReusePort(t *testing.T) {
	conf := emptyConfig()
	conf.ListenAddr, conf.SoReusePort = []string{"127.0.0.1"}, true
	first, err := listenOn(t, conf)
	if err != nil {
		t.Fatal(err)
	}
	conf.ListenPort = first[0].Addr().(*net.TCPAddr).Port
	if _, err := listenOn(t, conf); err != nil {
		t.Errorf("a second socket with so_reuseport: %v", err)
	}
	conf.SoReusePort = false
	if _, err := listenOn(t, conf); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a socket without so_reuseport: %v", err)
	}
}

func TestListenUnix(t *testing.T) {
	conf := emptyConfig()
	conf.ListenPort, conf.UnixSocketDir, conf.UnixSocketMode, conf.UnixSocketGroup = 6432, t.TempDir(), 0o640, strconv.Itoa(os.Getgid())
	path := filepath.Join(conf.UnixSocketDir, ".s.PGSQL.6432")
	all, err := listenOn(t, conf)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o640 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	canTalk(t, all[0], "unix", path)
	if got := describe(all[0].Addr()); got != "unix:"+path {
		t.Errorf("it is named %q", got)
	}
	if _, err := listenOn(t, conf); err == nil || !strings.Contains(err.Error(), "unix socket is in use, cannot continue") {
		t.Errorf("a second process: %v", err)
	}
	if probe, err := all[0].Accept(); err == nil { // by which the second process has found out
		_ = probe.Close()
	}
	canTalk(t, all[0], "unix", path) // it was not taken away
	closeAll(all)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
}

// TestStaleSocket: what a process that was killed has left is replaced, and nothing else is.
func TestStaleSocket(t *testing.T) {
	conf := emptyConfig()
	conf.ListenPort, conf.UnixSocketDir = 6432, t.TempDir()
	path := filepath.Join(conf.UnixSocketDir, ".s.PGSQL.6432")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := listenOn(t, conf)
	if err != nil {
		t.Fatal(err)
	}
	closeAll(all)

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenOn(t, conf); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("a file: %v", err)
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(path+".lock", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := listenOn(t, conf); err == nil || !strings.Contains(err.Error(), "it is PostgreSQL's") {
		t.Errorf("PostgreSQL's socket: %v", err)
	}
}

// TestAbstractSocket leaves no file; and without a port of its own the socket has that of the TCP sockets.
func TestAbstractSocket(t *testing.T) {
	conf := emptyConfig()
	conf.ListenAddr, conf.UnixSocketDir = []string{"127.0.0.1"}, "@poolerd-test-"+strconv.Itoa(os.Getpid())
	all, err := listenOn(t, conf)
	if err != nil {
		t.Fatal(err)
	}
	name := conf.UnixSocketDir + "/.s.PGSQL." + strconv.Itoa(all[0].Addr().(*net.TCPAddr).Port)
	canTalk(t, all[1], "unix", name)
	if got := describe(all[1].Addr()); got != "unix:"+name {
		t.Errorf("it is named %q", got)
	}
}

// TestPassedSockets: the sockets of a service manager are taken in place of the settings' own. The test binary is the service.
func TestPassedSockets(t *testing.T) {
	if os.Getenv("LISTEN_FDS") != "" {
		servePassed(t)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// The id in LISTEN_PID is known once the shell runs, which then becomes the service.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run '^TestPassedSockets$' -test.v`, os.Args[0])
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "WANT_ADDRESS="+l.Addr().String())
	cmd.ExtraFiles = []*os.File{file}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func servePassed(t *testing.T) {
	conf := emptyConfig()
	conf.ListenAddr, conf.ListenPort = []string{"192.0.2.1"}, 1 // not tried
	all, err := listenOn(t, conf)
	if err != nil || len(all) != 1 || all[0].Addr().String() != os.Getenv("WANT_ADDRESS") {
		t.Errorf("got %v, %v", all, err)
	}
}

// backlog is how many connections may wait, as TCP_INFO shows it of a listening socket.
func backlog(t *testing.T, l net.Listener) int {
	t.Helper()
	c, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	if err := onSocket(c, "TCP_INFO", func(fd int) (err error) {
		info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return int(info.Sacked) // of a listening socket: sk_max_ack_backlog
}

func option(t *testing.T, l net.Listener, level, name int) (value int) {
	t.Helper()
	c, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := onSocket(c, "getsockopt", func(fd int) (err error) {
		value, err = unix.GetsockoptInt(fd, level, name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return value
}
