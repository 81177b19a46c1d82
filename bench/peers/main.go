package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	// A child's parent-death signal fires when the THREAD that started it
	// ends; the main thread lasts as long as the program.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// errTroubled is the end of a run whose report shows trouble.
var errTroubled = errors.New("some measurements failed: see the table and the section Trouble")

// run measures what args ask for and prints the table to out; log gets a line
// for each run. An interrupted run still prints what it has.
func run(ctx context.Context, args []string, out, log io.Writer) (err error) {
	o, err := parseOptions(args, log)
	if err != nil {
		return err
	}
	// Twice the clients, for poolers that hold a descriptor on each side.
	if err := raiseFileLimit(max(2*o.serverConnections(), o.idle) + 200); err != nil {
		return err
	}
	if o.strace {
		if _, err := exec.LookPath("strace"); err != nil {
			return fmt.Errorf("--strace: %w: install strace, or leave the flag out", err)
		}
	}
	dir, err := makeDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	r := report{options: o, load: loadAverage()}
	b := &bench{options: o, random: rand.New(rand.NewPCG(o.seed, o.seed)), log: log}
	versions, err := b.choosePeers(ctx, dir, &r)
	if err != nil {
		return err
	}
	b.target, err = startTarget(ctx, o, dir, func(format string, args ...any) { fmt.Fprintf(log, format+"\n", args...) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.target.stop(ctx)) }()
	r.machine = machineLine(ctx, b.target, versions...)

	measureErr := b.measure(ctx, &r)
	if ctx.Err() != nil {
		r.notes = append(r.notes, "Interrupted: this is what was measured until then.")
		measureErr = errors.New("interrupted")
	}
	files := []io.Writer{out}
	if o.out != "" {
		f, err := os.Create(o.out)
		if err != nil {
			return errors.Join(err, r.write(out))
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		files = append(files, f)
	}
	if err := r.write(io.MultiWriter(files...)); err != nil {
		return err
	}
	if measureErr == nil && r.troubled() {
		measureErr = errTroubled
	}
	return measureErr
}

// measure fills the report.
func (b *bench) measure(ctx context.Context, r *report) (err error) {
	if b.options.rounds > 0 {
		fmt.Fprintf(b.log, "about %v for %d cells\n", b.estimate().Round(10*time.Second), len(b.options.cells()))
		if r.cells, err = b.matrix(ctx); err != nil {
			return err
		}
	}
	if b.options.idle > 0 {
		r.idle = b.idleClients(ctx)
	}
	return ctx.Err()
}

const pgbouncerLabel = "PgBouncer"

// choosePeers decides who is measured and says in the report what is missing.
// It returns the versions for the report's first line.
func (b *bench) choosePeers(ctx context.Context, dir string, r *report) (versions []string, err error) {
	o := b.options
	if !o.noise {
		if err := checkPoolerd("--poolerd", o.poolerd); err != nil {
			return nil, err
		}
		b.subject = poolerd{label: "poolerd", path: o.poolerd, args: o.poolerdArgs}
		versions = append(versions, orUnknown(versionOf(ctx, o.poolerd, "poolerd ")))
	}
	if o.versus != "" {
		if err := checkPoolerd("--versus", o.versus); err != nil {
			return nil, err
		}
		b.reference = poolerd{label: "the other poolerd", path: o.versus, args: o.poolerdArgs}
	} else {
		path, version, err := findPgBouncer(ctx, o.pgbouncer)
		switch {
		case errors.Is(err, errNoPgBouncer) && !o.noise:
			r.notes = append(r.notes, "Not compared: "+err.Error()+".")
			fmt.Fprintln(b.log, err)
		case err != nil:
			return nil, err
		default:
			b.reference = pgbouncer{label: pgbouncerLabel, path: path, dir: dir}
			if o.noise {
				b.subject = pgbouncer{label: "PgBouncer again", path: path, dir: dir}
			}
			versions = append(versions, pgbouncerLabel+" "+version)
		}
	}
	r.subject, r.reference, r.alone = b.subject.name(), pgbouncerLabel, b.reference == nil
	if !r.alone {
		r.reference = b.reference.name()
	}
	return versions, nil
}

// makeDir makes the temporary folder that servers without privileges can reach.
func makeDir() (string, error) {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}
