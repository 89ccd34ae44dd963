package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatewayd/internal/config"
)

// After a crash counts what the gateway has noted; what is there without a note, or with one that is damaged, is the file.
func TestAfterCrash(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("device: d\noutputs: [{name: filed, line: 4, on_crash: on}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, out := logged()
	names := func() string {
		t.Helper()
		chips, err := afterCrash(file, log)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for i := range chips {
			all = append(all, chips[i].Name+": "+states(&chips[i]))
		}
		return strings.Join(all, "; ")
	}
	t.Setenv("RUNTIME_DIRECTORY", "")
	if got, want := names(), "header: filed on"; got != want {
		t.Errorf("no service: got %s, want %s", got, want)
	}
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	if got, want := names(), "header: filed on"; got != want {
		t.Errorf("no note: got %s, want %s", got, want)
	}
	running := parsed(t, "device: d\nchips: [{name: io, type: iopiplus}]\noutputs: [{name: a, chip: io, line: bus2-16, on_crash: off, active_low: true}, {name: b, line: 5}]\n")
	noteRunning(runningFile(), running, log)
	if got, want := names(), "io/bus2: a off"; got != want {
		t.Errorf("a note: got %s, want %s", got, want)
	}
	chips, err := afterCrash(file, log)
	if err != nil || len(chips) != 1 || chips[0].Type != config.MCP23017 || chips[0].Addr != 0x21 || !chips[0].Lines[0].ActiveLow || chips[0].LineName(15) == "line 15" {
		t.Errorf("got %+v, %v", chips, err)
	}
	noteRunning(runningFile(), parsed(t, "device: d\noutputs: [{name: b, line: 5}]\n"), log)
	if got := names(); got != "" {
		t.Errorf("nothing to do: got %s", got)
	}
	if out.String() != "" {
		t.Errorf("logged: %s", out)
	}
	if err := os.WriteFile(runningFile(), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := names(), "header: filed on"; got != want || !strings.Contains(out.String(), "is not known: "+file+" is taken") {
		t.Errorf("damaged: got %s, want %s; logged %s", got, want, out)
	}
	noteRunning(filepath.Join(t.TempDir(), "no", "folder"), running, log)
	if !strings.Contains(out.String(), "cannot be noted") {
		t.Errorf("logged %s", out)
	}
}
