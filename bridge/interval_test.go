package bridge

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gatewayd/gpio"
)

// contactors are outputs behind a chip that takes a while to confirm, and may fail. What they do is kept.
type contactors struct {
	t     *testing.T
	rand  *rand.Rand
	s     *state
	start time.Time
	now   time.Time
	next  time.Time // of step
	lines map[string]*contactor
	gone  bool
}

type contactor struct {
	name     string
	limit    time.Duration
	on       bool
	wish     bool
	due      time.Time // when the chip takes the wish; zero: there is none
	written  time.Time // when the wish changed
	wrote    bool
	latest   bool      // by the commands
	asked    time.Time // the latest command
	verb     string
	asks     int       // commands
	asksThen int       // when the wish changed
	came     time.Time // when it went on; zero: it is off
	went     time.Time // when it was switched
	switches int
}

func (r *contactors) fail(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("%v: %s", r.now.Sub(r.start), fmt.Sprintf(format, args...))
}

func (r *contactors) step(in any) {
	do, _, next := r.s.step(in, r.now)
	r.next = next
	for _, w := range slices.Clone(do) {
		l := r.lines[w.Point]
		on := w.Value > 0
		if on != l.wrote {
			if since := r.now.Sub(l.written); since < l.limit && !r.gone && !r.s.stopping && l.switches > 0 {
				r.fail("%s is switched %v after it was switched, want %v", l.name, since, l.limit)
			}
			if alone := l.asks == l.asksThen; !on && alone && l.name == "pulse" && r.now.Sub(l.came) != 3*time.Second {
				r.fail("the pulse took %v", r.now.Sub(l.came))
			}
			if other := r.lines[map[string]string{"up": "down", "down": "up"}[l.name]]; on && other != nil && r.now.Sub(other.went) < 400*time.Millisecond {
				r.fail("%s goes on %v after %s went off", l.name, r.now.Sub(other.went), other.name)
			}
			l.written, l.wrote, l.asksThen = r.now, on, l.asks
		}
		if l.wish = on; l.due.IsZero() {
			l.due = r.now.Add(time.Duration(r.rand.IntN(50)) * time.Millisecond)
		}
	}
}

// confirm has the chip take the wish of a line.
func (r *contactors) confirm(l *contactor) {
	l.due = time.Time{}
	if l.on != l.wish {
		l.switches++
		l.came, l.went = time.Time{}, r.now
		if l.wish {
			l.came = r.now
		}
	}
	l.on = l.wish
	if up, down := r.lines["up"], r.lines["down"]; up.on && down.on {
		r.fail("up and down are both on")
	}
	r.step(&gpio.Event{Chip: "relays", Line: l.name, Active: l.on, At: r.now})
}

// wait lets time pass, and what is due happen in order.
func (r *contactors) wait(d time.Duration) {
	until := r.now.Add(d)
	for {
		at, line := r.next, (*contactor)(nil)
		for _, name := range []string{"lamp", "pulse", "up", "down", "free"} { // in an order that is always the same
			if l := r.lines[name]; !r.gone && !l.due.IsZero() && (at.IsZero() || l.due.Before(at)) {
				at, line = l.due, l
			}
		}
		if at.IsZero() || at.After(until) {
			break
		}
		if at.After(r.now) {
			r.now = at
		}
		if line != nil {
			r.confirm(line)
		} else {
			r.step(tick{})
		}
	}
	r.now = until
}

func (r *contactors) command(name, verb string) {
	l := r.lines[name]
	if verb == "TOGGLE" && r.s.outputs[name].wanted() != l.latest {
		r.fail("TOGGLE of %s counts from %v, the latest wish is %v", name, !l.latest, l.latest)
	}
	l.latest = verb == "ON" || verb == "TOGGLE" && !l.latest
	l.asked, l.verb = r.now, verb
	l.asks++
	r.step(Inbound{Topic: "gatewayd/shed/" + name + "/set", Payload: []byte(verb)})
}

// come tells that the chip is there, or that it fails.
func (r *contactors) come(yes bool) {
	r.gone = !yes
	for _, l := range r.lines {
		e := &gpio.Event{Chip: "relays", Line: l.name, Active: l.on, At: r.now}
		if r.gone {
			e.Err = errors.New("gone")
		} else if !l.due.IsZero() {
			r.confirm(l)
			continue
		}
		r.step(e)
	}
}

func newContactors(t *testing.T, seed uint64) *contactors {
	r := &contactors{t: t, rand: rand.New(rand.NewPCG(seed, 0)), lines: map[string]*contactor{}}
	cfg := &Config{Device: "shed", Interlocks: []Interlock{{Name: "blind", Outputs: []string{"up", "down"}, DeadTime: 400 * time.Millisecond}}}
	for _, o := range []Output{
		{Name: "lamp", MinInterval: 500 * time.Millisecond}, {Name: "pulse", MinInterval: 2 * time.Second, Pulse: 3 * time.Second},
		{Name: "up", MinInterval: 700 * time.Millisecond}, {Name: "down", MinInterval: 5 * time.Second}, {Name: "free"},
	} {
		cfg.Outputs = append(cfg.Outputs, o)
		r.lines[o.Name] = &contactor{name: o.Name, limit: o.MinInterval}
	}
	var err error
	if r.s, err = newState(cfg, About{}); err != nil {
		t.Fatal(err)
	}
	r.start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r.now = r.start
	r.step(start{})
	r.come(true)
	return r
}

// Random commands at random times: an output is never switched sooner than its min_interval allows, no wish is lost, the latest
// wins, TOGGLE counts from it, pulses keep their length, and an interlock is kept.
func TestMinInterval(t *testing.T) {
	switches := 0
	for seed := range uint64(300) {
		r := newContactors(t, seed)
		for range 100 {
			name := pick(&dice{Rand: r.rand}, "lamp", "pulse", "up", "down", "free")
			r.command(name, pick(&dice{Rand: r.rand}, "ON", "OFF", "TOGGLE"))
			if name == "up" || name == "down" || name == "pulse" { // which may be refused, or end
				r.lines[name].latest = r.s.outputs[name].wanted()
			}
			r.wait(time.Duration(r.rand.IntN(pick(&dice{Rand: r.rand}, 10, 300, 3000))) * time.Millisecond)
			r.lines["pulse"].latest = r.s.outputs["pulse"].wanted()
			for _, name := range []string{"up", "down"} {
				r.lines[name].latest = r.s.outputs[name].wanted()
			}
			for _, l := range r.lines {
				if quiet := r.now.Sub(l.asked); l.verb == "OFF" && quiet > l.limit+200*time.Millisecond && l.on {
					r.fail("OFF was wished of %s %v ago, and it is on", l.name, quiet)
				}
			}
		}
		r.wait(20 * time.Second)
		for _, name := range []string{"lamp", "free"} {
			if l := r.lines[name]; l.on != l.latest {
				r.fail("seed %d: %s is on: %v, the latest wish is %v", seed, name, l.on, l.latest)
			}
		}
		if r.lines["pulse"].on {
			r.fail("seed %d: a pulse did not end", seed)
		}
		switches += r.lines["lamp"].switches
	}
	if switches < 300*5 {
		t.Errorf("%d switchings: too few to tell anything", switches)
	}
}

// No OFF is lost when the chip fails while it waits for its time, nor when the gateway stops.
func TestMinIntervalOff(t *testing.T) {
	for seed := range uint64(300) {
		r := newContactors(t, seed)
		for range 60 {
			switch r.rand.IntN(4) {
			case 0:
				r.come(r.gone)
			default:
				r.command("lamp", pick(&dice{Rand: r.rand}, "ON", "OFF", "TOGGLE", "TOGGLE"))
				r.lines["lamp"].latest = r.s.outputs["lamp"].wanted() // ON may be refused
			}
			r.wait(time.Duration(r.rand.IntN(pick(&dice{Rand: r.rand}, 10, 300, 3000))) * time.Millisecond)
			r.lines["lamp"].latest = r.s.outputs["lamp"].wanted() // and is withdrawn
		}
		if r.gone {
			r.come(true)
		}
		r.command("lamp", "ON")
		r.wait(time.Second)
		r.command("lamp", "OFF")
		r.command("lamp", "ON")
		r.wait(time.Second)
		if !r.lines["lamp"].on {
			r.fail("seed %d: the lamp is not on", seed)
		}
		r.command("lamp", "OFF")
		switch r.wait(500 * time.Millisecond); seed % 3 {
		case 0:
			r.wait(100 * time.Millisecond)
		case 1:
			r.command("lamp", "ON")
			r.command("lamp", "OFF")
			r.come(false)
			r.come(true)
		case 2:
			r.command("lamp", "ON")
			r.wait(550 * time.Millisecond)
			r.command("lamp", "OFF")
			r.step(stop{})
			r.wait(50 * time.Millisecond)
		}
		if r.lines["lamp"].on {
			r.fail("seed %d: the lamp is on", seed)
		}
	}
}
