package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// initdb makes the data directory and its configuration.
func (c *Cluster) initdb(ctx context.Context) error {
	if err := os.Mkdir(c.socketDir(), 0o700); err != nil {
		return err
	}
	if err := errors.Join(c.account.own(c.socketDir()), c.write("password", superuser+"\n"), c.write("postgres.log", "")); err != nil {
		return err
	}
	// C.UTF-8 sorts by code point and still knows upper from lower case
	// beyond ASCII. Systems without it get plain C.
	err := c.runInitdb(ctx, "C.UTF-8")
	if err != nil && ctx.Err() == nil {
		if err = os.RemoveAll(c.dataDir()); err == nil {
			err = c.runInitdb(ctx, "C")
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(
		c.appendTo("data/postgresql.conf", c.configuration()),
		c.write("data/pg_hba.conf", c.hba()),
	)
}

// runInitdb runs initdb once. On an error the data directory may be half made.
func (c *Cluster) runInitdb(ctx context.Context, locale string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(c.binDir, "initdb"),
		"--pgdata="+c.dataDir(), "--username="+superuser, "--pwfile="+filepath.Join(c.dir, "password"),
		"--auth="+c.opts.Auth, "--encoding=UTF8", "--locale="+locale, "--no-sync")
	cmd.Dir = c.dir
	cmd.Env = serverEnvironment()
	cmd.WaitDelay = patience // for the server that initdb itself starts
	c.account.dress(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb in %s: %w\n%s", c.binDir, err, tail(string(out)))
	}
	return nil
}

// configuration is what is added to postgresql.conf: later lines win.
func (c *Cluster) configuration() string {
	settings := map[string]string{
		"listen_addresses":        host,
		"unix_socket_directories": c.socketDir(),
		"max_connections":         "200",
		// The cluster does not outlive its process, let alone a power cut.
		"fsync":               "off",
		"full_page_writes":    "off",
		"password_encryption": "scram-sha-256",
		"timezone":            "UTC",
		"log_timezone":        "UTC",
		"lc_messages":         "C",
		// The log is the file that errors quote, whatever a package's default.
		"logging_collector": "off",
		"log_destination":   "stderr",
		"log_line_prefix":   "%m [%p] %q%u@%d ",
	}
	maps.Copy(settings, c.opts.Settings)
	var b strings.Builder
	b.WriteString("\n# A throwaway cluster of poolerd.\n")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, quoteSetting(settings[name]))
	}
	return b.String()
}

// hba is pg_hba.conf: one method for everybody, replication included.
func (c *Cluster) hba() string {
	var b strings.Builder
	b.WriteString("# TYPE  DATABASE     USER  ADDRESS       METHOD\n")
	for _, database := range []string{"all", "replication"} {
		fmt.Fprintf(&b, "local   %-12s all                 %s\n", database, c.opts.Auth)
		fmt.Fprintf(&b, "host    %-12s all   %s/32  %s\n", database, host, c.opts.Auth)
	}
	return b.String()
}

// settingName is how PostgreSQL writes the name of a setting, with the dots of
// an extension's own.
var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*$`)

// checkSettings refuses what would not be one line of postgresql.conf, or
// would take the cluster away from where Cluster says that it is.
func checkSettings(settings map[string]string) error {
	for name, value := range settings {
		switch {
		case !settingName.MatchString(name):
			return fmt.Errorf("setting %q: not a name that postgresql.conf can hold", name)
		case strings.EqualFold(name, "port"):
			return fmt.Errorf("setting port %q: use Options.Port", value)
		case strings.ContainsAny(value, "\n\r\x00"):
			return fmt.Errorf("setting %s: the value %q is more than one line", name, value)
		}
	}
	return nil
}

// quoteSetting escapes a value for the quotes of postgresql.conf, where a
// backslash starts an escape too.
func quoteSetting(value string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value)
}

// write makes a file in the cluster's folder that only the account may read.
func (c *Cluster) write(name, text string) error {
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return c.account.own(path)
}

// appendTo adds text to a file in the cluster's folder.
func (c *Cluster) appendTo(name, text string) error {
	f, err := os.OpenFile(filepath.Join(c.dir, name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// explain adds the last lines of the server's log to an error.
func (c *Cluster) explain(err error) error {
	text, readErr := os.ReadFile(c.logFile())
	if readErr != nil || len(text) == 0 {
		return err
	}
	return fmt.Errorf("%w; the end of its log:\n%s", err, tail(string(text)))
}

// tail is the last lines of a text, enough to see why something failed.
func tail(text string) string {
	const most = 20
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
