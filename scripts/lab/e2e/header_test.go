//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// The main job: an edge becomes a message, a command moves the pin, and who comes later sees it all.
func TestEdgeAndCommand(t *testing.T) {
	b := newBroker(t)
	door, window, light := header(t, 17), header(t, 18), header(t, 22)
	o := b.observe()
	g := newGateway(t, b, `
inputs:
  - {name: door, line: GPIO17}
  - {name: window, line: P1-12, topic: house/window, payload_on: open, payload_off: shut, qos: 0, retain: false}
outputs:
  - {name: light, line: 22}
`)
	o.shows(root+"status", "online")
	o.shows(root+"door", "OFF")
	o.shows(root+"light", "OFF")
	door.pull(t, true)
	o.shows(root+"door", "ON")
	window.pull(t, true)
	o.shows("house/window", "open")
	if m, _ := o.last("house/window"); m.qos != 0 {
		t.Errorf("house/window came with QoS %d, want 0", m.qos)
	}
	if m, _ := o.last(root + "door"); m.qos != 1 {
		t.Errorf("door came with QoS %d, want 1", m.qos)
	}

	b.pub("-t", root+"light/set", "-m", "ON")
	o.shows(root+"light", "ON")
	if !light.high(t) { // confirmed: the pin has moved before it is told
		t.Error("light is ON, but its pin is low")
	}
	mark := o.mark()
	o.send(root+"light/set", " on ")
	eventually(t, "the same command is confirmed again", func() bool { return slices.Equal(o.payloads(mark, root+"light"), []string{"ON"}) })
	o.send(root+"light/set", `{"state":"TOGGLE"}`)
	o.shows(root+"light", "OFF")
	light.becomes(t, false)

	later := b.observe()
	for topic, payload := range map[string]string{
		root + "status": "online", root + "door": "ON", root + "light": "OFF",
		root + "door/availability": "online", root + "window/availability": "online", root + "light/availability": "online",
	} {
		later.shows(topic, payload)
		if m, _ := later.last(topic); !m.retained {
			t.Errorf("%s is not retained", topic)
		}
	}
	if m, ok := later.last("house/window"); ok {
		t.Errorf("house/window is retained: %q", m.payload)
	}
	if got := run(t, "mosquitto_sub", "-p", fmt.Sprint(b.port), "-t", root+"door", "-C", "1", "-W", "10"); got != "ON" {
		t.Errorf("mosquitto_sub shows %q, want ON", got)
	}
	if info, _ := later.last(root + "gateway/info"); !strings.Contains(info.payload, `"device":"e2e"`) {
		t.Errorf("gateway/info: %q", info.payload)
	}
	if out := run(t, "gpioinfo", "gpiochip0"); !strings.Contains(out, "gatewayd") {
		t.Errorf("gpioinfo does not name gatewayd as the lines' user:\n%s", out)
	}
	g.stop()
}

func TestPullsAndActiveLow(t *testing.T) {
	b := newBroker(t)
	for _, n := range []int{5, 6, 13, 19, 26} {
		header(t, n)
	}
	button, relay := header(t, 5), header(t, 26)
	o := b.observe()
	newGateway(t, b, `
inputs:
  - {name: button, line: GPIO5, pull: up, active_low: true}
  - {name: floats_up, line: GPIO6, pull: up}
  - {name: floats_down, line: GPIO13, pull: down}
  - {name: floats_down_low, line: GPIO19, pull: down, active_low: true}
outputs:
  - {name: relay, line: GPIO26, active_low: true}
`)
	// Nothing drives the inputs but their pulls.
	o.shows(root+"button", "OFF")
	o.shows(root+"floats_up", "ON")
	o.shows(root+"floats_down", "OFF")
	o.shows(root+"floats_down_low", "ON")
	o.shows(root+"relay", "OFF")
	relay.becomes(t, true)
	button.pull(t, false)
	o.shows(root+"button", "ON")
	button.pull(t, true)
	o.shows(root+"button", "OFF")
	o.send(root+"relay/set", "ON")
	o.shows(root+"relay", "ON")
	relay.becomes(t, false)
}

// bounce is a wall switch being pressed, in microseconds between one edge and the next; it ends closed.
var bounce = []int{0, 110, 40, 620, 90, 35, 1900, 210, 60, 1150, 330, 80, 45, 2400, 120, 70, 900, 55, 1600}

func TestDebounce(t *testing.T) {
	b := newBroker(t)
	settled, every := header(t, 5), header(t, 6)
	o := b.observe()
	newGateway(t, b, `
inputs:
  - {name: settled, line: GPIO5, debounce: 200ms}
  - {name: every, line: GPIO6, debounce: 0}
`)
	o.shows(root+"settled", "OFF")
	o.shows(root+"every", "OFF")
	mark := o.mark()
	for i, us := range bounce {
		pause(time.Duration(us) * time.Microsecond)
		settled.pull(t, i%2 == 0)
		every.pull(t, i%2 == 0)
	}
	o.shows(root+"settled", "ON")
	eventually(t, "every edge is told", func() bool { return len(o.since(mark, root+"every")) >= len(bounce) })
	time.Sleep(500 * time.Millisecond) // nothing more may come
	if got := o.payloads(mark, root+"settled"); !slices.Equal(got, []string{"ON"}) {
		t.Errorf("a bounce was told as %q, want one ON", got)
	}
	got := o.payloads(mark, root+"every")
	if len(got) != len(bounce) {
		t.Errorf("%d messages of %d edges", len(got), len(bounce))
	}
	for i, payload := range got {
		if want := [2]string{"ON", "OFF"}[i%2]; payload != want {
			t.Fatalf("edge %d was told as %s, want %s: %q", i, payload, want, got)
		}
	}
	// Shorter than the debounce: it never happened.
	mark = o.mark()
	settled.pull(t, false)
	pause(2 * time.Millisecond)
	settled.pull(t, true)
	time.Sleep(500 * time.Millisecond)
	if got := o.payloads(mark, root+"settled"); len(got) > 0 {
		t.Errorf("a pulse shorter than the debounce was told as %q", got)
	}
}

// A line that another process holds is named, the others work, and it is taken when it is free.
func TestLineHeldByAnother(t *testing.T) {
	b := newBroker(t)
	held, free := header(t, 23), header(t, 24)
	header(t, 25)
	holders := []*exec.Cmd{
		exec.Command("gpioset", "--mode=signal", "gpiochip0", "23=0"),
		exec.Command("gpiomon", "--silent", "gpiochip0", "25"),
	}
	for _, h := range holders {
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Process.Kill(); h.Wait() })
	}
	eventually(t, "gpioset and gpiomon hold their lines", func() bool {
		out := run(t, "gpioinfo", "gpiochip0")
		return strings.Contains(out, `"gpioset"`) && strings.Contains(out, `"gpiomon"`)
	})
	o := b.observe()
	g := newGateway(t, b, `
inputs:
  - {name: watched, line: GPIO25}
outputs:
  - {name: held, line: GPIO23}
  - {name: free, line: GPIO24}
`)
	o.shows(root+"free/availability", "online")
	o.shows(root+"held/availability", "offline")
	g.says(`output "held"`, "GPIO23", `in use by "gpioset"`)
	g.says(`input "watched"`, `in use by "gpiomon"`)
	o.health("both are named", func(h *health) bool {
		all := strings.Join(h.Reasons, "\n")
		return h.Level == "degraded" && strings.Contains(all, "gpioset") && strings.Contains(all, "gpiomon")
	})
	o.send(root+"free/set", "ON")
	o.shows(root+"free", "ON")
	free.becomes(t, true)
	mark := o.mark()
	o.send(root+"held/set", "ON")
	o.hears(mark, root+"held/error", "refused", `in use by "gpioset"`)
	if held.high(t) {
		t.Error("a held line was switched")
	}
	for _, h := range holders {
		h.Process.Kill()
		h.Wait()
	}
	o.shows(root+"held/availability", "online")
	o.shows(root+"watched/availability", "online")
	o.shows(root+"held", "OFF") // the refused ON is not carried out later
	o.health("all is well again", func(h *health) bool { return h.Level == "ok" })
	o.send(root+"held/set", "ON")
	o.shows(root+"held", "ON")
	held.becomes(t, true)
	if n := g.said(`in use by "gpioset"`); n > 5 {
		t.Errorf("the log says %d times that the line is held", n)
	}
}

// A GPIO chip that is taken away makes its points unavailable; when it is back, the outputs are as they were wished last.
func TestChipTakenAway(t *testing.T) {
	c := newGPIOChip(t, "garden")
	if out := run(t, "gpiodetect"); !strings.Contains(out, "garden") {
		t.Fatalf("gpiodetect: %s", out)
	}
	b := newBroker(t)
	lamp := header(t, 27)
	o := b.observe()
	newGateway(t, b, `
chips:
  - {name: garden, type: gpiochip, label: garden}
inputs:
  - {name: gate, chip: garden, line: 0}
outputs:
  - {name: pump, chip: garden, line: 1}
  - {name: valve, chip: garden, line: 2}
  - {name: lamp, line: GPIO27}
`)
	o.shows(root+"gate", "OFF")
	for _, name := range []string{"pump", "valve"} {
		o.send(root+name+"/set", "ON")
		o.shows(root+name, "ON")
	}
	for round := range 2 {
		c.vanish(t)
		for _, name := range []string{"gate", "pump", "valve"} {
			o.shows(root+name+"/availability", "offline")
		}
		o.health("the chip is named", func(h *health) bool {
			return h.Level == "degraded" && h.Chips["garden"] != "ok" && strings.Contains(strings.Join(h.Reasons, "\n"), `chip "garden"`)
		})
		o.send(root+"lamp/set", "TOGGLE") // the rest works on
		o.shows(root+"lamp", [2]string{"ON", "OFF"}[round])
		lamp.becomes(t, round == 0)
		mark := o.mark()
		o.send(root+"valve/set", "OFF")
		o.hears(mark, root+"valve/error", "is kept until it succeeds", "garden")
		o.send(root+"pump/set", "TOGGLE") // it is on: an OFF, too
		o.hears(mark, root+"pump/error", "is kept until it succeeds")
		o.send(root+"pump/set", "ON")
		o.hears(mark, root+"pump/error", "refused")
		c.comeBack(t)
		within(t, 30*time.Second, "the chip is back", func() bool {
			m, _ := o.last(root + "gate/availability")
			return m.payload == "online"
		})
		o.shows(root+"pump/availability", "online")
		o.shows(root+"pump", "OFF")
		o.shows(root+"valve", "OFF")
		c.line(1).becomes(t, false)
		o.health("all is well again", func(h *health) bool { return h.Level == "ok" && h.Chips["garden"] == "ok" })
		c.line(0).pull(t, true)
		o.shows(root+"gate", "ON")
		o.send(root+"pump/set", "ON")
		o.shows(root+"pump", "ON")
		c.line(1).becomes(t, true)
	}
	// What is wished on stays so.
	c.vanish(t)
	o.shows(root+"pump/availability", "offline")
	c.comeBack(t)
	within(t, 30*time.Second, "the pump is on again", func() bool {
		m, _ := o.last(root + "pump/availability")
		return m.payload == "online" && c.line(1).high(t)
	})
	o.shows(root+"pump", "ON")
	if c.line(2).high(t) {
		t.Error("the valve came back on")
	}
}

// Edges as fast as the lab makes them, some of which even the kernel has no room for: each is told, or counted as lost, or
// counted as superseded when the broker did not follow. At up to a kilohertz none is missing.
func TestTenThousandEdges(t *testing.T) {
	const slow, edges = 2000, 10000
	b := newBroker(t)
	spare := newGPIOChip(t, "spare")
	meter := header(t, 5)
	o := b.observe()
	newGateway(t, b, `
chips:
  - {name: spare, type: gpiochip, label: spare}
inputs:
  - {name: meter, line: GPIO5, debounce: 0}
  - {name: other, chip: spare, line: 0}
home_assistant: false # which is told every state once more when it is told of something new
`)
	o.shows(root+"meter", "OFF")
	o.shows(root+"other", "OFF")
	before := o.health("the chips are there", func(h *health) bool { return h.Chips["spare"] == "ok" && h.Chips["header"] == "ok" })
	f, err := os.OpenFile(string(meter)+"/pull", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	burst := func(n int, each time.Duration) (payloads []string) {
		t.Helper()
		mark, began := o.mark(), time.Now()
		for i := range n {
			text := "pull-up"
			if i%2 == 1 {
				text = "pull-down"
			}
			if _, err := f.WriteAt([]byte(text), 0); err != nil {
				t.Fatal(err)
			}
			if each > 0 {
				pause(max(time.Until(began.Add(time.Duration(i+1)*each)), 0))
			}
		}
		took := time.Since(began)
		// The messages have all come when none has for a while.
		for have, same := -1, 0; same < 20; time.Sleep(50 * time.Millisecond) {
			if now := len(o.since(mark, root+"meter")); now == have {
				same++
			} else {
				have, same = now, 0
			}
		}
		payloads = o.payloads(mark, root+"meter")
		t.Logf("%d edges in %v (%.0f/s): %d messages", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), len(payloads))
		return payloads
	}

	got := burst(slow, time.Millisecond)
	if len(got) != slow {
		t.Errorf("%d messages of %d edges at a kilohertz", len(got), slow)
	}
	for i := range got {
		if want := [2]string{"ON", "OFF"}[i%2]; got[i] != want {
			t.Fatalf("edge %d at a kilohertz was told as %s, want %s", i, got[i], want)
		}
	}
	spare.vanish(t) // which makes the gateway report
	before = o.health("the chip is gone", func(h *health) bool { return h.Chips["spare"] != "ok" })
	if before.LostEdges+before.Dropped > 0 {
		t.Errorf("%d lost and %d dropped at a kilohertz", before.LostEdges, before.Dropped)
	}
	superseded := before.Superseded // before the connection, too

	got = burst(edges, 0)
	spare.comeBack(t)
	h := o.health("the chip is back", func(h *health) bool { return h.Chips["spare"] == "ok" })
	h.Superseded -= superseded
	told := h.Edges - before.Edges
	t.Logf("of the fast ones: %d lost, %d dropped, %d superseded", h.LostEdges, h.Dropped, h.Superseded)
	if told+h.LostEdges != edges {
		t.Errorf("%d edges seen and %d lost, want %d together", told, h.LostEdges, edges)
	}
	if len(got)+h.Superseded+h.Dropped != told {
		t.Errorf("%d messages, %d superseded and %d dropped of %d edges seen", len(got), h.Superseded, h.Dropped, told)
	}
	if got[len(got)-1] != "OFF" {
		t.Errorf("the last message is %s, want OFF", got[len(got)-1])
	}
	same := 0
	for i := 1; i < len(got); i++ {
		if got[i] == got[i-1] {
			same++
		}
	}
	if missing := edges - len(got); same > missing {
		t.Errorf("%d messages repeat the one before, with %d missing", same, missing)
	}
}
