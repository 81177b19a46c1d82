package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"poolerd/bench/postgres"
)

// source is PostgreSQL's source of the server's version, with what the suites need of it built beside it.
type source struct {
	src   string // the source, untouched
	build string // where it was built
	major int    // of its version
}

// prepareSource gives the source, after it was fetched, where no folder of it is named, and built, unless that was done before. It takes a minute the first time.
func (b *bed) prepareSource(ctx context.Context) (*source, error) {
	if b.source != "" {
		return b.prepareFolder(ctx)
	}
	name, version, err := serverPackage(ctx)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.cache, name+"_"+version)
	s := &source{src: filepath.Join(dir, "src"), build: filepath.Join(dir, "build")}
	done := filepath.Join(dir, "done")
	if _, err := os.Stat(done); err == nil {
		return s, s.readVersion()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(s.build, 0o755)); err != nil {
		return nil, err
	}
	if err := installMissing(ctx, filepath.Join(dir, "packages.log")); err != nil {
		return nil, err
	}
	b.log("fetching the source of %s %s", name, version)
	if err := fetchSource(ctx, dir, name+"="+version); err != nil {
		return nil, fmt.Errorf("%w (-source FOLDER takes a source that is there)", err)
	}
	b.log("building what the suites need of it")
	if err := s.make(ctx, filepath.Join(dir, "build.log")); err != nil {
		return nil, err
	}
	return s, errors.Join(s.readVersion(), os.WriteFile(done, nil, 0o644))
}

// serverPackage is Debian's source package of the server that the clusters run: regress.so is loaded by it, and must be of its version.
func serverPackage(ctx context.Context) (name, version string, err error) {
	bindir, err := postgres.Find(ctx)
	if err != nil {
		return "", "", err
	}
	binary, err := filepath.EvalSymlinks(filepath.Join(bindir, "postgres"))
	if err != nil {
		return "", "", err
	}
	owner, err := output(ctx, "dpkg-query", "--search", binary)
	if err != nil {
		return "", "", fmt.Errorf("which package %s belongs to, whose source is needed: %w", binary, err)
	}
	installed, _, _ := strings.Cut(owner, ":")
	text, err := output(ctx, "dpkg-query", "--show", "--showformat", "${source:Package} ${source:Version}", installed)
	if err != nil {
		return "", "", err
	}
	name, version, _ = strings.Cut(text, " ")
	return name, version, nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// installMissing installs the tools of the build that are not there. Only root can, so that everyone else is told.
func installMissing(ctx context.Context, log string) error {
	tools := [][2]string{{"gcc", "gcc"}, {"make", "make"}, {"perl", "perl"}, {"dpkg-source", "dpkg-dev"}, {"bzip2", "bzip2"}, {"xz", "xz-utils"}, {"patch", "patch"}, {"diff", "diffutils"}}
	var packages []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool[0]); err != nil {
			packages = append(packages, tool[1])
		}
	}
	if _, err := os.Stat("/usr/include/stdlib.h"); err != nil {
		packages = append(packages, "libc6-dev")
	}
	if len(packages) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("the build needs packages that are not installed: apt-get install %s", strings.Join(packages, " "))
	}
	env := append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if err := command(ctx, log, "/", env, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return command(ctx, log, "/", env, "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...)
}

// fetchSource has apt fetch a source package into dir and unpacks it as dir/src. Most systems list only where programs come from, so apt gets a configuration of its own,
// in which every such place is one for sources too.
func fetchSource(ctx context.Context, dir, pkg string) error {
	apt := filepath.Join(dir, "apt")
	parts := filepath.Join(apt, "sources")
	for _, sub := range []string{parts, filepath.Join(apt, "lists", "partial"), filepath.Join(apt, "cache", "archives", "partial")} {
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return err
		}
	}
	if err := copySources(parts); err != nil {
		return err
	}
	config := fmt.Sprintf("Dir::Etc::SourceList \"/dev/null\";\nDir::Etc::SourceParts %q;\nDir::State::Lists %q;\nDir::Cache %q;\nAPT::Sandbox::User \"\";\n",
		parts, filepath.Join(apt, "lists"), filepath.Join(apt, "cache"))
	file := filepath.Join(apt, "apt.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	log, env := filepath.Join(dir, "fetch.log"), append(os.Environ(), "APT_CONFIG="+file)
	// A place that has no sources makes update fail, and takes nothing from the others: what counts is whether the package comes.
	updateErr := command(ctx, log, dir, env, "apt-get", "update")
	if err := command(ctx, log, dir, env, "apt-get", "source", "--download-only", pkg); err != nil {
		return errors.Join(err, updateErr)
	}
	descriptions, err := filepath.Glob(filepath.Join(dir, "*.dsc"))
	if err != nil || len(descriptions) != 1 {
		return fmt.Errorf("apt-get source %s left %d .dsc files in %s, not one", pkg, len(descriptions), dir)
	}
	// apt has checked the files against the signed list.
	return command(ctx, log, dir, env, "dpkg-source", "--no-check", "--extract", descriptions[0], "src")
}

// copySources writes apt's lists of places into dir, with sources in place of programs: one-line format (*.list) and deb822 format (*.sources), see sources.list(5).
func copySources(dir string) error {
	files, err := filepath.Glob("/etc/apt/sources.list.d/*")
	if err != nil {
		return err
	}
	for _, file := range append(files, "/etc/apt/sources.list") {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var b strings.Builder
		for line := range strings.Lines(string(text)) {
			b.WriteString(sourceLine(line))
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// sourceLine turns a line about programs into the same about sources.
func sourceLine(line string) string {
	if rest, ok := strings.CutPrefix(line, "deb "); ok {
		return "deb-src " + rest
	}
	if key, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, "Types") {
		return "Types: deb-src\n"
	}
	return line
}

// make builds psql (what it prints is what the expected files hold), libpq with the program that takes its connection strings apart, pg_regress with the libraries that the
// server loads, and libpq_pipeline.
func (s *source) make(ctx context.Context, log string) error {
	if err := command(ctx, log, s.build, environment(), filepath.Join(s.src, "configure"), "--without-readline", "--without-zlib", "--without-icu"); err != nil {
		return err
	}
	jobs := "-j" + fmt.Sprint(runtime.NumCPU())
	for _, args := range [][]string{
		{"src/backend", "generated-headers"},
		{"src/interfaces/libpq"},
		{"src/interfaces/libpq/test"},
		{"src/bin/psql"},
		{"src/test/regress", "pg_regress", "regress.so"},
		{"contrib/spi"},
		{"src/test/modules/libpq_pipeline"},
	} {
		if err := command(ctx, log, s.build, environment(), "make", append([]string{"-s", jobs, "-C"}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// environment makes the programs built here use the libpq built here.
func (s *source) environment() []string {
	return append(environment(), "LD_LIBRARY_PATH="+filepath.Join(s.build, "src/interfaces/libpq"))
}
