package gpio

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// changeWorld is a chip of 16 lines, and what is around it.
type changeWorld struct {
	open     func() (Chip, error)
	drive    func(offset uint32, high bool)
	float    func(offset uint32)
	level    func(offset uint32) bool
	driven   func(offset uint32) bool
	moved    func() []uint32 // changes of outputs' pins since it was last asked; of others it may give some
	gone     func(gone bool) // the chip goes away, or returns
	fault    func()          // the next transactions fail; nil: it cannot
	only     Lines           // lines that can be outputs only
	pulls    []Pull
	gap      time.Duration // an input's edges follow one another no sooner
	interval time.Duration // after which everything that came with a change has been seen
}

// gate lets the bank's calls to a chip hang, with the chip's own lock free.
type gate struct {
	mu   sync.Mutex    // guards the following
	hang chan struct{} // nil: open
}

func (g *gate) set(hang chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hang = hang
}

func (g *gate) pass() {
	g.mu.Lock()
	hang := g.hang
	g.mu.Unlock()
	if hang != nil {
		<-hang
	}
}

type gatedChip struct {
	Chip
	*gate
	write func(mask Lines)
}

func (c *gatedChip) Read(mask Lines) (Levels, error) { c.pass(); return c.Chip.Read(mask) }
func (c *gatedChip) Write(mask, levels Lines) error {
	c.pass()
	c.write(mask)
	return c.Chip.Write(mask, levels)
}

// changeRun is a bank whose lines change at random, and what must come of it.
type changeRun struct {
	t       *testing.T
	w       *changeWorld
	r       *rand.Rand
	gate    gate
	bank    *Bank
	events  chan Event
	lines   []LineConfig    // as of the last Change
	told    map[string]bool // by name, as last told
	toggled map[uint32]time.Time
	mu      sync.Mutex // guards the following
	written Lines
}

// A name tells the line and which level is active, as the event alone does not.
func changeName(variant int, l *LineConfig) string {
	return fmt.Sprintf("%c%d%s", 'a'+variant, l.Offset, map[bool]string{false: "h", true: "l"}[l.ActiveLow])
}

func changeNamed(name string) (offset uint32, low bool) {
	fmt.Sscanf(name[1:], "%d", &offset)
	return offset, strings.HasSuffix(name, "l")
}

// config gives lines at random, most of them as before.
func (c *changeRun) config(before []LineConfig) (lines []LineConfig) {
	has := map[uint32]LineConfig{}
	for _, l := range before {
		has[l.Offset] = l
	}
	for o := range uint32(16) {
		l, ok := has[o]
		switch n := c.r.IntN(10); {
		case ok && n < 5: // as it is
		case ok && n == 5:
			continue
		case ok && n == 6: // what does not matter to the chip
			l.ActiveLow, l.Initial = c.r.IntN(2) == 0, Initial(c.r.IntN(4))
			l.Name = changeName(c.r.IntN(3), &l)
		case !ok && n < 4:
			continue
		default:
			l = LineConfig{Offset: o, ActiveLow: c.r.IntN(2) == 0, Output: c.w.only.Has(o) || c.r.IntN(2) == 0}
			if l.Output {
				l.Initial = Initial(c.r.IntN(4))
			} else {
				l.Pull, l.Debounce = c.w.pulls[c.r.IntN(len(c.w.pulls))], []time.Duration{0, 10 * msec}[c.r.IntN(2)]
			}
			l.Name = changeName(c.r.IntN(3), &l)
		}
		lines = append(lines, l)
	}
	c.r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return lines
}

func lineAt(lines []LineConfig, offset uint32) *LineConfig {
	for i := range lines {
		if lines[i].Offset == offset {
			return &lines[i]
		}
	}
	return nil
}

func isOutput(l *LineConfig) bool { return l != nil && l.Output }
func isInput(l *LineConfig) bool  { return l != nil && !l.Output }

// keptInput tells whether an input goes on.
func keptInput(a, b *LineConfig) bool {
	return isInput(a) && isInput(b) && a.Pull == b.Pull && a.Debounce == b.Debounce
}

// take gives the events of a time.
func (c *changeRun) take(d time.Duration) (events []Event) {
	time.Sleep(d)
	synctest.Wait()
	for {
		select {
		case e := <-c.events:
			if events = append(events, e); e.Line != "" && e.Err == nil {
				c.told[e.Line] = e.Active
			} else {
				delete(c.told, e.Line)
			}
		default:
			return events
		}
	}
}

// round changes the lines once or, while a call to the chip hangs, several times, and has things happen meanwhile.
func (c *changeRun) round() {
	t, r, before := c.t, c.r, c.lines
	kind := []string{"runs", "runs", "hangs", "hangs", "gone", "fault"}[r.IntN(6)]
	if kind == "fault" && c.w.fault == nil {
		kind = "runs"
	}
	steps := []([]LineConfig){c.config(before)}
	if kind == "hangs" {
		for range r.IntN(3) {
			steps = append(steps, c.config(steps[len(steps)-1]))
		}
	}
	after := steps[len(steps)-1]

	// Who leaves the inputs lets go of them.
	was := map[uint32]bool{}
	for o := range uint32(16) {
		if isInput(lineAt(before, o)) && !isInput(lineAt(after, o)) {
			c.w.float(o)
		}
	}
	c.take(c.w.interval)
	wasDriven := map[uint32]bool{}
	for o := range uint32(16) {
		was[o], wasDriven[o] = c.w.level(o), c.w.driven(o)
	}
	var release func()
	for _, l := range before {
		if l.Output && kind == "hangs" {
			hang := make(chan struct{})
			c.gate.set(hang)
			c.bank.Set(l.Name, was[l.Offset] != l.ActiveLow) // as it is
			synctest.Wait()
			release = func() { synctest.Wait(); c.gate.set(nil); close(hang) }
			break
		}
	}
	if kind == "hangs" && release == nil {
		kind, steps = "runs", steps[len(steps)-1:]
	}
	if kind == "gone" {
		c.w.gone(true)
		c.take(time.Second)
	}
	if kind == "fault" {
		c.w.fault()
	}
	c.w.moved()
	c.mu.Lock()
	c.written = Lines{}
	c.mu.Unlock()
	var events []Event
	pressed := map[uint32][]bool{}
	wished := map[uint32]bool{}
	act := func() { // something happens
		time.Sleep(time.Duration(r.IntN(15)) * msec)
		o := uint32(r.IntN(16))
		a, b, now := lineAt(before, o), lineAt(after, o), lineAt(c.lines, o)
		switch {
		case isOutput(now):
			active := r.IntN(2) == 0
			wished[o] = now.Level(active)
			c.bank.Set(now.Name, active)
		case keptInput(a, b) && time.Since(c.toggled[o]) >= c.w.gap:
			c.toggled[o] = time.Now()
			high := !c.w.level(o)
			pressed[o] = append(pressed[o], high)
			c.w.drive(o, high)
		}
	}
	for _, next := range steps {
		for range r.IntN(8) {
			act()
		}
		c.bank.Change(slices.Clone(next), nil)
		c.lines = next
	}
	for range r.IntN(8) {
		act()
	}
	if kind == "hangs" {
		release()
	}
	switch kind {
	case "gone":
		c.w.gone(false)
		events = c.take(time.Minute)
	case "fault": // what was refused is asked for again
		events = c.take(10 * time.Second)
	}
	events = append(events, c.take(c.w.interval)...)

	// Outputs.
	moves := map[uint32]int{}
	for _, o := range c.w.moved() {
		moves[o]++
	}
	c.mu.Lock()
	written := c.written
	c.mu.Unlock()
	for o := range uint32(16) {
		a, b := lineAt(before, o), lineAt(after, o)
		wish, isWished := wished[o]
		where := func() string {
			return fmt.Sprintf("%s: line %d, which was %+v and is %+v, wished %v, was high: %v, driven: %v", kind, o, a, b, wished, was[o], wasDriven[o])
		}
		want, most := was[o], 0
		switch {
		case isOutput(a) && isInput(b), !isOutput(a) && !isOutput(b):
			continue
		case isWished && isOutput(a) && b == nil && kind == "gone" && a.Level(true) == wish:
			// An ON that nobody asks for any more.
		case isWished:
			want, most = wish, 1
		case !isOutput(a) && !(wasDriven[o] && b.Initial.Keeps()):
			want, most = b.Level(b.Initial.Undriven()), 1
		}
		if got := c.w.level(o); got != want {
			t.Errorf("%s: high: %v, want %v", where(), got, want)
		}
		if kind == "runs" || kind == "fault" {
			most *= 8 * 2
		}
		if moves[o] > most {
			t.Errorf("%s: moved %d times, want at most %d", where(), moves[o], most)
		}
		if isOutput(a) && isOutput(b) && !isWished && written.Has(o) && kind == "runs" {
			t.Errorf("%s: it was written", where())
		}
	}

	// What was told.
	edges, others := map[uint32][]bool{}, map[uint32]int{}
	for _, e := range events {
		if e.Line == "" {
			continue
		}
		o, low := changeNamed(e.Line)
		if e.Edge {
			edges[o] = append(edges[o], e.Active != low)
		} else {
			others[o]++
		}
		if e.Lost != 0 {
			t.Errorf("%s: %d edges lost of %s", kind, e.Lost, e.Line)
		}
	}
	for o := range uint32(16) {
		a, b := lineAt(before, o), lineAt(after, o)
		if kind == "gone" || kind == "fault" || a == nil || b == nil {
			continue
		}
		if _, isWished := wished[o]; a.Output != b.Output || a.Output && isWished || !a.Output && !keptInput(a, b) {
			continue
		}
		if !slices.Equal(edges[o], pressed[o]) {
			t.Errorf("%s: edges of line %d, which was %+v and is %+v: %v, want %v", kind, o, a, b, edges[o], pressed[o])
		}
		// The wish that hung is answered, and a line that was another one in a change that was overtaken is told once more.
		if most := map[bool]int{false: 1}[a.Name == b.Name]; others[o] > most+map[bool]int{true: 1 + map[bool]int{true: 1}[a.Output]}[kind == "hangs"] {
			t.Errorf("%s: line %d, which was %+v and is %+v, was told %d times, want %d", kind, o, a, b, others[o], most)
		}
	}
	c.settle()
}

// settle has the world drive what are inputs, and compares what was told with what is.
func (c *changeRun) settle() {
	for _, l := range c.lines {
		if !l.Output {
			if _, ok := c.toggled[l.Offset]; !ok || c.r.IntN(4) == 0 {
				c.w.drive(l.Offset, c.r.IntN(2) == 0)
				c.toggled[l.Offset] = time.Now()
			}
		} else {
			delete(c.toggled, l.Offset)
		}
	}
	c.take(c.w.interval)
	c.compare(c.told)
}

func (c *changeRun) compare(told map[string]bool) {
	for _, l := range c.lines {
		active, ok := told[l.Name]
		if want := c.w.level(l.Offset) != l.ActiveLow; !ok || active != want {
			c.t.Errorf("%s, %+v, was told: %v, as active: %v, want %v", l.Name, l, ok, active, want)
		}
	}
}

func runChanges(t *testing.T, seed uint64, rounds int, w *changeWorld) {
	c := &changeRun{t: t, w: w, r: rand.New(rand.NewPCG(seed, 1)), events: make(chan Event, 4096), told: map[string]bool{},
		toggled: map[uint32]time.Time{}}
	open := func() (Chip, error) {
		chip, err := w.open()
		if err != nil {
			return nil, err
		}
		return &gatedChip{Chip: chip, gate: &c.gate, write: func(mask Lines) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for o := range mask.All() {
				c.written.Set(o, true)
			}
		}}, nil
	}
	c.bank = NewBank(BankConfig{Chip: "chip", Open: open}, c.events)
	run := func() (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.bank.Run(ctx) }()
		return func() { cancel(); <-ended }
	}
	stop := run()
	for i := range rounds {
		if c.round(); t.Failed() {
			t.Fatalf("seed %d, round %d", seed, i)
		}
	}
	stop()
	// A bank that starts with these lines tells the same, and moves nothing.
	c.take(0)
	for i := range c.lines {
		c.lines[i].Initial = Keep
	}
	w.moved()
	before := c.told
	c.told = map[string]bool{}
	c.bank = NewBank(BankConfig{Chip: "chip", Open: open, Lines: c.lines}, c.events)
	stop = run()
	c.take(w.interval)
	stop()
	c.compare(c.told)
	for _, l := range c.lines {
		if before[l.Name] != c.told[l.Name] {
			t.Errorf("%s: told as %v, and by a new bank as %v", l.Name, before[l.Name], c.told[l.Name])
		}
		if l.Output && slices.Contains(w.moved(), l.Offset) {
			t.Errorf("%s moved when a new bank came", l.Name)
		}
	}
}

// TestBankChangesSim has lines change at random, while the bank is idle, busy or without its chip: what is the same is not touched, what
// is new is as with a new bank.
func TestBankChangesSim(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			sim := NewSim(16)
			var mu sync.Mutex
			var moved []uint32
			sim.OnOutput(func(o uint32, _ bool) {
				mu.Lock()
				defer mu.Unlock()
				moved = append(moved, o)
			})
			runChanges(t, seed, 40, &changeWorld{
				open: sim.Open, drive: sim.Drive, float: sim.Float, level: sim.Level,
				driven: func(o uint32) bool { driven, _ := sim.Driven(o); return driven },
				moved: func() (all []uint32) {
					mu.Lock()
					defer mu.Unlock()
					all, moved = moved, nil
					return all
				},
				gone: func(gone bool) {
					if gone {
						sim.Fail(errors.New("gone"))
					} else {
						sim.Recover()
					}
				},
				pulls: []Pull{PullAsIs, PullUp, PullDown, PullNone}, gap: 25 * msec, interval: 200 * msec,
			})
		})
	}
}

// TestBankChangesExpander does that with an MCP23017, whose bus fails now and then.
func TestBankChangesExpander(t *testing.T) {
	for seed := range uint64(40) {
		bubble(t, func(t *testing.T, rig *expanderRig) {
			if seed%2 == 1 {
				rig.cfg.Interrupt = rig.irq
			}
			pins := rig.watchPins()
			set := func(o uint32, level string) { rig.play(fmt.Sprintf("0x20 input %d %s", o, level)) }
			runChanges(t, seed, 30, &changeWorld{
				open:   func() (Chip, error) { return MCP23017.Open(rig.cfg) },
				drive:  func(o uint32, high bool) { rig.input(int(o), high) },
				float:  func(o uint32) { set(o, "open") },
				level:  rig.level,
				driven: func(o uint32) bool { return rig.reg("iodir")>>o&1 == 0 },
				moved: func() (all []uint32) {
					for _, p := range pins() {
						var bank byte
						var n uint32
						if _, err := fmt.Sscanf(p, "%c%d", &bank, &n); err != nil {
							t.Fatalf("pin %q: %v", p, err)
						}
						all = append(all, uint32(bank-'a')*8+n)
					}
					return all
				},
				gone: func(gone bool) {
					rig.play(map[bool]string{true: "absent 0x20", false: "present 0x20"}[gone])
				},
				fault: func() { rig.play("fault 0x20 nack 3") },
				only:  LinesOf(7, 15), pulls: []Pull{PullAsIs, PullUp}, gap: 60 * msec, interval: time.Second,
			})
		})
	}
}
