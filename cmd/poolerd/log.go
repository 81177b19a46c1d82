package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"poolerd/pool/config"
)

// logs are the places that the log goes to: standard error, a file, syslog. It is a zerolog.LevelWriter. The places change with the settings, under whoever writes.
type logs struct {
	stderr    *os.File
	pgbouncer bool // auto is PgBouncer's lines on standard error too, but for a terminal

	mu     sync.Mutex
	places []zerolog.LevelWriter
	file   *os.File // of logfile; nil where there is none
	syslog io.Closer
	failed bool // to write the event before
}

// newLogger makes a log that goes to standard error until Open says more. pgbouncer: whoever reads it expects PgBouncer's lines.
func newLogger(stderr *os.File, pgbouncer bool) (*logs, zerolog.Logger) {
	zerolog.TimeFieldFormat = time.RFC3339Nano
	l := &logs{stderr: stderr, pgbouncer: pgbouncer}
	l.places = []zerolog.LevelWriter{leveled(l.format(stderr, config.LogAuto))}
	return l, zerolog.New(l).With().Timestamp().Logger()
}

// Open makes the places those of the settings. A file that is there already is opened anew, so that one that was moved away by logrotate is left. On an error
// everything stays as it was.
func (l *logs) Open(conf *config.Config) error {
	level, err := zerolog.ParseLevel(conf.Level())
	if err != nil {
		return fmt.Errorf("log_level: %w", err)
	}
	var (
		places []zerolog.LevelWriter
		file   *os.File
		remote io.Closer
	)
	if !conf.Quiet {
		places = append(places, leveled(l.format(l.stderr, conf.LogFormat)))
	}
	if conf.LogFile != "" {
		if file, err = os.OpenFile(conf.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
			return fmt.Errorf("open the log (logfile): %w", err)
		}
		places = append(places, leveled(l.format(file, conf.LogFormat)))
	}
	if conf.Syslog {
		s, err := dialSyslog(conf)
		if err != nil {
			if file != nil {
				_ = file.Close()
			}
			return err
		}
		places, remote = append(places, s), s
	}
	l.mu.Lock()
	oldFile, oldRemote := l.file, l.syslog
	l.places, l.file, l.syslog = places, file, remote
	l.mu.Unlock()
	zerolog.SetGlobalLevel(level)
	if file != nil {
		// A crash is seen where the log is: standard error may lead nowhere.
		_ = debug.SetCrashOutput(file, debug.CrashOptions{})
	}
	if oldFile != nil {
		_ = oldFile.Close()
	}
	if oldRemote != nil {
		_ = oldRemote.Close()
	}
	return nil
}

// Close leaves the file and syslog.
func (l *logs) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.Close())
	}
	if l.syslog != nil {
		errs = append(errs, l.syslog.Close())
	}
	l.places, l.file, l.syslog = nil, nil, nil
	return errors.Join(errs...)
}

// Write is there for those that know no level.
func (l *logs) Write(event []byte) (int, error) { return l.WriteLevel(zerolog.NoLevel, event) }

// WriteLevel writes an event to every place. A place that fails takes nothing from the others. That a disk is full is said once on standard error, and not for every event: zerolog would
// say it there itself if it was given the error.
func (l *logs) WriteLevel(level zerolog.Level, event []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, place := range l.places {
		if _, err := place.WriteLevel(level, event); err != nil {
			errs = append(errs, err)
		}
	}
	err := errors.Join(errs...)
	if err != nil && !l.failed {
		_, _ = fmt.Fprintf(l.stderr, "poolerd: write the log: %v\n", err)
	}
	l.failed = err != nil
	return len(event), nil
}

// format dresses a file in a format. auto suits whoever looks: people at a terminal, programs at standard error, those who come from PgBouncer in a file.
func (l *logs) format(f *os.File, format string) io.Writer {
	if format == config.LogAuto {
		switch {
		case f != l.stderr:
			format = config.LogPgBouncer
		case term.IsTerminal(int(f.Fd())):
			format = config.LogConsole
		case l.pgbouncer:
			format = config.LogPgBouncer
		default:
			format = config.LogJSON
		}
	}
	switch format {
	case config.LogPgBouncer:
		return lineWriter{to: f}
	case config.LogConsole:
		return consoleWriter(f, term.IsTerminal(int(f.Fd())))
	}
	return f
}

// consoleWriter writes events for people. A message may hold what a client has called itself, which must neither look like an entry of its own nor steer the terminal; other fields are quoted where
// they have to be.
func consoleWriter(to io.Writer, colours bool) io.Writer {
	w := zerolog.ConsoleWriter{Out: to, TimeFormat: time.TimeOnly, NoColor: !colours}
	w.FormatPrepare = func(event map[string]any) error {
		if message, ok := event[zerolog.MessageFieldName].(string); ok {
			event[zerolog.MessageFieldName] = oneEntry(message)
		}
		return nil
	}
	return w
}

func leveled(w io.Writer) zerolog.LevelWriter { return zerolog.LevelWriterAdapter{Writer: w} }
