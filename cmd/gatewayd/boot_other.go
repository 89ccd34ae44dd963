//go:build !linux

package main

import (
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// thisBoot knows nothing here: there is no hardware either.
func thisBoot() boot { return boot{since: func() time.Duration { return 0 }} }

// reloading is what systemd would be told at the beginning of a reload.
func reloading() string { return daemon.SdNotifyReloading }
