//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reloadable is what runs; %s are lines of further outputs and their like.
const reloadable = `
home_assistant: {discovery: false} # states are told again after an announcement
chips:
  - {name: relays, type: mcp23017, address: 0x20}
  - {name: buttons, type: mcp23017, address: 0x21, interrupt: GPIO4}
inputs:
  - {name: button, chip: buttons, line: GPA0, pull: up, active_low: true}
  - {name: near_button, line: GPIO17}
  %s
outputs:
  - {name: near, line: GPIO22}
  - {name: near_low, line: GPIO23, active_low: true}
  - {name: light, chip: relays, line: GPA0}
  - {name: far, chip: relays, line: GPA1}
  - {name: far_low, chip: relays, line: GPB0, active_low: true}
  - {name: near_light, line: GPIO24}
  %s
rules:
  - {when: button, do: toggle, output: light}
  - {when: near_button, do: toggle, output: near_light}
  %s
`

// reloading is a gateway that is reloaded again and again.
type reloading struct {
	t   *testing.T
	b   *broker
	g   *gateway
	mqt string
}

// reload writes another configuration and has it loaded; it waits until the log says so, and gives that line.
func (r *reloading) reload(config, says string) string {
	r.t.Helper()
	write(r.t, r.g.file, r.mqt+config)
	mark := len(r.g.log.String())
	r.g.signal(unix.SIGHUP)
	var line string
	eventually(r.t, "the log has "+says, func() bool {
		for l := range strings.Lines(r.g.log.String()[mark:]) {
			if strings.Contains(l, says) {
				line = strings.TrimSpace(l)
			}
		}
		return line != ""
	})
	return line
}

// Reloads of all kinds, pins watched from outside: what is not changed does not move, and every press during them counts.
func TestReload(t *testing.T) {
	i2c, b := newBus(t, "mcp23017@0x20", "mcp23017@0x21"), newBroker(t)
	i2c.do("wire mcp23017@0x21 inta " + string(header(t, 4)) + "/pull")
	var pins []line
	for n := 22; n <= 26; n++ {
		pins = append(pins, header(t, n))
	}
	press := header(t, 17)
	o := b.observe()
	r := &reloading{t: t, b: b, mqt: fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\"}\n", b.addr())}
	first := fmt.Sprintf(reloadable, "", "", "")
	r.g = startGateway(t, r.mqt+first, "RUNTIME_DIRECTORY="+t.TempDir())
	on := []string{"near", "near_low", "far", "far_low"}
	for _, name := range append(on, "light", "near_light") {
		o.shows(root+name, "OFF")
	}
	for _, name := range on {
		o.send(root+name+"/set", "ON")
		o.shows(root+name, "ON")
	}
	time.Sleep(100 * time.Millisecond) // a press within 30 ms of the start could be the pull-up's doing
	saw, sawFar := watch(t, pins[:2]...), i2c.watch()
	mark := o.mark()

	// Somebody presses the buttons all the time, and lets go when the light has switched.
	stop, pressed := make(chan struct{}), make(chan [2]int)
	go func() {
		var n [2]int
		defer func() { pressed <- n }()
		for {
			for i, press := range []struct {
				light string
				put   func(down bool)
			}{
				{"light", func(down bool) { i2c.do(buttons + " input a0 " + map[bool]string{true: "low", false: "open"}[down]) }},
				{"near_light", func(down bool) { press.pull(t, down) }},
			} {
				press.put(true)
				n[i]++
				for end := time.Now().Add(patience); len(o.payloads(mark, root+press.light)) < n[i]; time.Sleep(5 * time.Millisecond) {
					if time.Now().After(end) {
						t.Errorf("press %d is not seen by %s", n[i], press.light)
						return
					}
				}
				press.put(false)
				time.Sleep(60 * time.Millisecond)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	variants := []string{
		first,
		fmt.Sprintf(reloadable, "", "- {name: more, line: GPIO25}", ""),
		fmt.Sprintf(reloadable, "- {name: door, line: GPIO18, pull: up}", "- {name: more, line: GPIO26}", ""),
		fmt.Sprintf(reloadable, "- {name: gate, chip: buttons, line: GPB0, pull: up}", "- {name: moved, chip: relays, line: GPA5}", "- {when: gate, do: on, output: moved}"),
		strings.ReplaceAll(fmt.Sprintf(reloadable, "", "- {name: moved, chip: relays, line: GPA6}", ""), "name: near,", "name: near, label: Lamp, topic: light/near,"),
	}
	var slowest time.Duration
	reloads := 0
	for range 8 {
		for i := range variants {
			next := variants[(i+1)%len(variants)]
			began := time.Now()
			said := r.reload(next, "reloaded: ")
			slowest = max(slowest, time.Since(began))
			reloads++
			if strings.Contains(said, "nothing") {
				t.Errorf("says %q", said)
			}
			time.Sleep(150 * time.Millisecond)
		}
	}
	said := r.reload(first+"nonsense: 1\n", "reload refused: ")
	if !strings.Contains(said, ":1: nonsense: unknown key") {
		t.Errorf("says %q", said)
	}
	o.health("the mistake", func(h *health) bool { return strings.Contains(strings.Join(h.Reasons, " "), "nonsense") })
	time.Sleep(300 * time.Millisecond)
	r.reload(first, "reloaded: ")
	o.health("no mistake", func(h *health) bool { return !strings.Contains(strings.Join(h.Reasons, " "), "nonsense") })
	close(stop)
	n := <-pressed
	for i, name := range []string{"light", "near_light"} {
		got := o.payloads(mark, root+name)
		for k, payload := range got {
			if want := []string{"ON", "OFF"}[k%2]; payload != want {
				t.Errorf("%s: %q at %d, want %s: a press was lost, or counted twice", name, payload, k, want)
				break
			}
		}
		if len(got) != n[i] {
			t.Errorf("%s: %d changes after %d presses", name, len(got), n[i])
		}
	}
	if sights := saw(); len(sights) != 2 {
		t.Errorf("pins of the header that nobody has changed: %v", sights)
	}
	for pin, high := range map[string]bool{"a1": true, "b0": false} {
		if got := of(sawFar(), "mcp23017@0x20 "+pin); len(got) > 0 {
			t.Errorf("0x20 %s changes to %v", pin, got)
		}
		if i2c.high(relays, pin) != high {
			t.Errorf("0x20 %s is not %v", pin, high)
		}
	}
	if r.g.said("connection to the broker lost", "did not answer in time") == 0 { // a machine that is very busy
		for _, name := range []string{"near_low", "far", "far_low", "light", "near_light"} {
			if got := o.payloads(mark, root+name+"/availability"); len(got) > 0 {
				t.Errorf("%s was told to be %q", name, got)
			}
		}
		if got := o.payloads(mark, root+"status"); len(got) > 0 {
			t.Errorf("the status was %q", got)
		}
	}
	for _, name := range []string{"more", "moved", "door", "gate"} {
		if m, _ := o.last(root + name + "/availability"); m.payload != "" {
			t.Errorf("%s is left, as %s", name, m.payload)
		}
	}
	t.Logf("measured: %d reloads, %d presses; %v at most from the signal to the line in the log", reloads, n[0]+n[1], slowest.Round(time.Millisecond))
}

// An output that is moved does at its old line what a stop would do, and begins at the new one; its neighbours do not move.
func TestReloadMoves(t *testing.T) {
	i2c, b := newBus(t, "mcp23017@0x20"), newBroker(t)
	var pins []line
	for n := 22; n <= 25; n++ {
		pins = append(pins, header(t, n))
	}
	o := b.observe()
	r := &reloading{t: t, b: b, mqt: fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\"}\n", b.addr())}
	config := func(falls, stays string) string {
		return fmt.Sprintf("chips: [{name: relays, type: mcp23017, address: 0x20}]\noutputs:\n  - {name: neighbour, line: GPIO22}\n  - {name: far, chip: relays, line: GPA0}\n"+
			"  - {name: falls, %s, on_exit: off}\n  - {name: stays, %s}\n", falls, stays)
	}
	r.g = startGateway(t, r.mqt+config("line: GPIO23", "line: GPIO24"))
	for _, name := range []string{"neighbour", "far", "falls", "stays"} {
		o.shows(root+name, "OFF")
		o.send(root+name+"/set", "ON")
		o.shows(root+name, "ON")
	}
	saw, sawFar := watch(t, pins...), i2c.watch()
	mark := o.mark()
	if said := r.reload(config("line: GPIO25", "chip: relays, line: GPA1"), "reloaded: "); !strings.Contains(said, "2 outputs changed") {
		t.Errorf("says %q", said)
	}
	o.hears(mark, root+"falls", "OFF")
	o.hears(mark, root+"stays", "OFF")
	o.shows(root+"stays/availability", "online")
	o.send(root+"stays/set", "ON")
	i2c.becomes(relays, "a1", true)
	time.Sleep(2500 * time.Millisecond) // a check of all lines
	var levels [4][]bool
	for _, s := range saw() {
		levels[s.line] = append(levels[s.line], s.high)
	}
	for i, want := range [][]bool{{true}, {true, false}, {true}, {false}} {
		if !slices.Equal(levels[i], want) {
			t.Errorf("GPIO%d: levels %v, want %v", 22+i, levels[i], want)
		}
	}
	if got := of(sawFar(), "mcp23017@0x20 a0"); len(got) > 0 {
		t.Errorf("0x20 a0 changes to %v", got)
	}
	info := strings.Split(run(t, "gpioinfo", "gpiochip0"), "\n")
	for n, used := range map[int]bool{22: true, 23: false, 24: false, 25: true} {
		if got := strings.Contains(info[n+1], "[used]"); got != used {
			t.Errorf("GPIO%d: used %v, want %v: %s", n, got, used, info[n+1])
		}
	}
}

// What is done after a crash is what the gateway ran with, whatever has become of its file.
func TestSafeStateAfterReload(t *testing.T) {
	b := newBroker(t)
	var pins []line
	for n := 22; n <= 24; n++ {
		pins = append(pins, header(t, n))
	}
	folder := t.TempDir()
	o := b.observe()
	r := &reloading{t: t, b: b, mqt: fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\"}\n", b.addr())}
	r.g = startGateway(t, r.mqt+"outputs: [{name: a, line: GPIO22, on_crash: off}]\n", "RUNTIME_DIRECTORY="+folder)
	t.Setenv("RUNTIME_DIRECTORY", folder)
	o.shows(root+"a", "OFF")
	r.reload("outputs: [{name: a, line: GPIO22}, {name: b, line: GPIO23, on_crash: off}, {name: c, line: GPIO24}]\n", "reloaded: 2 outputs new, 1 output changed; ")
	for _, name := range []string{"a", "b", "c"} {
		o.shows(root+name, "OFF")
		o.send(root+name+"/set", "ON")
		o.shows(root+name, "ON")
	}
	write(t, r.g.file, r.mqt+"outputs: [{name: a, line: GPIO22, on_crash: off}, nonsense\n") // and it was not loaded
	r.g.kill()
	if code, out := r.g.safeState("signal"); code != 0 || !strings.Contains(out, "after a crash: b off") {
		t.Errorf("code %d: %s", code, out)
	}
	for i, want := range []bool{true, false, true} {
		if got := pins[i].high(t); got != want {
			t.Errorf("GPIO%d: high %v, want %v", 22+i, got, want)
		}
	}
}
