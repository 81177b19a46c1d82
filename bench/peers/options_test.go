package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestOptionsQuickYieldsToWhatIsSaid(t *testing.T) {
	o, err := parseOptions([]string{"--quick", "--rounds", "5", "--cases", "tpcb-extended,select-simple"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.rounds != 5 || o.seconds != 3 || o.directRounds != 1 || !slices.Equal(o.clients, []int{16, 64}) {
		t.Fatalf("options = %+v; want 5 rounds of 3 s with 16 and 64 clients", o)
	}
	if len(o.loads) != 2 || o.loads[0].title != "TPC-B extended" || len(o.cells()) != 4 {
		t.Fatalf("loads = %+v; want the two named, in that order", o.loads)
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ args, want string }{
		"unknown case":     {"--cases nothing", `"nothing", known are all, select-extended`},
		"no clients":       {"--clients 16,", `--clients has ""`},
		"zero clients":     {"--clients 0", `--clients has "0"`},
		"negative rounds":  {"--rounds -1", "--rounds -1: must be from 0"},
		"no warm-up":       {"--warmup 0", "--warmup 0: must be from 1"},
		"nothing to do":    {"--rounds 0", "leaves nothing to measure"},
		"two references":   {"--noise --versus x", "give one of them"},
		"a stray argument": {"quick", `argument "quick"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseOptions(strings.Fields(tc.args), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("parseOptions(%s) = %v; want %q in the error", tc.args, err, tc.want)
			}
		})
	}
	if _, err := parseOptions([]string{"--help"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("--help: %v", err)
	}
}

func TestServerConnections(t *testing.T) {
	o := options{clients: []int{64, 1000, 1}, rounds: 7, directRounds: 1, poolSize: 20}
	if got := o.serverConnections(); got != 1060 {
		t.Fatalf("with PostgreSQL measured at 1000 clients: %d", got)
	}
	o.directRounds = 0
	if got := o.serverConnections(); got < 2*o.poolSize+2 || got > 100 {
		t.Fatalf("with poolers only: %d", got)
	}
}
