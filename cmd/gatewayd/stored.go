package main

import (
	"encoding/json"
	"fmt"
	"time"

	"gatewayd/bridge"
)

// boot is the time from one start of the kernel to the next. Deadlines are kept in its own time, which goes on while the machine
// sleeps and does not care for the clock being set: a Raspberry Pi has no clock of its own when it starts.
type boot struct {
	id    string               // empty: not known
	since func() time.Duration // its start
}

// stored is the state file's content.
type stored struct {
	Boot    string                  `json:"boot"`
	Outputs map[string]storedOutput `json:"outputs"`
	Broker  string                  `json:"broker,omitempty"` // of several, the one that was good last
}

type storedOutput struct {
	On    bool  `json:"on"`
	End   int64 `json:"end_ms,omitempty"` // since the start of that boot
	Timed bool  `json:"timed,omitempty"`
}

func storedOf(kept map[string]bridge.Kept, now time.Time, b boot) stored {
	s := stored{Boot: b.id, Outputs: map[string]storedOutput{}}
	up := b.since()
	for id, k := range kept {
		o := storedOutput{On: k.On, Timed: k.Timed}
		if !k.End.IsZero() {
			o.End = max(1, (up + k.End.Sub(now)).Milliseconds())
		}
		s.Outputs[id] = o
	}
	return s
}

// kept gives what the bridge is to know. After another boot nobody knows how long it took: an ON that had a time of its own is over,
// and max_on begins anew.
func (s stored) kept(now time.Time, b boot, another bool) map[string]bridge.Kept {
	kept := map[string]bridge.Kept{}
	up := b.since()
	for id, o := range s.Outputs {
		k := bridge.Kept{On: o.On, Timed: o.Timed}
		switch {
		case o.End != 0 && !another:
			k.End = now.Add(time.Duration(o.End)*time.Millisecond - up)
		case o.Timed:
			k.End = now
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
