//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gatewayd/bridge"
)

// A read that never ends holds up no other gauge, nor who asks; a change of the supply is told at once.
func TestGaugeHangs(t *testing.T) {
	root := sysfs(t, "class/thermal/thermal_zone0/type: cpu-thermal", "class/thermal/thermal_zone0/temp: 40000",
		"devices/platform/soc/soc:firmware/get_throttled: 0")
	alarm := filepath.Join(root, "class/hwmon/hwmon0/in0_lcrit_alarm")
	if err := os.MkdirAll(filepath.Dir(alarm), 0o755); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(filepath.Dir(alarm), "name"), []byte("rpi_volt\n"), 0o644)
	if err := syscall.Mkfifo(alarm, 0o600); err != nil { // opening it waits for a writer
		t.Skip(err)
	}
	g := newGauges(root)
	g.every = time.Millisecond
	news := make(chan struct{}, 1)
	g.news = func() { news <- struct{}{} }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- g.run(ctx) }()
	known := func() bool {
		var v bridge.Vitals
		g.fill(&v)
		return v.CPUTemperature != nil && v.Throttled != nil && v.UnderVoltage != nil
	}
	soon(t, "the others are read", known)
	os.WriteFile(filepath.Join(root, "devices/platform/soc/soc:firmware/get_throttled"), []byte("50005\n"), 0o644)
	select {
	case <-news:
	case <-time.After(10 * time.Second):
		t.Error("under-voltage was not told")
	}
	cancel()
	w, err := os.OpenFile(alarm, os.O_WRONLY, 0) // the read goes on: the end of the file
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
