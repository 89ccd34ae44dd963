package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatewayd/bridge"
	"gatewayd/internal/statefile"
)

// totals are how far counters have come, in edges, by id. They are kept twice: in the state file, rarely, as a card wears; and each
// second in a note in the folder of the service, which is memory and outlives a crash, but no power cut. Those of counters that are gone
// stay: a meter that is taken out of the configuration for a day goes on where it was.
type totals struct {
	found  map[string]uint64 // as an earlier run has left them
	note   string            // the note's path; empty: there is none
	often  time.Duration     // between two writes of the note
	every  time.Duration     // between two writes of the state file for them
	now    map[string]uint64
	serial uint64            // of what was written last, to either place
	stored map[string]uint64 // what is in the state file; nil: that is not known
	at     time.Time         // when they were written there
	urgent bool              // they are to be written there at once
	failed bool              // the note could not be written, and that was told
}

// noteEvery is how often the note is written, at most.
const noteEvery = time.Second

// totalsFile is where the note is; empty: there is no folder for it.
func totalsFile() string {
	folder, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":") // systemd.exec(5)
	if folder == "" {
		return ""
	}
	return filepath.Join(folder, "totals")
}

// notedTotals is the note's content.
type notedTotals struct {
	State  string            `json:"state"` // the path of the state file; empty: there is none
	Boot   string            `json:"boot"`
	Serial uint64            `json:"serial"`
	Totals map[string]uint64 `json:"totals"`
}

func readNote(path string) (n notedTotals, err error) {
	content, err := statefile.Load(path)
	if err == nil {
		if err = json.Unmarshal(content, &n); err != nil {
			err = fmt.Errorf("%s: its content is not understood: %w", path, err)
		}
	}
	return n, err
}

// findTotals takes the later of what the state file and the note have, before anything runs.
func (m *memory) findTotals() {
	t := &m.totals
	maps.Copy(t.now, t.stored)
	if t.note != "" {
		n, err := readNote(t.note)
		switch {
		case err == nil && (n.Serial > t.serial || t.stored == nil):
			t.now, t.serial, t.urgent = n.Totals, max(n.Serial, t.serial), true
			if t.now == nil {
				t.now = map[string]uint64{}
			}
			m.log.Info("the totals of counters are those from the moment of the crash")
			m.nudge()
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			m.log.Error("the note of the counters' totals is of no use: they are as the state file has them", "error", err)
		}
	}
	t.found = maps.Clone(t.now)
}

// count takes how far a counter has come. It does not block.
func (m *memory) count(c bridge.Counted) {
	m.mu.Lock()
	first := maps.Equal(m.totals.now, m.totals.stored)
	m.totals.now[c.ID] = c.Pulses
	m.totals.urgent = m.totals.urgent || c.Preset
	m.mu.Unlock()
	if first || c.Preset {
		m.nudge()
	}
}

// due tells whether the state file is to be written for the totals. The memory's lock is held, as with what follows.
func (t *totals) due(now time.Time) bool {
	return t.changed() && (t.urgent || t.stored == nil || now.Sub(t.at) >= t.every)
}

func (t *totals) changed() bool { return !maps.Equal(t.now, t.stored) }

// saved notes what is in the state file now.
func (t *totals) saved(what map[string]uint64, now time.Time) {
	t.stored, t.at = what, now
	if maps.Equal(what, t.now) {
		t.urgent = false
	}
}

// totalsDue tells in how long the state file is to be written for the totals; 0: it has them.
func (m *memory) totalsDue() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.totals.changed() || m.path == "" {
		return 0
	}
	return max(memoryEvery, m.totals.every-time.Since(m.totals.at))
}

// saveTotals has the next write have them.
func (m *memory) saveTotals() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.totals.urgent = true
}

// totalsNow gives them for writing.
func (m *memory) totalsNow() (now map[string]uint64, serial uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.totals.serial++
	return maps.Clone(m.totals.now), m.totals.serial
}

// takeNotes writes the note whenever totals have changed, until ctx ends, and once more then.
func (m *memory) takeNotes(ctx context.Context) {
	if m.totals.note == "" {
		return
	}
	var noted map[string]uint64
	for ctx.Err() == nil {
		wait(ctx, m.totals.often)
		m.mu.Lock()
		same := maps.Equal(m.totals.now, noted)
		state := m.path
		m.mu.Unlock()
		if same {
			continue
		}
		now, serial := m.totalsNow()
		content, err := json.Marshal(notedTotals{state, m.boot, serial, now})
		if err == nil {
			err = m.save(m.totals.note, content)
		}
		if err == nil {
			noted = now
		} else if !m.totals.failed {
			m.totals.failed = true
			m.log.Error("the note of the counters' totals cannot be written: a crash costs what was counted since the state file was written", "error", err)
		}
	}
}

// rescueTotals puts the note into the state file, after a crash: the folder that it is in goes with the service.
func rescueTotals(note string, log *slog.Logger) {
	if note == "" {
		return
	}
	n, err := readNote(note)
	if errors.Is(err, fs.ErrNotExist) || err == nil && n.State == "" {
		return
	}
	if err == nil {
		err = n.rescue(log)
	}
	if err != nil {
		log.Error("what counters have counted last is not saved: they go on from what the state file has", "error", err)
	}
}

// rescue does it. Of a state file that is of no use only the totals are saved.
func (n *notedTotals) rescue(log *slog.Logger) error {
	var past stored
	content, err := statefile.Load(n.State)
	if err == nil {
		past, err = parseStored(content)
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, statefile.ErrDamaged) {
		return err
	}
	switch {
	case err == nil && past.Serial >= n.Serial:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		log.Error("the state file is of no use: nothing but the counters' totals is saved into a new one", "error", err)
		fallthrough
	case err != nil:
		past = stored{Boot: n.Boot, Outputs: map[string]storedOutput{}}
	}
	past.Totals, past.Serial = n.Totals, n.Serial
	return statefile.Save(n.State, past.bytes())
}
