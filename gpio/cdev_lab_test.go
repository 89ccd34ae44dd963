//go:build linux

package gpio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// simulated is a chip of the kernel's gpio-sim module with the world around it: an input follows its pull, and a line's pull
// and what it drives are files.
type simulated struct {
	t      testing.TB
	label  string
	folder string // in configfs
	lines  string // the folder with each line's sim_gpioN, while the chip is there
}

// newSimulated makes a chip of 8 lines that goes away with the test.
func newSimulated(t testing.TB, label string) *simulated { return newSimulatedSize(t, label, label, 8) }

func newSimulatedSize(t testing.TB, name, label string, size int) *simulated {
	t.Helper()
	if os.Getenv("SIM") == "" {
		t.Skip("SIM does not name a gpio-sim chip's folder: this needs the lab's kernel (scripts/lab)")
	}
	s := &simulated{t: t, label: label, folder: "/sys/kernel/config/gpio-sim/" + name}
	for _, folder := range []string{s.folder, s.folder + "/bank0"} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write(s.folder+"/bank0/num_lines", fmt.Sprint(size))
	s.write(s.folder+"/bank0/label", label)
	s.comeBack()
	t.Cleanup(func() {
		s.vanish()
		os.Remove(s.folder + "/bank0")
		os.Remove(s.folder)
	})
	return s
}

func (s *simulated) write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *simulated) read(path string) string {
	s.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (s *simulated) vanish() { s.write(s.folder+"/live", "0") }

func (s *simulated) comeBack() {
	s.t.Helper()
	s.write(s.folder+"/live", "1")
	s.lines = "/sys/devices/platform/" + s.read(s.folder+"/dev_name") + "/" + s.read(s.folder+"/bank0/chip_name")
}

func (s *simulated) file(offset uint32, name string) string {
	return fmt.Sprintf("%s/sim_gpio%d/%s", s.lines, offset, name)
}

func (s *simulated) drive(offset uint32, high bool) {
	s.t.Helper()
	pull := "pull-down"
	if high {
		pull = "pull-up"
	}
	s.write(s.file(offset, "pull"), pull)
}

func (s *simulated) level(offset uint32) bool {
	s.t.Helper()
	return s.read(s.file(offset, "value")) == "1"
}

// open opens the chip; the test closes it.
func (s *simulated) open() *charDev {
	s.t.Helper()
	c, err := OpenCharDev(CharDev{Labels: []string{s.label}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c.(*charDev)
}

// infos has the kernel tell of each request, release and new configuration of lines, by whomever; the function gives those so far,
// of which the kernel keeps 32.
func (s *simulated) infos(c *charDev, lines ...uint32) (told func() []uapi.LineInfoChangedV2) {
	s.t.Helper()
	fd, err := unix.Open(c.path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { unix.Close(fd) })
	for _, o := range lines {
		if err := uapi.WatchLineInfoV2(uintptr(fd), &uapi.LineInfoV2{Offset: o}); err != nil {
			s.t.Fatal(err)
		}
	}
	return func() (all []uapi.LineInfoChangedV2) {
		for {
			e, err := uapi.ReadLineInfoChangedV2(uintptr(fd))
			if err != nil {
				return all // no more
			}
			all = append(all, e)
		}
	}
}

// levels looks at two outputs as fast as it can until it is called, which tells what else they were than high and low.
func (s *simulated) levels(high, low uint32) (other func() string) {
	s.t.Helper()
	script := `while :; do read a <"$1"; read b <"$2"; [ "$a$b" = 10 ] || { echo "$a$b"; exit 1; }; done`
	watch := exec.Command("busybox", "sh", "-c", script, "levels", s.file(high, "value"), s.file(low, "value"))
	said := &strings.Builder{}
	watch.Stdout = said
	if err := watch.Start(); err != nil {
		s.t.Fatal(err)
	}
	other = sync.OnceValue(func() string {
		watch.Process.Kill()
		watch.Wait()
		return said.String()
	})
	s.t.Cleanup(func() { other() })
	return other
}

// noLeaks fails the test if, at its end, more goroutines or open files are left than now.
func noLeaks(t *testing.T) {
	t.Helper()
	files := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	f, err := os.Open("/dev/null") // Go's poller opens its own files with the first
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	goroutines, open := runtime.NumGoroutine(), files()
	t.Cleanup(func() {
		end := time.Now().Add(suiteWait)
		for runtime.NumGoroutine() > goroutines && time.Now().Before(end) {
			time.Sleep(time.Millisecond)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			stacks := make([]byte, 1<<16)
			t.Errorf("%d goroutines, %d at the start:\n%s", n, goroutines, stacks[:runtime.Stack(stacks, true)])
		}
		if n := files(); n > open+2 { // the poller's own, if this was the first use
			t.Errorf("%d open files, %d at the start", n, open)
		}
	})
}

func TestLabSuite(t *testing.T) {
	s := newSimulated(t, "suite")
	noLeaks(t)
	testChip(t, chipHarness{
		fresh:    func(*testing.T) { s.vanish(); s.comeBack() },
		open:     func() (Chip, error) { return OpenCharDev(CharDev{Labels: []string{s.label}}) },
		drive:    s.drive,
		level:    s.level,
		inputs:   []uint32{0, 1},
		outputs:  []uint32{2, 3, 4},
		refused:  99,
		settles:  true,
		vanish:   s.vanish,
		comeBack: s.comeBack,
	})
}

func TestLabOpen(t *testing.T) {
	small := newSimulatedSize(t, "small", "twin", 4)
	newSimulatedSize(t, "large", "twin", 6)
	path := "/dev/" + small.read(small.folder+"/bank0/chip_name")
	if err := os.Symlink(path, "/dev/gpiochip99"); err != nil {
		t.Fatal(err)
	}
	defer os.Remove("/dev/gpiochip99")
	noLeaks(t)
	for _, test := range []struct {
		name  string
		which CharDev
		label string
		size  uint32
		err   []string // its parts
	}{
		{"header", CharDev{Labels: HeaderLabels}, "pinctrl-bcm2835", 54, nil},
		{"the larger of two", CharDev{Labels: []string{"twin"}}, "twin", 6, nil},
		{"the first label", CharDev{Labels: []string{"absent", "twin", "pinctrl-bcm2835"}}, "twin", 6, nil},
		{"device", CharDev{Labels: HeaderLabels, Device: path}, "twin", 4, nil},
		{"second name", CharDev{Device: "/dev/gpiochip99"}, "twin", 4, nil},
		{"no such label", CharDev{Labels: []string{"a", "b"}}, "", 0, []string{"a or b", `"pinctrl-bcm2835"`, `"twin"`, "give one of"}},
		{"no such device", CharDev{Device: "/dev/gpiochip77"}, "", 0, []string{"/dev/gpiochip77: no such file", "gpiodetect"}},
		{"no chip", CharDev{Device: "/dev/null"}, "", 0, []string{"/dev/null", "not a GPIO chip"}},
		{"nothing", CharDev{}, "", 0, []string{"give its label or its device"}},
	} {
		c, err := OpenCharDev(test.which)
		if test.err != nil {
			wantError(t, test.name, err, test.err...)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if c := c.(*charDev); c.label != test.label || c.size != test.size {
			t.Errorf("%s: %q with %d lines, want %q with %d", test.name, c.label, c.size, test.label, test.size)
		}
		c.Close()
	}
}

func wantError(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %q, want %q in it", what, err, part)
		}
	}
}

func TestLabStamp(t *testing.T) {
	s := newSimulated(t, "stamp")
	noLeaks(t)
	c := s.open()
	suiteClaim(t, c, LineConfig{Name: "in", Offset: 0})
	edges, stop := suiteWatch(t, c)
	for i := range 50 {
		before := time.Now()
		s.drive(0, i%2 == 0)
		after := time.Now()
		e := suiteEdge(t, edges)
		if slack := 2 * time.Millisecond; e.At.Sub(before) < -slack || e.At.Sub(after) > slack || e.High != (i%2 == 0) {
			t.Errorf("edge %d: high %v, stamped %v after the start and %v after the end of the change", i, e.High, e.At.Sub(before), e.At.Sub(after))
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Watch: %v", err)
	}
	c.Close()
}

func TestLabPull(t *testing.T) {
	s := newSimulated(t, "pull")
	c := s.open()
	for _, p := range []Pull{PullUp, PullDown, PullUp, PullAsIs, PullNone} {
		suiteClaim(t, c, LineConfig{Name: "in", Offset: 0, Pull: p}) // changes the line on the same descriptor
		info, err := uapi.GetLineInfoV2(uintptr(c.fd), 0)
		want := map[Pull]uapi.LineFlagV2{
			PullUp: uapi.LineFlagV2BiasPullUp, PullDown: uapi.LineFlagV2BiasPullDown, PullNone: uapi.LineFlagV2BiasDisabled,
		}[p]
		if got := info.Flags & uapi.LineFlagV2BiasMask; err != nil || got != want {
			t.Errorf("pull %d: the kernel has %#x (%v), want %#x", p, got, err, want)
		}
		if got, want := s.level(0), p != PullDown; got != want { // as is and none leave it as the pull-up left it
			t.Errorf("pull %d: high %v, want %v", p, got, want)
		}
	}
}

func TestLabBusy(t *testing.T) {
	s := newSimulated(t, "busy")
	noLeaks(t)
	c := s.open()
	holder := exec.Command("gpiomon", c.path[len("/dev/"):], "3")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer holder.Process.Kill()
	for end := time.Now().Add(suiteWait); ; time.Sleep(10 * time.Millisecond) {
		if info, err := uapi.GetLineInfoV2(uintptr(c.fd), 3); err != nil || info.Flags.IsUsed() || time.Now().After(end) {
			break
		}
	}
	lines := []LineConfig{{Name: "free", Offset: 2}, {Name: "door", Offset: 3}, {Name: "far", Offset: 8}, {Name: "twice", Offset: 2}}
	errs := c.Claim(lines)
	if len(errs) != 4 || errs[0] != nil {
		t.Fatalf("Claim: %v", errs)
	}
	wantError(t, "a held line", errs[1], `in use by "gpiomon": choose another line or free that one`)
	if !errors.Is(errs[1], unix.EBUSY) {
		t.Errorf("%v is not EBUSY", errs[1])
	}
	wantError(t, "a line too far", errs[2], "lines 0 to 7")
	wantError(t, "a line named twice", errs[3], `"free" has this line`)
	holder.Process.Kill()
	holder.Wait()
	suiteClaim(t, c, lines[:2]...)
	s.drive(3, true)
	suiteLevels(t, chipHarness{level: s.level}, c, map[uint32]bool{2: false, 3: true})
	info, err := uapi.GetLineInfoV2(uintptr(c.fd), 3)
	if got := unix.ByteSliceToString(info.Consumer[:]); err != nil || got != "gatewayd door" {
		t.Errorf("consumer %q (%v), want \"gatewayd door\"", got, err)
	}
	suiteClaim(t, c, LineConfig{Name: strings.Repeat("long", 9), Offset: 5})
	info, err = uapi.GetLineInfoV2(uintptr(c.fd), 5)
	if got := unix.ByteSliceToString(info.Consumer[:]); err != nil || got != "gatewayd longlonglonglonglonglo" {
		t.Errorf("consumer %q (%v), want its first 31 bytes", got, err)
	}
	c.Close()
}

// TestLabKeep watches outputs over restarts: their levels as fast as they can be read, and each change of their direction, of which
// the kernel tells.
func TestLabKeep(t *testing.T) {
	s := newSimulated(t, "keep")
	noLeaks(t)
	lines := []LineConfig{
		{Name: "high", Offset: 0, Output: true},
		{Name: "low", Offset: 1, Output: true, ActiveLow: true}, // off would be high
	}
	c := s.open()
	suiteClaim(t, c, lines...)
	if err := c.Write(LinesOf(0, 1), LinesOf(0)); err != nil {
		t.Fatal(err)
	}
	told, other := s.infos(c, 0, 1), s.levels(0, 1)
	const rounds = 100
	changes := 0
	for range rounds {
		c.Close()
		c = s.open()
		suiteClaim(t, c, lines...)
		if !s.level(0) || s.level(1) {
			t.Fatalf("after a restart the lines are %v and %v, want true and false", s.level(0), s.level(1))
		}
		for _, e := range told() {
			changes++
			if !e.Info.Flags.IsOutput() {
				t.Fatalf("line %d was no output meanwhile: %+v", e.Info.Offset, e)
			}
		}
	}
	if want := rounds * 2 * 3; changes != want { // released, requested, configured
		t.Errorf("the kernel told of %d changes, want %d", changes, want)
	}
	if said := other(); said != "" {
		t.Errorf("the levels were %q meanwhile, want 10", said)
	}
	c.Close()
}

func TestLabDebounce(t *testing.T) {
	s := newSimulated(t, "bounce")
	noLeaks(t)
	c := s.open()
	const settle = 80 * time.Millisecond
	suiteClaim(t, c, LineConfig{Name: "in", Offset: 0, Debounce: settle})
	edges, stop := suiteWatch(t, c)
	// A push button's recorded bounce: times between changes, in microseconds.
	recorded := []time.Duration{140, 90, 610, 230, 1900, 80, 300, 2400, 170, 950}
	pressed := false
	for tries, good := 0, 0; good < 3; tries++ {
		pressed = !pressed
		level, longest := pressed, time.Duration(0)
		last := time.Now()
		for _, pause := range append(recorded, 0) {
			longest = max(longest, time.Since(last))
			last = time.Now()
			s.drive(0, level)
			time.Sleep(pause * time.Microsecond)
			level = !level
		}
		e := suiteEdge(t, edges)
		if longest > settle/2 && tries < 20 { // the lab's clock stood still meanwhile
			for len(edges) > 0 || e.High != pressed {
				e = suiteEdge(t, edges)
			}
			continue
		}
		good++
		if took := e.At.Sub(last); e.High != pressed || !e.Settled || e.Lost != 0 || took < settle-2*time.Millisecond || took > time.Second {
			t.Errorf("bounce %d: %+v, %v after the last change; want high %v, settled after %v", good, e, took, pressed, settle)
		}
		suiteNoEdge(t, edges)
	}
	// Other times on the same descriptor, with the same count of edges.
	same, level := c.claimed[0], pressed
	for _, d := range []time.Duration{10 * time.Millisecond, 0, 30 * time.Millisecond} {
		suiteClaim(t, c, LineConfig{Name: "in", Offset: 0, Debounce: d})
		level = !level
		s.drive(0, level)
		if e := suiteEdge(t, edges); e.High != level || e.Settled != (d > 0) || e.Lost != 0 {
			t.Errorf("debounce %v: %+v, want high %v, settled %v, none lost", d, e, level, d > 0)
		}
	}
	if c.claimed[0] != same {
		t.Error("the line was given back and taken again")
	}
	if err := stop(); err != nil {
		t.Errorf("Watch: %v", err)
	}
	c.Close()
}

// TestLabPoor runs lines that cannot do all: a kernel that refuses to debounce, a chip without interrupts, one without pulls.
func TestLabPoor(t *testing.T) {
	s := newSimulated(t, "poor")
	noLeaks(t)
	for _, test := range []struct {
		name  string
		errno unix.Errno
		what  func(*uapi.LineConfig) bool // what the chip refuses
	}{
		{"no debounce", unix.EINVAL, func(c *uapi.LineConfig) bool { return c.NumAttrs > 0 }},
		{"no debounce", unix.EOPNOTSUPP, func(c *uapi.LineConfig) bool { return c.NumAttrs > 0 }},
		{"no debounce", enotsupp, func(c *uapi.LineConfig) bool { return c.NumAttrs > 0 }},
		{"no interrupts", unix.ENXIO, func(c *uapi.LineConfig) bool { return c.Flags&uapi.LineFlagV2EdgeMask != 0 }},
		{"no pulls", unix.EINVAL, func(c *uapi.LineConfig) bool { return c.Flags&uapi.LineFlagV2BiasMask != 0 }},
		{"no pulls", enotsupp, func(c *uapi.LineConfig) bool { return c.Flags&uapi.LineFlagV2BiasMask != 0 }},
		{"nothing", unix.EIO, func(c *uapi.LineConfig) bool { return true }},
	} {
		t.Run(fmt.Sprintf("%s %d", test.name, test.errno), func(t *testing.T) {
			c := s.open()
			defer c.Close()
			c.getLine = func(fd uintptr, r *uapi.LineRequest) error {
				if test.what(&r.Config) {
					return test.errno
				}
				return uapi.GetLine(fd, r)
			}
			line := LineConfig{Name: "in", Offset: 0, Pull: PullUp, Debounce: 20 * time.Millisecond}
			s.drive(0, true)
			errs := c.Claim([]LineConfig{line})
			switch test.name {
			case "no pulls":
				wantError(t, test.name, errors.Join(errs...), "pull: the chip refuses it", "leave it out")
				return
			case "nothing":
				wantError(t, test.name, errors.Join(errs...), "input/output error")
				return
			}
			if errs != nil {
				t.Fatal(errs)
			}
			if polled := test.name == "no interrupts"; c.claimed[0].polled != polled {
				t.Errorf("polled %v, want %v", !polled, polled)
			}
			s.drive(0, false) // before Watch: it must not be missed
			edges, stop := suiteWatch(t, c)
			for _, want := range []bool{false, true, false} {
				s.drive(0, want)
				if e := suiteEdge(t, edges); e.High != want || e.Settled || time.Since(e.At) > time.Second {
					t.Errorf("%+v, want high %v, not settled, now", e, want)
				}
			}
			if err := stop(); err != nil {
				t.Errorf("Watch: %v", err)
			}
		})
	}
}

func TestLabOverflow(t *testing.T) {
	const total = 3001
	for _, watched := range []bool{false, true} {
		t.Run(fmt.Sprintf("watched %v", watched), func(t *testing.T) {
			s := newSimulated(t, "overflow")
			noLeaks(t)
			c := s.open()
			suiteClaim(t, c, LineConfig{Name: "in", Offset: 0})
			edges := make(chan Edge)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			ended := make(chan error, 1)
			watch := func() { ended <- c.Watch(ctx, edges) }
			if watched {
				go watch() // and nobody takes what it sends
			}
			for i := range total {
				s.drive(0, i%2 == 0)
			}
			if !watched {
				go watch()
			}
			received, lost, level := 0, 0, false
			for received+lost < total {
				select {
				case e := <-edges:
					received, lost, level = received+1, lost+int(e.Lost), e.High
					if e.Resync {
						t.Errorf("a resync, though the last edge is right: %+v", e)
					}
				case <-time.After(suiteWait):
					t.Fatalf("%d edges received and %d lost, want %d together", received, lost, total)
				}
			}
			suiteNoEdge(t, edges)
			if received+lost != total || lost < total-eventBuffer-len(reader{}.events) || lost > total-eventBuffer || !level {
				t.Errorf("%d received, %d lost, high %v; want %d together, of which the kernel keeps 1024, and high", received, lost, level, total)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Watch: %v", err)
			}
			c.Close()
		})
	}
}

// TestLabChange has a bank's lines change 200 times. Of those that stay the kernel hears nothing, whatever they are called: no request,
// no release, no configuration; their levels are looked at as fast as they can be read. A press that the kernel is settling when the
// lines change arrives, and none is lost of an input that never rests.
func TestLabChange(t *testing.T) {
	s := newSimulated(t, "change")
	noLeaks(t)
	for o := range uint32(8) {
		s.drive(o, false)
	}
	stay := func(i int) []LineConfig {
		return []LineConfig{
			{Name: fmt.Sprintf("high%d", i/3), Offset: 0, Output: true},
			{Name: fmt.Sprintf("low%d", i/3), Offset: 1, Output: true, ActiveLow: true},
			{Name: fmt.Sprintf("meter%d", i/3), Offset: 2},
			{Name: fmt.Sprintf("door%d", i/3), Offset: 3, Debounce: 5 * time.Millisecond},
		}
	}
	events := make(chan Event, 16)
	bank := NewBank(BankConfig{
		Chip: "header", Lines: stay(0), Open: func() (Chip, error) { return OpenCharDev(CharDev{Labels: []string{s.label}}) },
		Check: time.Hour, // in a lab that is short of time a check may see a press before its edge has come
	}, events)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- bank.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	metered, doors := 0, 0
	await := func(what string, ok func(e Event) bool) Event {
		t.Helper()
		limit := time.After(suiteWait)
		for {
			select {
			case e := <-events:
				switch {
				case e.Err != nil || e.Lost != 0 || e.Fault != nil:
					t.Fatalf("%+v", e)
				case e.Edge && strings.HasPrefix(e.Line, "meter"):
					if metered++; e.Active != (metered%2 == 1) {
						t.Fatalf("edge %d of the meter: %+v", metered, e)
					}
				case e.Edge && strings.HasPrefix(e.Line, "door"):
					if doors++; e.Active != (doors%2 == 1) {
						t.Fatalf("edge %d of the door: %+v", doors, e)
					}
				}
				if ok(e) {
					return e
				}
			case <-limit:
				t.Fatalf("not within %v: %s", suiteWait, what)
			}
		}
	}
	await("the first reading", func(e Event) bool { return e.Line == "door0" })
	bank.Set("high0", true)
	bank.Set("low0", true)
	await("the outputs", func(e Event) bool { return e.Line == "low0" && e.Active })

	told := s.infos(s.open(), 0, 1, 2, 3, 4, 5, 6, 7)
	other := s.levels(0, 1)
	const rounds = 200
	stop, driven := make(chan struct{}), make(chan int, 1)
	rest := sync.OnceFunc(func() { close(stop) })
	defer rest()
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				driven <- n
				return
			case <-time.After(time.Millisecond):
				s.drive(2, n%2 == 0)
			}
		}
	}()
	changes := map[uint32]int{} // that the kernel tells of
	var longest time.Duration
	for i := range rounds {
		s.drive(3, i%2 == 0)
		lines := append(stay(i), LineConfig{Name: fmt.Sprintf("new%d", i), Offset: uint32(4 + i%4), Output: i/4%2 == 0, Initial: On})
		if i%3 == 0 {
			lines = append(lines, LineConfig{Name: "more", Offset: uint32(4 + (i+1)%4), Debounce: time.Duration(i%5) * time.Millisecond})
		}
		change := time.Now()
		bank.Change(lines, nil)
		await("the new line", func(e Event) bool { return e.Line == fmt.Sprintf("new%d", i) })
		longest = max(longest, time.Since(change))
		for _, e := range told() {
			changes[e.Info.Offset]++
		}
		if doors == i {
			await("the press", func(e Event) bool { return doors == i+1 })
		}
	}
	rest()
	total := 0
	select {
	case total = <-driven:
	case <-time.After(suiteWait):
		t.Fatal("the meter's driver does not end")
	}
	if metered < total {
		await("the meter's last edge", func(Event) bool { return metered == total })
	}
	if said := other(); said != "" {
		t.Errorf("the outputs that stay were %q meanwhile, want 10", said)
	}
	t.Logf("%d changes, %v at the most until the new line was told; %d of the meter's %d edges arrived, and %d presses; told by the kernel: %v",
		rounds, longest, metered, total, doors, changes)
	for o := range uint32(8) {
		if stays := o < 4; stays != (changes[o] == 0) {
			t.Errorf("the kernel told of line %d %d times; it stays: %v", o, changes[o], stays)
		}
	}
}

// TestLabResync hides the last edge from Watch: after a gap it must read the line.
func TestLabResync(t *testing.T) {
	s := newSimulated(t, "resync")
	c := s.open()
	suiteClaim(t, c, LineConfig{Name: "in", Offset: 0})
	s.drive(0, true)
	s.drive(0, false)
	l := c.claimed[0]
	if n := (&reader{line: l}).fill(uintptr(l.fd)); n != 2 {
		t.Fatalf("%d events, want 2", n)
	}
	l.seq, l.high, l.gap = 1, true, true
	edges, stop := suiteWatch(t, c)
	if e := suiteEdge(t, edges); e.High || !e.Resync || e.Lost != 0 {
		t.Errorf("%+v, want a resync to low", e)
	}
	suiteNoEdge(t, edges)
	s.drive(0, true)
	if e := suiteEdge(t, edges); !e.High || e.Resync || e.Lost != 1 {
		t.Errorf("%+v, want an edge to high after one that was lost", e)
	}
	suiteNoEdge(t, edges) // the line was read again, and is as the edge said
	if err := stop(); err != nil {
		t.Errorf("Watch: %v", err)
	}
}

// TestLabWatchAgain ends Watch, and goes on later: no edge goes missing uncounted, neither one that came in between nor one that Watch
// had in its hands.
func TestLabWatchAgain(t *testing.T) {
	s := newSimulated(t, "again")
	noLeaks(t)
	c := s.open()
	suiteClaim(t, c, LineConfig{Name: "in", Offset: 0})
	const rounds, perRound = 20, 7
	driven, seen, level, said := 0, 0, false, false
	take := func(edges <-chan Edge) {
		e := suiteEdge(t, edges)
		seen, said = seen+int(e.Lost), e.High
		if !e.Resync {
			seen++
		}
	}
	for round := range rounds {
		ctx, cancel := context.WithCancel(context.Background())
		edges, ended := make(chan Edge), make(chan error, 1)
		go func() { ended <- c.Watch(ctx, edges) }()
		for range perRound {
			level = !level
			s.drive(0, level)
			driven++
		}
		for range 2 { // of seven; in the last round all
			take(edges)
		}
		if err := c.Watch(ctx, edges); err == nil {
			t.Error("a second Watch at the same time: no error")
		}
		for round == rounds-1 && seen < driven {
			take(edges)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Watch: %v", err)
		}
	}
	if seen != driven || said != level {
		t.Errorf("%d edges received or counted as lost, the last to high %v; want %d, %v", seen, said, driven, level)
	}
	// Close ends a Watch, also one that waits to send.
	for _, waits := range []bool{false, true} {
		c := s.open()
		suiteClaim(t, c)
		suiteClaim(t, c, LineConfig{Name: "in", Offset: 1})
		ended := make(chan error, 1)
		go func() { ended <- c.Watch(context.Background(), make(chan Edge)) }()
		time.Sleep(20 * time.Millisecond)
		s.drive(1, waits)
		s.drive(1, !waits)
		c.Close()
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("Watch of a chip that was closed: %v, want %v", err, os.ErrClosed)
		}
	}
	c.Close()
}

// TestLabQueued begins to watch when more edges wait than fit one read, none of them lost, and no other comes.
func TestLabQueued(t *testing.T) {
	s := newSimulated(t, "queued")
	c := s.open()
	suiteClaim(t, c, LineConfig{Name: "in", Offset: 0})
	const total = 40
	for i := range total {
		s.drive(0, i%2 == 0)
	}
	edges, stop := suiteWatch(t, c)
	for i := range total {
		if e := suiteEdge(t, edges); e.High != (i%2 == 0) || e.Lost != 0 {
			t.Errorf("edge %d: %+v", i, e)
		}
	}
	suiteNoEdge(t, edges)
	if err := stop(); err != nil {
		t.Errorf("Watch: %v", err)
	}
}

// TestLabBurst drives 2000 edges at 1 kHz, or as near to it as the lab's clock comes.
func TestLabBurst(t *testing.T) {
	s := newSimulated(t, "burst")
	noLeaks(t)
	c := s.open()
	suiteClaim(t, c, LineConfig{Name: "in", Offset: 0})
	edges, stop := suiteWatch(t, c)
	const total = 2000
	done := make(chan time.Duration)
	go func() {
		file, err := os.OpenFile(s.file(0, "pull"), os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
		}
		begin := time.Now()
		for i := range total {
			time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Millisecond)))
			file.WriteAt([]byte([]string{"pull-up", "pull-down"}[i%2]), 0)
		}
		done <- time.Since(begin)
		file.Close()
	}()
	received, lost := 0, 0
	for received+lost < total {
		e := suiteEdge(t, edges)
		if e.High != (received%2 == 0) {
			t.Fatalf("edge %d: %+v", received, e)
		}
		received, lost = received+1, lost+int(e.Lost)
	}
	took := <-done
	t.Logf("%d edges in %v (%.0f/s): %d received, %d lost", total, took, total/took.Seconds(), received, lost)
	if received != total || lost != 0 {
		t.Errorf("%d received, %d lost, want all %d", received, lost, total)
	}
	if err := stop(); err != nil {
		t.Errorf("Watch: %v", err)
	}
	c.Close()
}

func TestLabGone(t *testing.T) {
	s := newSimulated(t, "gone")
	noLeaks(t)
	c := s.open()
	lines := []LineConfig{{Name: "in", Offset: 0}, {Name: "out", Offset: 1, Output: true}}
	suiteClaim(t, c, lines...)
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(context.Background(), make(chan Edge)) }()
	time.Sleep(20 * time.Millisecond) // its readers wait in the poller
	s.vanish()
	for name, call := range map[string]func() error{
		"Read":  func() error { _, err := c.Read(LinesOf(0, 1)); return err },
		"Write": func() error { return c.Write(LinesOf(1), LinesOf(1)) },
		"Watch": func() error { return <-ended },
		"Claim": func() error {
			return errors.Join(c.Claim([]LineConfig{lines[0], lines[1], {Name: "more", Offset: 2}})...)
		},
	} {
		if name == "Watch" {
			c.Read(LinesOf(0)) // whatever comes first of the map
		}
		if err := call(); !errors.Is(err, unix.ENODEV) {
			t.Errorf("%s of a chip that is gone: %v, want ENODEV", name, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := OpenCharDev(CharDev{Labels: []string{s.label}}); err == nil {
		t.Error("a chip that is gone was opened")
	}
	s.comeBack()
	c = s.open()
	suiteClaim(t, c, lines...)
	s.drive(0, true)
	suiteLevels(t, chipHarness{level: s.level}, c, map[uint32]bool{0: true, 1: false})
	c.Close()
}

// TestOpenCharDevErrors needs no lab: it opens what is no chip.
func TestOpenCharDevErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gpiochip0")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenCharDev(CharDev{Device: path})
	wantError(t, "an ordinary file", err, path, "not a GPIO chip")
	_, err = OpenCharDev(CharDev{Device: path + "1"})
	wantError(t, "no file", err, path+"1", "no such file")
	_, err = OpenCharDev(CharDev{})
	wantError(t, "nothing", err, "give its label or its device")
}
