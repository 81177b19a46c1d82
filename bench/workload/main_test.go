package workload_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"poolerd/bench/workload"
)

func TestMain(m *testing.M) {
	code := m.Run()
	err := workload.StopServer()
	if err == nil {
		err = goleak.Find()
	}
	if err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
