package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"poolerd/pool"
	"poolerd/pool/config"
)

// TestReloadsAtOnce: SIGHUP and the console's RELOAD may come together. The race detector is the judge.
func TestReloadsAtOnce(t *testing.T) {
	read := func() (*config.Config, []config.Warning, error) {
		conf := config.Defaults()
		conf.AuthType, conf.Quiet, conf.LogFile = config.AuthTrust, true, filepath.Join(t.TempDir(), "log")
		return conf, []config.Warning{{Key: "pool_mode", Reason: "is not set"}}, nil
	}
	conf, warnings, _ := read()
	logs, log := newLogger(os.Stderr, false)
	if err := logs.Open(conf); err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	pooler, err := pool.New(conf, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{settings: settings{Config: conf, Warnings: warnings, reload: read}, logs: logs, log: log, pooler: pooler}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := s.reloadAll(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
