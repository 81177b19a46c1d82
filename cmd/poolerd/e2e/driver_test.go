package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// jdbcDriver is pgjdbc's Maven coordinate.
const jdbcDriver = "org.postgresql:postgresql:42.7.14"

// onlyAll leaves out what needs further languages, unless POOLERD_E2E_ALL says
// that they are wanted.
func onlyAll(t *testing.T) {
	t.Helper()
	if os.Getenv("POOLERD_E2E_ALL") == "" {
		t.Skip("run make e2e, or set POOLERD_E2E_ALL=1")
	}
}

// TestNodePostgres runs testdata/node/smoke.js on a pool of 3.
func TestNodePostgres(t *testing.T) {
	onlyAll(t)
	modules, err := installNode("e2e-node", filepath.Join("testdata", "node", "package.json"))
	if err != nil {
		unavailable(t, err)
	}
	t.Setenv("NODE_PATH", modules)
	p := startPooler(t, options{poolSize: 3})
	t.Logf("%s", runClient(t, 2*time.Minute, "node", filepath.Join("testdata", "node", "smoke.js"), p.url("bench")))
}

// TestJDBC runs testdata/java/Smoke.java on a pool of 3, with statements
// prepared by name at once and, pgjdbc's default, at the fifth use.
func TestJDBC(t *testing.T) {
	onlyAll(t)
	jar, err := installJDBC()
	if err != nil {
		unavailable(t, err)
	}
	p := startPooler(t, options{poolSize: 3})
	for _, threshold := range []int{1, 5} {
		t.Run(fmt.Sprintf("prepareThreshold=%d", threshold), func(t *testing.T) {
			url := fmt.Sprintf("jdbc:postgresql://%s/bench?user=%s&sslmode=disable", p.address(), p.user)
			t.Logf("%s", runClient(t, 2*time.Minute, "java", "-cp", jar, filepath.Join("testdata", "java", "Smoke.java"), url, strconv.Itoa(threshold)))
		})
	}
}

// installNode puts the packages of a package.json into a folder of the user's
// cache and returns where they are.
func installNode(folder, manifest string) (modules string, err error) {
	if err := have("node", "npm"); err != nil {
		return "", err
	}
	want, err := os.ReadFile(manifest)
	if err != nil {
		return "", err
	}
	dir, err := cacheFolder(folder)
	if err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	modules = filepath.Join(dir, "node_modules")
	// npm writes this one when it has finished.
	_, errDone := os.Stat(filepath.Join(modules, ".package-lock.json"))
	if got, err := os.ReadFile(filepath.Join(dir, "package.json")); err == nil && string(got) == string(want) && errDone == nil {
		return modules, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), want, 0o644); err != nil {
		return "", err
	}
	if err := shell("npm", "install", "--prefix", dir, "--no-audit", "--no-fund"); err != nil {
		return "", fmt.Errorf("%w: node-postgres: %w", errTool, err)
	}
	return modules, nil
}

// installJDBC puts pgjdbc into the user's cache.
func installJDBC() (jar string, err error) {
	if err := have("java", "mvn"); err != nil {
		return "", err
	}
	dir, err := cacheFolder("e2e-jdbc")
	if err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	part := strings.Split(jdbcDriver, ":")
	jar = filepath.Join(dir, part[1]+"-"+part[2]+".jar")
	if _, err := os.Stat(jar); err == nil {
		return jar, nil
	}
	if err := shell("mvn", "-B", "-q", "dependency:copy", "-Dartifact="+jdbcDriver, "-DoutputDirectory="+dir); err != nil {
		return "", fmt.Errorf("%w: pgjdbc: %w", errTool, err)
	}
	return jar, nil
}

// have finds programs, of which Debian has packages.
func have(programs ...string) error {
	debian := map[string]string{"node": "nodejs", "npm": "npm", "java": "default-jdk-headless", "mvn": "maven"}
	var missing []string
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, debian[name])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := apt(missing...); err != nil {
		return errors.Join(errTool, err)
	}
	return nil
}
