//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const lifeConfig = `
chips:
  - {name: relays, type: mcp23017, address: 0x20}
outputs:
  - {name: kept, line: GPIO22}
  - {name: kept_off, line: GPIO23}
  - {name: low_on, line: GPIO24, active_low: true}
  - {name: ends_off, line: GPIO25, on_exit: off}
  - {name: ends_on, line: GPIO26, on_exit: on}
  - {name: far_kept, chip: relays, line: GPA0}
  - {name: far_kept_off, chip: relays, line: GPA1}
  - {name: far_ends_off, chip: relays, line: GPA2, on_exit: off}
`

var lifeOn = []string{"kept", "low_on", "ends_off", "far_kept", "far_ends_off"}

type life struct {
	i2c  *bus
	b    *broker
	g    *gateway
	o    *observer
	pins []line // GPIO22 to 26
}

func newLife(t *testing.T, env ...string) *life {
	l := &life{i2c: newBus(t, "mcp23017@0x20"), b: newBroker(t)}
	for n := 22; n <= 26; n++ {
		l.pins = append(l.pins, header(t, n))
	}
	l.o = l.b.observe()
	l.g = startGateway(t, fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\", status: {stopped: stopped}}\n%s", l.b.addr(), lifeConfig), env...)
	l.o.shows(root+"status", "online")
	for _, name := range lifeOn {
		l.o.shows(root+name, "OFF")
		l.o.send(root+name+"/set", "ON")
		l.o.shows(root+name, "ON")
	}
	l.o.shows(root+"ends_on", "OFF")
	l.o.shows(root+"far_kept_off", "OFF")
	return l
}

// kept fails the test if one of the outputs that nobody wished to change was seen to.
func (l *life) kept(t *testing.T, sights []sight, changes []pinChange) {
	t.Helper()
	want := []bool{true, false, false}
	seen := [3][]bool{}
	for _, s := range sights {
		if s.line < 3 {
			seen[s.line] = append(seen[s.line], s.high)
		}
	}
	for i := range seen {
		if !slices.Equal(seen[i], want[i:i+1]) {
			t.Errorf("GPIO%d: levels %v, want %v for all the time", 22+i, seen[i], want[i])
		}
	}
	for _, pin := range []string{"a0", "a1"} {
		if got := of(changes, "mcp23017@0x20 "+pin); len(got) > 0 {
			t.Errorf("0x20 %s changed to %v", pin, got)
		}
	}
}

// A stop says so, changes only what on_exit says, and a start finds the rest as it was.
func TestStopAndStart(t *testing.T) {
	l := newLife(t)
	saw, sawFar := watch(t, l.pins...), l.i2c.watch()
	mark := l.o.mark()
	began := time.Now()
	l.g.stop()
	t.Logf("stopped after %v", time.Since(began).Round(time.Millisecond))
	late := l.b.observe() // what the broker knows at once, it was told before the end
	late.shows(root+"status", "stopped")
	late.shows(root+"ends_off", "OFF")
	late.shows(root+"ends_on", "ON")
	late.shows(root+"far_ends_off", "OFF")
	if strings.Contains(l.b.log.String(), "Client gatewayd-e2e closed its connection") {
		t.Error("it left without saying DISCONNECT")
	}
	if got := l.o.payloads(mark, root+"status"); !slices.Equal(got, []string{"stopped"}) {
		t.Errorf("status: %q, want stopped alone", got)
	}
	for i, want := range []bool{true, false, false, false, true} {
		if got := l.pins[i].high(t); got != want {
			t.Errorf("after the stop GPIO%d is high: %v, want %v", 22+i, got, want)
		}
	}
	if l.i2c.high("0x20", "a2") || !l.i2c.high("0x20", "a0") {
		t.Error("after the stop an output of the expander is not as it should be")
	}
	mark = l.o.mark()
	l.g.start()
	l.o.shows(root+"status", "online")
	for name, want := range map[string]string{"kept": "ON", "low_on": "ON", "kept_off": "OFF", "ends_off": "OFF", "ends_on": "ON", "far_kept": "ON", "far_kept_off": "OFF"} {
		l.o.hears(mark, root+name, want)
		if got := l.o.payloads(mark, root+name); slices.ContainsFunc(got, func(s string) bool { return s != want }) {
			t.Errorf("%s: %q, want %s", name, got, want)
		}
	}
	time.Sleep(2500 * time.Millisecond) // a check of all lines
	l.kept(t, saw(), sawFar())
}

// A stop that finds neither broker nor bus ends in time all the same.
func TestStopWithoutAnything(t *testing.T) {
	l := newLife(t)
	l.b.freeze()
	l.i2c.do("fault all timeout on")
	time.Sleep(300 * time.Millisecond)
	began := time.Now()
	l.g.signal(unix.SIGTERM)
	code := l.g.ends(8 * time.Second)
	d := time.Since(began)
	t.Logf("ended with %d after %v", code, d.Round(10*time.Millisecond))
	if code != 0 || d > 6*time.Second {
		t.Errorf("ended with %d after %v, want 0 within 5 s", code, d)
	}
	if !l.pins[0].high(t) || l.pins[3].high(t) {
		t.Error("an output of the header is not as on_exit says")
	}
	l.i2c.do("fault all off")
}

// A crash and a restart change no output, and the broker says that we are gone.
func TestKillAndStart(t *testing.T) {
	l := newLife(t)
	saw, sawFar := watch(t, l.pins...), l.i2c.watch()
	for range 3 {
		mark := l.o.mark()
		l.g.kill()
		l.o.hears(mark, root+"status", "offline")
		time.Sleep(300 * time.Millisecond)
		mark = l.o.mark()
		l.g.start()
		l.o.hears(mark, root+"status", "online")
		for _, name := range lifeOn {
			l.o.hears(mark, root+name, "ON")
			if got := l.o.payloads(mark, root+name); slices.Contains(got, "OFF") {
				t.Errorf("%s: %q, want ON", name, got)
			}
		}
	}
	sights, changes := saw(), sawFar()
	l.kept(t, sights, changes)
	if len(sights) != len(l.pins) { // nor did any other
		t.Errorf("the header's outputs changed: %v", sights[len(l.pins):])
	}
	if got := of(changes, "mcp23017@0x20 a2"); len(got) > 0 {
		t.Errorf("0x20 a2 changed to %v", got)
	}
}

// Exit codes: what systemd restarts, and what it leaves to a person.
func TestExitCodes(t *testing.T) {
	b := newBroker(t)
	header(t, 5)
	for _, s := range []unix.Signal{unix.SIGQUIT, unix.SIGABRT} { // end as a panic and as the watchdog do
		g := newGateway(t, b, "inputs: [{name: in, line: GPIO5}]")
		g.says("connected to the broker")
		g.signal(s)
		if code := g.ends(patience); code != 2 {
			t.Errorf("%v: code %d, want 2", s, code)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	write(t, bad, "device: e2e\nmqtt: {broker: \"tcp://127.0.0.1\"}\ninputs:\n  - {name: a b, lin: 17}\n")
	for _, args := range [][]string{{"run", "-c", bad}, {"check", "-c", bad}, {"run", "-c", bad + ".gone"}} {
		out, err := exec.Command(program(t, "gatewayd"), args...).CombinedOutput()
		exit, ok := err.(*exec.ExitError)
		if !ok || exit.ExitCode() != 78 {
			t.Errorf("gatewayd %q: %v, want exit status 78\n%s", args, err, out)
		}
	}
	// Chips, lines and a broker that are not there are no reason to end.
	g := startGateway(t, `
device: e2e
mqtt: {broker: "tcp://127.0.0.1:1"}
chips: [{name: far, type: mcp23017, bus: 7, address: 0x20}, {name: none, type: gpiochip, label: none}]
inputs: [{name: a, chip: far, line: GPA0}, {name: b, chip: none, line: 0}]
sensors: [{name: s, type: bme280, bus: 7, address: 0x76}]
`)
	g.says("no connection to the broker")
	g.says(`/dev/i2c-7`)
	select {
	case <-g.done:
		t.Error("it has ended for want of hardware")
	case <-time.After(time.Second):
	}
	g.stop()
}

// Two gateways with one name are told so loudly.
func TestTwoOfOneName(t *testing.T) {
	b := newBroker(t)
	header(t, 5)
	header(t, 6)
	first := newGateway(t, b, "inputs: [{name: a, line: GPIO5}]")
	first.says("connected to the broker")
	second := newGateway(t, b, "inputs: [{name: b, line: GPIO6}]")
	within(t, 45*time.Second, "one says that there is another", func() bool {
		return first.said("error: ", "another client", "device name")+second.said("error: ", "another client", "device name") > 0
	})
	second.stop()
	o := b.observe()
	o.showsWithin(45*time.Second, root+"status", "online") // the other one stays
}

// What systemd hears.
func TestNotify(t *testing.T) {
	program(t, "")
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var heard []string
	hear := func(text string, n int) {
		t.Helper()
		limit := time.Now().Add(patience)
		for b := make([]byte, 4096); n > 0; {
			conn.SetReadDeadline(limit)
			size, err := conn.Read(b)
			if err != nil {
				t.Fatalf("%s did not come: %v; but %q", text, err, heard)
			}
			heard = append(heard, string(b[:size]))
			if string(b[:size]) == text {
				n--
			}
		}
	}
	header(t, 5)
	g := startGateway(t, "device: e2e\nmqtt: {broker: \"tcp://127.0.0.1:1\"}\ninputs: [{name: in, line: GPIO5}]\n", // no broker there
		"NOTIFY_SOCKET="+path, "WATCHDOG_USEC=1500000")
	hear("READY=1", 1)
	hear("WATCHDOG=1", 3)
	if !slices.ContainsFunc(heard, func(s string) bool { return strings.HasPrefix(s, "STATUS=local rules only") }) {
		t.Errorf("no STATUS tells that there is no broker: %q", heard)
	}
	g.signal(unix.SIGTERM)
	hear("STOPPING=1", 1)
	if code := g.ends(5 * time.Second); code != 0 {
		t.Errorf("code %d, want 0", code)
	}
}

// A restart that was wished ends the program with the code that says so, once, however often it was wished; nobody notices it at an
// output that is to keep its state.
func TestWishedRestart(t *testing.T) {
	l := newLife(t, "NOTIFY_SOCKET="+filepath.Join(t.TempDir(), "nobody")) // as systemd would have it
	saw, sawFar := watch(t, l.pins...), l.i2c.watch()
	for range 20 {
		l.o.send(root+"gateway/set", "RESTART")
	}
	if code := l.g.ends(8 * time.Second); code != 75 {
		t.Errorf("ended with %d, want 75", code)
	}
	l.o.shows(root+"status", "stopped")
	mark := l.o.mark()
	l.g.start()
	l.o.hears(mark, root+"status", "online")
	for _, name := range []string{"kept", "low_on", "far_kept"} {
		l.o.hears(mark, root+name, "ON")
		if got := l.o.payloads(mark, root+name); slices.Contains(got, "OFF") {
			t.Errorf("%s: %q, want ON", name, got)
		}
	}
	l.kept(t, saw(), sawFar())
}
