package bridge

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"gatewayd/gpio"
)

func TestRestored(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cfg := &Config{
		Outputs: []Output{{Name: "a", Restore: true}, {Name: "b", Restore: true, Entity: Entity{ID: "old"}}, {Name: "c", Restore: true}, {Name: "plain"},
			{Name: "up", Restore: true}, {Name: "down", Restore: true}, {Name: "left", Restore: true}, {Name: "right", Restore: true}},
		Interlocks: []Interlock{{Outputs: []string{"up", "down"}}, {Outputs: []string{"left", "right"}}},
	}
	got := Restored(cfg, map[string]Kept{
		"a":    {On: true, End: now.Add(time.Second)},
		"b":    {On: true}, // it is kept by its id
		"old":  {On: false},
		"c":    {On: true, End: now},
		"up":   {On: true},
		"down": {On: true},
		"left": {On: true}, "right": {On: true, End: now.Add(-time.Hour), Timed: true},
		"plain": {On: true}, "gone": {On: true},
	}, now)
	want := map[string]bool{"a": true, "b": false, "c": false, "up": false, "down": false, "left": true, "right": false}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// crashHouse plays the hardware of a gateway that crashes: outputs stay as they are, and what was kept is all that the next run knows.
type crashHouse struct {
	t    *testing.T
	cfg  *Config
	s    *state
	now  time.Time
	next time.Time
	on   map[string]bool
	disk map[string]Kept
	due  map[string]time.Time // by when an output must be off
}

func (h *crashHouse) boot() {
	var err error
	if h.s, err = newState(h.cfg, About{}); err != nil {
		h.t.Fatal(err)
	}
	h.s.recall(h.disk)
	for i := range h.cfg.Outputs {
		name := h.cfg.Outputs[i].Name
		h.step(&gpio.Event{Chip: "c", Line: name, Active: h.on[name]})
	}
}

func (h *crashHouse) step(in any) {
	do, _, next := h.s.step(in, h.now)
	h.next = next
	for _, k := range h.s.keep {
		if k.Kept == nil {
			delete(h.disk, k.id)
		} else {
			h.disk[k.id] = *k.Kept
		}
	}
	var events []*gpio.Event
	for _, w := range do {
		h.on[w.Point] = w.Value != 0
		events = append(events, &gpio.Event{Chip: "c", Line: w.Point, Active: w.Value != 0})
	}
	for _, e := range events {
		h.step(e)
	}
}

// until lets time pass, with a gateway that runs.
func (h *crashHouse) until(t time.Time) {
	untilThen(h.t, &h.now, &h.next, t, func() {
		h.step(tick{})
		h.late()
	})
}

// untilThen has it be end, after each tick that is due till then.
func untilThen(t testing.TB, now, next *time.Time, end time.Time, tick func()) {
	t.Helper()
	for n := 0; !next.IsZero() && !next.After(end); n++ {
		if n > 5000 {
			t.Fatal("one tick after the other")
		}
		if next.After(*now) {
			*now = *next
		}
		tick()
	}
	*now = end
}

func (h *crashHouse) late() {
	for name, due := range h.due {
		switch {
		case !h.on[name]:
			delete(h.due, name)
		case h.now.After(due.Add(keptSlack)):
			h.t.Fatalf("%s is on %v after its end", name, h.now.Sub(due))
		}
	}
}

// Whatever is switched on for a time is off when that is over, with a crash at any moment, and any number of them; what has no end
// stays on.
func TestCrashes(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		h := &crashHouse{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), on: map[string]bool{}, disk: map[string]Kept{}, due: map[string]time.Time{},
			cfg: &Config{Device: "d", Outputs: []Output{{Name: "plain"}, {Name: "limited", MaxOn: 10 * time.Second}, {Name: "pulse", Pulse: 5 * time.Second},
				{Name: "short", Pulse: 300 * time.Millisecond}, {Name: "restored", Restore: true}}}}
		h.boot()
		forever := false
		for range 100 {
			switch o := &h.cfg.Outputs[r.IntN(len(h.cfg.Outputs))]; r.IntN(5) {
			case 0: // a crash; it takes a while until somebody starts it again
				h.now = h.now.Add(time.Duration(r.IntN(8000)) * time.Millisecond)
				h.boot()
				h.until(h.now)
				h.late()
			case 1:
				h.step(Inbound{Topic: "gatewayd/d/" + o.Name + "/set", Payload: []byte("OFF")})
				delete(h.due, o.Name)
				forever = forever && o.Name != "plain"
			case 2:
				h.step(Inbound{Topic: "gatewayd/d/" + o.Name + "/set", Payload: []byte(`{"state":"ON","for":"3s"}`)})
				h.due[o.Name] = h.now.Add(3 * time.Second)
				forever = forever && o.Name != "plain"
			case 3:
				h.step(Inbound{Topic: "gatewayd/d/" + o.Name + "/set", Payload: []byte("ON")})
				delete(h.due, o.Name)
				if d := max(o.MaxOn, o.Pulse); d > 0 {
					h.due[o.Name] = h.now.Add(d)
				}
				forever = forever || o.Name == "plain"
			case 4:
				h.until(h.now.Add(time.Duration(r.IntN(4000)) * time.Millisecond))
			}
			if forever && !h.on["plain"] {
				t.Fatalf("seed %d: an ON without an end has ended", seed)
			}
			for id, k := range h.disk {
				if id != "restored" && (!k.On || k.End.IsZero()) {
					t.Fatalf("seed %d: %s is kept without need: %+v", seed, id, k)
				}
			}
			if k, ok := h.disk["restored"]; !ok || k.On != h.on["restored"] {
				t.Fatalf("seed %d: kept %+v, %v, of what is to be restored as %v", seed, k, ok, h.on["restored"])
			}
		}
	}
}
