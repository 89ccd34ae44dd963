package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/internal/clock"
	"gatewayd/internal/config"
	"gatewayd/internal/statefile"
)

const (
	memoryEvery = time.Second      // between two writes: a card wears
	memoryRetry = 30 * time.Second // after one that failed, if nothing changes
)

// memory is what the gateway knows of its outputs after a crash or a power cut: it writes what the bridge wants kept into the state
// file, at once, but not often.
type memory struct {
	boot string
	log  *slog.Logger
	save func(path string, content []byte) error
	tell func(text string) // is told that it does not work, or works again; does not block
	wake chan struct{}     // capacity 1

	found   map[string]bridge.Kept // by an output's id, as an earlier run has left it
	another bool                   // that was in another boot: the header has lost its levels since

	mu    sync.Mutex             // guards the following
	path  string                 // empty: nowhere
	left  []string               // where it was before it moved, until the file is at path
	moves bool                   // it is not known what is at path
	kept  map[string]bridge.Kept // what is to be in the file
	last  map[string]bridge.Kept // what is; nil: that is not known
	err   error                  // why it is not

	broker lastBroker
	totals totals
}

// stateFile gives the path of the state file: as configured, or where the service has its files; empty: there is none, and nothing
// outlives a crash, which is told if anything should.
func stateFile(cfg *config.Config, log *slog.Logger) string {
	folder, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":") // systemd.exec(5)
	switch {
	case cfg.StateFile != "":
		return cfg.StateFile
	case folder != "":
		return filepath.Join(folder, "state")
	}
	var forget []string
	for i := range cfg.Bridge.Outputs {
		if o := &cfg.Bridge.Outputs[i]; o.Restore || o.MaxOn > 0 {
			forget = append(forget, o.Name)
		}
	}
	for i := range cfg.Bridge.Counters {
		if c := &cfg.Bridge.Counters[i]; c.Total != nil {
			log.Warn("no state file: the totals of counters begin with 0 at each start: give a state_file", "counter", c.Name)
			break
		}
	}
	if len(forget) > 0 {
		log.Warn("no state file: after a crash or a power cut nothing is known of outputs with initial restore or max_on: give a state_file",
			"outputs", strings.Join(forget, " "))
	}
	return ""
}

// newMemory reads the state file, if there is a path. Whatever is wrong with it is told, and is no reason not to start.
func newMemory(path string, cfg *config.Config, boot string, log *slog.Logger) *memory {
	m := &memory{path: path, boot: boot, log: log, save: statefile.Save, tell: func(string) {}, wake: make(chan struct{}, 1),
		found: map[string]bridge.Kept{}, kept: map[string]bridge.Kept{}, totals: totals{often: noteEvery, every: cfg.SaveEvery, now: map[string]uint64{}, note: totalsFile()}}
	defer m.findTotals()
	if path == "" {
		return m
	}
	content, err := statefile.Load(path)
	var past stored
	if err == nil {
		if past, err = parseStored(content); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m.last, m.totals.stored = map[string]bridge.Kept{}, map[string]uint64{}
	case err != nil:
		log.Error("the state file is of no use: nothing is known of the outputs' past; a new one is written", "error", err)
		m.nudge()
	default:
		m.another = boot == "" || past.Boot != boot
		m.found = past.kept(m.another)
		m.last = maps.Clone(m.found)
		m.broker = lastBroker{past.Broker, past.Broker}
		m.totals.stored, m.totals.serial = past.Totals, past.Serial
		if m.totals.stored == nil {
			m.totals.stored = map[string]uint64{}
		}
		if m.another && len(m.found) > 0 {
			m.last = nil // its times say nothing any more
			m.nudge()
		}
	}
	ids := outputIDs(cfg)
	maps.DeleteFunc(m.found, func(id string, _ bridge.Kept) bool { return ids[id] == nil })
	m.kept = maps.Clone(m.found)
	return m
}

// claims gives the configuration with the states that outputs are to be claimed with. A line that is driven keeps its level, but for
// the header's after a boot: what drives them is the firmware, and no state.
func (m *memory) claims(cfg *config.Config) *config.Config {
	m.mu.Lock()
	kept := maps.Clone(m.kept)
	m.mu.Unlock()
	return m.claimsOf(cfg, kept)
}

func (m *memory) claimsOf(cfg *config.Config, kept map[string]bridge.Kept) *config.Config {
	restored := bridge.Restored(&cfg.Bridge, kept, clock.Now())
	with := *cfg
	with.Chips = slices.Clone(cfg.Chips)
	for c := range with.Chips {
		chip := &with.Chips[c]
		chip.Lines = slices.Clone(chip.Lines)
		for i := range chip.Lines {
			l := &chip.Lines[i]
			on, ok := restored[l.Name]
			switch fresh := m.another && chip.Type == config.Header; {
			case !l.Output || !ok:
			case on && fresh:
				l.Initial = gpio.On
			case fresh:
				l.Initial = gpio.Off
			case on:
				l.Initial = gpio.KeepOrOn
			}
		}
	}
	return &with
}

// keep takes what is to be kept of an output; nil: nothing. It does not block.
func (m *memory) keep(id string, k *bridge.Kept) {
	m.mu.Lock()
	if k == nil {
		delete(m.kept, id)
	} else {
		m.kept[id] = *k
	}
	m.mu.Unlock()
	m.nudge()
}

func (m *memory) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// run writes what has changed until ctx ends, and once more then. It blocks as long as the disk does.
func (m *memory) run(ctx context.Context) error {
	var notes sync.WaitGroup
	defer notes.Wait()
	notes.Go(func() { m.takeNotes(ctx) })
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			m.saveTotals()
			m.write()
			return nil
		case <-m.wake:
		case <-again:
		}
		again = nil
		if !m.write() {
			again = time.After(memoryRetry)
		} else if in := m.totalsDue(); in > 0 {
			again = time.After(in)
		}
		wait(ctx, memoryEvery)
	}
}

// write writes the file if it is to hold anything else than it does, and tells whether all is well.
func (m *memory) write() bool {
	m.mu.Lock()
	now, path, broker := maps.Clone(m.kept), m.path, m.broker.good
	if m.moves {
		m.moves, m.last, m.broker.stored, m.totals.stored = false, found(path), "", nil
	}
	due := m.totals.due(time.Now())
	m.mu.Unlock()
	if path == "" || m.last != nil && maps.Equal(m.last, now) && broker == m.broker.stored && !due {
		m.leave(path)
		return true
	}
	content := storedOf(now, m.boot)
	content.Broker = broker
	content.Totals, content.Serial = m.totalsNow()
	err := m.save(path, content.bytes())
	m.mu.Lock()
	was := m.err
	m.err = err
	if err == nil {
		m.totals.saved(content.Totals, time.Now())
	}
	m.mu.Unlock()
	if err == nil {
		m.last, m.broker.stored = now, broker
		m.leave(path)
	}
	switch {
	case err != nil && (was == nil || was.Error() != err.Error()):
		m.log.Error("the state file cannot be written; it is tried again: a crash or a power cut would leave outputs without restore and deadline", "error", err)
		m.tell(m.trouble())
	case err == nil && was != nil:
		m.log.Info("the state file is written again", "path", path)
		m.tell("")
	}
	return err == nil
}

// trouble says what is wrong, for people; empty: nothing.
func (m *memory) trouble() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		return ""
	}
	return fmt.Sprintf("the state file cannot be written: %v", m.err)
}
