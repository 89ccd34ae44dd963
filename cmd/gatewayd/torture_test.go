package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/bridge"
)

// push presses or releases a button.
func (x *torture) push(name string, pressed bool) {
	p := x.places[name]
	if p.wire == x.bad && x.other[p.addr] {
		return
	}
	high := p.cfg.Level(pressed)
	x.pushes(name, high)
	if p.addr == 0 {
		x.header.Drive(p.cfg.Offset, high)
		return
	}
	level := "open" // the pull-up's
	if pressed {
		level = "low"
	}
	p.wire.play(fmt.Sprintf("0x%02x input %d %s", p.addr, p.cfg.Offset, level))
}

// blow changes the weather.
func (x *torture) blow() {
	if x.other[0x76] {
		return
	}
	w := weather{time.Now(), float64(x.dice.IntN(60)) - 10, 950 + float64(x.dice.IntN(80))}
	x.oracle.mu.Lock()
	x.climate = append(x.climate[max(0, len(x.climate)-10):], w)
	x.oracle.mu.Unlock()
	x.bad.play(fmt.Sprintf("0x76 temperature %v", w.temperature))
	x.bad.play(fmt.Sprintf("0x76 pressure %v", w.pressure))
}

func (x *torture) command(name, payload string) {
	x.g.bridge.Receive(bridge.Inbound{Topic: "gatewayd/shed/" + name + "/set", Payload: []byte(payload)})
}

// names gives the outputs or inputs, in order.
func (x *torture) names(outputs bool) (names []string) {
	for name, p := range x.places {
		if p.cfg.Output == outputs {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// live lets the world and people do what they do, for a while.
func (x *torture) live(d time.Duration) {
	ins, outs := x.names(false), x.names(true)
	for end := time.Now().Add(d); time.Now().Before(end); {
		x.bad.mu.Lock()
		most := x.bad.most
		x.bad.mu.Unlock()
		if most > maxTransfers {
			x.t.Fatalf("%d transfers with a chip in a second, want %d at most", most, maxTransfers)
		}
		time.Sleep(time.Duration(5+x.dice.IntN(400)) * time.Millisecond)
		switch x.dice.IntN(8) {
		case 0, 1, 2:
			name := ins[x.dice.IntN(len(ins))]
			x.push(name, true)
			if x.dice.IntN(3) == 0 {
				time.Sleep(time.Duration(1+x.dice.IntN(60)) * time.Millisecond)
				x.push(name, false)
			}
		case 3, 4:
			x.push(ins[x.dice.IntN(len(ins))], false)
		case 5, 6:
			x.command(outs[x.dice.IntN(len(outs))], []string{"ON", "OFF", "TOGGLE"}[x.dice.IntN(3)])
		case 7:
			if x.dice.IntN(4) == 0 {
				x.blow()
			}
		}
	}
}

// wrong tells what is not told as it is; empty: all is right.
func (x *torture) wrong() (all []string) {
	synctest.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	for name, p := range x.places {
		state, available := x.published["gatewayd/shed/"+name], x.published["gatewayd/shed/"+name+"/availability"]
		if available != "online" {
			all = append(all, fmt.Sprintf("%s is %q", name, available))
			continue
		}
		x.oracle.mu.Lock()
		if !p.cfg.Output {
			h := x.levels[name]
			if high := h[len(h)-1].high; (state == "ON") != (high == p.cfg.Level(true)) {
				all = append(all, fmt.Sprintf("%s is told %s, and its pin is high: %v", name, state, high))
			}
		} else if !x.drives(p, state == "ON", time.Now()) {
			all = append(all, fmt.Sprintf("%s is told %s, and not driven so", name, state))
		}
		x.oracle.mu.Unlock()
	}
	if got := x.published["gatewayd/shed/attic/availability"]; got != "online" {
		all = append(all, fmt.Sprintf("attic is %q", got))
	}
	slices.Sort(all)
	return all
}

// recovers waits until all is right, and then has every output follow.
func (x *torture) recovers(within time.Duration) (took time.Duration) {
	x.t.Helper()
	began := time.Now()
	for len(x.wrong()) > 0 {
		if took = time.Since(began); took > within {
			x.t.Fatalf("after %v without faults: %s\nthe log:\n%s", took, strings.Join(x.wrong(), "; "), strings.Join(x.logged[max(0, len(x.logged)-30):], "\n"))
		}
		time.Sleep(250 * time.Millisecond)
	}
	took = time.Since(began)
	for _, payload := range []string{"ON", "OFF"} {
		for _, name := range x.names(true) {
			x.command(name, payload)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		for _, name := range x.names(true) {
			x.mu.Lock()
			got := x.published["gatewayd/shed/"+name]
			x.mu.Unlock()
			if got != payload {
				x.t.Errorf("%s is %s 0.2 s after %s", name, got, payload)
			}
		}
	}
	if all := x.wrong(); len(all) > 0 {
		x.t.Errorf("after commands: %s", strings.Join(all, "; "))
	}
	return took
}

// calmly asserts that the chip on the other bus answers at once, whatever happens here.
func (x *torture) calmly() {
	x.t.Helper()
	for _, payload := range []string{"ON", "OFF"} {
		x.command("q0", payload)
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		x.mu.Lock()
		got := x.published["gatewayd/shed/q0"]
		x.mu.Unlock()
		if got != payload {
			x.t.Errorf("a chip on another bus is %s 20 ms after %s", got, payload)
		}
	}
}

// Bounds of what may happen under any faults. A chip that is polled every 10 ms has 100 transfers a second when all is well.
const (
	maxTransfers = 600 // with a chip in a second
	maxLines     = 150 // of the log in a minute, for five chips and a sensor
	meanLines    = 30  // in the long run
)

// bounded asserts that nothing spun and that the log was not flooded. It gives the most lines in a minute.
func (x *torture) bounded(d time.Duration) (most int) {
	x.t.Helper()
	all := 0
	for _, n := range x.minute {
		most, all = max(most, n), all+n
	}
	if x.bad.most > maxTransfers {
		x.t.Errorf("%d transfers with a chip in a second, want %d at most", x.bad.most, maxTransfers)
	}
	if most > maxLines || d > 10*time.Minute && float64(all) > meanLines*d.Minutes() {
		x.t.Errorf("%d lines of the log in a minute and %d in %v, want %d and %d a minute at most: %v", most, all, d, maxLines, meanLines, x.lines)
	}
	return most
}

var errUnplugged = errors.New("unplugged")

// roll gives the next regime.
func (x *torture) roll() *regime {
	r := &regime{share: []float64{0.01, 0.1, 0.5, 1}[x.dice.IntN(4)], addrs: map[uint16]bool{}}
	for range 1 + x.dice.IntN(2)*x.dice.IntN(4) {
		r.kinds = append(r.kinds, mishap(x.dice.IntN(int(mishaps))))
	}
	all := []uint16{0x20, 0x21, 0x22, 0x76}
	if x.dice.IntN(3) == 0 {
		for _, a := range all {
			r.addrs[a] = true
		}
	} else {
		r.addrs[all[x.dice.IntN(len(all))]] = true
	}
	return r
}

// TestTorture lets random things go wrong on a bus under a whole gateway, until TORTURE_FAULTS of them have (2000). The gateway must
// never tell what is not so, never hang or spin, and be right again by itself. TORTURE_SEED repeats the dice, though not in which
// order goroutines run that are awake at the same instant.
func TestTorture(t *testing.T) {
	want, seed := 2000, uint64(time.Now().UnixNano())
	if s := os.Getenv("TORTURE_FAULTS"); s != "" {
		want, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("TORTURE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("TORTURE_SEED=%d", seed)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		x := newTorture(t, seed)
		defer x.end()
		x.recovers(70 * time.Second)
		var slowest time.Duration
		rounds, n := 0, 0
		for ; n < want && !t.Failed(); rounds++ {
			r := x.roll()
			x.bad.mu.Lock()
			x.bad.regime = r
			x.bad.mu.Unlock()
			var undo func()
			switch x.dice.IntN(12) {
			case 0: // unplugged
				a := []uint16{0x20, 0x21, 0x22, 0x76}[x.dice.IntN(4)]
				x.bad.world(a, fmt.Sprintf("absent 0x%02x", a))
				undo = func() {
					x.bad.world(a, fmt.Sprintf("0x%02x reset", a), fmt.Sprintf("present 0x%02x", a))
				}
			case 1: // exchanged
				other := []string{"pcf8574@0x22", "bme280@0x22", "sht31@0x22", "regs@0x22"}[x.dice.IntN(4)]
				x.bad.world(0x22, "remove 0x22", "chip "+other)
				undo = func() { x.bad.world(0x22, "remove 0x22", "chip mcp23017@0x22") }
			case 2: // the header is gone
				x.header.Fail(errUnplugged)
				undo = x.header.Recover
			}
			x.live(time.Duration(100+x.dice.IntN(12000)) * time.Millisecond)
			if x.dice.IntN(4) == 0 {
				x.calmly()
			}
			x.bad.mu.Lock()
			x.bad.regime, n = nil, x.bad.n
			x.bad.mu.Unlock()
			if undo != nil {
				undo()
			}
			if x.dice.IntN(3) == 0 {
				slowest = max(slowest, x.recovers(70*time.Second))
			}
			if t.Failed() {
				t.Logf("in round %d: %v", rounds, r)
			}
		}
		slowest = max(slowest, x.recovers(70*time.Second))
		lines := x.bounded(time.Since(began))
		t.Logf("%d faults in %d rounds, %v of simulated time: %d events and %d samples told, %d of them wrong; slowest recovery %v; at most %d transfers with a chip in a second, and %d lines of the log in a minute",
			n, rounds, time.Since(began).Round(time.Second), x.heard, x.samples, x.lies, slowest, x.bad.most, lines)
		for m, n := range x.bad.struck {
			t.Logf("%s: %d", mishapNames[m], n)
		}
	})
}
