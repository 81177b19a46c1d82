package hba

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// address is whom a rule is for.
type address struct {
	kind addressKind
	ip   []byte // 4 or 16 bytes. With bits outside the mask it fits nobody
	mask []byte
}

type addressKind uint8

const (
	addressAll     addressKind = iota // every one that is not a unix socket
	addressRange                      // ip and mask
	addressOwnHost                    // samehost: one of this machine's
	addressOwnNet                     // samenet: one of a network that this machine is in
)

// matches tells whether a client's address fits. own gives the machine's.
func (a address) matches(client netip.Addr, own func() []netip.Prefix) bool {
	switch a.kind {
	case addressRange:
		ip := client.AsSlice()
		if len(ip) != len(a.ip) {
			return false
		}
		for i := range ip {
			if ip[i]&a.mask[i] != a.ip[i] {
				return false
			}
		}
		return true
	case addressOwnHost, addressOwnNet:
		for _, p := range own() {
			if p.Addr() == client || a.kind == addressOwnNet && p.Contains(client) {
				return true
			}
		}
		return false
	}
	return true
}

// ownAddresses asks the system for this machine's addresses and their networks. Without an answer there are none.
func ownAddresses() (list []netip.Prefix) {
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		if bits, _ := n.Mask.Size(); ok {
			list = append(list, netip.PrefixFrom(ip.Unmap(), bits))
		}
	}
	return list
}

// parseAddress reads one field, or two: an address with its mask after a slash, or in a field of its own. rest is what follows. The problem's words are PostgreSQL's where it has any.
func parseAddress(fields []field) (a address, rest []field, problem string) {
	if len(fields) == 0 {
		return a, nil, "end-of-line before IP address specification"
	}
	if len(fields[0]) > 1 {
		return a, nil, "multiple values specified for host address"
	}
	t := fields[0][0]
	rest = fields[1:]
	switch {
	case t.is("all"):
		return address{kind: addressAll}, rest, ""
	case t.is("samehost"):
		return address{kind: addressOwnHost}, rest, ""
	case t.is("samenet"):
		return address{kind: addressOwnNet}, rest, ""
	}
	text, bits, slash := strings.Cut(t.text, "/")
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil && !strings.ContainsAny(text, ":%") && strings.Trim(text, "0123456789.") != "":
		return a, nil, `"` + text + `" is a host name, which is not supported: nobody is let in by what the DNS says; write its address`
	case err != nil || ip.Zone() != "":
		return a, nil, `invalid IP address "` + text + `"`
	}
	a = address{kind: addressRange, ip: ip.AsSlice()}
	if slash {
		n, err := strconv.ParseUint(bits, 10, 8)
		if err != nil || int(n) > ip.BitLen() {
			return a, nil, `invalid CIDR mask in address "` + t.text + `"`
		}
		a.mask = net.CIDRMask(int(n), ip.BitLen())
	} else if a.mask, rest, problem = parseMask(rest, ip); problem != "" {
		return a, nil, problem
	}
	return a, rest, ""
}

// empty tells whether nobody can have an address of the range, since it has bits outside its mask.
func (a address) empty() bool {
	for i := range a.ip {
		if a.ip[i]&^a.mask[i] != 0 {
			return true
		}
	}
	return false
}

// parseMask reads the field after an address without a slash.
func parseMask(fields []field, ip netip.Addr) (mask []byte, rest []field, problem string) {
	switch {
	case len(fields) == 0:
		return nil, nil, "end-of-line before netmask specification"
	case len(fields[0]) > 1:
		return nil, nil, "multiple values specified for netmask"
	}
	text := fields[0][0].text
	m, err := netip.ParseAddr(text)
	switch {
	case err != nil || m.Zone() != "":
		return nil, nil, `invalid IP mask "` + text + `": specify an address range in CIDR notation, or provide a separate netmask`
	case m.BitLen() != ip.BitLen():
		return nil, nil, "IP address and mask do not match"
	}
	return m.AsSlice(), fields[1:], ""
}
