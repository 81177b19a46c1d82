package secure

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
)

// suites13 are the cipher suites of TLS 1.3 that may be used; nil is all of them.
//
// crypto/tls lets nobody choose these. On the server's side a choice can be brought about nevertheless: what a client offers is shown to GetConfigForClient in the slice that the choice is then
// made from, so that what is struck out there is not chosen. It is put back before the first write, since a client that has to send its offer again is held to the first one. Should a later crypto/tls
// copy the slice, then nothing is steered, verify refuses what does not fit, and a test says so. On the client's side there is verify alone.
type suites13 []uint16

// known13 are OpenSSL's names of the suites of TLS 1.3; crypto/tls has none of those with 0.
func known13() map[string]uint16 {
	return map[string]uint16{
		"TLS_AES_256_GCM_SHA384":       tls.TLS_AES_256_GCM_SHA384,
		"TLS_CHACHA20_POLY1305_SHA256": tls.TLS_CHACHA20_POLY1305_SHA256,
		"TLS_AES_128_GCM_SHA256":       tls.TLS_AES_128_GCM_SHA256,
		"TLS_AES_128_CCM_8_SHA256":     0,
		"TLS_AES_128_CCM_SHA256":       0,
	}
}

func parseSuites13(text string) (suites13, error) {
	var s suites13
	for name := range strings.FieldsFuncSeq(text, isSeparator) {
		id, ok := known13()[strings.ToUpper(name)]
		switch {
		case !ok:
			return nil, fmt.Errorf("failed to set the TLSv1.3 cipher suites: %q is none of TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256 and TLS_AES_128_GCM_SHA256", name)
		case id != 0:
			s = append(s, id)
		}
	}
	if text != "" && s == nil {
		return nil, fmt.Errorf("failed to set the TLSv1.3 cipher suites: of %q none is available: the CCM suites are not part of crypto/tls", text)
	}
	return s, nil
}

// restricted tells whether the suites are fewer than crypto/tls has.
func (s suites13) restricted() bool {
	for _, id := range known13() {
		if id != 0 && s != nil && !slices.Contains(s, id) {
			return true
		}
	}
	return false
}

// verify refuses a suite that is none of s.
func (s suites13) verify(state tls.ConnectionState) error {
	if s == nil || state.Version != tls.VersionTLS13 || slices.Contains(s, state.CipherSuite) {
		return nil
	}
	return fmt.Errorf("TLS chose %s, which the settings do not allow", tls.CipherSuiteName(state.CipherSuite))
}

// steer strikes out of a client's offer what is none of s.
func (s suites13) steer(info *tls.ClientHelloInfo) (*tls.Config, error) {
	gate, _ := info.Conn.(interface{ NetConn() net.Conn })
	if gate == nil {
		return nil, nil
	}
	if conn, ok := gate.NetConn().(*steered); ok {
		conn.strike(info.CipherSuites, s)
	}
	return nil, nil
}

// struckOut takes the place of a suite that is not to be chosen: TLS_NULL_WITH_NULL_NULL, which nobody implements.
const struckOut = 0x0000

// steered is the connection below the gate while a choice among the suites of TLS 1.3 is brought about.
type steered struct {
	net.Conn
	offer    []uint16 // crypto/tls's
	original []uint16
}

func (c *steered) strike(offer []uint16, allowed suites13) {
	c.offer, c.original = offer, slices.Clone(offer)
	for i, id := range offer {
		if id>>8 == 0x13 && !slices.Contains(allowed, id) { // those of TLS 1.3
			offer[i] = struckOut
		}
	}
}

// Write comes when the choice is made.
func (c *steered) Write(p []byte) (int, error) {
	copy(c.offer, c.original)
	c.offer, c.original = nil, nil
	return c.Conn.Write(p)
}

// SyscallConn lets sock wait for the connection.
func (c *steered) SyscallConn() (syscall.RawConn, error) {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T has no descriptor", c.Conn)
	}
	return sc.SyscallConn()
}
