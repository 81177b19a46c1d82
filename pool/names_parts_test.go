package pool

import (
	"testing"
	"time"

	"poolerd/wire"
)

// TestNamesForgottenBetweenParts: a name that a DEALLOCATE has taken away may be given anew in the same pipeline, wherever the pipeline falls apart on its way.
func TestNamesForgottenBetweenParts(t *testing.T) {
	f := startFake(t)
	executed := make(chan struct{}, 10)
	f.hook = func(_ *fakeSession, typ byte, _ []byte) bool {
		if typ == wire.ClientExecute {
			executed <- struct{}{}
		}
		return false
	}
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.send(wire.AppendEmpty(wire.AppendParse(nil, "x", wire.ParseTail("SELECT 1")), wire.ClientSync))
	if got := c.replies(1); got != "1ZI" {
		t.Fatalf("the Parse is answered with %s", got)
	}
	c.query("BEGIN")
	c.query("SELECT 2")
	for len(executed) > 0 {
		<-executed
	}
	c.send(wire.AppendExecute(wire.AppendBind(wire.AppendParse(nil, "", wire.ParseTail("DEALLOCATE x")), "", ""), ""))
	select {
	case <-executed:
	case <-time.After(10 * time.Second):
		t.Fatal("the first part has not come to the server")
	}
	c.send(wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(wire.AppendParse(nil, "x", wire.ParseTail("SELECT 3")), "", "x"), ""), wire.ClientSync))
	if got := c.replies(1); got != "12C12CZT" {
		t.Errorf("the client hears %s", got)
	}
}
