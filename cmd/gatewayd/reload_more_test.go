package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/internal/mqtttest"
	"gatewayd/internal/statefile"
)

// sticky has a chip of the kernel's be one that can hang; it gives the one that was opened last.
func (b *bench) sticky(label string) func() *stuck {
	var hangs *stuck
	b.wraps[label] = func(c gpio.Chip) gpio.Chip {
		hangs = &stuck{Chip: c}
		return hangs
	}
	return func() *stuck { return hangs }
}

// A chip whose place changes while a call to it hangs does not hold up the one that takes its place, is named, and has nothing more to
// say when the call returns.
func TestReloadHangs(t *testing.T) {
	b := newBench(t)
	hangs := b.sticky("k1")
	const text = `
home_assistant: {discovery: false}
chips: [{name: more, type: gpiochip, label: k1}]
inputs: [{name: door, chip: more, line: 5}, {name: gate, chip: more, line: 6}]
outputs: [{name: bulb, chip: more, line: 0}, {name: lamp, line: GPIO22}]
`
	a := newAlive(t, b, text, manner{})
	wait := make(chan struct{})
	hangs().stick(wait)
	a.send("gatewayd/shed/bulb/set", "ON") // the call for it does not return
	await(t, 10*time.Second, "the pin", func() bool { return b.sims["k1"].Level(0) })
	b.sims["k2"].Drive(6, true)
	next := strings.NewReplacer("label: k1", "label: k2", "chip: more, line: 5", "line: GPIO5").Replace(text)
	began := time.Now()
	if got, want := a.reload(next), "1 chip changed, 1 input changed"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	a.wants("gatewayd/shed/door/availability", "online")
	if took := time.Since(began); took > handover-time.Second {
		t.Errorf("the header waited for the chip: %v", took)
	}
	a.send("gatewayd/shed/lamp/set", "ON")
	a.wants("gatewayd/shed/lamp", "ON")
	a.wants("gatewayd/shed/gate", "ON")
	if took := time.Since(began); took < handover-time.Second/2 || took > handover+5*time.Second {
		t.Errorf("the chip was taken over after %v, want %v", took, handover)
	}
	await(t, 5*time.Second, "it is told", func() bool {
		return strings.Contains(a.out.String(), `chip "more": a call to it hangs, so that it does not end`)
	})
	a.settled()
	a.wants("gatewayd/shed/bulb", "OFF")
	a.published()
	b.sims["k1"].Drive(5, true) // is nobody's
	hangs().stick(nil)
	close(wait)
	await(t, 5*time.Second, "it has ended", func() bool { return a.g.leaving[0].member.ended() })
	time.Sleep(100 * time.Millisecond)
	if got := a.published(); len(got) > 0 {
		t.Errorf("the chip of before told %v", got)
	}
	a.reload(text + "rules: [{when: door, do: toggle, output: lamp}]\n") // and back again
	a.settled()
	a.wants("gatewayd/shed/door", "ON")
	if n := len(a.g.leaving); n > 1 {
		t.Errorf("%d parts are leaving", n)
	}
}

// The gateway goes over to another broker, with all it has, and leaves no sign of life at the first.
func TestReloadBroker(t *testing.T) {
	b := newBench(t)
	const text = "home_assistant: {discovery: false}\noutputs: [{name: lamp, line: GPIO22}]\n"
	a := newAlive(t, b, text, manner{})
	a.send("gatewayd/shed/lamp/set", "ON")
	a.wants("gatewayd/shed/lamp", "ON")
	b.moves()
	first := a.broker
	a.broker = mqtttest.StartEmbedded(t, "")
	if got, want := a.reload(text), "how the broker is reached changed"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	a.settled()
	a.wants("gatewayd/shed/lamp", "ON")
	if p, ok := first.Topics.Retained.Get("gatewayd/shed/status"); !ok || string(p.Payload) != "offline" {
		t.Errorf("the first broker has %v", p)
	}
	// And while the broker is away.
	a.broker.Stop()
	await(t, 10*time.Second, "it is away", func() bool { return !a.g.session.Stats().Connected })
	if got, want := a.reload(text+"inputs: [{name: door, line: GPIO5}]\n"), "1 input new"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	a.broker = mqtttest.StartEmbedded(t, "")
	a.reload(text + "inputs: [{name: door, line: GPIO5}]\n")
	a.settled()
	a.wants("gatewayd/shed/door", "OFF")
	a.wants("gatewayd/shed/lamp", "ON")
	if got := b.moves(); len(got) > 0 {
		t.Errorf("pins changed: %q", got)
	}
}

// What is kept for a crash moves with the state file, and only what is configured is kept.
func TestReloadStateFile(t *testing.T) {
	folder := t.TempDir()
	one, two := filepath.Join(folder, "one"), filepath.Join(folder, "two")
	log, _ := logged()
	text := func(path string) string {
		return "state_file: " + path + "\nhome_assistant: {discovery: false}\noutputs:\n  - {name: lamp, line: GPIO22, initial: restore}\n  - {name: fan, line: GPIO23, initial: restore}\n"
	}
	cfg := configured(t, "127.0.0.1:1", text(one))
	b := newBench(t)
	a := newAlive(t, b, text(one), manner{memory: newMemory(one, cfg, "a", log)})
	for _, name := range []string{"lamp", "fan"} {
		a.send("gatewayd/shed/"+name+"/set", "ON")
		a.wants("gatewayd/shed/"+name, "ON")
	}
	has := func(path string, names ...string) {
		t.Helper()
		await(t, 10*time.Second, "what is kept", func() bool {
			content, err := statefile.Load(path)
			for _, name := range []string{"lamp", "fan"} {
				want := false
				for _, n := range names {
					want = want || n == name
				}
				if strings.Contains(string(content), `"`+name+`":{"on":true}`) != want {
					return false
				}
			}
			return err == nil
		})
	}
	has(one, "lamp", "fan")
	if err := statefile.Save(two, []byte(`{"boot":"b","outputs":{"fan":{"on":false}}}`)); err != nil { // of long ago
		t.Fatal(err)
	}
	a.reload(text(two))
	has(two, "lamp", "fan")
	await(t, 5*time.Second, "the first is removed", func() bool { _, err := os.Stat(one); return os.IsNotExist(err) })
	a.reload(strings.ReplaceAll(text(two), "  - {name: lamp, line: GPIO22, initial: restore}\n", ""))
	has(two, "fan")
	// Restored on another line, as it would be by a start.
	b.moves()
	a.reload(strings.ReplaceAll(text(two), "GPIO23", "GPIO24"))
	a.settled()
	a.wants("gatewayd/shed/fan", "ON")
	if got := strings.Join(b.moves(), ", "); got != "header 24 true" {
		t.Errorf("pins: %s", got)
	}
	a.asStarted(strings.ReplaceAll(text(two), "GPIO23", "GPIO24"), manner{memory: newMemory(two, cfg, "a", log)})
}

// A reload that comes while the gateway stops is no reason not to.
func TestReloadWhileStopping(t *testing.T) {
	for range 10 {
		broker := mqtttest.StartEmbedded(t, "")
		one, two := configured(t, broker.Addr(), reloadConfig), configured(t, broker.Addr(), strings.ReplaceAll(reloadConfig, "0x20", "0x21"))
		reloads := 0
		a := &alive{t: t, bench: newBench(t), broker: broker, out: new(screen), hasty: true}
		a.begin(reloadConfig, manner{beside: func(ctx context.Context, g *gateway) {
			for ; ; reloads++ {
				if _, err := g.reload(ctx, []*config.Config{two, one}[reloads%2]); err != nil {
					return
				}
			}
		}})
		time.Sleep(300 * time.Millisecond)
		began := time.Now()
		a.stop()
		if took := time.Since(began); took > 5*time.Second || reloads == 0 || strings.Contains(a.out.String(), "left behind") {
			t.Errorf("after %d reloads it took %v to stop:\n%s", reloads, took, a.out)
		}
	}
}

// A point that moves away from a chip while a call to that hangs is the other chip's at once: what the first sees when the call returns
// is not told of it.
func TestReloadAwayFromHang(t *testing.T) {
	b := newBench(t)
	hangs := b.sticky("k1")
	const text = `
home_assistant: {discovery: false}
chips: [{name: more, type: gpiochip, label: k1}]
inputs: [{name: door, chip: more, line: 5, debounce: 0}]
outputs: [{name: bulb, chip: more, line: 0}, {name: lamp, line: GPIO22}]
rules: [{when: door, do: toggle, output: lamp}]
`
	a := newAlive(t, b, text, manner{})
	wait := make(chan struct{})
	hangs().stick(wait)
	a.send("gatewayd/shed/bulb/set", "ON") // the call for it does not return
	await(t, 10*time.Second, "the pin", func() bool { return b.sims["k1"].Level(0) })
	b.sims["k1"].Drive(5, true) // waits for the bank
	if got, want := a.reload(strings.Replace(text, "chip: more, line: 5", "line: GPIO5", 1)), "1 input changed"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	a.settled()
	hangs().stick(nil)
	close(wait)
	a.wants("gatewayd/shed/bulb", "ON")
	time.Sleep(100 * time.Millisecond)
	a.wants("gatewayd/shed/door", "OFF")
	a.wants("gatewayd/shed/lamp", "OFF")
	b.sims["header"].Drive(5, true)
	a.wants("gatewayd/shed/door", "ON")
	a.wants("gatewayd/shed/lamp", "ON")
}
