package pool

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
)

// logBook keeps the lines of a log.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBook) count(text string) int { return strings.Count(b.String(), text) }

// wants waits for a line that has a text.
func (b *logBook) wants(t *testing.T, text string) {
	t.Helper()
	within(t, "a line of the log with "+text, func() bool { return strings.Contains(b.String(), text) })
}

// startLogged is startPooler with a log to read.
func startLogged(t *testing.T, upstream string, change func(*config.Config)) (*Pooler, string, *logBook) {
	t.Helper()
	b := &logBook{}
	p, addr := startPoolerWith(t, upstream, zerolog.New(b), change)
	return p, addr, b
}
