package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Version is a version of the protocol: the major number in the upper 16 bits, the minor one in the lower.
type Version uint32

// The versions that poolerd speaks. There has never been a 3.1 (PostgreSQL's documentation, "Protocol Versions").
const (
	Version30 Version = 3 << 16
	Version32 Version = 3<<16 | 2
)

// Major is the major number.
func (v Version) Major() int { return int(v >> 16) }

// Minor is the minor number.
func (v Version) Minor() int { return int(v & 0xffff) }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major(), v.Minor()) }

// What stands in place of a version in the initial packets that start no session.
const (
	codeCancel Version = 1234<<16 | 5678
	codeSSL    Version = 1234<<16 | 5679
	codeGSSENC Version = 1234<<16 | 5680
)

// maxStartup is the longest initial packet in bytes, without its four bytes of length (PostgreSQL's MAX_STARTUP_PACKET_LENGTH).
const maxStartup = 10000

// The length of a cancel key in bytes, from version 3.2 on. Up to 3.0 it is always minSecret.
const (
	minSecret = 4
	maxSecret = 256
)

// protocolOption is how the names of startup parameters begin that ask for an extension of the protocol.
const protocolOption = "_pq_."

// RequestKind is what an initial packet asks for.
type RequestKind uint8

// What an initial packet may ask for.
const (
	RequestSession RequestKind = iota // a session: StartupMessage
	RequestSSL                        // TLS, before anything else: SSLRequest
	RequestGSSENC                     // GSSAPI encryption, before anything else: GSSENCRequest
	RequestCancel                     // that another session's statement is cancelled: CancelRequest
)

func (k RequestKind) String() string {
	switch k {
	case RequestSession:
		return "session"
	case RequestSSL:
		return "SSLRequest"
	case RequestGSSENC:
		return "GSSENCRequest"
	case RequestCancel:
		return "CancelRequest"
	}
	return fmt.Sprintf("RequestKind(%d)", uint8(k))
}

// Param is one startup parameter, or one setting of the parameter "options".
type Param struct {
	Name  string
	Value string
}

// Startup is an initial packet: what a client sends before it is a session.
type Startup struct {
	Kind RequestKind

	// With RequestSession. Params are in the client's order and may repeat a name. They are not read when the major version is not 3.
	Version Version
	Params  []Param

	// With RequestCancel. CancelSecret has 4 to 256 bytes.
	CancelPID    uint32
	CancelSecret []byte
}

// ReadStartup reads one initial packet and not a byte more: what follows an SSLRequest belongs to TLS. A packet that is malformed or names no user
// gives an *Error; io.EOF means that the client closed without a word, or takes leave before it has asked for anything; io.ErrUnexpectedEOF that it closed inside the packet.
func ReadStartup(r io.Reader) (*Startup, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if head == leave {
		return nil, io.EOF
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 8 || n > maxStartup+4 {
		err := Fatalf(CodeProtocolViolation, "invalid length of startup packet")
		if head[0] == tlsHandshake {
			err.Hint = "TLS must be asked for with an SSLRequest: use sslnegotiation=postgres, not direct"
		}
		return nil, err
	}
	body := make([]byte, n-4)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	s, err := parseStartup(body)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// leave is how a Terminate begins: from a driver that is told to end while it connects.
var leave = [4]byte{ClientTerminate}

// tlsHandshake is the first byte of a TLS handshake (RFC 8446, 5.1).
const tlsHandshake = 0x16

func parseStartup(body []byte) (*Startup, *Error) {
	code, rest := Version(binary.BigEndian.Uint32(body)), body[4:]
	switch code {
	case codeSSL:
		return bareRequest(RequestSSL, rest)
	case codeGSSENC:
		return bareRequest(RequestGSSENC, rest)
	case codeCancel:
		return parseCancel(rest)
	}
	s := &Startup{Kind: RequestSession, Version: code}
	if code.Major() != 3 {
		return s, nil // how the rest is laid out is not known: Negotiate refuses
	}
	if err := s.parseParams(rest); err != nil {
		return nil, err
	}
	if s.User() == "" {
		return nil, Fatalf(CodeInvalidAuthorization, "no PostgreSQL user name specified in startup packet")
	}
	return s, nil
}

func bareRequest(kind RequestKind, rest []byte) (*Startup, *Error) {
	if len(rest) != 0 {
		return nil, Fatalf(CodeProtocolViolation, "invalid length of %s: %d bytes too many", kind, len(rest))
	}
	return &Startup{Kind: kind}, nil
}

func parseCancel(rest []byte) (*Startup, *Error) {
	if len(rest) < 4+minSecret || len(rest) > 4+maxSecret {
		return nil, Fatalf(CodeProtocolViolation, "invalid length of cancel key in cancel request packet")
	}
	return &Startup{Kind: RequestCancel, CancelPID: binary.BigEndian.Uint32(rest), CancelSecret: rest[4:]}, nil
}

// parseParams reads pairs of zero-terminated strings, which end with a zero that is the packet's last byte.
func (s *Startup) parseParams(b []byte) *Error {
	for len(b) > 0 && b[0] != 0 {
		name, rest, ok := CString(b)
		if !ok {
			break
		}
		value, rest, ok := CString(rest)
		if !ok {
			break
		}
		s.Params = append(s.Params, Param{string(name), string(value)})
		b = rest
	}
	if len(b) != 1 || b[0] != 0 {
		return Fatalf(CodeProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
	}
	return nil
}

// Get gives a parameter's value. Of a name that stands there more than once the last counts, as in PostgreSQL.
func (s *Startup) Get(name string) (string, bool) {
	for i := len(s.Params) - 1; i >= 0; i-- {
		if s.Params[i].Name == name {
			return s.Params[i].Value, true
		}
	}
	return "", false
}

// User is the role that the client wants to be; never empty in what ReadStartup gives for a session of major version 3.
func (s *Startup) User() string {
	user, _ := s.Get("user")
	return user
}

// Database is the database that the client wants; its name defaults to the user's.
func (s *Startup) Database() string {
	if database, _ := s.Get("database"); database != "" {
		return database
	}
	return s.User()
}

// Negotiate settles the protocol of a session: the version asked for, or the nearest below it that poolerd speaks. reply is empty, or a
// NegotiateProtocolVersion to be sent before the authentication. It names the version that holds, as a whole number with its major part, which is
// what PostgreSQL 18 sends and what libpq 18 compares with its own, and the options of the protocol asked for, none of which is known.
func (s *Startup) Negotiate() (v Version, reply []byte, err *Error) {
	if s.Version.Major() != 3 {
		return 0, nil, Fatalf(CodeFeatureNotSupported, "unsupported frontend protocol %s: server supports %s to %s", s.Version, Version30, Version32)
	}
	v = Version30
	if s.Version >= Version32 {
		v = Version32
	}
	unknown := 0
	for _, p := range s.Params {
		if strings.HasPrefix(p.Name, protocolOption) {
			unknown++
		}
	}
	if v == s.Version && unknown == 0 {
		return v, nil, nil
	}
	reply, at := begin(nil, ServerNegotiateProtocol)
	reply = binary.BigEndian.AppendUint32(reply, uint32(v))
	reply = binary.BigEndian.AppendUint32(reply, uint32(unknown))
	for _, p := range s.Params {
		if strings.HasPrefix(p.Name, protocolOption) {
			reply = appendString(reply, p.Name)
		}
	}
	return v, end(reply, at), nil
}

// beginInitial appends the head of an initial packet, which has no type byte, with a length that endInitial fills in.
func beginInitial(dst []byte, code Version) ([]byte, int) {
	return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 0), uint32(code)), len(dst)
}

func endInitial(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// AppendStartup appends a StartupMessage. Names must not be empty, and neither names nor values may hold a zero byte.
func AppendStartup(dst []byte, v Version, params []Param) []byte {
	dst, at := beginInitial(dst, v)
	for _, p := range params {
		dst = appendString(appendString(dst, p.Name), p.Value)
	}
	return endInitial(append(dst, 0), at)
}

// AppendCancelRequest appends a CancelRequest with the key that the server gave in its BackendKeyData.
func AppendCancelRequest(dst []byte, pid uint32, secret []byte) []byte {
	dst, at := beginInitial(dst, codeCancel)
	return endInitial(append(binary.BigEndian.AppendUint32(dst, pid), secret...), at)
}

// AppendSSLRequest appends an SSLRequest.
func AppendSSLRequest(dst []byte) []byte {
	dst, at := beginInitial(dst, codeSSL)
	return endInitial(dst, at)
}
