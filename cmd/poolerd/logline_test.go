package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// TestLogLine: the line of an event, and what of it is PgBouncer's prefix.
func TestLogLine(t *testing.T) {
	for _, tc := range []struct {
		name string
		log  func(l zerolog.Logger)
		want string
	}{
		{"plain", func(l zerolog.Logger) { l.Info().Msg("process up") }, "LOG process up"},
		{"levels", func(l zerolog.Logger) { l.Warn().Msg("w") }, "WARNING w"},
		{"noise", func(l zerolog.Logger) { l.Trace().Msg("n") }, "NOISE n"},
		{"debug", func(l zerolog.Logger) { l.Debug().Msg("d") }, "DEBUG d"},
		{"error", func(l zerolog.Logger) {
			l.Error().Err(errors.New("too many files")).Int("pause", 5).Msg("accept failed")
		}, "ERROR accept failed: too many files pause=5"},
		{"fatal", func(l zerolog.Logger) { l.WithLevel(zerolog.FatalLevel).Msg("f") }, "FATAL f"},
		{
			"client", func(l zerolog.Logger) {
				l.Info().Uint64("client", 17).Str("user", "bouncer").Str("database", "p0").Str("client_addr", "127.0.0.1:5").Msg("closing because: client close request (age=0s)")
			},
			"LOG C-0x11: p0/bouncer@127.0.0.1:5 closing because: client close request (age=0s)",
		},
		{"before the login", func(l zerolog.Logger) { l.Info().Uint64("client", 1).Str("client_addr", "[::1]:5").Msg("x") }, "LOG C-0x1: (nodb)/(nouser)@[::1]:5 x"},
		{
			"server", func(l zerolog.Logger) {
				l.Info().Uint64("server", 4).Str("database", "p0").Str("user", "bouncer").Str("server_addr", "unix").Int("pid", 9).Msg("new connection to server (from unix)")
			},
			"LOG S-0x4: p0/bouncer@unix new connection to server (from unix) pid=9",
		},
		{
			"nothing behind the age", func(l zerolog.Logger) {
				l.Info().Uint64("server", 4).Str("database", "d").Str("user", "u").Str("server_addr", "a").Int("pid", 9).Msg("closing because: pause mode (age=3s)")
			},
			"LOG S-0x4: d/u@a closing because: pause mode (age=3s)",
		},
		{
			"both", func(l zerolog.Logger) {
				l.Info().Uint64("client", 1).Uint64("server", 4).Str("database", "d").Str("user", "u").Str("client_addr", "a").Str("server_addr", "b").Msg("m")
			},
			"LOG C-0x1: d/u@a m server=4 server_addr=b",
		},
		{"over a Unix socket", func(l zerolog.Logger) {
			l.Info().Uint64("client", 1).Str("database", "d").Str("user", "u").Str("client_addr", "@").Msg("x")
		}, "LOG C-0x1: d/u@unix x"},
		{"without a client the names are fields", func(l zerolog.Logger) { l.Info().Str("database", "d").Str("user", "").Bool("yes", true).Msg("m") }, `LOG m database=d user="" yes=true`},
		{"values", func(l zerolog.Logger) { l.Info().Str("a", "b c").Str("d", `"`).Msg("m") }, `LOG m a="b c" d="\""`},
		{
			"a name cannot make an entry", func(l zerolog.Logger) {
				l.Info().Uint64("client", 1).Str("client_addr", "a").Str("database", "d\n2026-11-26 FATAL").Str("user", "\x1b[31mu").Msg("m\n")
			},
			"LOG C-0x1: d\n\t2026-11-26 FATAL/?[31mu@a m",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out strings.Builder
			tc.log(zerolog.New(lineWriter{to: &out}).With().Timestamp().Logger())
			head := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[` + fmt.Sprint(os.Getpid()) + `\] `).FindString(out.String())
			if got := out.String()[len(head):]; head == "" || got != tc.want+"\n" {
				t.Errorf("got  %swant %s", out.String(), tc.want)
			}
			var bare strings.Builder
			tc.log(zerolog.New(lineWriter{to: &bare, bare: true}).With().Timestamp().Logger())
			if _, want, _ := strings.Cut(tc.want, " "); bare.String() != want+"\n" {
				t.Errorf("bare: got %swant %s", bare.String(), want)
			}
		})
	}
}

// TestLogLineTime: the time is the event's, not the writer's.
func TestLogLineTime(t *testing.T) {
	newLogger(os.Stderr, false) // which sets the format of the field
	when := time.Date(2026, 11, 26, 21, 0, 0, 7_000_000, time.UTC)
	var out strings.Builder
	l := zerolog.New(lineWriter{to: &out})
	l.Info().Time(zerolog.TimestampFieldName, when).Msg("m")
	if want := when.Local().Format(lineTime) + " ["; !strings.HasPrefix(out.String(), want) {
		t.Errorf("got %s, want %s", out.String(), want)
	}
}

// TestLogAuto: where nobody watches, standard error has PgBouncer's lines for whoever called poolerd as PgBouncer, and JSON for others.
func TestLogAuto(t *testing.T) {
	for _, pgbouncer := range []bool{false, true} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_, log := newLogger(w, pgbouncer)
		log.Info().Msg("process up")
		_ = w.Close()
		line, err := io.ReadAll(r)
		_ = r.Close()
		if got := strings.HasSuffix(string(line), "] LOG process up\n"); err != nil || got != pgbouncer || !pgbouncer && !json.Valid(line) {
			t.Errorf("%s, %v", line, err)
		}
	}
}

// TestConsoleFormat: no client's name is an entry of its own in the log that people read, or steers their terminal.
func TestConsoleFormat(t *testing.T) {
	var b strings.Builder
	log := zerolog.New(consoleWriter(&b, false))
	log.Info().Str("user", "x\ny\x1b[2J").Msg("login attempt: db=x\n12:00:00 INF all is well user=\x1b[2J\u009b2J\r")
	text := strings.TrimSuffix(b.String(), "\n")
	for i, line := range strings.Split(text, "\n") {
		if i > 0 && !strings.HasPrefix(line, "\t") || strings.ContainsAny(line, "\x1b\r\u009b") {
			t.Errorf("%q", text)
		}
	}
}
