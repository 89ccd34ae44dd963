package main

import (
	"fmt"
	"runtime"
)

// Set by scripts/build.sh.
var (
	version = "dev"
	commit  = "unknown"
)

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Printf("gatewayd %s (commit %s, %s, %s/%s)\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
