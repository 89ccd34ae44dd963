package main

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"

	"gatewayd/bridge"
	"gatewayd/internal/config"
)

// outputIDs gives the outputs by what their state is kept by.
func outputIDs(cfg *config.Config) map[string]*bridge.Output {
	ids := map[string]*bridge.Output{}
	for i := range cfg.Bridge.Outputs {
		o := &cfg.Bridge.Outputs[i]
		ids[cmp.Or(o.Entity.ID, o.Name)] = o
	}
	return ids
}

// claimsAfter is claims for the configuration that follows another one: an output that is elsewhere by then was first made what
// on_exit says.
func (m *memory) claimsAfter(was, is *config.Config) *config.Config {
	m.mu.Lock()
	kept := maps.Clone(m.kept)
	m.mu.Unlock()
	before, after := places(was), places(is)
	now := outputIDs(is)
	for id, o := range outputIDs(was) {
		k, known := kept[id]
		if next := now[id]; !known || next == nil || before[o.Name] == after[next.Name] {
			continue
		}
		k.On = (k.On && !k.Timed || o.OnExit == bridge.ExitOn) && o.OnExit != bridge.ExitOff
		kept[id] = bridge.Kept{On: k.On}
	}
	return m.claimsOf(is, kept)
}

// change has the memory serve another configuration, with the state file at path: what is kept moves there. It does not block.
func (m *memory) change(cfg *config.Config, path string) {
	ids := outputIDs(cfg)
	m.mu.Lock()
	maps.DeleteFunc(m.kept, func(id string, _ bridge.Kept) bool { return ids[id] == nil })
	m.totals.every = cfg.SaveEvery
	if path != m.path {
		m.left = append(m.left, m.path)
		m.path, m.moves, m.err = path, true, nil
	}
	m.mu.Unlock()
	m.nudge()
}

// leave removes the files at the places before, now that it is at path: they would be believed if the configuration were to name them
// again. If it has moved on meanwhile, that comes later.
func (m *memory) leave(path string) {
	m.mu.Lock()
	var left []string
	if path == m.path {
		left, m.left = m.left, nil
	}
	m.mu.Unlock()
	for _, old := range left {
		if old == "" || old == path {
			continue
		}
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.log.Warn("the state file is elsewhere by now; the old one cannot be removed: remove it, it would be believed", "error", err)
		}
	}
}

// found tells what is known of the file at a place where none was kept so far: nothing if there is one.
func found(path string) map[string]bridge.Kept {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return map[string]bridge.Kept{}
	}
	return nil
}
