package main

import (
	"fmt"
	"log/syslog"
	"strings"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
)

// facilities are syslog's, by PgBouncer's names.
func facilities() map[string]syslog.Priority {
	return map[string]syslog.Priority{
		"auth": syslog.LOG_AUTH, "authpriv": syslog.LOG_AUTHPRIV, "daemon": syslog.LOG_DAEMON, "user": syslog.LOG_USER,
		"local0": syslog.LOG_LOCAL0, "local1": syslog.LOG_LOCAL1, "local2": syslog.LOG_LOCAL2, "local3": syslog.LOG_LOCAL3,
		"local4": syslog.LOG_LOCAL4, "local5": syslog.LOG_LOCAL5, "local6": syslog.LOG_LOCAL6, "local7": syslog.LOG_LOCAL7,
	}
}

// syslogWriter is the system's log. Debug messages stay away from it, as PgBouncer's do.
type syslogWriter struct {
	*syslog.Writer
	json bool // events as they are
}

// dialSyslog opens the log of this machine. An unknown facility is daemon, as for PgBouncer.
func dialSyslog(conf *config.Config) (*syslogWriter, error) {
	facility, ok := facilities()[conf.SyslogFacility]
	if !ok {
		facility = syslog.LOG_DAEMON
	}
	w, err := syslog.New(facility|syslog.LOG_INFO, conf.SyslogIdent)
	if err != nil {
		return nil, fmt.Errorf("open the system's log (syslog): %w", err)
	}
	return &syslogWriter{w, conf.LogFormat == config.LogJSON}, nil
}

// WriteLevel sends one event with its priority.
func (w *syslogWriter) WriteLevel(level zerolog.Level, event []byte) (int, error) {
	if level < zerolog.InfoLevel {
		return len(event), nil
	}
	text := string(event)
	if !w.json {
		var b strings.Builder
		if _, err := (lineWriter{to: &b, bare: true}).Write(event); err != nil {
			return 0, err
		}
		text = b.String()
	}
	send := w.Info
	switch level {
	case zerolog.WarnLevel:
		send = w.Warning
	case zerolog.ErrorLevel:
		send = w.Err
	case zerolog.FatalLevel, zerolog.PanicLevel:
		send = w.Crit
	}
	return len(event), send(text)
}
