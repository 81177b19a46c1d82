package listen

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// FuzzMessage reads what a server may send. What is accepted as a notification is what pgproto3 understands, and comes out as it was.
func FuzzMessage(f *testing.F) {
	for _, n := range []pgproto3.NotificationResponse{{PID: 1, Channel: "x", Payload: "y"}, {Channel: "", Payload: ""}} {
		b, err := n.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Add([]byte("A\x00\x00\x00\x04"))
	f.Add([]byte("A\x00\x00\x00\x0b\x00\x00\x00\x01x\x00y"))
	f.Add([]byte("A\x00\x00\x00\x0c\x00\x00\x00\x01abc\x00"))
	f.Add([]byte("Z\x7f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		message, err := readMessage(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			return
		}
		if !bytes.HasPrefix(in, message) {
			t.Fatalf("%q was read as %q", in, message)
		}
		if message[0] != 'A' {
			return
		}
		name, err := noteChannel(message)
		if err != nil {
			return
		}
		var want pgproto3.NotificationResponse
		if err := want.Decode(message[5:]); err != nil || want.Channel != string(name) {
			t.Fatalf("channel %q of %q, want %q, %v", name, message, want.Channel, err)
		}
		n := note{channel: string(name), message: message}
		if got := n.append(nil, 0, 9); !bytes.Equal(got, message) {
			t.Fatalf("%q came out as %q", message, got)
		}
		want.PID++
		replaced, _ := want.Encode(nil)
		if got := n.append(nil, want.PID-1, want.PID); want.PID > 1 && !bytes.Equal(got, replaced) {
			t.Fatalf("%q with another process id: %q, want %q", message, got, replaced)
		}
	})
}
