package auth

import (
	"bytes"
	"testing"

	"poolerd/wire"
)

// TestRenew: what a client was asked can be judged by another secret where that secret would have had it asked the same, and never by none.
func TestRenew(t *testing.T) {
	md5 := func(password string) string { return hashMD5(password + "u") }
	for _, test := range []struct {
		method         Method
		before, after  string
		possible, fits bool
	}{
		{Plain, "old", "new", true, true},
		{Plain, md5("old"), stored(t, "new", 2), true, true},
		{Plain, "old", "other", true, false},
		{Plain, "old", "", false, false},
		{MD5, md5("old"), md5("new"), true, true},
		{MD5, md5("old"), "new", true, true},
		{MD5, "old", md5("other"), true, false},
		{MD5, md5("old"), stored(t, "new", 2), false, false},
		{SCRAM, "old", "new", true, true},
		{SCRAM, "old", "other", true, false},
		{SCRAM, stored(t, "old", 2), stored(t, "new", 2), true, true}, // stored's salt is always the same
		{SCRAM, stored(t, "old", 2), stored(t, "new", 3), false, false},
		{SCRAM, stored(t, "old", 2), "new", false, false},
		{SCRAM, stored(t, "old", 2), md5("new"), false, false},
	} {
		var last []byte
		e := New().Begin(test.method, 4, secrets{"u": test.before}, "u")
		e.steps = &listening{steps: e.steps, last: &last}
		if err, _ := login(t, e, "u", "new"); err == nil || err.Code != wire.CodeInvalidPassword {
			t.Errorf("%v: %v", test, err)
		}
		if possible := e.Renew(secrets{"u": test.after}); possible != test.possible {
			t.Errorf("%v: possible is %v", test, possible)
			continue
		}
		_, done, err := e.Next(last)
		switch {
		case !test.possible && (err == nil || err.Code != wire.CodeProtocolViolation):
			t.Errorf("%v: judged all the same: %v, %v", test, done, err)
		case test.possible && (done != test.fits || (err == nil) != test.fits):
			t.Errorf("%v: %v, %v", test, done, err)
		}
	}
}

// listening notes the last message.
type listening struct {
	steps
	last *[]byte
}

func (l *listening) next(body []byte) ([]byte, bool, *wire.Error) {
	*l.last = bytes.Clone(body)
	return l.steps.next(body)
}
