package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// all are the addresses on the bad bus, and what belongs there.
var all = map[uint16]string{0x20: "mcp23017", 0x21: "mcp23017", 0x22: "mcp23017", 0x76: "bme280"}

// unplug takes everything off the bad bus.
func (x *torture) unplug() {
	for a := range all {
		x.bad.world(a, fmt.Sprintf("absent 0x%02x", a))
	}
}

// plug brings it back, as it is after power-on.
func (x *torture) plug() {
	for a := range all {
		x.bad.world(a, fmt.Sprintf("0x%02x reset", a), fmt.Sprintf("present 0x%02x", a))
	}
}

// exchange puts a chip of another type in the place of one. Its pins are wired anew if it is the right one.
func (x *torture) exchange(addr uint16, kind string) {
	x.bad.world(addr, fmt.Sprintf("remove 0x%02x", addr), fmt.Sprintf("chip %s@0x%02x", kind, addr))
	x.other[addr] = kind != all[addr]
	if kind == all[addr] && addr == 0x21 {
		x.wireInterrupt()
	}
	for _, name := range x.names(false) {
		if p := x.places[name]; p.wire == x.bad && p.addr == addr && kind == all[addr] {
			x.push(name, false)
		}
	}
	if addr == 0x76 && kind == all[addr] {
		x.blow()
	}
}

// TestHotPlug takes chips and a sensor away and brings them back: all at once, at the start, several times in a row, and with a chip
// of another type at the same address meanwhile. The oracle sees to it that nothing is told that is not so.
func TestHotPlug(t *testing.T) {
	offline := func(x *torture, want int) {
		t.Helper()
		synctest.Wait()
		x.mu.Lock()
		defer x.mu.Unlock()
		n := 0
		for topic, v := range x.published {
			if v == "offline" && topic[len(topic)-len("/availability"):] == "/availability" {
				n++
			}
		}
		if n != want {
			x.t.Errorf("%d points are offline, want %d: %v", n, want, x.published)
		}
	}
	const points = 16 // on that bus, the sensor included
	for _, test := range []struct {
		name   string
		before func(x *torture)
		play   func(x *torture)
		within time.Duration
	}{
		{"at the start", (*torture).unplug, func(x *torture) {
			time.Sleep(20 * time.Second)
			offline(x, points)
			x.calmly()
			x.plug()
		}, 45 * time.Second},
		{"for long", nil, func(x *torture) {
			x.unplug()
			x.live(10 * time.Minute)
			offline(x, points)
			x.plug()
		}, 65 * time.Second},
		{"again and again", nil, func(x *torture) {
			for range 20 {
				x.unplug()
				x.live(time.Duration(20+x.dice.IntN(3000)) * time.Millisecond)
				x.plug()
				x.live(time.Duration(20+x.dice.IntN(3000)) * time.Millisecond)
			}
		}, 65 * time.Second},
		{"another type", nil, func(x *torture) {
			for addr, kinds := range map[uint16][]string{
				0x20: {"pcf8574", "regs", "ads1115"}, 0x21: {"pcf8574", "regs", "sht31"}, 0x22: {"pcf8574", "bme280", "regs"}, 0x76: {"bmp280", "regs", "mcp23017"},
			} {
				for _, kind := range kinds {
					x.exchange(addr, kind)
					x.live(20 * time.Second)
					n := map[uint16]int{0x20: 6, 0x21: 6, 0x22: 3, 0x76: 1}[addr]
					offline(x, n)
					x.exchange(addr, all[addr])
					x.recovers(65 * time.Second)
				}
			}
		}, 65 * time.Second},
		{"exchanged for one of its type", nil, func(x *torture) {
			for addr, kind := range all {
				x.exchange(addr, kind)
				x.live(5 * time.Second)
			}
		}, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				before := test.before
				if before == nil {
					before = func(*torture) {}
				}
				x := newTorture(t, 1, before)
				defer x.end()
				if test.before == nil {
					x.recovers(70 * time.Second)
				}
				test.play(x)
				took := x.recovers(test.within)
				t.Logf("all is well %v after the end of it; at most %d lines of the log in a minute", took, x.bounded(time.Since(began)))
			})
		})
	}
}
