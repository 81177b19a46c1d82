package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"poolerd/pool/config"
)

// maxDemoScale is the largest size of sample data that the private PostgreSQL takes.
const maxDemoScale = 10000

// settings is what serve runs with.
type settings struct {
	Config    *config.Config // checked; with Demo its databases are still to be set, by config.ApplyUpstream
	Warnings  []config.Warning
	Daemon    bool // go to the background
	PgBouncer bool // started with PgBouncer's command line
	Demo      bool // start a private PostgreSQL first
	DemoScale int  // size of its sample data, 1 or more

	// reload reads the file, the variables and the flags again. With Demo its result lacks the databases as Config does.
	reload func() (*config.Config, []config.Warning, error)
}

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:      "serve",
		Usage:     "run the pooler",
		ArgsUsage: "[FILE]",
		Description: "Settings come from the defaults, then FILE (or --config), then POOLERD_* variables, then flags. PostgreSQL is the one in --upstream, else the file's\n" +
			"[databases], else DATABASE_URL, else PGHOST with PGPORT, PGUSER, PGPASSWORD and PGDATABASE, or with --demo a private one.\n" +
			"Durations are seconds (8, 0.5) or have a unit (500ms, 2m).",
		Flags:        serveFlags(),
		OnUsageError: onUsageError,
		Before:       oneFile,
		Action: func(c *cli.Context) error {
			cfg, warnings, err := loadConfig(c)
			if err != nil {
				return err
			}
			scale, err := demoScale(c)
			if err != nil {
				return err
			}
			return serve(c.Context, settings{
				Config: cfg, Warnings: warnings, Daemon: c.Bool("daemon"), PgBouncer: c.Bool(asPgBouncer), Demo: c.Bool("demo"), DemoScale: scale,
				reload: func() (*config.Config, []config.Warning, error) { return loadConfig(c) },
			})
		},
	}
}

// keyFlags are the flags that set one key, which the help text is taken from.
func keyFlags() []struct{ flag, key string } {
	flags := []struct{ flag, key string }{{"pool-size", "default_pool_size"}}
	for _, name := range []string{
		"min-pool-size", "reserve-pool-size", "reserve-pool-timeout", "max-client-conn", "pool-mode", "max-prepared-statements", "query-wait-timeout",
		"server-lifetime", "server-idle-timeout", "server-connect-timeout", "query-timeout", "idle-transaction-timeout", "transaction-timeout",
		"client-idle-timeout", "client-login-timeout", "max-db-connections", "max-user-connections", "max-db-client-connections", "max-user-client-connections",
		"unix-socket-dir", "logfile", "client-tls-sslmode", "client-tls-key-file", "client-tls-cert-file", "client-tls-ca-file", "server-tls-sslmode",
		"server-tls-ca-file", "server-tls-key-file", "server-tls-cert-file", "auth-type", "auth-file", "auth-hba-file", "auth-user", "auth-dbname",
		"admin-users", "stats-users", "threads", "defer-begin", "defer-parse",
		"pin-policy", "max-pinned-servers", "watch-functions", "notify-backlog", "peer-id", "record", "record-parameters", "log-level", "log-format",
		"user", "verbose",
	} {
		flags = append(flags, struct{ flag, key string }{name, strings.ReplaceAll(name, "-", "_")})
	}
	return flags
}

func serveFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "`FILE` in PgBouncer's ini format", EnvVars: variables("config")},
		&cli.StringSliceFlag{Name: "listen", Usage: "`HOST:PORT` to listen on, * for all addresses; may be repeated", DefaultText: "127.0.0.1:6432", EnvVars: variables("listen")},
		&cli.StringFlag{Name: "upstream", Usage: "`URL` of PostgreSQL, postgres://user:password@host:port/; its user becomes known, its database is not forced on clients", EnvVars: variables("upstream")},
	}
	docs := map[string]config.Key{}
	for _, k := range config.Keys() {
		docs[k.Name] = k
	}
	for _, f := range keyFlags() {
		k := docs[f.key]
		flags = append(flags, &cli.StringFlag{Name: f.flag, Usage: k.Doc, DefaultText: k.Default, EnvVars: variables(f.flag)})
	}
	return append(flags,
		&cli.BoolFlag{Name: "demo", Usage: "start a private PostgreSQL with sample data and pool it; auth-type is trust unless set", EnvVars: variables("demo")},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "nothing of the log goes to standard error", EnvVars: variables("quiet")},
		&cli.BoolFlag{Name: "daemon", Aliases: []string{"d"}, Usage: "run in the background; needs pidfile, and logfile or syslog"},
		&cli.BoolFlag{Name: asPgBouncer, Hidden: true},
		&cli.StringFlag{Name: "demo-scale", Usage: "size of the sample data, a whole `NUMBER` from 1", DefaultText: "1", EnvVars: variables("demo-scale")},
	)
}

func variable(flag string) string {
	return "POOLERD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func variables(flag string) []string { return []string{variable(flag)} }

// given finds a flag's text and whether it comes from the command line or from its variable. An empty variable counts as unset.
func given(c *cli.Context, flag string) (text string, from config.Origin, ok bool) {
	if !c.IsSet(flag) {
		return "", config.Origin{}, false
	}
	if flag == "listen" {
		text = strings.Join(c.StringSlice(flag), ",")
	} else {
		text = c.String(flag)
	}
	env, inEnv := os.LookupEnv(variable(flag))
	if !inEnv || env != text {
		return text, config.Origin{Flag: "--" + flag}, true
	}
	return text, config.Origin{Flag: variable(flag)}, text != ""
}

// loadConfig makes the settings of the file and of the flags one checked Config. All problems come together. With --demo no database is named yet.
func loadConfig(c *cli.Context) (*config.Config, []config.Warning, error) {
	cfg, warnings := config.Defaults(), []config.Warning(nil)
	if path, from, ok := configFile(c); ok {
		var err error
		switch cfg, warnings, err = config.Load(path); {
		case err == nil:
		case from.Flag == variable("config"): // where the name comes from is not before everyone's eyes
			return nil, nil, fmt.Errorf("%s: %w", from.Flag, err)
		default:
			return nil, nil, err
		}
	}
	cfg.Quiet = c.Bool("quiet") || c.Bool("daemon")
	problems := []error{applyFlags(c, cfg), applyDatabase(c, cfg)}
	if c.Bool("demo") && cfg.Origin("auth_type") == (config.Origin{}) {
		problems = append(problems, cfg.Set("auth_type", "trust", config.Origin{Flag: "--demo"}))
	}
	if err := merge(problems...); err != nil {
		return nil, nil, err
	}
	_, secretsErr := cfg.Secrets()
	if err := merge(cfg.Check(), secretsErr); err != nil {
		return nil, nil, err
	}
	if path, _, _ := configFile(c); len(cfg.Databases) == 0 && !c.Bool("demo") {
		warnings = append(warnings, noDatabases(path))
	}
	return cfg, append(warnings, cfg.Warnings()...), nil
}

// configFile is the file that serve's argument or --config names.
func configFile(c *cli.Context) (path string, from config.Origin, ok bool) {
	if c.NArg() > 0 {
		return c.Args().First(), config.Origin{Flag: "FILE"}, true
	}
	return given(c, "config")
}

// fromLine tells whether a flag stands on the command line.
func fromLine(c *cli.Context, flag string) bool {
	_, from, ok := given(c, flag)
	return ok && from.Flag == "--"+flag
}

// oneFile refuses a second configuration file.
func oneFile(c *cli.Context) error {
	switch {
	case c.NArg() > 1:
		return &usageError{fmt.Sprintf("serve takes one argument, a configuration file, and %q was given as well; flags stand before it", c.Args().Get(1))}
	case c.NArg() == 1 && fromLine(c, "config"):
		return &usageError{fmt.Sprintf("serve has a configuration file in --config, and %q is another; give one of the two", c.Args().First())}
	}
	return nil
}

func applyFlags(c *cli.Context, cfg *config.Config) error {
	var problems []error
	flags := append(keyFlags(), struct{ flag, key string }{"listen", "listen_addr"})
	for _, f := range flags {
		if text, from, ok := given(c, f.flag); ok {
			problems = append(problems, cfg.Set(f.key, text, from))
		}
	}
	return merge(problems...)
}

// applyDatabase decides where PostgreSQL is.
func applyDatabase(c *cli.Context, cfg *config.Config) error {
	url, from, ok := given(c, "upstream")
	if c.Bool("demo") {
		switch {
		case ok:
			return &config.Error{Origin: config.Origin{Flag: "--demo"}, Reason: "starts its own PostgreSQL, and " + from.Flag + " names another", Hint: "give one of the two"}
		case len(cfg.Databases) > 0:
			return &config.Error{Origin: config.Origin{Flag: "--demo"}, Reason: "starts its own PostgreSQL, and the file's [databases] name others", Hint: "give --demo, or a file with databases"}
		}
		return nil
	}
	if ok {
		return config.ApplyUpstream(cfg, url, from)
	}
	if len(cfg.Databases) > 0 {
		return nil
	}
	found, err := config.ApplyEnvironment(cfg, os.Getenv)
	if _, _, file := configFile(c); err == nil && !found && !file { // with a file there is the console, as in PgBouncer
		err = &config.Error{
			Origin: config.Origin{Flag: "--upstream"}, Reason: "is missing, and nothing else says where PostgreSQL is",
			Hint: "give --upstream postgres://user:password@host:port/, or [databases] in --config, or DATABASE_URL, or --demo to try it out",
		}
	}
	return err
}

func demoScale(c *cli.Context) (int, error) {
	text, from, ok := given(c, "demo-scale")
	if !ok {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 1 || n > maxDemoScale:
		return 0, &config.Error{Origin: from, Value: text, Reason: "not a usable size", Hint: fmt.Sprintf("give a whole number from 1 to %d", maxDemoScale)}
	case !c.Bool("demo"):
		return 0, &config.Error{Origin: from, Value: text, Reason: "has no effect without --demo", Hint: "add --demo, or leave it out"}
	}
	return n, nil
}
