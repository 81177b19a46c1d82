package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"poolerd/pool/admin"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:         "version",
		Usage:        "print the version and what it was built from",
		OnUsageError: onUsageError,
		Before:       noArguments,
		Action: func(c *cli.Context) error {
			// The first line is that of SHOW VERSION: scripts compare the two.
			_, err := fmt.Fprintf(c.App.Writer, "%s\npoolerd %s\n%s %s/%s\n", admin.Version, version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// version is the module's version as the Go tool stamped it, with the commit where it was built from a work tree: "v1.2.3", or "devel 0123456789ab dirty".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return describeBuild(info)
}

func describeBuild(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	text := "devel"
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			text += " " + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			text += " dirty"
		}
	}
	return text
}
