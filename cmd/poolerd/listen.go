package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"poolerd/pool/config"
)

// listen opens the sockets that the settings ask for, or takes those that systemd has opened, which then are the only ones. It opens all or none; but as for PgBouncer
// a name in listen_addr may have addresses that this machine lacks, as long as one is there.
func listen(ctx context.Context, conf *config.Config, log zerolog.Logger) (_ []net.Listener, err error) {
	o := opener{conf: conf, log: log}
	defer func() {
		if err != nil {
			closeAll(o.opened)
		}
	}()
	if err := o.takeOver(); err != nil || len(o.opened) > 0 {
		return o.opened, err
	}
	for _, addr := range conf.Listen() {
		if err := o.openTCP(ctx, addr); err != nil {
			return nil, fmt.Errorf("listen on %s (--listen, listen_addr and listen_port): %w", addr, err)
		}
	}
	if conf.UnixSocketDir != "" {
		switch err := o.openUnix(ctx); {
		case errors.Is(err, fs.ErrNotExist) && conf.Origin("unix_socket_dir") == config.Origin{} && len(o.opened) > 0:
			// Nobody has asked for it by name, and a container need not have the folder.
			log.Warn().Err(err).Msg("no Unix socket: there is no " + conf.UnixSocketDir)
		case err != nil:
			return nil, fmt.Errorf("listen on the Unix socket in %s (unix_socket_dir): %w", conf.UnixSocketDir, err)
		}
	}
	if len(o.opened) == 0 {
		return nil, errors.New("nowhere to listen on; set listen_addr, unix_socket_dir or both")
	}
	return o.opened, nil
}

// opener opens sockets one by one.
type opener struct {
	conf   *config.Config
	log    zerolog.Logger
	opened []net.Listener
	port   int // of the first TCP socket; 0 before there is one
}

// takeOver takes the sockets that systemd passes (sd_listen_fds(3)).
func (o *opener) takeOver() error {
	passed, err := activation.Listeners()
	if err != nil {
		return fmt.Errorf("sockets passed from service manager: %w", err)
	}
	for i, l := range passed {
		if l == nil {
			return fmt.Errorf("socket %d that the service manager passes does not listen for streams", i)
		}
		o.opened = append(o.opened, l)
		if err := o.tune(l); err != nil {
			return fmt.Errorf("socket passed from service manager (%s): %w", l.Addr(), err)
		}
	}
	if len(passed) > 0 && len(o.conf.ListenAddr) > 0 && o.conf.Origin("listen_addr") != (config.Origin{}) {
		o.log.Warn().Msg("sockets passed from service manager, listen_addr ignored")
	}
	if len(passed) > 0 && o.conf.UnixSocketDir != "" && o.conf.Origin("unix_socket_dir") != (config.Origin{}) {
		o.log.Warn().Msg("sockets passed from service manager, unix_socket_dir ignored")
	}
	return nil
}

// openTCP opens a socket for each address of one host:port.
func (o *opener) openTCP(ctx context.Context, addr string) error {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return err
	}
	addrs := []net.IPAddr{{IP: net.IPv4zero}, {IP: net.IPv6unspecified}}
	if host != "" {
		if addrs, err = net.DefaultResolver.LookupIPAddr(ctx, host); err != nil {
			return err
		}
	}
	var failed []error
	some := false
	for _, a := range addrs {
		// A port that the system chooses is the same for all addresses of a name.
		l, err := o.openAddress(ctx, a, port)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		some = true
		port = l.Addr().(*net.TCPAddr).Port
		o.port = cmp.Or(o.port, port)
	}
	if !some {
		return errors.Join(failed...)
	}
	for _, err := range failed {
		o.log.Warn().Err(err).Msg("cannot listen on one of the addresses")
	}
	return nil
}

// openAddress opens one socket. IPv4 and IPv6 are apart, so that no client has an IPv4 address in IPv6's clothes.
func (o *opener) openAddress(ctx context.Context, a net.IPAddr, port int) (net.Listener, error) {
	network := "tcp6"
	if a.IP.To4() != nil {
		network = "tcp4"
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return o.prepare(c) }}
	lc.KeepAliveConfig.Enable = false // the pooler sets it by the settings of the moment
	lc.KeepAlive = -1
	l, err := lc.Listen(ctx, network, net.JoinHostPort(a.String(), strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	if err := o.tune(l); err != nil {
		_ = l.Close()
		return nil, err
	}
	o.opened = append(o.opened, l)
	return l, nil
}

// prepare sets what has to be set before the socket listens. Connections inherit the buffers, so that the window that clients are offered fits them from the start.
func (o *opener) prepare(c syscall.RawConn) error {
	if size := o.conf.TCPSocketBuffer; size > 0 {
		if err := onSocket(c, "tcp_socket_buffer", func(fd int) error {
			return errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size))
		}); err != nil {
			return err
		}
	}
	if !o.conf.SoReusePort {
		return nil
	}
	return onSocket(c, "SO_REUSEPORT", func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
}

// tune sets what Go has no words for: how many connections may wait to be accepted, and that one need not be accepted before it has sent something.
func (o *opener) tune(l net.Listener) error {
	// Where nobody has said how many may wait it is as many as the system allows, which Go has asked for: PgBouncer's 128 are few when everybody comes back at once.
	if o.conf.Origin("listen_backlog") != (config.Origin{}) {
		c, err := l.(syscall.Conn).SyscallConn()
		if err != nil {
			return err
		}
		// On a socket that listens already this changes the number.
		if err := onSocket(c, "listen", func(fd int) error { return unix.Listen(fd, o.conf.ListenBacklog) }); err != nil {
			return err
		}
	}
	return deferAccept(l, o.conf.TCPDeferAccept)
}

// deferAccept lets the system hold back a connection that has not sent anything, for this long (tcp(7), TCP_DEFER_ACCEPT); 0 does not. Unix sockets have no such thing.
func deferAccept(l net.Listener, wait time.Duration) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil
	}
	c, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return onSocket(c, "tcp_defer_accept", func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, int(wait.Seconds()))
	})
}

func onSocket(c syscall.RawConn, what string, f func(fd int) error) error {
	var inner error
	err := c.Control(func(fd uintptr) {
		if err := f(int(fd)); err != nil {
			inner = os.NewSyscallError(what, err)
		}
	})
	return errors.Join(err, inner)
}

// describe is how the log names an address: PgBouncer's "127.0.0.1:6432" and "unix:/tmp/.s.PGSQL.6432".
func describe(addr net.Addr) string {
	if addr.Network() == "unix" {
		return "unix:" + strings.TrimSuffix(addr.String(), "\x00")
	}
	return addr.String()
}
