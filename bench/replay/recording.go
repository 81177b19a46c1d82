package replay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"poolerd/wire/record"
)

// Recording is a recording in memory. It is not changed after Load, and several replays may use it at once.
type Recording struct {
	Path     string
	Mode     record.Mode
	Started  time.Time
	Cut      bool          // the file ends before the recording did
	LeftOut  uint64        // messages that are missing because the recorder's disk was too slow; not known when it is cut
	Span     time.Duration // from the first record to the last
	Sessions []*Session    // in the order of their logins
	Peak     int           // most sessions at a time

	// Transactions counts those of all sessions, with the ones that cannot be played.
	Transactions int
	// Skipped counts those that cannot be played, by the reason.
	Skipped map[string]int

	messages []message // of all transactions, each once
}

// Session is one recorded client.
type Session struct {
	User, Database string
	Opened         time.Duration // since the recording's start
	Closed         time.Duration // the end of the recording when the client was still there
	Transactions   []Transaction
}

// Transaction is a recorded transaction: from the first message to the ReadyForQuery that left the client outside of one, with nothing to come.
type Transaction struct {
	Name       string // the start of its main statement
	Start, End time.Duration
	Wait       time.Duration // the part of it in which the client waited for answers
	Code       string        // SQLSTATE of its first error
	Skip       string        // why it cannot be played; empty when it can be

	events []event
}

// event is one step of a transaction: a message, or an answer that the client waited for.
type event struct {
	at      time.Duration
	message int32       // its number, with KindMessage
	kind    record.Kind // KindMessage, KindReady or KindCopyIn
}

// ErrEmpty means that a recording holds no transaction that can be played.
var ErrEmpty = errors.New("recording holds nothing to play") // never changed

// Load reads a recording into memory, of which it takes some 300 bytes for a transaction of a few messages, and what differs in parameters. Beside the file's own troubles, which are record.ErrNotARecording, record.ErrVersion and ErrEmpty, a file that is cut is no error: what it holds is played.
func Load(path string) (*Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	defer func() { _ = f.Close() }()
	rec, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("replay: %s: %w", path, err)
	}
	rec.Path = path
	return rec, nil
}

func read(r io.Reader) (*Recording, error) {
	in, err := record.NewReader(r)
	if err != nil {
		return nil, err
	}
	rec := &Recording{Mode: in.Header.Mode, Started: in.Header.Start, Skipped: map[string]int{}}
	s := splitter{recording: rec, open: map[uint64]*splitting{}, known: map[string]int32{}}
	for {
		one, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return s.end()
		case errors.Is(err, record.ErrCut):
			rec.Cut = true
			return s.end()
		case err != nil:
			return nil, err
		}
		s.take(one)
	}
}

// peak counts the most sessions that were there at one time.
func peak(sessions []*Session) int {
	type change struct {
		at time.Duration
		by int
	}
	var changes []change
	for _, s := range sessions {
		changes = append(changes, change{s.Opened, 1}, change{s.Closed, -1})
	}
	slices.SortStableFunc(changes, func(a, b change) int {
		if a.at != b.at {
			return int(min(1, max(-1, a.at-b.at)))
		}
		return b.by - a.by
	})
	now, most := 0, 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return most
}
