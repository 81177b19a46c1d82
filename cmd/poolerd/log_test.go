package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
)

// TestLogOnFullDisk: whoever logs goes on, and standard error hears of it once.
func TestLogOnFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("there is no " + full)
	}
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stderr.Close() }()
	level := zerolog.GlobalLevel() // which Open sets
	defer zerolog.SetGlobalLevel(level)
	conf := config.Defaults()
	conf.Quiet, conf.LogFile = true, full
	l, log := newLogger(stderr, true)
	if err := l.Open(conf); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for range 3 {
		log.Info().Msg("something happens")
	}
	said, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(said), "\n") != 1 || !strings.Contains(string(said), "poolerd: write the log: write /dev/full: no space left on device") {
		t.Errorf("standard error: %q", said)
	}
}
