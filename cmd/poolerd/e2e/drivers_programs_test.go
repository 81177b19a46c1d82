package e2e

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

// driverFile is a file of the drivers' programs.
func driverFile(name string) string { return filepath.Join("testdata", "drivers", name) }

// programDrivers are the drivers of other languages than Go.
func programDrivers() []driver {
	return []driver{
		pythonDriver("psycopg3", false, python, "psycopg3_client.py"),
		pythonDriver("psycopg3-prepare", true, python, "psycopg3_client.py", "prepare"),
		pythonDriver("psycopg2", true, pythonOfDrivers, "psycopg2_client.py"),
		pythonDriver("asyncpg", true, pythonOfDrivers, "asyncpg_client.py"),
		nodeDriver(),
		javaDriver("pgjdbc-1", "1"),
		javaDriver("pgjdbc-5", "5"), // its default
	}
}

func pythonDriver(name string, all bool, find func() (string, error), program string, further ...string) driver {
	return driver{
		name: name,
		all:  all,
		prepare: func(*testing.T) error {
			_, err := find()
			return err
		},
		show: external(func() ([]string, error) {
			path, err := find()
			return []string{path, driverFile(program)}, err
		}, further...),
	}
}

// pythonOfDrivers is the interpreter of a virtual environment that has what
// testdata/drivers/requirements.txt names.
var pythonOfDrivers = sync.OnceValues(func() (string, error) {
	return environment("e2e-drivers-venv", driverFile("requirements.txt"))
})

func nodeDriver() driver {
	find := sync.OnceValues(func() (string, error) { return installNode("e2e-drivers-node", driverFile("package.json")) })
	return driver{
		name: "node-postgres",
		all:  true,
		prepare: func(*testing.T) error {
			_, err := find()
			return err
		},
		show: external(func() ([]string, error) {
			modules, err := find()
			return []string{"env", "NODE_PATH=" + modules, "node", driverFile("node_client.js")}, err
		}),
	}
}

// javaDriver is pgjdbc with one prepareThreshold.
func javaDriver(name, threshold string) driver {
	return driver{
		name: name,
		all:  true,
		prepare: func(*testing.T) error {
			_, err := compileJava()
			return err
		},
		show: external(func() ([]string, error) {
			classes, err := compileJava()
			tier := "1" // which starts fast
			if driverSSLMode() != "disable" {
				tier = "4" // without which TLS carries 1 MB a second
			}
			return []string{"java", "-XX:TieredStopAtLevel=" + tier, "-Duser.timezone=UTC", "-cp", classes, "Show"}, err
		}, driverFile(""), threshold),
	}
}

// compileJava compiles the Java programs into the user's cache, and returns
// the class path with which they run.
var compileJava = sync.OnceValues(func() (classPath string, err error) {
	jar, err := installJDBC()
	if err != nil {
		return "", err
	}
	dir, err := cacheFolder("e2e-drivers-java")
	if err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	sources, err := filepath.Glob(driverFile("*.java"))
	if err != nil {
		return "", err
	}
	if err := shell("javac", append([]string{"-cp", jar, "-d", dir}, sources...)...); err != nil {
		return "", fmt.Errorf("%w: pgjdbc: %w", errTool, err)
	}
	return jar + string(filepath.ListSeparator) + dir, nil
})
