package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"poolerd/pool/admin"
)

// rewrite makes TestCheckGolden write the golden files anew: go test ./cmd/poolerd -rewrite.
var rewrite = flag.Bool("rewrite", false, "write the golden files")

// clearEnvironment takes away what the machine's environment could add to a test.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "POOLERD_") || name == "DATABASE_URL" {
			t.Setenv(name, "") // so that it comes back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestCheckGolden(t *testing.T) {
	clearEnvironment(t)
	if err := os.Chmod("testdata/users.txt", 0o600); err != nil { // else there is a warning
		t.Fatal(err)
	}
	for name, code := range map[string]int{"good": exitOK, "nodatabase": exitOK, "bad": exitUsage, "contradictory": exitUsage, "missing": exitUsage} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			got := run(t.Context(), []string{"poolerd", "check", "testdata/" + name + ".ini"}, &out, &errOut)
			if got != code || errOut.Len() > 0 {
				t.Errorf("exit code %d, want %d; standard error %q", got, code, errOut.String())
			}
			golden := filepath.Join("testdata", name+".golden")
			if *rewrite {
				if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
			}
		})
	}
}

// TestHelp: what help shows of a command is what --help shows, the commands below it and all flags included.
func TestHelp(t *testing.T) {
	for _, tc := range []struct {
		args string
		want []string
	}{
		{"", []string{"serve", "bench", "check", "version", "help"}},
		{"serve", []string{"--upstream", "--pool-size"}},
		{"bench", []string{"compare", "replay", "--target", "--slo", "listen-fanout"}},
		{"bench plan", []string{"--what-if", "[results.jsonl]"}},
	} {
		var shown [2]bytes.Buffer
		words := strings.Fields(tc.args)
		for i, args := range [][]string{append([]string{"poolerd", "help"}, words...), append(append([]string{"poolerd"}, words...), "--help")} {
			var stderr bytes.Buffer
			if code := run(t.Context(), args, &shown[i], &stderr); code != exitOK || stderr.Len() > 0 {
				t.Errorf("%q: exit code %d, %s", args, code, stderr.String())
			}
		}
		if shown[0].String() != shown[1].String() {
			t.Errorf("help %s:\n%s\n--help:\n%s", tc.args, shown[0].String(), shown[1].String())
		}
		for _, want := range tc.want {
			if !strings.Contains(shown[0].String(), want) {
				t.Errorf("help %s lacks %q:\n%s", tc.args, want, shown[0].String())
			}
		}
	}
}

// TestMistakes: each is one line that names the flag or key, its value and a way out, with exit code 2.
func TestMistakes(t *testing.T) {
	clearEnvironment(t)
	const upstream = "--upstream=postgres://u:hush@127.0.0.1"
	for _, tc := range []struct {
		args string
		env  string
		want string
	}{
		{"bnech", "", `unknown command "bnech"; give serve, bench, check or version`},
		{"serve --bogus", "", "flag provided but not defined: -bogus; see poolerd help serve"},
		{"serve extra", "", "extra: no such file or directory"},
		{"serve a.ini b.ini", "", `serve takes one argument, a configuration file, and "b.ini" was given as well`},
		{"serve --config=a.ini b.ini", "", `serve has a configuration file in --config, and "b.ini" is another`},
		{"serve --daemon " + upstream + " --auth-type=trust", "", "--daemon: needs a file for the process id; set pidfile"},
		{"version extra", "", `version takes no argument, and "extra" was given`},
		{"check", "", "the file to check is missing; write poolerd check FILE"},
		{"check a.ini b.ini", "", `unexpected "b.ini"; name one file to check`},
		{"check --config=a.ini b.ini", "", `unexpected "b.ini"; name one file to check`},
		{"serve", "", "--upstream: is missing, and nothing else says where PostgreSQL is; give --upstream postgres://"},
		{"serve --upstream=host", "", `--upstream "host": is not a PostgreSQL URL; write postgres://`},
		{"serve --upstream=postgres://u:hush@h:x", "", `--upstream "postgres://(hidden)@h:x": is not a URL that can be read`},
		{"serve --upstream=postgres://127.0.0.1", "", "auth_type = md5: no user has a password, so that nobody could log in; name a file of users"},
		{"serve " + upstream + " --pool-size=many", "", `--pool-size "many": not a usable whole number; give one of at least 1`},
		{"serve " + upstream, "POOLERD_POOL_SIZE=many", `POOLERD_POOL_SIZE "many": not a usable whole number`},
		{"serve " + upstream + " --query-wait-timeout=soon", "", `--query-wait-timeout "soon": not a usable duration; give seconds as "8"`},
		{"serve " + upstream + " --listen=127.0.0.1:port", "", `--listen "127.0.0.1:port": the port of 127.0.0.1:port is not a usable whole number`},
		{"serve " + upstream + " --pool-mode=lazy", "", `--pool-mode "lazy": unknown pool mode; give session, transaction or statement`},
		{"serve " + upstream + " --auth-file=testdata/nowhere.txt", "", `--auth-file "testdata/nowhere.txt": no such file or directory; check the path`},
		{"serve " + upstream + " --demo-scale=2", "", `--demo-scale "2": has no effect without --demo`},
		{"serve --demo " + upstream, "", "--demo: starts its own PostgreSQL, and --upstream names another; give one of the two"},
		{"serve --demo", "POOLERD_UPSTREAM=postgres://h", "--demo: starts its own PostgreSQL, and POOLERD_UPSTREAM names another"},
		{"serve --demo --config=testdata/good.ini", "", "--demo: starts its own PostgreSQL, and the file's [databases] name others"},
		{"serve --demo --demo-scale=0", "", `--demo-scale "0": not a usable size; give a whole number from 1 to 10000`},
		{"serve --demo=perhaps", "", `invalid boolean value "perhaps" for -demo`},
		{"serve --demo --auth-type=md5", "", `--auth-type "md5": no user has a password`},
		{"serve --config=testdata/missing.ini", "", "testdata/missing.ini: no such file or directory"},
		{"serve", "POOLERD_CONFIG=testdata/missing.ini", "POOLERD_CONFIG: testdata/missing.ini: no such file or directory"},
		{"serve", "DATABASE_URL=mysql://h", `DATABASE_URL "mysql://h": is not a PostgreSQL URL`},
	} {
		t.Run(tc.args+" "+tc.env, func(t *testing.T) {
			if name, value, ok := strings.Cut(tc.env, "="); ok {
				t.Setenv(name, value)
			}
			var out, errOut bytes.Buffer
			code := run(t.Context(), append([]string{"poolerd"}, strings.Fields(tc.args)...), &out, &errOut)
			said := errOut.String()
			if code != exitUsage || out.Len() > 0 {
				t.Errorf("exit code %d, standard output %q", code, out.String())
			}
			if !strings.HasPrefix(said, "poolerd: "+tc.want) || strings.Count(said, "\n") != 1 || strings.Contains(said, "hush") {
				t.Errorf("got  %swant poolerd: %s", said, tc.want)
			}
		})
	}
}

// TestAllMistakesAtOnce: one line each.
func TestAllMistakesAtOnce(t *testing.T) {
	clearEnvironment(t)
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{"poolerd", "serve", "--pool-size=x", "--log-format=xml"}, &out, &errOut)
	if code != exitUsage || strings.Count(errOut.String(), "\npoolerd: ") != 2 {
		t.Errorf("exit code %d, said %s", code, errOut.String())
	}
}

func TestVersion(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"poolerd", "version"}, &out, &errOut); code != exitOK || !strings.HasPrefix(out.String(), admin.Version+"\npoolerd "+version()+"\ngo") {
		t.Errorf("exit code %d, said %q %q", code, out.String(), errOut.String())
	}
	for _, tc := range []struct {
		info debug.BuildInfo
		want string
	}{
		{debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3"},
		{debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "devel"},
		{debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}}, "devel 0123456789ab dirty"},
	} {
		if got := describeBuild(&tc.info); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
