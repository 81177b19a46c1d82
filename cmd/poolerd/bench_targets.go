package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"poolerd/bench/sweep"
)

// targets reads --target, and --pid and --pooler-cmd, which belong to one each.
func targets(c *cli.Context) ([]sweep.Target, error) {
	var (
		all      []sweep.Target
		problems []error
	)
	for _, text := range c.StringSlice("target") {
		name, address, found := strings.Cut(text, "=")
		if !found || strings.Contains(name, ":") {
			name, address = "target", text // a bare URL, which may hold "=" in its parameters
		}
		u, err := url.Parse(address)
		if err != nil || name == "" || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			problems = append(problems, fmt.Errorf("--target %s: give NAME=URL, as in --target pgbouncer=postgres://user@127.0.0.1:6432/app", shown(text)))
			continue
		}
		all = append(all, sweep.Target{Name: name, URL: address})
	}
	problems = append(problems, each(c, "pid", all, func(t *sweep.Target, value string) error {
		pid, err := strconv.Atoi(value)
		if err != nil || pid < 1 {
			return fmt.Errorf("--pid %s=%s: %q is not a process id", t.Name, value, value)
		}
		t.PID = pid
		return nil
	}))
	problems = append(problems, each(c, "pooler-cmd", all, func(t *sweep.Target, value string) error {
		t.Command = value
		return nil
	}))
	return all, errors.Join(problems...)
}

// each gives the values of a NAME=VALUE flag to their targets. With one target only, the name may be left out.
func each(c *cli.Context, flag string, all []sweep.Target, set func(*sweep.Target, string) error) error {
	var problems []error
	for _, text := range c.StringSlice(flag) {
		target, value := find(all, text)
		if target == nil {
			problems = append(problems, fmt.Errorf("--%s %s: no --target has that name; give NAME=VALUE with one of %s", flag, text, namesOf(all)))
			continue
		}
		if err := set(target, value); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func find(all []sweep.Target, text string) (*sweep.Target, string) {
	name, value, named := strings.Cut(text, "=")
	for i := range all {
		if named && all[i].Name == name {
			return &all[i], value
		}
	}
	if len(all) == 1 && (!named || strings.ContainsAny(name, " /")) { // a command line may hold "=" too
		return &all[0], text
	}
	return nil, ""
}

func namesOf(all []sweep.Target) string {
	if len(all) == 0 {
		return "the targets (none is given: add --target NAME=URL)"
	}
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// shown is an argument without the password that a URL in it may hold.
func shown(argument string) string {
	name, address, found := strings.Cut(argument, "=")
	if !found || !strings.Contains(address, "://") {
		name, address = "", argument
	}
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		if strings.Contains(address, "@") && strings.Contains(address, "://") {
			return "(a URL that cannot be read)"
		}
		return argument
	}
	if _, secret := u.User.Password(); secret {
		u.User = url.UserPassword(u.User.Username(), "xxxxx")
	}
	if query := u.Query(); query.Has("password") {
		query.Set("password", "xxxxx")
		u.RawQuery = query.Encode()
	}
	if name != "" {
		return name + "=" + u.String()
	}
	return u.String()
}

// shownCommand is the command line for the report: without passwords and tokens.
func shownCommand(args []string) string {
	var words []string
	hide := false
	for i, a := range args {
		switch {
		case i == 0:
			a = "poolerd"
		case hide:
			a, hide = "xxxxx", false
		case secretFlag(a):
			flag, _, joined := strings.Cut(a, "=")
			if hide = !joined; joined {
				a = flag + "=xxxxx"
			}
		default:
			a = shown(a)
		}
		if strings.ContainsAny(a, " \t\"'$&|;<>()") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

func secretFlag(argument string) bool {
	flag, _, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
	return strings.HasPrefix(argument, "-") && (flag == "http-token" || flag == "http-secret")
}
