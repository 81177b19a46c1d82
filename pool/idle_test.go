package pool

import (
	"net"
	"runtime"
	"testing"
)

// TestIdleClient: a client that waits has given back what its login needed, and the stack that this grew to. The figures are with this test's side of the connection.
func TestIdleClient(t *testing.T) {
	const (
		clients   = 500
		mostHeap  = 3800
		mostStack = 5 << 10 // a login's grows to 8 kB. The race detector makes the frames larger
	)
	f := startFake(t)
	p, addr := startPooler(t, f.url(), nil)
	logIn(t, addr) // what is made once is there
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i] = logIn(t, addr).conn
	}
	within(t, "all are welcomed", func() bool { return len(p.allClients()) == clients+1 })
	within(t, "a client takes little memory", func() bool {
		runtime.GC()
		runtime.ReadMemStats(&after)
		return (after.HeapAlloc-before.HeapAlloc)/clients < mostHeap && (raceEnabled || (after.StackInuse-before.StackInuse)/clients < mostStack)
	})
	t.Logf("%d bytes of heap and %d of stack each", (after.HeapAlloc-before.HeapAlloc)/clients, (after.StackInuse-before.StackInuse)/clients)
	runtime.KeepAlive(conns)
}
