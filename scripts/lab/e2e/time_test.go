//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// setClock sets the lab's clock, which nobody takes for right then.
func setClock(t *testing.T, to time.Time) {
	t.Helper()
	tv := unix.NsecToTimeval(to.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		t.Fatalf("setting the clock: %v", err)
	}
}

// noClock is the time of a machine without a clock of its own: it counts from 1970, and the kernel takes none before its own start.
func noClock() time.Time {
	var up unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &up)
	return time.Unix(10, up.Nano())
}

// keepClock says that somebody keeps the clock, as NTP does.
func keepClock(t *testing.T) {
	t.Helper()
	kept := unix.Timex{Modes: unix.ADJ_STATUS | unix.ADJ_MAXERROR, Status: unix.STA_PLL}
	if _, err := unix.Adjtimex(&kept); err != nil {
		t.Fatalf("adjtimex: %v", err)
	}
}

// clockComesBack sets the clock right again when the test ends.
func clockComesBack(t *testing.T) {
	t.Helper()
	program(t, "")
	start := time.Now()
	t.Cleanup(func() { setClock(t, start.Round(0).Add(time.Since(start))) })
}

// fedOften is a systemd that wants to hear of its service each 1.5 s, and counts how often it does.
func fedOften(t *testing.T) (fed *atomic.Int64, env []string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fed = new(atomic.Int64)
	go func() {
		b := make([]byte, 1000)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if string(b[:n]) == "WATCHDOG=1" {
				fed.Add(1)
			}
		}
	}()
	return fed, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=1500000"}
}

const steppedConfig = `
inputs:
  - {name: button, line: GPIO17, gestures: [click, long], long_press: 3s}
outputs:
  - {name: bell, line: GPIO22, pulse: 3s}
  - {name: pump, line: GPIO23, max_on: 4s}
  - {name: fan, line: GPIO24, min_interval: 3s}
sensors:
  - {name: fake, type: simulated, every: 1s}
`

// A gateway that starts without a clock, in 1970, does all in its time, whatever happens to the clock meanwhile.
func TestClockSteps(t *testing.T) {
	clockComesBack(t)
	setClock(t, noClock())
	b := newBroker(t)
	button, bell, pump, fan := header(t, 17), header(t, 22), header(t, 23), header(t, 24)
	o := b.observe()
	fed, env := fedOften(t)
	g := startGateway(t, fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\"}\n%s", b.addr(), steppedConfig), env...)
	o.shows(root+"status", "online")
	o.shows(root+"bell", "OFF")
	year := 365 * 24 * time.Hour
	for _, step := range []struct {
		name string
		to   func() time.Time
	}{
		{"to today", func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }},
		{"a year forth", func() time.Time { return time.Now().Add(year) }},
		{"a year back", func() time.Time { return time.Now().Add(-year) }},
		{"back to 1970", func() time.Time { return noClock() }},
	} {
		t.Run(step.name, func(t *testing.T) {
			time.Sleep(3 * time.Second) // for fan
			saw, mark, meals := watch(t, bell, pump, fan), o.mark(), fed.Load()
			o.send(root+"bell/set", "ON")
			o.send(root+"pump/set", "ON")
			o.send(root+"fan/set", "ON")
			o.shows(root+"fan", "ON")
			o.send(root+"fan/set", "OFF") // waits
			button.pull(t, true)
			time.Sleep(300 * time.Millisecond)
			setClock(t, step.to())
			time.Sleep(200 * time.Millisecond)
			button.pull(t, false) // a click, of half a second
			o.hears(mark, root+"button/event", "click")
			button.pull(t, true)
			o.hears(mark, root+"button/event", "long")
			button.pull(t, false)
			for _, name := range []string{"bell", "pump", "fan"} {
				o.shows(root+name, "OFF")
			}
			if n := len(o.since(mark, root+"button/event")); n != 2 {
				t.Errorf("%d gestures, want a click and a long press: %q", n, o.payloads(mark, root+"button/event"))
			}
			lengths(t, saw(), 3*time.Second, 4*time.Second, 3*time.Second)
			readings := len(o.since(mark, root+"fake/temperature"))
			if readings < 2 || readings > 10 { // in five to eight seconds, on a busy machine
				t.Errorf("%d readings, want one each second", readings)
			}
			if n := fed.Load() - meals; n < 4 {
				t.Errorf("the watchdog was fed %d times, want each half second", n)
			}
		})
	}
	if n := g.said("connected to the broker"); n != 1 {
		t.Errorf("connected %d times, want once", n)
	}
	for _, bad := range []string{"not fed", "hang", "not available"} {
		if g.said(bad) > 0 {
			t.Errorf("its log has %q", bad)
		}
	}
}

// lengths compares how long each output was on, once, with what it was to be.
func lengths(t *testing.T, sights []sight, want ...time.Duration) {
	t.Helper()
	for i, want := range want {
		var on, off time.Time
		times := 0
		for _, s := range sights {
			switch {
			case s.line != i:
			case s.high:
				on = s.at
				times++
			default:
				off = s.at
			}
		}
		d := off.Sub(on)
		if times != 1 || (d-want).Abs() > 2*time.Second { // max_on counts from the wish, so that a busy machine makes it shorter, too
			t.Errorf("output %d was on %d times, at last for %v, want once for %v", i, times, d, want)
		} else {
			t.Logf("output %d was on for %v of %v", i, d.Round(time.Millisecond), want)
		}
	}
}

// timeHealth is what gateway/health tells of time.
type timeHealth struct {
	Clock  bool   `json:"clock_synchronised"`
	LastAt string `json:"last_error_at"`
	Errors []struct {
		Text string
		At   string
		AgeS *int64 `json:"age_s"`
	}
}

func (o *observer) timeHealth(t *testing.T) (h timeHealth) {
	m, _ := o.last(root + "gateway/health")
	if err := json.Unmarshal([]byte(m.payload), &h); err != nil {
		t.Fatalf("%v: %q", err, m.payload)
	}
	return h
}

// What goes wrong before the clock is right has its age, and its time as soon as it is.
func TestClockUnknown(t *testing.T) {
	clockComesBack(t)
	setClock(t, noClock())
	b := newBroker(t)
	o := b.observe()
	newGateway(t, b, "outputs: [{name: lamp, line: GPIO22}]")
	o.shows(root+"status", "online")
	o.send(root+"lamp/set", "first mistake")
	happened := time.Now()
	var h timeHealth
	eventually(t, "health has the mistake", func() bool {
		h = o.timeHealth(t)
		return len(h.Errors) == 1
	})
	if e := h.Errors[0]; h.Clock || h.LastAt != "" || e.At != "" || e.AgeS == nil || *e.AgeS > 10 || !strings.Contains(e.Text, "first mistake") {
		t.Errorf("without a clock: %+v", h)
	}
	today := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	setClock(t, today)
	set := time.Now()
	want := today.Add(-set.Sub(happened))
	keepClock(t)
	time.Sleep(1500 * time.Millisecond) // it looks once a second
	o.send(root+"lamp/set", "second mistake")
	eventually(t, "health has both mistakes", func() bool {
		h = o.timeHealth(t)
		return len(h.Errors) == 2
	})
	if !h.Clock {
		t.Fatalf("the clock is right: %+v", h)
	}
	at, err := time.Parse(time.RFC3339, h.Errors[1].At)
	if err != nil || at.Sub(want).Abs() > 3*time.Second {
		t.Errorf("the first mistake was at %q, want about %v", h.Errors[1].At, want)
	}
	setClock(t, time.Now().Add(time.Hour)) // somebody else: who knows
	time.Sleep(1500 * time.Millisecond)
	o.send(root+"lamp/set", "third mistake")
	eventually(t, "health has no time", func() bool {
		h = o.timeHealth(t)
		return len(h.Errors) == 3 && !h.Clock && h.Errors[0].At == "" && h.Errors[2].At == ""
	})
}
