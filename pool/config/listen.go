package config

import (
	"net"
	"strconv"
	"strings"
)

// Listen gives the addresses to listen on as net.Listen takes them: host:port, with an empty host for all addresses.
func (c *Config) Listen() []string {
	all := make([]string, 0, len(c.ListenAddr))
	for _, a := range c.ListenAddr {
		host, port := splitAddr(a)
		if port == "" {
			port = strconv.Itoa(c.ListenPort)
		}
		if host == "*" {
			host = ""
		}
		all = append(all, net.JoinHostPort(host, port))
	}
	return all
}

// splitAddr tells host and port apart; a bare IPv6 address has colons and no port.
func splitAddr(a string) (host, port string) {
	if strings.Count(a, ":") > 1 && a[0] != '[' {
		return a, ""
	}
	if h, p, err := net.SplitHostPort(a); err == nil {
		return h, p
	}
	return strings.Trim(a, "[]"), ""
}

// checkListen judges one address.
func checkListen(a string) *Error {
	host, port := splitAddr(a)
	if port != "" {
		if _, err := parseInt(port, 0, 65535); err != nil {
			return &Error{Reason: "the port of " + a + " is " + err.Reason, Hint: err.Hint}
		}
	}
	if strings.ContainsAny(host, "/ ") {
		return &Error{Reason: a + " is not an address", Hint: "give host:port, or [address]:port for IPv6"}
	}
	return nil
}
