// Reference makes the tables of settings in README.md from pool/config and from
// the flags of `poolerd serve`, so that they cannot say anything else:
//
//	go run ./.ci/reference                     print the tables
//	go run ./.ci/reference -check README.md    fail when the file holds others
//	go run ./.ci/reference -write README.md    put them there
//
// In the file they stand between the two marks below.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"poolerd/pool/config"
)

const (
	opening = "<!-- reference: made by go run ./.ci/reference -write README.md -->\n"
	closing = "<!-- end of reference -->\n"
)

func main() {
	check := flag.String("check", "", "compare with the tables in `file`")
	write := flag.String("write", "", "put the tables into `file`")
	flag.Parse()
	if err := run(*check, *write); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(check, write string) error {
	flags, err := serveFlags()
	if err != nil {
		return err
	}
	text := tables(flags)
	switch {
	case check != "":
		before, held, after, err := split(check)
		if err == nil && held != text {
			err = fmt.Errorf("the tables of settings in %s are out of date (%d bytes before them, %d behind); go run ./.ci/reference -write %s",
				check, len(before), len(after), check)
		}
		return err
	case write != "":
		before, _, after, err := split(write)
		if err != nil {
			return err
		}
		return os.WriteFile(write, []byte(before+opening+text+closing+after), 0o644)
	}
	_, err = os.Stdout.WriteString(text)
	return err
}

// split finds the tables in a file.
func split(path string) (before, held, after string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", "", "", err
	}
	before, rest, ok := strings.Cut(string(b), opening)
	held, after, ok2 := strings.Cut(rest, closing)
	if !ok || !ok2 {
		return "", "", "", fmt.Errorf("%s has no place for the tables: lines %q and %q", path, strings.TrimSpace(opening), strings.TrimSpace(closing))
	}
	return before, held, after, nil
}

// serveFlags asks poolerd itself which flags it has: flag by key, and those that set no key with their text.
func serveFlags() (map[string]string, error) {
	out, err := exec.CommandContext(context.Background(), "go", "run", "./cmd/poolerd", "help", "serve").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, bytes.TrimSpace(exit.Stderr))
		}
		return nil, fmt.Errorf("poolerd help serve: %w", err)
	}
	flags := map[string]string{}
	for _, m := range flagLine.FindAllStringSubmatch(string(out), -1) {
		flags[m[1]] = m[2]
	}
	if len(flags) == 0 {
		return nil, errors.New("poolerd help serve names no flag")
	}
	return flags, nil
}

// flagLine is one flag in the help text: its name, and behind two spaces what it does.
var flagLine = regexp.MustCompile(`(?m)^   --([a-z-]+).*?  +(\S.*?)(?: \[\$[A-Z_]+\])?$`)

// renamed are the flags that are not their key's name with dashes.
var renamed = map[string]string{"listen": "listen_addr", "pool-size": "default_pool_size"}

func tables(flags map[string]string) string {
	byKey, alone := map[string]string{}, []string{}
	known := map[string]bool{}
	for _, k := range config.Keys() {
		known[k.Name] = true
	}
	for _, name := range []string{"config", "upstream", "demo", "demo-scale"} {
		if text, ok := flags[name]; ok {
			alone = append(alone, fmt.Sprintf("| `--%s` | %s |\n", name, cell(text)))
		}
	}
	for name := range flags {
		key := strings.ReplaceAll(name, "-", "_")
		if other, ok := renamed[name]; ok {
			key = other
		}
		if known[key] {
			byKey[key] = "`--" + name + "`"
		}
	}
	var b strings.Builder
	b.WriteString("\n### Flags that are no key\n\n| flag | what it does |\n|---|---|\n" + strings.Join(alone, ""))
	b.WriteString("\n### Keys\n\n| key | flag | default | unit | reload | what it does |\n|---|---|---|---|---|---|\n")
	section(&b, config.Honoured, func(k config.Key) string {
		reload := "restart"
		if k.Reloadable {
			reload = "yes"
		}
		name := "`" + k.Name + "`"
		if k.Section != "pgbouncer" {
			name += " of [" + k.Section + "]"
		}
		return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", name, byKey[k.Name], code(k.Default), k.Unit, reload, cell(k.Doc))
	})
	b.WriteString("\n### PgBouncer's keys that have no effect\n\nSet to anything but PgBouncer's default they are a warning.\n\n| key | why |\n|---|---|\n")
	section(&b, config.Harmless, func(k config.Key) string { return fmt.Sprintf("| `%s` | %s |\n", k.Name, cell(k.Reason)) })
	b.WriteString("\n")
	return b.String()
}

func section(b *strings.Builder, support config.Support, row func(config.Key) string) {
	for _, k := range config.Keys() {
		if k.Support == support {
			b.WriteString(row(k))
		}
	}
}

func code(value string) string {
	if value == "" {
		return "(empty)"
	}
	return "`" + value + "`"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
