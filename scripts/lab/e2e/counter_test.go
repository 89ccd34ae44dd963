//go:build linux

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wiggler drives a line as fast as the lab can.
type wiggler struct {
	t    testing.TB
	pull *os.File
	high bool
}

func newWiggler(t testing.TB, l line) *wiggler {
	t.Helper()
	f, err := os.OpenFile(string(l)+"/pull", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &wiggler{t: t, pull: f}
}

// edges makes n of them.
func (w *wiggler) edges(n int) {
	w.t.Helper()
	for range n {
		w.high = !w.high
		text := "pull-down"
		if w.high {
			text = "pull-up"
		}
		if _, err := w.pull.WriteAt([]byte(text), 0); err != nil {
			w.t.Fatal(err)
		}
	}
}

// total gives the last that was told on a topic, and -1 before.
func (o *observer) total(topic string) int {
	m, ok := o.last(topic)
	if !ok {
		return -1
	}
	n, err := strconv.Atoi(m.payload)
	if err != nil {
		o.t.Fatalf("%s: %q", topic, m.payload)
	}
	return n
}

// becomes waits for a total, and sees to it that it never goes beyond.
func (o *observer) becomes(topic string, want int) {
	o.t.Helper()
	within(o.t, 30*time.Second, fmt.Sprintf("%s is %d", topic, want), func() bool {
		got := o.total(topic)
		if got > want {
			o.t.Fatalf("%s is %d, want %d", topic, got, want)
		}
		return got == want
	})
}

// 100,000 edges as fast as the lab gives them, and bursts while the daemon stands still, of which the kernel's buffer has room for 1024:
// all are counted.
func TestCounter(t *testing.T) {
	b := newBroker(t)
	both, rising, falling := newWiggler(t, header(t, 17)), newWiggler(t, header(t, 18)), newWiggler(t, header(t, 19))
	settled := newWiggler(t, header(t, 20))
	o := b.observe()
	g := newGateway(t, b, `
counters:
  - {name: both, line: GPIO17, edges: both, every: 1s}
  - {name: rising, line: GPIO18, every: 1s}
  - {name: falling, line: GPIO19, active_low: true, every: 1s}
  - {name: settled, line: GPIO20, debounce: 20ms, every: 1s}
`)
	o.shows(root+"both/count", "0")
	o.shows(root+"rising/count", "0")
	o.shows(root+"falling/count", "0")
	o.shows(root+"settled/count", "0")
	const many = 100_000
	began := time.Now()
	both.edges(many)
	took := time.Since(began)
	o.becomes(root+"both/count", many)
	t.Logf("%d edges in %v, %.0f in a second: all counted", many, took.Round(time.Millisecond), many/took.Seconds())
	rising.edges(1001)
	falling.edges(1000)
	o.becomes(root+"rising/count", 501)
	o.becomes(root+"falling/count", 500)

	for range 5 {
		settled.edges(9) // it bounces
		time.Sleep(60 * time.Millisecond)
		settled.edges(9)
		time.Sleep(60 * time.Millisecond)
	}
	o.becomes(root+"settled/count", 5)

	g.signal(unix.SIGSTOP)
	both.edges(5000)
	rising.edges(7001)
	g.signal(unix.SIGCONT)
	o.becomes(root+"both/count", many+5000)
	o.becomes(root+"rising/count", 501+3500)

	o.send(root+"both/set", "42")
	o.shows(root+"both/count", "42")
	both.edges(3)
	o.becomes(root+"both/count", 45)
	o.health("no edge is lost", func(h *health) bool { return h.Level == "ok" && h.LostEdges == 0 })
	g.stop()
}

// The gateway is killed at random moments while it counts: no total goes back by more than a second's worth, none jumps.
func TestCounterKilled(t *testing.T) {
	b := newBroker(t)
	w := newWiggler(t, header(t, 17))
	o := b.observe()
	folder := t.TempDir()
	g := startGateway(t, fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\"}\nstate_file: %s\nsave_every: 10m\ncounters: [{name: c, line: GPIO17, edges: both, every: 1s}]\n",
		b.addr(), filepath.Join(folder, "state")), "RUNTIME_DIRECTORY="+folder)
	const rate = 200 // edges in a second
	made, low, lost := 0, 0, 0
	o.shows(root+"c/count", "0")
	for range 15 {
		before := o.total(root + "c/count")
		if before > made || before < low {
			t.Fatalf("after %d edges and a kill the total is %d, which should be from %d to %d", made, before, low, made)
		}
		base := before
		made = base
		began := time.Now()
		for until := time.Duration(rand.Int64N(int64(4 * time.Second))); time.Since(began) < until; {
			w.edges(rate / 50)
			made += rate / 50
			time.Sleep(20 * time.Millisecond)
		}
		mark := o.mark()
		g.kill()
		// Noted each second; what was counted in the second before that may be on its way.
		low = max(base, made-int(2.5*rate))
		o.shows(root+"status", "offline")
		g.start()
		eventually(t, "it tells its total again", func() bool { return len(o.payloads(mark, root+"c/count")) > 0 })
		now := o.total(root + "c/count")
		lost = max(lost, made-now)
	}
	t.Logf("15 kills: %d edges of %d in a second were lost at most", lost, rate)
	g.stop()
	state := filepath.Join(folder, "state")
	damaged := read(t, state)[:40]
	write(t, state, damaged)
	was := o.total(root + "c/count")
	mark := o.mark()
	g.start()
	g.says("the state file is of no use")
	eventually(t, "it tells its total again", func() bool { return len(o.payloads(mark, root+"c/count")) > 0 })
	if now := o.total(root + "c/count"); now != was {
		t.Errorf("with a damaged state file the total is %d, want the note's %d", now, was)
	}
	g.stop()
}

// A knob is turned, with contacts that bounce: a step for each detent, and none for a bounce.
func TestEncoder(t *testing.T) {
	b := newBroker(t)
	lines := [2]*wiggler{newWiggler(t, header(t, 23)), newWiggler(t, header(t, 24))}
	light := header(t, 22)
	o := b.observe()
	g := newGateway(t, b, `
encoders: [{name: knob, a: GPIO23, b: GPIO24, active_low: false, pull: as_is, position: true}]
outputs: [{name: light, line: 22}]
rules:
  - {when: knob, is: clockwise, do: on, output: light}
  - {when: knob, is: counterclockwise, do: off, output: light}
`)
	o.shows(root+"knob", "0")
	o.shows(root+"light", "OFF")
	turn := func(first, detents int) {
		for range detents {
			for _, contact := range []int{first, 1 - first, first, 1 - first} {
				lines[contact].edges(1 + 2*rand.IntN(6))
				time.Sleep(time.Millisecond) // no hand is faster; edges of both within one interrupt's latency have no order
			}
		}
	}
	mark := o.mark()
	turn(0, 500)
	o.shows(root+"knob", "500")
	o.shows(root+"light", "ON")
	light.becomes(t, true)
	turn(1, 700)
	o.shows(root+"knob", "-200")
	light.becomes(t, false)
	steps := o.payloads(mark, root+"knob/event")
	cw, ccw := 0, 0
	for _, s := range steps {
		switch s {
		case `{"event_type":"clockwise"}`:
			cw++
		case `{"event_type":"counterclockwise"}`:
			ccw++
		}
	}
	if cw != 500 || ccw != 700 || len(steps) != 1200 {
		t.Errorf("%d steps, %d clockwise and %d the other way, want 500 and 700", len(steps), cw, ccw)
	}
	g.stop()
}
