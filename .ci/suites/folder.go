package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"poolerd/bench/postgres"
)

// prepareFolder builds what the suites need of the source that was named, beside it in the cache. The server that the clusters run has to be of its major version: it loads
// regress.so. Another minor version is said, since its replies may be others than the expected ones.
func (b *bed) prepareFolder(ctx context.Context) (*source, error) {
	s := &source{src: b.source}
	version, err := s.version()
	if err != nil {
		return nil, err
	}
	if err := s.readVersion(); err != nil {
		return nil, err
	}
	server, err := serverVersion(ctx)
	if err != nil {
		return nil, err
	}
	if major, _, _ := strings.Cut(server, "."); major != strconv.Itoa(s.major) {
		return nil, fmt.Errorf("-source %s is of PostgreSQL %s, the server of %s: set PG_BINDIR to the programs of one of that version", b.source, version, server)
	}
	if server != version {
		b.log("the source is of PostgreSQL %s, the server of %s", version, server)
	}
	dir := filepath.Join(b.cache, "postgresql_"+version)
	s.build = filepath.Join(dir, "build")
	done := filepath.Join(dir, "done")
	if from, err := os.ReadFile(done); err == nil && string(from) == b.source {
		return s, nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(s.build, 0o755)); err != nil {
		return nil, err
	}
	b.log("building what the suites need of %s", b.source)
	if err := s.make(ctx, filepath.Join(dir, "build.log")); err != nil {
		return nil, err
	}
	return s, os.WriteFile(done, []byte(b.source), 0o644)
}

// packageVersion is where configure says of which version the source is.
var packageVersion = regexp.MustCompile(`(?m)^PACKAGE_VERSION='(\d+\S*)'$`)

// version is the source's: "15.2", "18beta1".
func (s *source) version() (string, error) {
	text, err := os.ReadFile(filepath.Join(s.src, "configure"))
	if err != nil {
		return "", fmt.Errorf("no source of PostgreSQL: %w", err)
	}
	m := packageVersion.FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s is not PostgreSQL's: it has no PACKAGE_VERSION", filepath.Join(s.src, "configure"))
	}
	return string(m[1]), nil
}

// readVersion fills in the major version.
func (s *source) readVersion() error {
	version, err := s.version()
	if err != nil {
		return err
	}
	s.major, err = strconv.Atoi(version[:len(version)-len(strings.TrimLeft(version, "0123456789"))])
	return err
}

// serverVersion is that of the server that the clusters run.
func serverVersion(ctx context.Context) (string, error) {
	bindir, err := postgres.Find(ctx)
	if err != nil {
		return "", err
	}
	text, err := output(ctx, filepath.Join(bindir, "postgres"), "--version")
	if err != nil {
		return "", err
	}
	_, version, _ := strings.Cut(text, "(PostgreSQL) ")
	version, _, _ = strings.Cut(version, " ") // what a distribution adds
	return version, nil
}
