//go:build linux

package e2e

import (
	"testing"
	"time"
)

func TestMaxOnAndPulse(t *testing.T) {
	b := newBroker(t)
	button, bell, heater, lamp := header(t, 5), header(t, 22), header(t, 23), header(t, 24)
	o := b.observe()
	newGateway(t, b, `
inputs:
  - {name: button, line: GPIO5}
outputs:
  - {name: bell, line: GPIO22, pulse: 600ms}
  - {name: heater, line: GPIO23, max_on: 1s}
  - {name: lamp, line: GPIO24}
rules:
  - {when: button, do: pulse, output: bell}
`)
	o.shows(root+"status", "online")
	o.shows(root+"bell", "OFF")
	o.shows(root+"heater", "OFF")
	o.shows(root+"lamp", "OFF")
	saw := watch(t, bell, heater, lamp)
	button.pull(t, true)
	o.send(root+"heater/set", "ON")
	o.send(root+"lamp/set", `{"state":"ON","for":"800ms"}`)
	for _, name := range []string{"bell", "heater", "lamp"} {
		eventually(t, name+" was on and is off", func() bool {
			p := o.payloads(0, root+name)
			return len(p) > 2 && p[len(p)-1] == "OFF" && p[len(p)-2] == "ON"
		})
	}
	sights := saw()
	for i, want := range []time.Duration{600 * time.Millisecond, time.Second, 800 * time.Millisecond} {
		var on, off []time.Time
		for _, s := range sights {
			switch {
			case s.line != i:
			case s.high:
				on = append(on, s.at)
			default:
				off = append(off, s.at)
			}
		}
		if len(on) != 1 || len(off) != 2 { // the first is how it was found
			t.Errorf("output %d: on %d times, off %d times", i, len(on), len(off))
			continue
		}
		// max_on counts from the wish, the pin follows it by a little; the others count from the confirmation.
		if d := off[1].Sub(on[0]); d < want-100*time.Millisecond || d > want+2*time.Second {
			t.Errorf("output %d was on for %v, want %v", i, d, want)
		}
	}
}

// Of the outputs in a group one at most is on, and there is a pause between.
func TestInterlock(t *testing.T) {
	const dead = 600 * time.Millisecond
	b := newBroker(t)
	up, down := header(t, 22), header(t, 23)
	o := b.observe()
	newGateway(t, b, `
outputs:
  - {name: up, line: GPIO22}
  - {name: down, line: GPIO23}
interlocks:
  - {name: blind, outputs: [up, down], dead_time: 600ms}
`)
	o.shows(root+"status", "online")
	o.shows(root+"up", "OFF")
	o.shows(root+"down", "OFF")
	time.Sleep(dead) // what was found off may have been on a moment before
	saw := watch(t, up, down)
	o.send(root+"up/set", "ON")
	o.shows(root+"up", "ON")
	mark := o.mark()
	o.send(root+"down/set", "ON")
	o.hears(mark, root+"down/error", "refused", `interlock "blind"`, `"up" is on`)
	o.send(root+"up/set", "OFF")
	o.send(root+"down/set", "ON") // waits
	o.shows(root+"down", "ON")
	o.send(root+"down/set", "OFF")
	o.send(root+"up/set", "ON")
	o.shows(root+"up", "ON")
	var on [2]bool
	var off [2]time.Time
	turns := 0
	for _, s := range saw() {
		other := 1 - s.line
		if s.high {
			turns++
			if on[other] {
				t.Error("both were on")
			}
			if d := s.at.Sub(off[other]); turns > 1 && d < dead-50*time.Millisecond {
				t.Errorf("only %v between off and on, want %v", d, dead)
			}
		} else {
			off[s.line] = s.at
		}
		on[s.line] = s.high
	}
	if turns != 3 {
		t.Errorf("switched on %d times, want 3", turns)
	}
}
