package wiretest

import "net"

// Chopped makes what is written to conn arrive in pieces: piece says how long the next one is, in bytes, of n that are left. Of a long write only the
// first and the last headAndTail bytes are chopped, and what is between them goes in pieces of 16 kB and one.
func Chopped(conn net.Conn, piece func(n int) int) net.Conn { return chopped{conn, piece} }

const (
	headAndTail = 1 << 10
	middlePiece = 16<<10 + 1
)

type chopped struct {
	net.Conn
	piece func(n int) int
}

func (c chopped) Write(b []byte) (int, error) {
	for at := 0; at < len(b); {
		n := min(max(c.piece(len(b)-at), 1), len(b)-at)
		if middle := len(b) - headAndTail - at; at >= headAndTail && middle > 0 {
			n = min(middlePiece, middle)
		}
		if k, err := c.Conn.Write(b[at : at+n]); err != nil {
			return at + k, err
		}
		at += n
	}
	return len(b), nil
}
