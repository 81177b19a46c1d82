// Arrows checks which package may import which, and fails naming each import
// that runs against an arrow:
//
//	go run ./.ci/arrows
//
// It asks `go list` for every package of the module. Imports of tests are not
// checked: they may reach for a private PostgreSQL or a fake server anywhere.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const module = "poolerd/"

// arrow says what a package may import of ours. A name that ends in "/..." is
// a folder and all below it.
type arrow struct {
	from string
	to   []string
}

// arrows is the house. The first line that fits a package counts, and a package
// that none fits is an error, so that a new room gets its line here.
var arrows = []arrow{
	{"cmd/poolerd", []string{
		"bench/load", "bench/model", "bench/postgres", "bench/proc", "bench/replay", "bench/report", "bench/sweep", "bench/workload",
		"pool", "pool/admin", "pool/config", "wire",
	}},
	{"cmd/poolerd/e2e", nil},
	{"pool/admin", []string{"pool", "pool/config", "pool/metrics", "wire"}},
	{"pool", []string{
		"pool/config", "pool/ledger", "pool/listen", "pool/metrics", "pool/stmt", "pool/vars", "pool/watch",
		"wire", "wire/auth", "wire/auth/hba", "wire/auth/ldap", "wire/lex", "wire/record", "wire/secure", "wire/sock",
	}},
	{"pool/listen", []string{"wire"}},
	{"pool/stmt", []string{"wire/lex"}},
	{"pool/vars", nil},
	{"pool/ledger", []string{"wire/lex"}},
	{"pool/watch", []string{"wire/lex"}},
	{"pool/config", []string{"wire/auth/hba", "wire/auth/ldap", "wire/secure"}},
	{"pool/metrics", nil},
	{"wire/sock", nil},
	{"wire", nil},
	{"wire/secure", []string{"wire/sock"}},
	{"wire/auth", []string{"wire"}},
	{"wire/auth/hba", nil},
	{"wire/auth/ldap", []string{"wire/auth/hba"}},
	{"wire/lex", nil},
	{"wire/record", []string{"wire", "wire/lex"}},
	{"wire/wiretest", []string{"wire", "wire/lex"}},
	{"bench/postgres", []string{"configs"}},
	{"bench/model", nil},
	{"bench/proc", nil},
	{"bench/...", []string{"bench/...", "wire", "wire/lex", "wire/record", "wire/sock"}},
	{"configs", nil},
}

// outside says what a package may import of other modules, for those that must
// stay light; any other package may import what go.mod has.
var outside = []arrow{
	{"wire", []string{"github.com/jackc/pgx/v5/pgproto3"}},
	{"wire/lex", nil},
	{"wire/record", nil},
	{"pool/stmt", nil},
	{"pool/vars", nil},
	{"pool/watch", nil},
	{"wire/auth", []string{"github.com/jackc/pgx/v5/pgproto3", "github.com/xdg-go/stringprep"}},
	{"wire/auth/hba", nil},
	{"wire/auth/ldap", []string{"github.com/go-ldap/ldap/v3"}},
	{"wire/secure", nil},
	{"wire/sock", []string{"golang.org/x/sys/unix"}},
	{"pool/admin", []string{"github.com/jackc/pgx/v5/pgproto3"}},
	{"pool/config", []string{"github.com/xrash/smetrics"}},
	{"pool/ledger", nil},
	{"pool/listen", []string{"github.com/jackc/pgx/v5/pgconn", "github.com/jackc/pgx/v5/pgproto3", "github.com/rs/zerolog"}},
	{"pool/metrics", nil},
	{"configs", nil},
}

func main() {
	wrong, err := check()
	if err != nil {
		fmt.Fprintln(os.Stderr, "arrows:", err)
		os.Exit(1)
	}
	for _, line := range wrong {
		fmt.Fprintln(os.Stderr, "arrows:", line)
	}
	if len(wrong) > 0 {
		os.Exit(1)
	}
}

func check() (wrong []string, err error) {
	var stderr bytes.Buffer
	list := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...")
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, strings.TrimSpace(stderr.String()))
	}
	checked := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name, ok := strings.CutPrefix(fields[0], module)
		if !ok {
			return nil, fmt.Errorf("package %s is not below %s", fields[0], module)
		}
		wrong = append(wrong, checkPackage(name, fields[1:])...)
		checked++
	}
	if checked == 0 {
		return nil, fmt.Errorf("go list named no package; run it from the module's folder")
	}
	return wrong, nil
}

func checkPackage(name string, imports []string) (wrong []string) {
	may, ok := find(arrows, name)
	if !ok {
		return []string{fmt.Sprintf("%s has no line in .ci/arrows: say there what it may import", name)}
	}
	may3rd, light := find(outside, name)
	for _, path := range imports {
		ours, isOurs := strings.CutPrefix(path, module)
		switch {
		case isOurs && !fitsAny(may.to, ours):
			wrong = append(wrong, fmt.Sprintf("%s imports %s, which no arrow allows", name, ours))
		case !isOurs && light && foreign(path) && !fitsAny(may3rd.to, path):
			wrong = append(wrong, fmt.Sprintf("%s imports %s; it is to stay without that module", name, path))
		}
	}
	return wrong
}

func find(list []arrow, name string) (arrow, bool) {
	for _, a := range list {
		if fits(a.from, name) {
			return a, true
		}
	}
	return arrow{}, false
}

func fitsAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if fits(p, name) {
			return true
		}
	}
	return false
}

func fits(pattern, name string) bool {
	if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == folder || strings.HasPrefix(name, folder+"/")
	}
	return pattern == name
}

// foreign tells another module's package from the standard library's: the
// latter has no dot in its first element.
func foreign(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}
