package pool

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"poolerd/wire/secure"
)

// endpoint is where a server is, or was: what is dialled, and how the connection is made private. A cancel request for a server goes to its endpoint.
type endpoint struct {
	host    string // as the settings name it, which is what a certificate must name
	network string // "tcp" or "unix"
	address string // as net.Dial takes it
}

// addr is the address of a TCP endpoint; the zero one of a Unix socket.
func (e endpoint) addr() netip.Addr {
	a, err := netip.ParseAddrPort(e.address)
	if err != nil || e.network != "tcp" {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// String is the endpoint as the log has it: "127.0.0.1:5432", or "unix:5432" for a Unix socket, as PgBouncer writes it.
func (e endpoint) String() string {
	if e.network != "unix" {
		return e.address
	}
	return "unix:" + e.address[strings.LastIndexByte(e.address, '.')+1:]
}

// isSocket tells whether a host is the directory of a Unix socket: in the file system, or "@..." in Linux's abstract name space.
func isSocket(host string) bool { return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") }

// endpoints gives the places where host may be reached, in the order in which they are to be tried.
func (p *Pooler) endpoints(ctx context.Context, host string, port int) ([]endpoint, error) {
	if isSocket(host) {
		return []endpoint{{host, "unix", host + "/.s.PGSQL." + strconv.Itoa(port)}}, nil
	}
	at := func(addr netip.Addr) endpoint {
		return endpoint{host, "tcp", net.JoinHostPort(addr.String(), strconv.Itoa(port))}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return []endpoint{at(addr)}, nil
	}
	conf := p.config()
	addrs, err := p.resolver.resolve(ctx, host, ttls{conf.DNSMaxTTL, conf.DNSNXDomainTTL}, func(ask func(context.Context)) { p.tasks.Go(func() { ask(p.life) }) })
	if err != nil {
		return nil, err
	}
	all := make([]endpoint, 0, len(addrs))
	for _, addr := range addrs {
		all = append(all, at(addr))
	}
	return all, nil
}

// tlsUse says what becomes of TLS on one connection.
type tlsUse uint8

const (
	tlsNever  tlsUse = iota
	tlsIfAble        // asked for; a server that has none is spoken to in plain text
	tlsAlways
)

// way is one way to a server of a pool.
type way struct {
	host string
	tls  tlsUse
	// second ways are gone only when the one before, to the same host, failed at TLS or was refused for having TLS or none.
	second bool
}

// waysTo gives the ways to hosts under a server_tls_sslmode. A Unix socket never has TLS.
func waysTo(hosts []string, mode secure.Mode) []way {
	var all []way
	for _, host := range hosts {
		switch {
		case isSocket(host) || mode == secure.Disable:
			all = append(all, way{host: host, tls: tlsNever})
		case mode == secure.Allow:
			all = append(all, way{host: host, tls: tlsNever}, way{host: host, tls: tlsAlways, second: true})
		case mode == secure.Prefer:
			all = append(all, way{host: host, tls: tlsIfAble}, way{host: host, tls: tlsNever, second: true})
		default:
			all = append(all, way{host: host, tls: tlsAlways})
		}
	}
	return all
}

// Ways have names, since pgconn, which goes them in turn, knows of hosts and ports only.
const wayPrefix = "way-"

func wayName(i int) string { return wayPrefix + strconv.Itoa(i) }

// wayNumber reads the address that pgconn makes of a way's name.
func wayNumber(address string) (int, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return 0, fmt.Errorf("way to a server: %w", err)
	}
	digits, ok := strings.CutPrefix(host, wayPrefix)
	if !ok {
		return 0, fmt.Errorf("%q is no way to a server", host)
	}
	return strconv.Atoi(digits)
}

// hostsInTurn gives the hosts of a list in the order in which the next connection tries them: each time another one first under load_balance_hosts = round-robin, else
// the one that was reached last.
func (p *Pool) hostsInTurn(hosts []string, balance bool) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.host % len(hosts)
	if balance {
		p.host = (at + 1) % len(hosts)
	}
	return slices.Concat(hosts[at:], hosts[:at])
}

// reached notes which host of a list a connection was made to.
func (p *Pool) reached(hosts []string, host string, balance bool) {
	if balance {
		return
	}
	if i := slices.Index(hosts, host); i >= 0 {
		p.mu.Lock()
		p.host = i
		p.mu.Unlock()
	}
}
