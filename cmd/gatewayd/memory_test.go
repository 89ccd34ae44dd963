package main

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/internal/clock"
	"gatewayd/internal/config"
	"gatewayd/internal/statefile"
)

const rememberConfig = `
device: shed
chips: [{name: relays, type: mcp23017, address: 0x20}]
outputs:
  - {name: near, line: GPIO22, initial: restore}
  - {name: far, chip: relays, line: GPA0, initial: restore, id: old}
  - {name: off, line: GPIO23, initial: restore}
  - {name: pump, line: GPIO24, max_on: 1h}
  - {name: plain, line: GPIO25}
  - {name: on, line: GPIO26, initial: on}
`

func parsed(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, _, err := config.Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// logged gives a log and what is in it.
func logged() (*slog.Logger, *screen) {
	out := new(screen)
	return slog.New(&lines{mu: new(sync.Mutex), out: out, front: func(_ time.Time, l slog.Level) string { return word(l) }}), out
}

// initials gives how each output is claimed.
func initials(cfg *config.Config) map[string]gpio.Initial {
	all := map[string]gpio.Initial{}
	for _, c := range cfg.Chips {
		for _, l := range c.Lines {
			all[l.Name] = l.Initial
		}
	}
	return all
}

// What one run keeps, the next one finds: in the same boot with its times, in another one without.
func TestMemoryKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer clock.Use(clock.System)() // made in the bubble's time
		cfg := parsed(t, rememberConfig)
		path := filepath.Join(t.TempDir(), "state")
		log, out := logged()
		const first = "first"
		m := newMemory(path, cfg, first, log)
		if len(m.found) > 0 || !maps.Equal(initials(m.claims(cfg)), initials(cfg)) {
			t.Errorf("without a file: %v, %v", m.found, initials(m.claims(cfg)))
		}
		began := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.run(ctx) }()
		for id, k := range map[string]bridge.Kept{
			"near": {On: true}, "old": {On: true}, "off": {}, "gone": {On: true},
			"pump":  {On: true, End: began.Add(time.Hour)},
			"plain": {On: true, End: began.Add(time.Minute), Timed: true},
		} {
			m.keep(id, &k)
		}
		m.keep("gone", nil)
		m.keep("away", &bridge.Kept{On: true})
		time.Sleep(20 * time.Second)
		cancel()
		<-done

		again := newMemory(path, cfg, first, log)
		want := map[string]bridge.Kept{
			"near": {On: true}, "old": {On: true}, "off": {},
			"pump":  {On: true, End: began.Add(time.Hour)},
			"plain": {On: true, End: began.Add(time.Minute), Timed: true},
		}
		if !maps.EqualFunc(again.found, want, sameKept) {
			t.Errorf("the same boot:\n got %v\nwant %v", again.found, want)
		}
		claims := initials(again.claims(cfg))
		if want := map[string]gpio.Initial{"near": gpio.KeepOrOn, "far": gpio.KeepOrOn, "off": gpio.Keep, "pump": gpio.Keep, "plain": gpio.Keep, "on": gpio.On}; !maps.Equal(claims, want) {
			t.Errorf("the same boot claims\n %v, want\n %v", claims, want)
		}
		if got := initials(cfg)["near"]; got != gpio.Keep {
			t.Errorf("the configuration itself was changed: %v", got)
		}

		for _, id := range []string{"second", ""} {
			other := newMemory(path, cfg, id, log)
			want["pump"] = bridge.Kept{On: true}
			want["plain"] = bridge.Kept{On: true, End: time.Now(), Timed: true}
			if !maps.EqualFunc(other.found, want, sameKept) {
				t.Errorf("boot %q:\n got %v\nwant %v", id, other.found, want)
			}
			claims = initials(other.claims(cfg))
			if want := map[string]gpio.Initial{"near": gpio.On, "far": gpio.KeepOrOn, "off": gpio.Off, "pump": gpio.Keep, "plain": gpio.Keep, "on": gpio.On}; !maps.Equal(claims, want) {
				t.Errorf("boot %q claims\n %v, want\n %v", id, claims, want)
			}
		}
		if out.String() != "" {
			t.Errorf("logged: %s", out)
		}
	})
}

func sameKept(a, b bridge.Kept) bool {
	return a.On == b.On && a.Timed == b.Timed && a.End.IsZero() == b.End.IsZero() && a.End.Sub(b.End).Abs() < 10*time.Millisecond
}

// It writes at once, but once a second at most, and only what is new.
func TestMemoryWritesRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(filepath.Join(t.TempDir(), "state"), parsed(t, rememberConfig), "a", slog.New(slog.DiscardHandler))
		var at []time.Duration
		began := time.Now()
		m.save = func(string, []byte) error { at = append(at, time.Since(began)); return nil }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.run(ctx) }()
		check := func(what string, want ...time.Duration) {
			t.Helper()
			synctest.Wait()
			if len(at) != len(want) {
				t.Fatalf("%s: writes at %v, want %v", what, at, want)
			}
			for i := range want {
				if at[i] != want[i] {
					t.Errorf("%s: writes at %v, want %v", what, at, want)
				}
			}
		}
		time.Sleep(time.Hour)
		check("nothing to keep")
		h := time.Hour
		m.keep("near", &bridge.Kept{On: true})
		check("the first", h)
		for range 900 { // a relay that chatters
			time.Sleep(time.Millisecond)
			m.keep("near", &bridge.Kept{})
			m.keep("near", &bridge.Kept{On: true})
			m.keep("off", &bridge.Kept{On: true})
		}
		time.Sleep(time.Minute)
		check("a burst", h, h+time.Second)
		m.keep("near", &bridge.Kept{On: true})
		time.Sleep(time.Minute)
		check("nothing new", h, h+time.Second)
		m.keep("near", nil)
		synctest.Wait()
		m.keep("far", &bridge.Kept{On: true})
		stop := time.Since(began)
		cancel()
		<-done
		check("the end", h, h+time.Second, stop, stop)
	})
}

// A disk that is full, or read-only, is told once; it is tried again, and told when it works.
func TestMemoryDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := logged()
		m := newMemory(filepath.Join(t.TempDir(), "state"), parsed(t, rememberConfig), "a", log)
		var room atomic.Bool
		var tries atomic.Int32
		m.save = func(string, []byte) error {
			tries.Add(1)
			if room.Load() {
				return nil
			}
			return syscall.ENOSPC
		}
		var told []string
		m.tell = func(text string) { told = append(told, text) }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.run(ctx) }()
		for range 100 {
			m.keep("near", &bridge.Kept{On: true})
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		if n := strings.Count(out.String(), "cannot be written"); n != 1 || len(told) != 1 || !strings.Contains(m.trouble(), "no space left") || tries.Load() < 30 {
			t.Errorf("%d tries, told %q, trouble %q, logged: %s", tries.Load(), told, m.trouble(), out)
		}
		room.Store(true)
		time.Sleep(memoryRetry + time.Second)
		if tries.Store(0); m.trouble() != "" || !strings.Contains(out.String(), "written again") {
			t.Errorf("trouble %q, logged: %s", m.trouble(), out)
		}
		time.Sleep(time.Hour)
		if n := tries.Load(); n != 0 {
			t.Errorf("%d writes of nothing new", n)
		}
		cancel()
		<-done
	})
}

// A state file that is not whole is told once, is not believed, keeps nobody from starting, and is replaced.
func TestMemoryDamaged(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	if err := statefile.Save(whole, []byte(`{"boot":"a","outputs":{"near":{"on":true}}}`)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"truncated": good[:len(good)-3], "zeroed": make([]byte, len(good)), "empty": {}, "garbage": []byte("#!/bin/sh\n"),
		"another version": bytes.Replace(good, []byte(" 1 "), []byte(" 9 "), 1), "not ours": nil,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state")
			if name == "not ours" {
				err = statefile.Save(path, []byte("[1, 2]"))
			} else {
				err = os.WriteFile(path, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			log, out := logged()
			m := newMemory(path, parsed(t, rememberConfig), "a", log)
			if len(m.found) > 0 {
				t.Errorf("believed: %v", m.found)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- m.run(ctx) }()
			soon(t, "a new file", func() bool { _, err := statefile.Load(path); return err == nil && !m.unwritten() })
			m.keep("near", &bridge.Kept{On: true})
			cancel()
			<-done
			if n := strings.Count(out.String(), "\n"); n != 1 || !strings.Contains(out.String(), "of no use") {
				t.Errorf("logged %d errors: %s", n, out)
			}
			if got := newMemory(path, parsed(t, rememberConfig), "a", log); !got.found["near"].On {
				t.Errorf("the new file has %v", got.found)
			}
		})
	}
}

func (m *memory) unwritten() bool { return len(m.wake) > 0 }

func TestStateFilePath(t *testing.T) {
	for _, c := range []struct {
		config, env, want string
		warns             bool
	}{
		{"", "", "", true},
		{"", "/var/lib/gatewayd", "/var/lib/gatewayd/state", false},
		{"", "/var/lib/a:/var/lib/b", "/var/lib/a/state", false},
		{"state_file: /x/y", "/var/lib/gatewayd", "/x/y", false},
	} {
		t.Setenv("STATE_DIRECTORY", c.env)
		log, out := logged()
		got := stateFile(parsed(t, c.config+rememberConfig), log)
		if warned := strings.Contains(out.String(), "no state file") && strings.Contains(out.String(), "near far off pump"); filepath.ToSlash(got) != c.want || warned != c.warns {
			t.Errorf("%q, %q: got %q, logged %q", c.config, c.env, got, out)
		}
		if got := stateFile(parsed(t, c.config+"\ndevice: shed\noutputs: [{name: a, line: 4, pulse: 1s}]"), log); filepath.ToSlash(got) != c.want {
			t.Errorf("nothing to keep: got %q", got)
		}
	}
}

// The state file moves on while it is being written: nothing stays at any of the places before.
func TestMemoryMovesWhileWriting(t *testing.T) {
	folder, cfg := t.TempDir(), parsed(t, rememberConfig)
	at := func(name string) string { return filepath.Join(folder, name) }
	m := newMemory(at("one"), cfg, "a", slog.New(slog.DiscardHandler))
	m.save = func(path string, content []byte) error {
		err := statefile.Save(path, content)
		switch path {
		case at("one"):
			m.change(cfg, at("two"))
		case at("two"):
			m.change(cfg, at("three"))
		}
		return err
	}
	m.keep("near", &bridge.Kept{On: true})
	for range 3 {
		m.write()
	}
	for name, want := range map[string]bool{"one": false, "two": false, "three": true} {
		if _, err := os.Stat(at(name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
}

// An end is found again by the next run when it was, though the clock was set by a year and the machine has slept; a run that was
// asleep itself writes it no later.
func TestMemoryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var slept time.Duration
		machine := clock.Source{
			Boot:         func() time.Duration { return time.Hour + slept + time.Since(began) },
			Slept:        func() (time.Duration, bool) { return slept, true },
			Synchronised: func() bool { return true },
		}
		cfg, path, log := parsed(t, rememberConfig), filepath.Join(t.TempDir(), "state"), slog.New(slog.DiscardHandler)
		undo := clock.Use(machine)
		m := newMemory(path, cfg, "a", log)
		m.keep("pump", &bridge.Kept{On: true, End: clock.Now().Add(time.Hour)})
		slept = 20 * time.Minute
		time.Sleep(10 * time.Minute)
		m.keep("near", &bridge.Kept{On: true}) // so that it is written after the sleep
		if !m.write() {
			t.Fatal("not written")
		}
		undo()
		time.Sleep(10 * time.Minute)

		defer clock.Use(machine)() // as a new program has it
		m = newMemory(path, cfg, "a", log)
		if got := m.found["pump"].End.Sub(clock.Now()); got != 20*time.Minute {
			t.Errorf("the next run finds an end in %v, want in 20m", got)
		}
	})
}
