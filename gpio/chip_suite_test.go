package gpio

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// chipHarness is a kind of Chip with the world around it, for testChip. Sim, each expander and the kernel's chips run the same suite.
type chipHarness struct {
	fresh            func(t *testing.T)              // nil: nothing to do. Before each test: new hardware, nothing driven, nothing open
	open             func() (Chip, error)            // as a new start of the program does; the suite closes what it opened
	drive            func(offset uint32, high bool)  // the world drives a pin
	float            func(offset uint32)             // the world lets go of it; nil: it cannot
	level            func(offset uint32) (high bool) // what the pin shows
	inputs           []uint32                        // at least two lines that can be inputs
	outputs          []uint32                        // at least three that can be outputs, none of them among inputs
	refused          uint32                          // a line below MaxLines that Claim refuses
	pulls            []Pull                          // that inputs can have, of PullUp and PullDown
	settles          bool                            // the chip does LineConfig.Debounce itself and says Settled
	forgets          bool                            // outputs do not outlive Close, as on kernels that let lines go
	weak             bool                            // a line that is high is not driven: after a new start, Keep finds it so
	misses           bool                            // edges that follow one another within 20 ms may be lost, as where lines are polled
	vanish, comeBack func()                          // the chip goes away, and can be opened again after comeBack; both nil: it cannot
}

// suiteWait bounds every wait for a chip under test.
const suiteWait = 5 * time.Second

// testChip checks what Chip promises.
func testChip(t *testing.T, h chipHarness) {
	run := func(name string, f func(t *testing.T, h chipHarness)) {
		t.Run(name, func(t *testing.T) {
			if h.fresh != nil {
				h.fresh(t)
			}
			f(t, h)
		})
	}
	run("initial", suiteInitial)
	run("keep", suiteKeep)
	run("restore", suiteRestore)
	run("write", suiteWrite)
	run("pull", suitePull)
	run("edges", suiteEdges)
	run("difference", suiteDifference)
	run("refused", suiteRefused)
	run("settle", suiteSettle)
	run("vanish", suiteVanish)
}

func suiteInitial(t *testing.T, h chipHarness) {
	c := suiteOpen(t, h)
	off, on, low := h.outputs[0], h.outputs[1], h.outputs[2]
	suiteClaim(t, c,
		LineConfig{Name: "off", Offset: off, Output: true, Initial: Off},
		LineConfig{Name: "on", Offset: on, Output: true, Initial: On},
		LineConfig{Name: "low", Offset: low, Output: true, Initial: On, ActiveLow: true})
	suiteLevels(t, h, c, map[uint32]bool{off: false, on: true, low: false})
}

func suiteKeep(t *testing.T, h chipHarness) {
	keep := []LineConfig{
		{Name: "a", Offset: h.outputs[0], Output: true, Initial: Keep},
		{Name: "b", Offset: h.outputs[1], Output: true, Initial: Keep, ActiveLow: true},
	}
	c := suiteOpen(t, h)
	suiteClaim(t, c, keep...)
	// Nothing drove them: they are off, whatever their level was.
	suiteLevels(t, h, c, map[uint32]bool{keep[0].Offset: false, keep[1].Offset: true})
	if err := c.Write(LinesOf(keep[0].Offset, keep[1].Offset), LinesOf(keep[0].Offset)); err != nil {
		t.Fatalf("Write: %v", err)
	}
	suiteLevels(t, h, c, map[uint32]bool{keep[0].Offset: true, keep[1].Offset: false})
	if h.forgets {
		return
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for o, want := range map[uint32]bool{keep[0].Offset: true, keep[1].Offset: false} {
		if got := h.level(o); got != want {
			t.Errorf("after Close line %d is high: %v, want %v", o, got, want)
		}
	}
	again := suiteOpen(t, h)
	suiteClaim(t, again, keep...)
	suiteLevels(t, h, again, map[uint32]bool{keep[0].Offset: !h.weak, keep[1].Offset: false})
}

func suiteRestore(t *testing.T, h chipHarness) {
	lines := []LineConfig{
		{Name: "a", Offset: h.outputs[0], Output: true, Initial: KeepOrOn},
		{Name: "b", Offset: h.outputs[1], Output: true, Initial: KeepOrOn, ActiveLow: true},
	}
	c := suiteOpen(t, h)
	suiteClaim(t, c, lines...)
	suiteLevels(t, h, c, map[uint32]bool{lines[0].Offset: true, lines[1].Offset: false}) // nothing drove them
	if err := c.Write(LinesOf(lines[0].Offset, lines[1].Offset), LinesOf(lines[1].Offset)); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if h.forgets {
		return
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	again := suiteOpen(t, h)
	suiteClaim(t, again, lines...)
	suiteLevels(t, h, again, map[uint32]bool{lines[0].Offset: false, lines[1].Offset: !h.weak}) // they are driven
}

func suiteWrite(t *testing.T, h chipHarness) {
	c := suiteOpen(t, h)
	a, b, not, in := h.outputs[0], h.outputs[1], h.outputs[2], h.inputs[0]
	h.drive(in, false)
	suiteClaim(t, c,
		LineConfig{Name: "a", Offset: a, Output: true, Initial: Off},
		LineConfig{Name: "b", Offset: b, Output: true, Initial: On},
		LineConfig{Name: "in", Offset: in})
	before := h.level(not)
	for _, high := range []bool{true, false, true} {
		set := LinesOf(not, in)
		set.Set(a, high)
		set.Set(b, !high)
		if err := c.Write(LinesOf(a, b, not, in), set); err != nil {
			t.Fatalf("Write: %v", err)
		}
		suiteLevels(t, h, c, map[uint32]bool{a: high, b: !high, in: false})
		if err := c.Write(LinesOf(a), LinesOf()); err != nil {
			t.Fatalf("Write: %v", err)
		}
		suiteLevels(t, h, c, map[uint32]bool{a: false, b: !high})
	}
	if got := h.level(not); got != before {
		t.Errorf("line %d, which is not claimed, was driven to high: %v", not, got)
	}
	v, err := c.Read(LinesOf(not))
	if err != nil || v.Valid.Has(not) {
		t.Errorf("Read of a line that is not claimed: valid %v, %v", v.Valid.Has(not), err)
	}
	if v, err := c.Read(Lines{}); err != nil || v.High != (Lines{}) && v.Valid == (Lines{}) {
		t.Errorf("Read of no lines: %v, %v", v, err)
	}
}

func suitePull(t *testing.T, h chipHarness) {
	if h.float == nil {
		t.Skip("the world cannot let go of this chip's pins")
	}
	for _, p := range h.pulls {
		c := suiteOpen(t, h)
		in := h.inputs[0]
		h.float(in)
		suiteClaim(t, c, LineConfig{Name: "in", Offset: in, Pull: p})
		suiteLevels(t, h, c, map[uint32]bool{in: p == PullUp})
		h.drive(in, p != PullUp)
		suiteLevels(t, h, c, map[uint32]bool{in: p != PullUp})
		h.float(in)
		suiteLevels(t, h, c, map[uint32]bool{in: p == PullUp})
		c.Close()
	}
}

func suiteEdges(t *testing.T, h chipHarness) {
	c := suiteOpen(t, h)
	a, b := h.inputs[0], h.inputs[1]
	h.drive(a, false)
	h.drive(b, true)
	// Active-low changes nothing: levels are physical.
	suiteClaim(t, c, LineConfig{Name: "a", Offset: a}, LineConfig{Name: "b", Offset: b, ActiveLow: true})
	edges, stop := suiteWatch(t, c)
	begin := time.Now()
	want := map[uint32][]bool{}
	la, lb := false, true
	for i := range 20 {
		if h.misses {
			time.Sleep(40 * time.Millisecond)
		}
		la = !la
		h.drive(a, la)
		want[a] = append(want[a], la)
		if i%3 == 0 {
			lb = !lb
			h.drive(b, lb)
			want[b] = append(want[b], lb)
		}
	}
	got := map[uint32][]bool{}
	last := map[uint32]time.Time{}
	for n := 0; n < len(want[a])+len(want[b]); n++ {
		e := suiteEdge(t, edges)
		got[e.Offset] = append(got[e.Offset], e.High)
		if e.At.Before(begin.Add(-time.Second)) || e.At.After(time.Now().Add(time.Second)) || e.At.Before(last[e.Offset]) {
			t.Errorf("edge of line %d at %v: begun %v, now %v, the one before %v", e.Offset, e.At, begin, time.Now(), last[e.Offset])
		}
		last[e.Offset] = e.At
		if e.Lost != 0 || e.Resync || e.Settled {
			t.Errorf("edge %+v: wanted none lost, no resync, not settled", e)
		}
	}
	for o := range want {
		if !slices.Equal(got[o], want[o]) {
			t.Errorf("edges of line %d: %v, want %v", o, got[o], want[o])
		}
	}
	suiteNoEdge(t, edges)
	if err := stop(); err != nil {
		t.Errorf("Watch after its context ended: %v, want nil", err)
	}
}

func suiteDifference(t *testing.T, h chipHarness) {
	c := suiteOpen(t, h)
	a, b := h.inputs[0], h.inputs[1]
	out, other := h.outputs[0], h.outputs[1]
	h.drive(a, false)
	h.drive(b, false)
	lines := []LineConfig{{Name: "a", Offset: a}, {Name: "out", Offset: out, Output: true, Initial: Off}}
	suiteClaim(t, c, lines...)
	edges, stop := suiteWatch(t, c)
	if err := c.Write(LinesOf(out), LinesOf(out)); err != nil {
		t.Fatalf("Write: %v", err)
	}
	// More lines; those that are the same stay as they are, Initial or not.
	suiteClaim(t, c, append(lines, LineConfig{Name: "b", Offset: b}, LineConfig{Name: "other", Offset: other, Output: true, Initial: On})...)
	suiteLevels(t, h, c, map[uint32]bool{a: false, b: false, out: true, other: true})
	h.drive(b, true)
	if e := suiteEdge(t, edges); e.Offset != b || !e.High {
		t.Errorf("edge %+v, want line %d high: Watch follows Claim", e, b)
	}
	h.drive(a, true)
	if e := suiteEdge(t, edges); e.Offset != a || !e.High {
		t.Errorf("edge %+v, want line %d high", e, a)
	}
	// Fewer: what is released is not valid, and has no edges.
	suiteClaim(t, c, lines[1], LineConfig{Name: "b", Offset: b})
	if v, err := c.Read(LinesOf(a, b, out, other)); err != nil || v.Valid.Has(a) || v.Valid.Has(other) || !v.Valid.Has(b) || !v.Valid.Has(out) {
		t.Errorf("after release Read gives %v, %v", slices.Collect(v.Valid.All()), err)
	}
	h.drive(a, false)
	suiteNoEdge(t, edges)
	h.drive(b, false)
	if e := suiteEdge(t, edges); e.Offset != b || e.High {
		t.Errorf("edge %+v, want line %d low", e, b)
	}
	suiteLevels(t, h, c, map[uint32]bool{out: true})
	if err := stop(); err != nil {
		t.Errorf("Watch: %v", err)
	}
}

func suiteRefused(t *testing.T, h chipHarness) {
	c := suiteOpen(t, h)
	in := h.inputs[0]
	h.drive(in, true)
	lines := []LineConfig{
		{Name: "in", Offset: in}, {Name: "no", Offset: h.refused}, {Name: "out", Offset: h.outputs[0], Output: true, Initial: On},
	}
	for range 2 { // the second Claim tries again what failed, and harms nothing
		errs := c.Claim(lines)
		if len(errs) != len(lines) || errs[0] != nil || errs[1] == nil || errs[2] != nil {
			t.Fatalf("Claim with line %d, which cannot be claimed: %v, want one error", h.refused, errs)
		}
		suiteLevels(t, h, c, map[uint32]bool{in: true, h.outputs[0]: true})
	}
	if v, err := c.Read(LinesOf(h.refused)); err != nil || v.Valid.Has(h.refused) {
		t.Errorf("Read of a refused line: valid %v, %v", v.Valid.Has(h.refused), err)
	}
}

func suiteSettle(t *testing.T, h chipHarness) {
	c := suiteOpen(t, h)
	in := h.inputs[0]
	h.drive(in, false)
	suiteClaim(t, c, LineConfig{Name: "in", Offset: in, Debounce: 60 * time.Millisecond})
	edges, stop := suiteWatch(t, c)
	h.drive(in, true)
	if !h.settles {
		if e := suiteEdge(t, edges); e.Settled {
			t.Errorf("edge %+v says it is settled", e)
		}
	} else {
		for range 4 { // bounces
			h.drive(in, false)
			h.drive(in, true)
		}
		if e := suiteEdge(t, edges); !e.Settled || !e.High || e.Lost != 0 {
			t.Errorf("edge %+v, want settled and high", e)
		}
		suiteNoEdge(t, edges)
	}
	if err := stop(); err != nil {
		t.Errorf("Watch: %v", err)
	}
}

func suiteVanish(t *testing.T, h chipHarness) {
	if h.vanish == nil {
		t.Skip("this chip cannot be taken away here")
	}
	c := suiteOpen(t, h)
	in, out := h.inputs[0], h.outputs[0]
	h.drive(in, true)
	suiteClaim(t, c, LineConfig{Name: "in", Offset: in}, LineConfig{Name: "out", Offset: out, Output: true, Initial: On})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(ctx, make(chan Edge, 16)) }()
	h.vanish()
	if _, err := c.Read(LinesOf(in, out)); err == nil {
		t.Error("Read of a chip that is gone: no error")
	}
	if err := c.Write(LinesOf(out), LinesOf(out)); err == nil {
		t.Error("Write to a chip that is gone: no error")
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Watch of a chip that is gone: nil, want why")
		}
	case <-time.After(suiteWait):
		t.Error("Watch of a chip that is gone did not return")
		cancel()
		<-ended
	}
	c.Close() // may fail: nobody is there
	h.comeBack()
	c = suiteOpen(t, h)
	suiteClaim(t, c, LineConfig{Name: "in", Offset: in}, LineConfig{Name: "out", Offset: out, Output: true, Initial: On})
	h.drive(in, false)
	suiteLevels(t, h, c, map[uint32]bool{in: false, out: true})
}

// suiteOpen opens the chip, and sees to it that it is closed at the end.
func suiteOpen(t *testing.T, h chipHarness) Chip {
	t.Helper()
	c, err := h.open()
	for end := time.Now().Add(suiteWait); err != nil && time.Now().Before(end); c, err = h.open() {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	once := &closeOnce{Chip: c}
	t.Cleanup(func() { once.Close() })
	return once
}

type closeOnce struct {
	Chip
	closed bool
}

func (c *closeOnce) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.Chip.Close()
}

func suiteClaim(t *testing.T, c Chip, lines ...LineConfig) {
	t.Helper()
	if errs := c.Claim(lines); errs != nil {
		t.Fatalf("Claim: %v", errors.Join(errs...))
	}
}

// suiteLevels compares what Read gives, and what the pins show, with what is wanted. Inputs may need a moment.
func suiteLevels(t *testing.T, h chipHarness, c Chip, want map[uint32]bool) {
	t.Helper()
	var mask, high Lines
	for o, l := range want {
		mask.Set(o, true)
		high.Set(o, l)
	}
	var v Levels
	var err error
	for end := time.Now().Add(time.Second); ; time.Sleep(5 * time.Millisecond) {
		v, err = c.Read(mask)
		ok := err == nil
		for o := range mask.All() {
			ok = ok && v.Valid.Has(o) && v.High.Has(o) == want[o] && h.level(o) == want[o]
		}
		if ok {
			return
		}
		if time.Now().After(end) {
			break
		}
	}
	for o := range mask.All() {
		t.Errorf("line %d: valid %v, high %v, pin high %v, err %v; want high %v", o, v.Valid.Has(o), v.High.Has(o), h.level(o), err, want[o])
	}
}

// suiteWatch begins to watch. stop ends it and gives what Watch returned.
func suiteWatch(t *testing.T, c Chip) (edges <-chan Edge, stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ch, ended := make(chan Edge, 64), make(chan error, 1)
	go func() { ended <- c.Watch(ctx, ch) }()
	var err error
	done := false
	stop = func() error {
		if !done {
			cancel()
			select {
			case err = <-ended:
			case <-time.After(suiteWait):
				err = errors.New("Watch did not return when its context ended")
			}
			done = true
		}
		return err
	}
	t.Cleanup(func() { stop() })
	time.Sleep(20 * time.Millisecond) // Watch is under way: a chip that polls has its first picture
	return ch, stop
}

func suiteEdge(t *testing.T, edges <-chan Edge) Edge {
	t.Helper()
	select {
	case e := <-edges:
		return e
	case <-time.After(suiteWait):
		t.Fatal("no edge came")
		return Edge{}
	}
}

func suiteNoEdge(t *testing.T, edges <-chan Edge) {
	t.Helper()
	select {
	case e := <-edges:
		t.Errorf("edge %+v, wanted none", e)
	case <-time.After(100 * time.Millisecond):
	}
}
