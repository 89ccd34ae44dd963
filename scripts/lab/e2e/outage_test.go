//go:build linux

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// house is what the tests of the broker's absence have: three inputs and two outputs.
type house struct {
	t      *testing.T
	b      *broker
	g      *gateway
	inputs [3]line
	button line
	backup line
	relay  line
	horn   line
	level  [3]bool
	on     bool
}

const houseConfig = `
inputs:
  - {name: in0, line: GPIO5, debounce: 0}
  - {name: in1, line: GPIO6, debounce: 0}
  - {name: in2, line: GPIO13, debounce: 0}
  - {name: button, line: GPIO19}
  - {name: backup, line: GPIO20}
outputs:
  - {name: relay, line: GPIO22}
  - {name: horn, line: GPIO23}
rules:
  - {when: button, do: toggle, output: relay}
  - {when: backup, is: pressed, do: on, output: horn, only: offline}
  - {when: backup, is: released, do: off, output: horn}
`

func newHouse(t *testing.T, b *broker) *house {
	t.Helper()
	h := &house{t: t, b: b, button: header(t, 19), backup: header(t, 20), relay: header(t, 22), horn: header(t, 23)}
	for i, n := range []int{5, 6, 13} {
		h.inputs[i] = header(t, n)
	}
	h.g = newGateway(t, b, houseConfig)
	eventually(t, "gatewayd holds its lines", func() bool { return strings.Count(run(t, "gpioinfo", "gpiochip0"), "gatewayd") == 7 })
	return h
}

func (h *house) turn(i int) {
	h.level[i] = !h.level[i]
	h.inputs[i].pull(h.t, h.level[i])
}

// press has the wall button toggle the relay, and waits for its pin.
func (h *house) press() {
	h.t.Helper()
	h.on = !h.on
	h.button.pull(h.t, true)
	h.relay.becomes(h.t, h.on)
	h.button.pull(h.t, false)
	time.Sleep(50 * time.Millisecond) // longer than its debounce
}

// isRight waits until the broker, which has just begun to answer, knows everything.
func (h *house) isRight() {
	h.t.Helper()
	returned := time.Now()
	o := h.b.observe()
	left := func() time.Duration { return max(5*time.Second-time.Since(returned), time.Millisecond) }
	word := map[bool]string{true: "ON", false: "OFF"}
	o.showsWithin(left(), root+"status", "online")
	for i, level := range h.level {
		o.showsWithin(left(), fmt.Sprintf("%sin%d", root, i), word[level])
	}
	o.showsWithin(left(), root+"relay", word[h.on])
	o.showsWithin(left(), root+"relay/availability", "online")
	h.t.Logf("all is right %v after the broker answers", time.Since(returned).Round(10*time.Millisecond))
	mark := o.mark()
	h.turn(0)
	o.hears(mark, root+"in0", word[h.level[0]])
	o.send(root+"relay/set", "TOGGLE")
	h.on = !h.on
	o.shows(root+"relay", word[h.on])
	h.relay.becomes(h.t, h.on)
}

func TestBrokerKilledWhileIdle(t *testing.T) {
	h := newHouse(t, newBroker(t))
	for range 2 {
		h.isRight()
		h.b.kill()
		h.turn(1)
		h.press()
		time.Sleep(300 * time.Millisecond)
		h.b.start()
	}
	h.isRight()
	h.g.stop()
}

func TestBrokerNotThereAtBoot(t *testing.T) {
	h := newHouse(t, absentBroker(t))
	h.g.says("nothing listens on")
	h.turn(2)
	h.press() // the house works
	h.press()
	h.press()
	h.b.start()
	h.isRight()
	if n := h.g.said("nothing listens on"); n != 1 {
		t.Errorf("the log says %d times that there is no broker, want once", n)
	}
	h.g.stop()
}

// A broker that takes the connection and says nothing, and is killed then.
func TestBrokerKilledWhileConnecting(t *testing.T) {
	b := newBroker(t)
	b.freeze()
	h := newHouse(t, b)
	time.Sleep(2 * time.Second) // it is connecting now
	h.turn(0)
	h.press()
	b.kill()
	b.start()
	h.isRight()
	h.g.stop()
}

// Something else listens there, and never answers.
func TestSilentListener(t *testing.T) {
	b := absentBroker(t)
	l, err := net.Listen("tcp", b.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := newHouse(t, b)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	h.press()
	h.g.says("takes the connection, but does not answer")
	h.turn(1)
	c.Close()
	l.Close()
	b.start()
	h.isRight()
}

// A broker that freezes while connected is noticed, and left.
func TestBrokerFreezes(t *testing.T) {
	h := newHouse(t, newBroker(t))
	h.isRight()
	h.b.freeze()
	for range 50 {
		h.turn(0)
		h.turn(1)
	}
	h.turn(2)
	h.press()
	within(t, 30*time.Second, "the log says that the connection is lost", func() bool { return h.g.said("connection to the broker lost") > 0 })
	h.b.kill()
	h.b.start()
	h.isRight()
}

func TestBrokerKilledInABurst(t *testing.T) {
	h := newHouse(t, newBroker(t))
	h.isRight()
	for range 2 {
		for i := range 600 {
			h.turn(i % 3)
			if i == 300 {
				h.b.kill()
			}
		}
		h.turn(0)
		h.press()
		h.b.start()
		h.isRight()
	}
	h.g.stop()
}

// Rules need no broker, and one that is only for its absence acts only then.
func TestRulesWithoutBroker(t *testing.T) {
	h := newHouse(t, newBroker(t))
	h.isRight()
	backup, horn := h.backup, h.horn
	backup.pull(t, true)
	horn.stays(t, false, 300*time.Millisecond)
	backup.pull(t, false)
	h.b.kill()
	h.g.says("connection to the broker lost")
	for range 4 {
		h.press()
	}
	backup.pull(t, true)
	horn.becomes(t, true)
	backup.pull(t, false)
	horn.becomes(t, false)
	h.b.start()
	h.isRight()
	backup.pull(t, true)
	horn.stays(t, false, 300*time.Millisecond)
}
