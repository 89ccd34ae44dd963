package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/bridge"
	"gatewayd/internal/config"
	"gatewayd/internal/statefile"
)

// totalsConfig has a counter, and is saved rarely.
func totalsConfig(t testing.TB) *config.Config {
	t.Helper()
	return parsedTotals(t, "device: a\nsave_every: 5m\ncounters: [{name: c, line: 17}, {name: d, line: 18}]\n")
}

func parsedTotals(t testing.TB, text string) *config.Config {
	t.Helper()
	cfg, _, err := config.Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The state file is written for totals when a counter begins, every save_every, when one is set, and at the end; the note each second; and
// neither while nothing counts.
func TestTotalsWriteRarely(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", filepath.Join(folder))
	cfg, path := totalsConfig(t), filepath.Join(folder, "state")
	last := map[string][]byte{}
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(path, cfg, "boot", slog.New(slog.DiscardHandler))
		var mu sync.Mutex
		writes := map[string]int{}
		m.save = func(path string, content []byte) error {
			mu.Lock()
			defer mu.Unlock()
			writes[filepath.Base(path)]++
			last[path] = content
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.run(ctx) }()
		want := func(when string, state, note int) { // one more or less each: two things can be due at one moment
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if n := writes["state"]; n < state || n > state+min(state, 1) || writes["totals"] < note || writes["totals"] > note+min(note, 1) {
				t.Errorf("%s: %d writes of the state file and %d of the note, want %d and %d, or one more", when, writes["state"], writes["totals"], state, note)
			}
			clear(writes)
		}
		time.Sleep(time.Hour)
		want("nothing counts", 0, 0)
		n := uint64(0)
		for range 3600 * 2 {
			n++
			m.count(bridge.Counted{ID: "c", Pulses: n})
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(5 * time.Minute)
		want("an hour of counting", 12, 3599)
		time.Sleep(time.Hour)
		want("nothing counts any more", 0, 0)
		m.count(bridge.Counted{ID: "c", Pulses: 7, Preset: true})
		time.Sleep(10 * time.Millisecond)
		want("a preset", 1, 0)
		time.Sleep(2 * time.Second)
		m.count(bridge.Counted{ID: "c", Pulses: 8})
		time.Sleep(10 * time.Second)
		want("not due yet", 0, 2)
		m.count(bridge.Counted{ID: "c", Pulses: 3, Preset: true})
		time.Sleep(10 * time.Millisecond)
		want("a preset soon after", 1, 0)
		time.Sleep(2 * time.Second)
		m.count(bridge.Counted{ID: "c", Pulses: 4})
		time.Sleep(10 * time.Second)
		want("not due yet, again", 0, 2)
		cancel()
		<-ended
		want("the end", 1, 0)
	})
	for path, content := range last {
		if err := statefile.Save(path, content); err != nil {
			t.Fatal(err)
		}
	}
	if again := newMemory(path, cfg, "boot", slog.New(slog.DiscardHandler)); again.totals.found["c"] != 4 {
		t.Errorf("found %v, want c: 4", again.totals.found)
	}
}

// Of the two places the later one is believed, of a damaged one the other.
func TestTotalsFound(t *testing.T) {
	note := func(serial, c uint64) string {
		return fmt.Sprintf(`{"state":"x","boot":"b","serial":%d,"totals":{"c":%d}}`, serial, c)
	}
	state := func(serial, c uint64) string {
		return fmt.Sprintf(`{"boot":"b","outputs":{},"serial":%d,"totals":{"c":%d,"gone":3}}`, serial, c)
	}
	for _, test := range []struct {
		name, state, note string
		want              uint64
		says              string
	}{
		{"neither", "", "", 0, ""},
		{"state alone", state(4, 40), "", 40, ""},
		{"note alone", "", note(5, 50), 50, "from the moment of the crash"},
		{"note is later", state(4, 40), note(5, 50), 50, "from the moment of the crash"},
		{"state is later, and was set back", state(6, 4), note(5, 50), 4, ""},
		{"state is damaged", "!", note(5, 50), 50, "the state file is of no use"},
		{"note is damaged", state(4, 40), "!", 40, "the note of the counters' totals is of no use"},
		{"both are", "!", "!", 0, "the state file is of no use"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			t.Setenv("RUNTIME_DIRECTORY", folder)
			for name, content := range map[string]string{"state": test.state, "totals": test.note} {
				path := filepath.Join(folder, name)
				switch content {
				case "":
				case "!":
					os.WriteFile(path, []byte("\x00\x00\x00"), 0o600)
				default:
					if err := statefile.Save(path, []byte(content)); err != nil {
						t.Fatal(err)
					}
				}
			}
			var log strings.Builder
			m := newMemory(filepath.Join(folder, "state"), totalsConfig(t), "b", slog.New(slog.NewTextHandler(&log, nil)))
			if got := m.totals.found["c"]; got != test.want {
				t.Errorf("found %d, want %d", got, test.want)
			}
			if said := log.String(); test.says == "" && said != "" || !strings.Contains(said, test.says) {
				t.Errorf("log %q, want %q", said, test.says)
			}
		})
	}
}

// After a crash safe-state puts the note into the state file, and leaves the rest of that as it is.
func TestTotalsRescued(t *testing.T) {
	folder := t.TempDir()
	state, note := filepath.Join(folder, "state"), filepath.Join(folder, "totals")
	save := func(path, content string) {
		t.Helper()
		if err := statefile.Save(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	stored := func() stored {
		t.Helper()
		content, err := statefile.Load(state)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseStored(content)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	log := slog.New(slog.DiscardHandler)
	rescueTotals(note, log) // there is none
	save(state, `{"boot":"b","outputs":{"pump":{"on":true,"end_ms":5}},"broker":"tcp://x","totals":{"c":1},"serial":3}`)
	save(note, fmt.Sprintf(`{"state":%q,"boot":"b","serial":4,"totals":{"c":2}}`, state))
	rescueTotals(note, log)
	if s := stored(); s.Totals["c"] != 2 || s.Serial != 4 || !s.Outputs["pump"].On || s.Outputs["pump"].End != 5 || s.Broker != "tcp://x" || s.Boot != "b" {
		t.Errorf("rescued %+v", s)
	}
	save(state, `{"boot":"b","outputs":{},"totals":{"c":1},"serial":5}`) // somebody has set it since
	rescueTotals(note, log)
	if s := stored(); s.Totals["c"] != 1 {
		t.Errorf("an older note has won: %+v", s)
	}
	os.WriteFile(state, []byte("garbage"), 0o600)
	rescueTotals(note, log)
	if s := stored(); s.Totals["c"] != 2 {
		t.Errorf("a damaged state file: %+v", s)
	}
	os.Remove(state)
	rescueTotals(note, log)
	if s := stored(); s.Totals["c"] != 2 {
		t.Errorf("no state file: %+v", s)
	}
}

// A process that counts is killed 50 times, at any moment: what is found is no less than what it has saved, and no more than it has counted.
func TestTotalsKilled(t *testing.T) {
	if folder := os.Getenv("TOTALS_OF"); folder != "" {
		countForever(folder)
	}
	var all sync.WaitGroup
	for range 10 {
		folder := t.TempDir()
		all.Go(func() {
			low, high := uint64(0), uint64(0)
			for range 5 {
				found, saved, counted, err := countAndKill(folder)
				if err != nil {
					t.Error(err)
					return
				}
				if found < low || found > high {
					t.Errorf("found %d, want from %d, which was saved, to %d, which was counted", found, low, high)
				}
				low, high = max(saved, found), max(counted, found)
			}
		})
	}
	all.Wait()
}

// countAndKill gives what a process found, what it had saved for certain, and how far it may have counted.
func countAndKill(folder string) (found, saved, counted uint64, err error) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestTotalsKilled$")
	cmd.Env = append(os.Environ(), "TOTALS_OF="+folder, "RUNTIME_DIRECTORY="+folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, 0, 0, err
	}
	lines := bufio.NewScanner(out)
	var kill *time.Timer
	for lines.Scan() {
		var n uint64
		switch line := lines.Text(); {
		case sscan(line, "found %d", &n):
			found = n
			kill = time.AfterFunc(time.Duration(rand.Int64N(int64(700*time.Millisecond))), func() { cmd.Process.Kill() })
		case sscan(line, "saved %d", &n):
			saved = max(saved, n)
		case sscan(line, "counting %d", &n):
			counted = n
		}
	}
	cmd.Wait()
	if kill == nil {
		return 0, 0, 0, fmt.Errorf("the process that counts has not begun")
	}
	return found, saved, counted, nil
}

func sscan(line, format string, n *uint64) bool {
	got, err := fmt.Sscanf(line, format, n)
	return err == nil && got == 1
}

func countForever(folder string) {
	cfg, _, err := config.Parse("c.yaml", []byte("device: a\ncounters: [{name: c, line: 17}]\n"))
	if err != nil {
		panic(err)
	}
	m := newMemory(filepath.Join(folder, "state"), cfg, "boot", slog.New(slog.DiscardHandler))
	m.totals.often, m.totals.every = 5*time.Millisecond, 20*time.Millisecond
	n := m.totals.found["c"]
	fmt.Println("found", n)
	m.save = func(path string, content []byte) error {
		err := statefile.Save(path, content)
		if s, _ := parseStored(content); err == nil { // the note has the same words for totals
			fmt.Println("saved", s.Totals["c"])
		}
		return err
	}
	go m.run(context.Background())
	for {
		n++
		fmt.Println("counting", n)
		m.count(bridge.Counted{ID: "c", Pulses: n})
		time.Sleep(time.Millisecond)
	}
}

// The path of the state file changes: the totals go along.
func TestTotalsMove(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", "")
	cfg := totalsConfig(t)
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(filepath.Join(folder, "a"), cfg, "b", slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.run(ctx) }()
		m.count(bridge.Counted{ID: "c", Pulses: 5})
		time.Sleep(10 * time.Second)
		m.count(bridge.Counted{ID: "c", Pulses: 6})
		m.change(cfg, filepath.Join(folder, "b"))
		time.Sleep(10 * time.Second)
		if got := newMemory(filepath.Join(folder, "b"), cfg, "b", slog.New(slog.DiscardHandler)).totals.found; !maps.Equal(got, map[string]uint64{"c": 6}) {
			t.Errorf("found %v at the new place, want c: 6", got)
		}
		cancel()
		<-ended
	})
}
