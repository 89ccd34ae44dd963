//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Malformed commands are refused with a reason, switch nothing, and cost little.
func TestMalformedCommands(t *testing.T) {
	b := newBroker(t)
	light, bell := header(t, 22), header(t, 23)
	header(t, 17)
	g := newGateway(t, b, `
inputs:
  - {name: door, line: GPIO17}
outputs:
  - {name: light, line: GPIO22}
  - {name: bell, line: GPIO23, pulse: 500ms, max_on: 1s}
`)
	o := b.observe()
	o.shows(root+"status", "online")
	o.shows(root+"light", "OFF")
	o.shows(root+"bell", "OFF")
	saw := watch(t, light, bell)
	big := strings.Repeat("x", 1<<20)
	for _, c := range []struct{ topic, payload, where, reason string }{
		{"light/set", "ONN", "light/error", "wanted ON, OFF, TOGGLE"},
		{"light/set", "1", "light/error", "wanted"},
		{"light/set", " ", "light/error", "wanted"},
		{"light/set", "\xff\xfe\x00", "light/error", "not UTF-8"},
		{"light/set", big, "light/error", "more than"},
		{"light/set", strings.Repeat("y", 5000), "light/error", "more than"},
		{"light/set", `{"state":"ON","fro":"5s"}`, "light/error", "fro"},
		{"light/set", `{"state":"ON","for":"-5s"}`, "light/error", "wanted a duration"},
		{"light/set", `{"state":"ON"`, "light/error", "wanted"},
		{"light/set", `[1,2`, "light/error", "wanted"},
		{"bell/set", `{"state":"ON","for":"5s"}`, "bell/error", "max_on"},
		{"door/set", "ON", "door/error", "takes no commands"},
		{"lihgt/set", "ON", "gateway/error", `did you mean "light"`},
		{"x/set", big, "gateway/error", "no such point"},
	} {
		mark := o.mark()
		o.send(root+c.topic, c.payload)
		o.hears(mark, root+c.where, c.reason)
	}
	mark := o.mark()
	o.publish(root+"light/set", "ON", true)
	time.Sleep(200 * time.Millisecond)
	// Who subscribed before gets it without the flag: that one was a command. Put back, and start anew: now it comes retained.
	o.send(root+"light/set", "OFF")
	o.shows(root+"light", "OFF")
	if len(o.since(mark, root+"light")) == 0 {
		t.Error("no state after a command")
	}
	switched := len(saw())
	g.stop()
	saw = watch(t, light, bell)
	mark = o.mark()
	g.start()
	o.hears(mark, root+"light/error", "retained")
	o.publish(root+"light/set", "", true) // clears it: no command
	if got := len(saw()); got != 2 {
		t.Errorf("a retained command switched something (%d changes)", got-2)
	}
	if switched != 4 { // both as found, and the light on and off by the one that was a command
		t.Errorf("%d changes of the outputs, want 2", switched-2)
	}

	// Many of them, from one who does not wait.
	saw = watch(t, light, bell)
	o.shows(root+"status", "online")
	before, most := g.memory(), 0
	lines := strings.Count(g.log.String(), "\n")
	flood := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + b.addr()).SetAutoReconnect(false).SetProtocolVersion(4))
	if token := flood.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer flood.Disconnect(50)
	for i := range 2000 {
		topic, payload := fmt.Sprintf("%snobody%d/set", root, i), "ON"
		switch i % 100 {
		case 0:
			topic, payload = root+"light/set", big
		case 1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 17, 18, 19:
			topic, payload = root+"light/set", fmt.Sprintf("nonsense %d", i)
		case 7, 8:
			topic = root + "door/set"
		}
		if token := flood.Publish(topic, 0, false, payload); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
		if i%50 == 0 {
			most = max(most, g.memory())
		}
	}
	eventually(t, "the flood is over", func() bool { // while it lasts the queue may be full
		at := o.mark()
		o.send(root+"bell/set", "nonsense at the end")
		time.Sleep(100 * time.Millisecond)
		p := o.payloads(at, root+"bell/error")
		return len(p) > 0 && strings.Contains(p[len(p)-1], "nonsense at the end")
	})
	most = max(most, g.memory())
	lines = strings.Count(g.log.String(), "\n") - lines
	t.Logf("2000 malformed commands: memory from %d to at most %d KiB, %d lines in the log", before, most, lines)
	if most > before+24<<10 {
		t.Errorf("memory grew from %d to %d KiB", before, most)
	}
	if lines > 60 {
		t.Errorf("%d lines in the log", lines)
	}
	if got := len(saw()); got != 2 {
		t.Errorf("a malformed command switched something (%d changes)", got-2)
	}
	o.send(root+"light/set", "ON")
	o.shows(root+"light", "ON")
	light.becomes(t, true)
}
