package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Load reads a file in PgBouncer's format, and those that it includes. All problems come together, as Errors. What the settings say together is judged by
// Check, once flags have been applied.
func Load(path string) (*Config, []Warning, error) {
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, nil, Errors{{Origin: Origin{File: path}, Reason: fileReason(err), Hint: "check the path and its permissions"}}
	}
	return parse(path, text, os.ReadFile)
}

// Parse reads text as Load reads a file; name stands for the file in messages. Files that it includes are read from disk.
func Parse(name string, text []byte) (*Config, []Warning, error) {
	return parse(name, text, os.ReadFile)
}

func parse(name string, text []byte, readFile func(string) ([]byte, error)) (*Config, []Warning, error) {
	l := loader{config: Defaults()}
	l.config.file = name
	r := iniReader{readFile: readFile, apply: l.apply, entered: l.enter, report: func(e *Error) { l.problems = append(l.problems, e) }}
	r.read(name, text, 0)
	if err := l.problems.orNil(); err != nil {
		return nil, l.warnings, err
	}
	return l.config, l.warnings, nil
}

// unreadable says that the file of a key cannot be read.
func (c *Config) unreadable(key, path string, err error) *Error {
	return &Error{Origin: c.origins[key], Key: key, Value: path, Reason: fileReason(err), Hint: "check the path and its permissions"}
}

// fileReason is the system's word for what is wrong with a file, without the path, which the Error names.
func fileReason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// loader turns items into a Config.
type loader struct {
	config   *Config
	warnings []Warning
	problems Errors
}

// enter looks out for a second [pgbouncer]: there PgBouncer forgets what the first one set.
func (l *loader) enter(at Origin, section string) {
	if section != "pgbouncer" {
		return
	}
	for _, k := range Keys() {
		if from, set := l.config.origins[k.Name]; set && k.Section == section {
			l.warnings = append(l.warnings, Warning{
				Origin: at, Key: "[pgbouncer]",
				Reason: fmt.Sprintf("stands a second time: PgBouncer would forget here what was set before, as %s (%s:%d), and poolerd does not", k.Name, from.File, from.Line),
				Hint:   "put all keys below one [pgbouncer]",
			})
			return
		}
	}
}

func (l *loader) apply(it item) {
	switch it.section {
	case "databases":
		l.database(it)
	case "users":
		l.user(it)
	case "peers":
		l.peer(it)
	case "pgbouncer", "poolerd":
		l.setting(it)
	}
}

func (l *loader) fail(at Origin, key, value string, e *Error) {
	e.Origin, e.Key, e.Value = at, key, value
	l.problems = append(l.problems, e)
}

func (l *loader) setting(it item) {
	k, ok := findKey(it.key)
	switch {
	case !ok:
		l.fail(it.Origin, it.key, shownValue(it.key, it.value), &Error{Reason: "unknown key", Hint: didYouMean(it.key, keyNames())})
	case k.Section != it.section:
		l.fail(it.Origin, it.key, shownValue(it.key, it.value), &Error{Reason: "stands in section [" + it.section + "]", Hint: "move it to [" + k.Section + "]"})
	case k.Support == Honoured:
		if err := k.set(l.config, it.value); err != nil {
			l.problems = append(l.problems, k.problem(it.Origin, it.value, err))
		}
		l.config.origins[it.key] = it.Origin
	default:
		l.config.inert[it.key] = it.value
		if w := k.check(it.Origin, it.value); w != nil {
			l.warnings = append(l.warnings, *w)
		}
	}
}

func keyNames() []string {
	var names []string
	for _, k := range Keys() {
		names = append(names, k.Name)
	}
	return names
}
