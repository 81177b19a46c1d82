package main

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"poolerd/pool"
	"poolerd/pool/config"
)

// TestReloadsOneByOne: a signal and several consoles reload at once. None may read the file while another puts in force what it has read before: the older text would win.
func TestReloadsOneByOne(t *testing.T) {
	conf := config.Defaults()
	conf.Databases["*"] = config.Database{Name: "*", Host: "127.0.0.1", Port: 1}
	pooler, err := pool.New(conf, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	var reading, most atomic.Int32
	var together sync.WaitGroup
	s := &service{pooler: pooler, log: zerolog.Nop(), logs: &logs{}}
	s.Config = conf
	s.reload = func() (*config.Config, []config.Warning, error) {
		if n := reading.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer reading.Add(-1)
		return conf.Clone(), nil, nil
	}
	for range 8 {
		together.Go(func() {
			for range 50 {
				if err := s.reloadAll(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	together.Wait()
	if n := most.Load(); n != 1 {
		t.Errorf("%d reloads at once", n)
	}
	if err := pooler.Serve(); err != nil { // which ends what the reloads have begun
		t.Error(err)
	}
}
