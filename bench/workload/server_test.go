package workload_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"poolerd/bench/workload"
	"poolerd/wire"
)

// driver plays a session on a connection, as the bench's client does, but one message at a time.
type driver struct {
	conn net.Conn
	in   *bufio.Reader

	flights  int          // of the last transaction
	texts    []string     // SQLSTATE and message of each error
	received map[byte]int // messages by type
}

// dial logs in where every role is trusted.
func dial(t testing.TB, role string) *driver {
	t.Helper()
	c := workload.Server(t)
	conn, err := net.Dial("tcp", net.JoinHostPort(c.Host(), strconv.Itoa(c.Port())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	d := &driver{conn: conn, in: bufio.NewReader(conn), received: map[byte]int{}}
	startup := wire.AppendStartup(nil, wire.Version30, []wire.Param{{Name: "user", Value: role}, {Name: "database", Value: "fountain"}})
	if _, err := conn.Write(startup); err != nil {
		t.Fatal(err)
	}
	if o, err := d.replies(workload.Flight{Ready: 1}); err != nil || o.Code != "" {
		t.Fatalf("login as %s: %v %v %v", role, o.Code, d.texts, err)
	}
	return d
}

// replies reads what a flight waits for.
func (d *driver) replies(f workload.Flight) (workload.Outcome, error) {
	var o workload.Outcome
	for ready := 0; f.CopyIn || ready < f.Ready; {
		typ, body, err := wire.ReadMessage(d.in, 1<<24)
		if err != nil {
			return o, err
		}
		d.received[typ]++
		switch typ {
		case wire.ServerErrorResponse:
			fields := errorFields(body)
			d.texts = append(d.texts, fields['C']+" "+fields['M'])
			if o.Code == "" {
				o.Code = fields['C']
			}
		case wire.ServerRowDescription:
			o.Columns = columns(body)
		case wire.ServerDataRow:
			if f.Rows {
				o.Row = row(body)
			}
		case wire.ServerCopyInResponse:
			if !f.CopyIn {
				return o, fmt.Errorf("a CopyInResponse that the flight does not wait for")
			}
			return o, nil
		case wire.ServerReadyForQuery:
			ready++
			o.Status = body[0]
			if f.CopyIn {
				return o, nil
			}
		}
	}
	if d.in.Buffered() > 0 {
		return o, fmt.Errorf("%d bytes more than the flight waits for", d.in.Buffered())
	}
	return o, nil
}

func errorFields(body []byte) map[byte]string {
	fields := map[byte]string{}
	for len(body) > 1 {
		value, rest, ok := wire.CString(body[1:])
		if !ok {
			break
		}
		fields[body[0]] = string(value)
		body = rest
	}
	return fields
}

func columns(body []byte) []string {
	var names []string
	n := binary.BigEndian.Uint16(body)
	body = body[2:]
	for range n {
		name, rest, _ := wire.CString(body)
		names = append(names, string(name))
		body = rest[18:]
	}
	return names
}

func row(body []byte) []*string {
	var values []*string
	n := binary.BigEndian.Uint16(body)
	body = body[2:]
	for range n {
		size := int32(binary.BigEndian.Uint32(body))
		body = body[4:]
		if size < 0 {
			values = append(values, nil)
			continue
		}
		value := string(body[:size])
		values = append(values, &value)
		body = body[size:]
	}
	return values
}

// transaction runs one whole transaction and gives its last status.
func (d *driver) transaction(t testing.TB, s *workload.Session) byte {
	t.Helper()
	var buf []byte
	var o workload.Outcome
	d.flights = 0
	for {
		f, more := s.Next(buf[:0], o)
		if !more {
			return o.Status
		}
		buf = f.Data
		o = workload.Outcome{Status: o.Status}
		if f.Pause > 0 && len(f.Data) == 0 {
			continue
		}
		d.flights++
		if _, err := d.conn.Write(f.Data); err != nil {
			t.Fatal(err)
		}
		var err error
		if o, err = d.replies(f); err != nil {
			t.Fatalf("flight %d: %v %v", d.flights, err, d.texts)
		}
	}
}

func (d *driver) close(t testing.TB) {
	t.Helper()
	if _, err := d.conn.Write(wire.AppendEmpty(nil, wire.ClientTerminate)); err != nil {
		t.Fatal(err)
	}
	if err := d.conn.Close(); err != nil {
		t.Fatal(err)
	}
}
