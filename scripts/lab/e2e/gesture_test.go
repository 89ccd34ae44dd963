//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// presses are what fingers did at real buttons, in milliseconds: pressed, let go, pressed, ... The last is let go for good. Where
// a time decides, it is far from the limit: the lab may be busy for a while, and its hands are late then.
var presses = []struct {
	name  string
	times []int
	want  string // without press and release
}{
	{"good", []int{140}, "click"},
	{"slow", []int{420}, "click"},
	{"two clicks", []int{120, 160, 130}, "double"},
	{"a fast double click", []int{120, 120, 120}, "double"},
	{"a very fast double click", []int{45, 50, 40}, "double"}, // on the header: see below
	{"a slow double click", []int{380, 280, 390}, "double"},
	{"too far apart", []int{130, 900, 130}, "click click"},
	{"bouncing", []int{1, 1, 2, 1, 170, 1, 1, 2, 1}, "click"}, // the last is part of the release
	{"a bouncing double click", []int{1, 1, 150, 1, 1, 180, 1, 1, 150, 1, 2}, "double"},
	{"long", []int{1100}, "long"},
	{"long with hold", []int{2250}, "long hold hold"},
	{"a click, then long", []int{120, 150, 1150}, "click long"},
}

// The button is asked for all but triple clicks. What the times are is said in the file, with room for a slow machine.
const gestureConfig = `
inputs:
  - {name: button, %s, gestures: [press, release, click, double, long, hold], long_press: 800ms, multi_click: 500ms, hold_repeat: 500ms}
outputs:
  - {name: scene, line: GPIO22}
  - {name: light, line: GPIO23}
rules:
  - {when: button, is: double, do: toggle, output: scene}
  - {when: button, is: pressed, do: toggle, output: light}
`

// The header's edges have the kernel's own stamps.
func TestGesturesHeader(t *testing.T) {
	button := header(t, 17)
	playGestures(t, fmt.Sprintf(gestureConfig, "line: GPIO17, debounce: 12ms"), false, func(down bool) { button.pull(t, down) })
}

// The expander's are stamped when they are read.
func TestGesturesPolled(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x21")
	playGestures(t, "chips: [{name: io, type: mcp23017, address: 0x21, poll: 5ms}]"+
		fmt.Sprintf(gestureConfig, "chip: io, line: GPA0, pull: up, active_low: true, debounce: 50ms"), true, i2c.button(buttons, "a0"))
}

func TestGesturesInterrupt(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x21")
	i2c.do("wire mcp23017@0x21 inta " + string(header(t, 4)) + "/pull")
	playGestures(t, "chips: [{name: io, type: mcp23017, address: 0x21, interrupt: GPIO4}]"+
		fmt.Sprintf(gestureConfig, "chip: io, line: GPA0, pull: up, active_low: true, debounce: 50ms"), true, i2c.button(buttons, "a0"))
}

// button gives a hand at an input that a button pulls to ground.
func (b *bus) button(chip, pin string) func(down bool) {
	return func(down bool) {
		level := " open"
		if down {
			level = " low"
		}
		b.do(chip + " input " + pin + level)
	}
}

// playGestures plays all presses. A slow hand, as the simulated bus's is on a busy machine, needs a longer debounce for its bounces,
// and cannot press faster than that.
func playGestures(t *testing.T, config string, slow bool, hand func(down bool)) {
	scene, light := header(t, 22), header(t, 23)
	b := newBroker(t)
	o := b.observe()
	newGateway(t, b, config)
	o.shows(root+"status", "online")
	o.shows(root+"button", "OFF")
	o.shows(root+"light", "OFF")
	o.shows(root+"scene", "OFF")
	time.Sleep(200 * time.Millisecond) // a press within 30 ms of the start could be the pull-up's doing, and counts for none
	for _, p := range presses {
		if slow && p.times[0] > 10 && p.times[0] < 100 {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			lit, set := light.high(t), scene.high(t)
			mark, moved := o.mark(), time.Duration(0)
			next := time.Now()
			down := false
			for i, ms := range append(p.times, 0) {
				down = !down
				hand(i%2 == 0)
				if i == 0 && p.times[0] > 100 { // the rule for the press waits for nothing
					began := time.Now()
					for light.high(t) == lit {
						if moved = time.Since(began); moved > patience {
							t.Fatal("the rule for the press did nothing")
						}
						pause(time.Millisecond)
					}
				}
				next = next.Add(time.Duration(ms) * time.Millisecond)
				if d := time.Until(next); d > 0 {
					pause(d)
				} else {
					next = time.Now() // late: what comes after keeps its length
				}
			}
			if down {
				hand(false)
			}
			n := strings.Count(p.want, "click") + 2*strings.Count(p.want, "double") + strings.Count(p.want, "long")
			var told, got []string
			eventually(t, fmt.Sprintf("%d presses, and %s", n, p.want), func() bool {
				told, got = nil, nil
				for _, m := range o.since(mark, root+"button/event") {
					word := strings.TrimSuffix(strings.TrimPrefix(m.payload, `{"event_type":"`), `"}`)
					told = append(told, word)
					if word != "press" && word != "release" {
						got = append(got, word)
					}
					if m.retained || m.qos != 1 {
						t.Fatalf("%s came retained %v, with QoS %d", m.payload, m.retained, m.qos)
					}
				}
				all := strings.Join(told, " ")
				return strings.Count(all, "release") >= n && len(got) >= len(strings.Fields(p.want))
			})
			time.Sleep(600 * time.Millisecond) // time for what should not come
			if n := len(o.since(mark, root+"button/event")); n != len(told) {
				t.Errorf("%d more came", n-len(told))
			}
			if got := strings.Join(got, " "); got != p.want {
				t.Errorf("got %q of %q, want %q", got, told, p.want)
			}
			if want := n; strings.Count(strings.Join(told, " "), "press") != want {
				t.Errorf("%q are not %d presses", told, want)
			}
			lit = lit != (n%2 == 1)
			light.becomes(t, lit)
			set = set != (p.want == "double")
			scene.becomes(t, set)
			t.Logf("%v: %v; the light followed the press within %v", p.times, told, moved.Round(time.Millisecond))
			if moved > 300*time.Millisecond {
				t.Errorf("the light followed after %v: the press must not wait for the double click", moved)
			}
		})
	}
}
