package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// Install brings PostgreSQL's server binaries onto this machine and returns
// their folder: with apt-get when this process is root on a Debian system,
// else (or when that fails) by downloading the embedded-postgres project's
// binaries into poolerd's folder of the user's cache. log gets a line for each
// step and may be nil. It may take minutes.
func Install(ctx context.Context, log func(format string, args ...any)) (bindir string, err error) {
	if log == nil {
		log = func(string, ...any) {}
	}
	return systemMachine().install(ctx, log)
}

func (m machine) install(ctx context.Context, log func(string, ...any)) (string, error) {
	var errApt error
	if m.root && m.executable("/usr/bin/apt-get") {
		log("no PostgreSQL server here: installing Debian's package postgresql")
		if errApt = m.installDebian(ctx); errApt == nil {
			return m.find(ctx)
		}
		log("apt-get did not install it: %v", errApt)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	dir, err := m.fetchedDir()
	if err != nil {
		return "", errors.Join(errApt, err)
	}
	log("no PostgreSQL server here: downloading %s into %s", fetchedVersion, dir)
	if err := m.fetch(ctx, dir, log); err != nil {
		return "", errors.Join(errApt, fmt.Errorf("downloading PostgreSQL %s: %w: install PostgreSQL's server, or set PG_BINDIR to its binaries", fetchedVersion, err))
	}
	bin := filepath.Join(dir, "bin")
	if missing := m.missing(bin); len(missing) > 0 {
		return "", errors.Join(errApt, fmt.Errorf("the PostgreSQL downloaded into %s lacks %v: remove that folder, or set PG_BINDIR", dir, missing))
	}
	return bin, nil
}

// installDebian installs the server's package, and keeps it from making and
// starting the cluster that the distribution would: nobody asked for one.
func (m machine) installDebian(ctx context.Context) (err error) {
	// postgresql-common reads this folder (see createcluster.conf there) when
	// a server's package is installed for the first time.
	dir := filepath.Join(m.etc, "postgresql-common", "createcluster.d")
	file := filepath.Join(dir, "poolerd.conf")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	const text = "# Only while poolerd installs PostgreSQL's server.\ncreate_main_cluster = false\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file)) }()

	if err := m.run(ctx, "apt-get", "update", "-q"); err != nil {
		return err
	}
	return m.run(ctx, "apt-get", "install", "-q", "-y", "--no-install-recommends", "postgresql", "postgresql-contrib")
}

// fetchedVersion is the PostgreSQL that fetchEmbedded downloads.
const fetchedVersion = embeddedpostgres.V18

// fetchedDir is where fetched binaries go.
func (m machine) fetchedDir() (string, error) {
	cache, err := m.cacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep PostgreSQL's binaries in: %w", err)
	}
	return filepath.Join(cache, "poolerd", "postgresql-"+string(fetchedVersion)), nil
}

// cacheDir is the user's cache folder. Root has to lend what is in it to
// another user, who cannot enter root's home, so root's is the system's.
func cacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache", nil
	}
	return os.UserCacheDir()
}

// fetchEmbedded downloads binaries by starting a database with the
// embedded-postgres library, since it has no call for the download alone.
//
// For root the start itself fails, as PostgreSQL does not run as root, but
// only after the binaries have been unpacked; so whether they are there
// decides, and not the start. They appear in dir in one step, for another
// process may be looking.
func fetchEmbedded(ctx context.Context, dir string, log func(string, ...any)) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "fetch-*")
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return errors.Join(err, os.RemoveAll(work))
	}
	unpacked := filepath.Join(work, "unpacked")
	db := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(fetchedVersion).
		Port(uint32(port)).
		CachePath(filepath.Join(work, "archive")).
		BinariesPath(unpacked).
		RuntimePath(filepath.Join(work, "run")).
		Locale("C").
		Encoding("UTF8").
		Logger(io.Discard))

	// The library takes no context. When ctx ends first, the download goes on
	// in this goroutine, which then removes the folder and ends.
	finished := make(chan error, 1)
	go func() {
		errStart := db.Start()
		if errStart == nil {
			errStart = db.Stop()
		}
		if ctx.Err() == nil && isExecutable(filepath.Join(unpacked, "bin", "initdb")) {
			errStart = publish(unpacked, dir)
		}
		finished <- errors.Join(errStart, os.RemoveAll(work))
	}()
	select {
	case err := <-finished:
		return err
	case <-ctx.Done():
		log("giving up the download: %v", ctx.Err())
		return ctx.Err()
	}
}

// publish moves unpacked binaries to where they stay. If another process was
// faster, its are as good.
func publish(unpacked, dir string) error {
	err := os.Rename(unpacked, dir)
	if err != nil && isExecutable(filepath.Join(dir, "bin", "initdb")) {
		return nil
	}
	return err
}
