package main

import (
	"encoding/json"
	"fmt"
	"time"

	"gatewayd/bridge"
	"gatewayd/internal/clock"
)

// bootID tells one start of the kernel from another; empty: not known, and every start of the program counts as one of the machine.
func bootID() string {
	id, _ := readSmall("/proc/sys/kernel/random/boot_id")
	return id
}

// stored is the state file's content.
type stored struct {
	Boot    string                  `json:"boot"`
	Outputs map[string]storedOutput `json:"outputs"`
	Broker  string                  `json:"broker,omitempty"` // of several, the one that was good last
	Totals  map[string]uint64       `json:"totals,omitempty"` // of counters, in edges, by id
	Serial  uint64                  `json:"serial,omitempty"` // of the totals: of two places where they are kept, the higher one is the later
}

type storedOutput struct {
	On    bool  `json:"on"`
	End   int64 `json:"end_ms,omitempty"` // since the machine's start: a Raspberry Pi has no clock of its own then
	Timed bool  `json:"timed,omitempty"`
}

func storedOf(kept map[string]bridge.Kept, boot string) stored {
	s := stored{Boot: boot, Outputs: map[string]storedOutput{}}
	for id, k := range kept {
		o := storedOutput{On: k.On, Timed: k.Timed}
		if !k.End.IsZero() {
			o.End = max(1, clock.SinceBoot(k.End).Milliseconds())
		}
		s.Outputs[id] = o
	}
	return s
}

// kept gives what the bridge is to know. After another boot nobody knows how long it took: an ON that had a time of its own is over,
// and max_on begins anew.
func (s stored) kept(another bool) map[string]bridge.Kept {
	kept := map[string]bridge.Kept{}
	for id, o := range s.Outputs {
		k := bridge.Kept{On: o.On, Timed: o.Timed}
		switch {
		case o.End != 0 && !another:
			k.End = clock.FromBoot(time.Duration(o.End) * time.Millisecond)
		case o.Timed:
			k.End = clock.Now()
		}
		kept[id] = k
	}
	return kept
}

func (s stored) bytes() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // of strings, bools and numbers: cannot be
	}
	return append(b, '\n')
}

func parseStored(content []byte) (s stored, err error) {
	if err = json.Unmarshal(content, &s); err != nil {
		err = fmt.Errorf("its content is not understood: %w", err)
	}
	return s, err
}
