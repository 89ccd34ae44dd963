package main

import (
	"flag"
	"fmt"
	"runtime"

	"github.com/peterbourgon/ff/v3/ffcli"
)

// Set by scripts/build.sh.
var (
	version = "dev"
	commit  = "unknown"
)

func versionCommand() *ffcli.Command {
	c := command("gatewayd version", "Show the version.", flag.NewFlagSet("version", flag.ContinueOnError))
	c.Exec = plain(func() error {
		fmt.Printf("gatewayd %s (commit %s, %s, %s/%s)\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	})
	return c
}
