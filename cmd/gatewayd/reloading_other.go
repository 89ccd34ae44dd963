//go:build !linux

package main

import "github.com/coreos/go-systemd/v22/daemon"

// reloading is what systemd would be told at the beginning of a reload.
func reloading() string { return daemon.SdNotifyReloading }
