//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatewayd/internal/statefile"
)

// keeping starts a gateway with a state file, and gives the path of that.
func keeping(t *testing.T, b *broker, config string) (g *gateway, state string) {
	t.Helper()
	folder := t.TempDir()
	g = startGateway(t, fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\"}\n%s", b.addr(), config), "STATE_DIRECTORY="+folder)
	return g, filepath.Join(folder, "state")
}

// stateHas waits until the state file holds a text.
func stateHas(t *testing.T, path, text string) {
	t.Helper()
	eventually(t, "the state file has "+text, func() bool {
		content, err := statefile.Load(path)
		return err == nil && strings.Contains(string(content), text)
	})
}

// safeState runs what the service runs after the end of the gateway.
func (g *gateway) safeState(result string) (code int, out string) {
	g.t.Helper()
	cmd := exec.Command(program(g.t, "gatewayd"), "safe-state", "-c", g.file)
	cmd.Env = append(os.Environ(), "SERVICE_RESULT="+result)
	said, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(said)
}

const crashConfig = `
chips:
  - {name: relays, type: mcp23017, address: 0x20}
  - {name: buttons, type: mcp23017, address: 0x21}
inputs:
  - {name: in, chip: relays, line: GPA5, pull: up, active_low: true}
outputs:
  - {name: kept, line: GPIO22}
  - {name: low_kept, line: GPIO23, active_low: true}
  - {name: falls, line: GPIO24, on_crash: off}
  - {name: low_falls, line: GPIO25, on_crash: off, active_low: true}
  - {name: rises, line: GPIO26, on_crash: on}
  - {name: far_kept, chip: relays, line: GPA0}
  - {name: far_kept_off, chip: relays, line: GPA1}
  - {name: far_falls, chip: relays, line: GPA2, on_crash: off}
  - {name: far_rises, chip: relays, line: GPB0, on_crash: on}
  - {name: far_low, chip: relays, line: GPB1, on_crash: off, active_low: true}
  - {name: more_falls, chip: buttons, line: GPA0, on_crash: off}
`

// After a SIGKILL each output becomes what its on_crash says, with no detour, and no other moves; after a clean stop none does.
func TestSafeState(t *testing.T) {
	i2c, b := newBus(t, "mcp23017@0x20", "mcp23017@0x21"), newBroker(t)
	var pins []line
	for n := 22; n <= 26; n++ {
		pins = append(pins, header(t, n))
	}
	o := b.observe()
	g := newGateway(t, b, crashConfig)
	on := []string{"kept", "low_kept", "falls", "low_falls", "far_kept", "far_falls", "far_low", "more_falls"}
	for _, name := range on {
		o.shows(root+name, "OFF")
		o.send(root+name+"/set", "ON")
		o.shows(root+name, "ON")
	}
	o.shows(root+"far_rises", "OFF")

	saw, sawFar := watch(t, pins...), i2c.watch()
	g.stop()
	if code, out := g.safeState("success"); code != 0 || out != "" {
		t.Errorf("after a clean stop: code %d, %s", code, out)
	}
	if sights, changes := saw(), sawFar(); len(sights) != len(pins) || len(changes) > 0 {
		t.Errorf("after a clean stop: %v, %v", sights, changes)
	}

	g.start()
	for _, name := range on {
		o.shows(root+name, "ON")
	}
	saw, sawFar = watch(t, pins...), i2c.watch()
	g.kill()
	began := time.Now()
	code, out := g.safeState("signal")
	t.Logf("measured: safe-state took %v:\n%s", time.Since(began).Round(time.Millisecond), out)
	if code != 0 {
		t.Errorf("code %d", code)
	}
	mark := o.mark()
	g.start()
	for name, want := range map[string]string{"kept": "ON", "low_kept": "ON", "falls": "OFF", "low_falls": "OFF", "rises": "ON",
		"far_kept": "ON", "far_kept_off": "OFF", "far_falls": "OFF", "far_rises": "ON", "far_low": "OFF", "more_falls": "OFF"} {
		o.hears(mark, root+name, want)
	}
	time.Sleep(2500 * time.Millisecond) // a check of all lines
	var levels [5][]bool
	for _, s := range saw() {
		levels[s.line] = append(levels[s.line], s.high)
	}
	for i, want := range [][]bool{{true}, {false}, {true, false}, {false, true}, {false, true}} {
		if !slices.Equal(levels[i], want) {
			t.Errorf("GPIO%d: levels %v, want %v", 22+i, levels[i], want)
		}
	}
	changes := sawFar()
	for pin, want := range map[string][]bool{"0x20 a0": nil, "0x20 a1": nil, "0x20 a2": {false}, "0x20 b0": {true}, "0x20 b1": {true}, "0x21 a0": {false}} {
		if got := of(changes, "mcp23017@"+pin); !slices.Equal(got, want) {
			t.Errorf("%s: changed to %v, want %v", pin, got, want)
		}
	}
	if got, want := len(changes), 4; got != want {
		t.Errorf("%d changes of the expanders' pins, want %d: %v", got, want, changes)
	}

	// A bus that does not answer: told, in time, and the header is as it should be.
	o.send(root+"falls/set", "ON")
	o.shows(root+"falls", "ON")
	g.kill()
	i2c.do("fault all timeout on")
	began = time.Now()
	code, out = g.safeState("watchdog")
	if took := time.Since(began); code != 1 || took > 6*time.Second || !strings.Contains(out, `chip "relays"`) || !strings.Contains(out, "far_falls off") {
		t.Errorf("without the bus: code %d after %v: %s", code, took, out)
	}
	i2c.do("fault all off")
	if pins[2].high(t) {
		t.Error("falls is on")
	}
}

// An ON ends when it was to end, whatever happened to the gateway meanwhile.
func TestEndsAfterCrash(t *testing.T) {
	i2c, b := newBus(t, "mcp23017@0x20"), newBroker(t)
	near, limited := header(t, 22), header(t, 23)
	o := b.observe()
	g, state := keeping(t, b, `
chips: [{name: relays, type: mcp23017, address: 0x20}]
outputs:
  - {name: near, line: GPIO22}
  - {name: limited, line: GPIO23, max_on: 5s}
  - {name: far, chip: relays, line: GPA0, pulse: 4s}
  - {name: other, chip: relays, line: GPA1}
`)
	all := []string{"near", "limited", "far", "other"}
	for _, name := range all {
		o.shows(root+name, "OFF")
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("it has written a state file, and there is nothing to keep")
	}
	lasts := []time.Duration{4 * time.Second, 5 * time.Second}
	const slack = time.Second // to switch and to see it, on a busy machine; max_on begun anew would be twice as late
	for _, c := range []struct {
		name string
		over bool // when it is back
		down func()
	}{
		{"killed twice", false, func() {
			for range 2 {
				time.Sleep(400 * time.Millisecond)
				g.kill()
				time.Sleep(200 * time.Millisecond)
				g.start()
			}
		}},
		{"away until it was over", true, func() {
			g.kill()
			time.Sleep(5500 * time.Millisecond)
			g.start()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			saw := watch(t, near, limited)
			began := time.Now()
			o.send(root+"near/set", `{"state":"ON","for":"4s"}`)
			o.send(root+"limited/set", "ON")
			o.send(root+"far/set", "ON")
			o.send(root+"other/set", "ON")
			for _, name := range all {
				o.shows(root+name, "ON")
			}
			for _, name := range all[:3] {
				stateHas(t, state, `"`+name+`"`)
			}
			mark := o.mark()
			c.down()
			back := time.Now()
			near.becomes(t, false)
			limited.becomes(t, false)
			i2c.becomes("0x20", "a0", false)
			if took := time.Since(began); !c.over && took > lasts[1]+2*time.Second {
				t.Errorf("all over after %v", took)
			}
			if took := time.Since(back); c.over && took > 3*time.Second {
				t.Errorf("over %v after the start", took)
			}
			for _, name := range all[:3] {
				o.hears(mark, root+name, "OFF")
			}
			var wentOn [2]time.Time
			for _, s := range saw() {
				if s.high {
					wentOn[s.line] = s.at
				} else if on := wentOn[s.line]; !on.IsZero() {
					d := s.at.Sub(on)
					t.Logf("measured: GPIO%d was on for %v", 22+s.line, d.Round(time.Millisecond))
					if !c.over && (d-lasts[s.line]).Abs() > slack {
						t.Errorf("GPIO%d was on for %v, want %v", 22+s.line, d, lasts[s.line])
					}
				}
			}
			if n := len(saw()); n != 6 {
				t.Errorf("%d levels of two lines, want off, on, off of each", n)
			}
			if !i2c.high("0x20", "a1") {
				t.Error("an ON without an end has ended")
			}
			o.send(root+"other/set", "OFF")
			o.shows(root+"other", "OFF")
			eventually(t, "nothing is kept any more", func() bool {
				content, err := statefile.Load(state)
				return err == nil && strings.Contains(string(content), `"outputs":{}`)
			})
		})
	}

	// A restart that was wished: max_on goes on, what had a time of its own has ended with the gateway.
	saw := watch(t, near, limited)
	for _, name := range []string{"limited", "near"} {
		o.send(root+name+"/set", map[string]string{"limited": "ON", "near": `{"state":"ON","for":"1h"}`}[name])
		o.shows(root+name, "ON")
	}
	time.Sleep(time.Second)
	g.stop()
	if near.high(t) || !limited.high(t) {
		t.Error("after the stop near is on, or limited is off")
	}
	g.start()
	limited.becomes(t, false)
	var on time.Time
	for _, s := range saw() {
		if s.line == 1 && s.high {
			on = s.at
		} else if s.line == 1 && !on.IsZero() && (s.at.Sub(on)-lasts[1]).Abs() > slack {
			t.Errorf("max_on over a restart: on for %v, want %v", s.at.Sub(on), lasts[1])
		}
	}
}

// After a power cut outputs are what they were, with one change of their pins; while they are driven they keep their level.
func TestRestore(t *testing.T) {
	i2c, b := newBus(t, "mcp23017@0x20"), newBroker(t)
	near, low, off, boot := header(t, 22), header(t, 23), header(t, 24), header(t, 25)
	o := b.observe()
	g, state := keeping(t, b, `
chips: [{name: relays, type: mcp23017, address: 0x20}]
outputs:
  - {name: near, line: GPIO22, initial: restore}
  - {name: low, line: GPIO23, initial: restore, active_low: true}
  - {name: "off", line: GPIO24, initial: restore}
  - {name: boot, line: GPIO25, initial: restore}
  - {name: far, chip: relays, line: GPA0, initial: restore}
  - {name: far_off, chip: relays, line: GPA1, initial: restore}
  - {name: up, chip: relays, line: GPA2, initial: restore}
  - {name: down, chip: relays, line: GPA3, initial: restore}
interlocks: [{name: blind, outputs: [up, down]}]
`)
	on, offs := []string{"near", "low", "boot", "far", "up"}, []string{"off", "far_off", "down"}
	for _, name := range append(slices.Clone(on), offs...) {
		o.shows(root+name, "OFF")
	}
	for _, name := range on {
		o.send(root+name+"/set", "ON")
		o.shows(root+name, "ON")
	}
	stateHas(t, state, `"up":{"on":true}`)
	right := func() {
		t.Helper()
		mark := o.mark()
		g.start()
		for _, name := range on {
			o.hears(mark, root+name, "ON")
		}
		for _, name := range offs {
			o.hears(mark, root+name, "OFF")
		}
		if !near.high(t) || low.high(t) || off.high(t) || !boot.high(t) {
			t.Error("a pin of the header is not as it was")
		}
	}

	// Killed: nothing moves.
	saw, sawFar := watch(t, near, low, off, boot), i2c.watch()
	g.kill()
	right()
	if sights, changes := saw(), sawFar(); len(sights) != 4 || len(changes) > 0 {
		t.Errorf("a kill and a start: %v, %v", sights, changes)
	}

	// The power is cut: all lines are inputs again, but for one that the firmware has driven low; and it is another boot.
	g.kill()
	for _, n := range []int{22, 23, 24, 25} {
		run(t, "gpioget", "gpiochip0", fmt.Sprint(n))
	}
	run(t, "gpioset", "gpiochip0", "25=0")
	i2c.do("0x20 reset")
	content, err := statefile.Load(state)
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(read(t, "/proc/sys/kernel/random/boot_id"))
	cut := bytes.Replace(content, []byte(id), []byte("00000000-0000-0000-0000-000000000000"), 1)
	if id == "" || bytes.Equal(cut, content) {
		t.Fatalf("the boot %q is not in %s", id, content)
	}
	if err := statefile.Save(state, cut); err != nil {
		t.Fatal(err)
	}
	sawFar = i2c.watch()
	right()
	changes := sawFar()
	for pin, want := range map[string][]bool{"a0": {true}, "a1": nil, "a2": {true}, "a3": nil} {
		if got := of(changes, "mcp23017@0x20 "+pin); !slices.Equal(got, want) {
			t.Errorf("0x20 %s: changed to %v, want %v", pin, got, want)
		}
	}

	// A file that is not whole: it starts, says so once, and moves nothing that is driven.
	g.kill()
	if err := os.Truncate(state, 100); err != nil {
		t.Fatal(err)
	}
	said := g.said("the state file is of no use")
	saw, sawFar = watch(t, near, low, off, boot), i2c.watch()
	right()
	if sights, changes := saw(), sawFar(); len(sights) != 4 || len(changes) > 0 {
		t.Errorf("a damaged file: %v, %v", sights, changes)
	}
	if n := g.said("the state file is of no use") - said; n != 1 {
		t.Errorf("told %d times that the file is damaged", n)
	}
	stateHas(t, state, `"up":{"on":true}`)
}

// A disk that is full or read-only is told, and keeps nobody from working; when there is room again the file is written.
func TestDiskFull(t *testing.T) {
	b := newBroker(t)
	pin := header(t, 22)
	folder := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", folder, "tmpfs", 0, "size=16k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
	filler := filepath.Join(folder, "filler")
	os.WriteFile(filler, make([]byte, 64<<10), 0o644) // as much as fits
	o := b.observe()
	g := startGateway(t, fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\"}\noutputs: [{name: a, line: GPIO22, initial: restore}]\n", b.addr()),
		"STATE_DIRECTORY="+folder)
	toggle := func() {
		for _, want := range []string{"ON", "OFF", "ON"} {
			o.send(root+"a/set", want)
			o.shows(root+"a", want)
			pin.becomes(t, want == "ON")
			time.Sleep(1100 * time.Millisecond)
		}
	}
	o.shows(root+"a", "OFF")
	toggle()
	g.says("error: ", "the state file cannot be written", "no space left")
	if n := g.said("the state file cannot be written"); n > 2 { // once, and once by gateway/error
		t.Errorf("told %d times", n)
	}
	o.health("is degraded, and names the file", func(h *health) bool {
		return h.Level == "degraded" && strings.Contains(strings.Join(h.Reasons, " "), "state file")
	})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	toggle()
	g.says("the state file is written again")
	o.health("is well again", func(h *health) bool { return h.Level == "ok" })
	if err := unix.Mount("none", folder, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	o.send(root+"a/set", "OFF")
	o.shows(root+"a", "OFF")
	g.says("error: ", "the state file cannot be written", "read-only")
	g.stop()
	stateHas(t, filepath.Join(folder, "state"), `"a":{"on":true}`) // the old one is whole
}
