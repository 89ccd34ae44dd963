package gpio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/physic"

	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/control"
)

// expanderRig is a bus with a chip, an MCP23017 at 0x20 unless said, its interrupt on a line, and a tap on the wire between them and us.
type expanderRig struct {
	t    testing.TB
	kind *ExpanderType
	bus  *bus.Bus
	irq  *testInterrupt
	log  syncBuffer
	cfg  ExpanderConfig

	mu   sync.Mutex // guards the following
	n    int        // transactions so far
	seen []string   // w[..] or r[..] of each
	// spoil may answer a transaction in the bus's place, or change what was read.
	spoil func(n int, w, r []byte, do func() error) error
}

func newExpanderRig(t testing.TB) *expanderRig { return newRigOf(t, MCP23017) }

// newRigOf is a rig with a chip of that type, at its first address.
func newRigOf(t testing.TB, kind *ExpanderType) *expanderRig {
	rig := &expanderRig{t: t, kind: kind, bus: bus.New(bus.Profiles["bcm2835"], nil), irq: &testInterrupt{}}
	t.Cleanup(func() { rig.bus.Close() })
	rig.play(fmt.Sprintf("chip %s@0x%02x", modelOf(kind), kind.First))
	pin := "int"
	if kind == MCP23017 {
		pin = "inta"
	}
	stop, err := rig.bus.OnPin(kind.First, pin, rig.irq.set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	rig.cfg = ExpanderConfig{Bus: rig, Addr: kind.First, Log: slog.New(slog.NewTextHandler(&rig.log, nil))}
	return rig
}

// modelOf gives the simulated chip that stands for a type.
func modelOf(kind *ExpanderType) string {
	model := strings.ToLower(strings.TrimSuffix(kind.Name, "A"))
	return strings.NewReplacer("tca", "pca", "xl", "pca").Replace(model)
}

func (r *expanderRig) play(lines ...string) {
	r.t.Helper()
	for _, l := range lines {
		if _, err := control.Exec(r.bus, l); err != nil {
			r.t.Fatalf("%s: %v", l, err)
		}
	}
}

// reg gives a register as the model has it, without a transaction.
func (r *expanderRig) reg(name string) uint16 {
	r.t.Helper()
	out, err := control.Exec(r.bus, fmt.Sprintf("get 0x%02x %s", r.cfg.Addr, name))
	if err != nil {
		r.t.Fatal(err)
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(strings.Fields(out[0])[len(strings.Fields(out[0]))-1], "0x"), 16, 16)
	if err != nil {
		r.t.Fatalf("get %s: %q", name, out)
	}
	return uint16(v)
}

func (r *expanderRig) wantReg(name string, want uint16) {
	r.t.Helper()
	if got := r.reg(name); got != want {
		r.t.Errorf("%s is 0x%04x, want 0x%04x", name, got, want)
	}
}

func (r *expanderRig) input(pin int, high bool) {
	r.play(fmt.Sprintf("0x%02x input %d %s", r.cfg.Addr, pin, map[bool]string{false: "low", true: "high"}[high]))
}

func (r *expanderRig) level(offset uint32) bool { return r.reg("pins")>>offset&1 != 0 }

// poke writes registers past the tap, as another program does.
func (r *expanderRig) poke(b ...byte) {
	r.t.Helper()
	if err := i2csim.New(r.bus, "poke").Tx(r.cfg.Addr, b, nil); err != nil {
		r.t.Fatal(err)
	}
}

// Tx, String and SetSpeed make the rig an i2c.Bus.
func (r *expanderRig) Tx(addr uint16, w, rd []byte) error {
	r.mu.Lock()
	n, spoil := r.n, r.spoil
	r.n++
	r.mu.Unlock()
	do := func() error { return i2csim.New(r.bus, "i2c-1").Tx(addr, w, rd) }
	var err error
	if spoil != nil {
		err = spoil(n, w, rd, do)
	} else {
		err = do()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if rd == nil {
		r.seen = append(r.seen, fmt.Sprintf("w[% x]", w))
	} else if len(w) == 0 {
		r.seen = append(r.seen, fmt.Sprintf("r[+%d]", len(rd)))
	} else {
		r.seen = append(r.seen, fmt.Sprintf("r[%02x+%d]", w[0], len(rd)))
	}
	return err
}

func (r *expanderRig) String() string                  { return "rig" }
func (r *expanderRig) SetSpeed(physic.Frequency) error { return nil }

// taken gives the transactions since it was last asked.
func (r *expanderRig) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.seen
	r.seen = nil
	return got
}

// transfers gives what the simulated bus has counted for the chip since it was last asked.
func (r *expanderRig) transfers() (n int) {
	for _, l := range r.bus.TakeStats() {
		fmt.Sscanf(l, fmt.Sprintf("0x%02x transfers=%%d", r.cfg.Addr), &n)
	}
	return n
}

// awaitSeen waits until a chip that watches has seen the level of a line, however busy the machine is.
func (r *expanderRig) awaitSeen(c *expander, bit uint16) {
	for end := time.Now().Add(suiteWait); time.Now().Before(end); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		ok := !c.watching || c.inputs()&bit == 0 || (c.known^r.reg("pins"))&bit == 0
		c.mu.Unlock()
		if ok {
			return
		}
	}
}

// watchPins begins to note changes of the chip's pins; the function gives those so far, but for the interrupts'.
func (r *expanderRig) watchPins() (changes func() []string) {
	ch := make(chan bus.Change, 4096)
	r.t.Cleanup(r.bus.Watch(ch))
	return func() (out []string) {
		for {
			select {
			case c := <-ch:
				if !strings.HasPrefix(c.Pin, "int") {
					out = append(out, fmt.Sprintf("%s %v", c.Pin, c.High))
				}
			default:
				return out
			}
		}
	}
}

func (r *expanderRig) open() *expander {
	r.t.Helper()
	c, err := r.kind.Open(r.cfg)
	if err != nil {
		r.t.Fatalf("open: %v", err)
	}
	return c.(*expander)
}

func (r *expanderRig) claim(c Chip, lines ...LineConfig) {
	r.t.Helper()
	if errs := c.Claim(lines); errs != nil {
		r.t.Fatalf("Claim: %v", errors.Join(errs...))
	}
}

// start watches in a bubble of synctest; stop ends it and gives what Watch returned.
func (r *expanderRig) start(c Chip) (edges chan Edge, stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	edges = make(chan Edge, 4096)
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(ctx, edges) }()
	synctest.Wait()
	return edges, sync.OnceValue(func() error { cancel(); return <-ended })
}

// wantEdges compares the edges that have come with lines such as "3 high".
func wantEdges(t testing.TB, edges <-chan Edge, want ...string) {
	t.Helper()
	synctest.Wait()
	var got []string
	for {
		select {
		case e := <-edges:
			s := fmt.Sprintf("%d %s", e.Offset, map[bool]string{false: "low", true: "high"}[e.High])
			if e.Resync {
				s += " resync"
			}
			got = append(got, s)
			continue
		default:
		}
		break
	}
	if !slices.Equal(got, want) {
		t.Errorf("edges %q, want %q", got, want)
	}
}

func (r *expanderRig) wantLevels(c Chip, mask, valid, high, fault Lines) {
	r.t.Helper()
	v, err := c.Read(mask)
	if err != nil {
		r.t.Errorf("Read: %v", err)
		return
	}
	if v.Valid != valid || v.High != high || v.Fault != fault {
		r.t.Errorf("Read gives valid %04x high %04x fault %04x, want %04x %04x %04x",
			v.Valid[0], v.High[0], v.Fault[0], valid[0], high[0], fault[0])
	}
}

// testInterrupt is the header line that INT is wired to.
type testInterrupt struct {
	mu   sync.Mutex // guards the following
	low  bool       // by the chip
	held bool       // by another one
	deaf bool       // edges are missed
	err  error
	subs []chan struct{}
}

func (i *testInterrupt) set(high bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.low || i.held
	i.low = !high
	i.signal(was)
}

func (i *testInterrupt) hold(held bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.low || i.held
	i.held = held
	i.signal(was)
}

func (i *testInterrupt) signal(was bool) {
	if was || !i.low && !i.held || i.deaf {
		return
	}
	for _, ch := range i.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (i *testInterrupt) be(deaf bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.deaf, i.err = deaf, err
}

func (i *testInterrupt) Subscribe(context.Context) <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	ch := make(chan struct{}, 1)
	i.subs = append(i.subs, ch)
	return ch
}

func (i *testInterrupt) Asserted() (bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.low || i.held, i.err
}

type syncBuffer struct {
	mu sync.Mutex // guards the following
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.b.String(), text)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestExpanderSuite(t *testing.T) {
	for _, kind := range Expanders() {
		for _, interrupt := range []bool{false, true} {
			t.Run(kind.Name+map[bool]string{false: "/polled", true: "/interrupt"}[interrupt], func(t *testing.T) {
				t.Parallel() // it is mostly waiting
				expanderSuite(t, kind, interrupt)
			})
		}
	}
}

func expanderSuite(t *testing.T, kind *ExpanderType, interrupt bool) {
	var rig *expanderRig
	var last *expander
	at := fmt.Sprintf("0x%02x", kind.First)
	h := chipHarness{
		fresh: func(t *testing.T) {
			rig = newRigOf(t, kind)
			rig.cfg.Poll = 2 * time.Millisecond
			if interrupt {
				rig.cfg.Interrupt = rig.irq
			}
		},
		open: func() (Chip, error) {
			c, err := kind.Open(rig.cfg)
			last, _ = c.(*expander)
			return c, err
		},
		drive: func(offset uint32, high bool) {
			rig.input(int(offset), high)
			if last != nil {
				rig.awaitSeen(last, 1<<offset)
			}
		},
		float:    func(offset uint32) { rig.play(fmt.Sprintf("%s input %d open", at, offset)) },
		level:    func(offset uint32) bool { return rig.level(offset) },
		inputs:   []uint32{1, uint32(kind.Lines) - 7},
		outputs:  []uint32{0, 7, uint32(kind.Lines) - 2},
		refused:  uint32(kind.Lines),
		weak:     kind.latchOut,
		vanish:   func() { rig.play("absent " + at) },
		comeBack: func() { rig.play("present " + at) },
	}
	if kind.Lines == 8 {
		h.inputs, h.outputs = []uint32{1, 4}, []uint32{0, 6, 7}
	}
	if kind == MCP23017 {
		h.refused = 15 // GPB7 as an input
	}
	if kind.pulls != pullsNone {
		h.pulls = []Pull{PullUp}
	}
	testChip(t, h)
}

// bubble runs a test with simulated time.
func bubble(t *testing.T, f func(t *testing.T, rig *expanderRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newExpanderRig(t)) })
}

var (
	relay  = LineConfig{Name: "relay", Offset: 0, Output: true}
	lamp   = LineConfig{Name: "lamp", Offset: 9, Output: true, ActiveLow: true}
	button = LineConfig{Name: "button", Offset: 3, Pull: PullUp, ActiveLow: true}
	door   = LineConfig{Name: "door", Offset: 12, Pull: PullUp, ActiveLow: true}
)

// with gives the configuration with another initial state.
func with(l LineConfig, i Initial) LineConfig { l.Initial = i; return l }

// A line that is found as an output and becomes an input is let go before anything else: its latch must not drive a button.
func TestExpanderLetsGo(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.poke(mcpOLAT, 0x00)
		rig.poke(mcpIODIR, 0xf7) // GPA3 is driven low
		rig.input(3, false)      // and its button is pressed
		changes := rig.watchPins()
		rig.claim(rig.open(), button)
		if got := changes(); len(got) != 0 {
			t.Errorf("pins changed: %q", got)
		}
	})
}

func TestExpanderAttach(t *testing.T) {
	for _, interrupt := range []bool{false, true} {
		bubble(t, func(t *testing.T, rig *expanderRig) {
			if interrupt {
				rig.cfg.Interrupt = rig.irq
			}
			pins := rig.watchPins()
			c := rig.open()
			rig.claim(c, with(relay, On), with(lamp, Off), button)
			// GPA0 and GPB1 become high, both with the direction, and the pull-up lifts GPA3.
			if got, want := pins(), []string{"a3 true", "a0 true", "b1 true"}; !slices.Equal(got, want) {
				t.Errorf("at first pins change %q, want %q", got, want)
			}
			writes := 0
			for _, s := range rig.taken() {
				if s[0] == 'w' {
					writes++
				}
			}
			if want := map[bool]int{false: 4, true: 5}[interrupt]; writes != want {
				t.Errorf("%d writes, want %d: OLAT, GPPU, IOCON, IODIR, and with interrupts GPINTEN", writes, want)
			}
			rig.wantReg("iocon", map[bool]uint16{false: 0x04, true: 0x44}[interrupt])
			rig.wantReg("gpinten", map[bool]uint16{false: 0, true: 1 << 3}[interrupt])
			// A new start without Close, as after SIGKILL: nothing may change, in whatever way the same state is asked for.
			for _, lines := range [][]LineConfig{{relay, lamp, button}, {with(relay, On), with(lamp, Off), button}} {
				rig.taken()
				again := rig.open()
				rig.claim(again, lines...)
				for _, s := range rig.taken() {
					if s[0] == 'w' {
						t.Errorf("%v: wrote %s, want no write", lines, s)
					}
				}
				rig.wantLevels(again, LinesOf(0, 9), LinesOf(0, 9, 3), LinesOf(0, 9, 3), Lines{})
				rig.claim(again, append(lines, door)...)
				rig.claim(again, lines...)
				rig.poke(0x0c, 0x08, 0x00) // the released line's pull-up
				rig.poke(0x14, 0x09, 0x02) // and its latch
			}
			if got, want := pins(), []string{"b4 true", "b4 false", "b4 true", "b4 false"}; !slices.Equal(got, want) {
				t.Errorf("pins change %q, want %q: only the door's", got, want)
			}
		})
	}
}

// A chip that went away and was reset gets latches first, then directions: each output goes from floating to its level at once.
func TestExpanderAttachAfterReset(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.claim(rig.open(), with(relay, On), with(lamp, On))
		rig.play("0x20 reset", "0x20 input 9 high") // the relay board pulls up
		pins := rig.watchPins()
		rig.claim(rig.open(), with(relay, On), with(lamp, Off))
		if got, want := pins(), []string{"a0 true"}; !slices.Equal(got, want) {
			t.Errorf("pins change %q, want %q", got, want)
		}
		rig.play("0x20 reset")
		rig.claim(rig.open(), relay, lamp) // keep, but nothing is driven: off
		rig.wantReg("olat", 1<<9)
		rig.wantReg("iodir", 0xffff&^(1|1<<9))
	})
}

func TestExpanderUnclaimed(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.cfg.Interrupt = rig.irq
		rig.poke(0x14, 0xf0, 0x0f) // OLAT
		rig.poke(0x0c, 0x02, 0x20) // GPPU
		rig.poke(0x02, 0x20, 0x40) // IPOL
		rig.poke(0x00, 0x0e, 0xf0) // IODIR: GPA0 and 4 to 7, GPB0 to 3 are driven
		rig.poke(0x04, 0x02, 0x00) // GPINTEN of a line nobody claims: it would hold the shared line
		rig.poke(0x0a, 0x10)       // IOCON.DISSLW
		pins := rig.watchPins()
		c := rig.open()
		if got := rig.taken(); !slices.Equal(got, []string{"r[05+1]", "r[0a+1]", "r[0b+22]", "r[0b+22]"}) {
			t.Errorf("open: %q, want four reads", got)
		}
		rig.claim(c, relay, button)
		if err := c.Write(LinesOf(0, 4, 5, 20), LinesOf(0)); err != nil {
			t.Error(err)
		}
		_, stop := rig.start(c)
		time.Sleep(5 * time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got, want := pins(), []string{"a3 true", "a0 true"}; !slices.Equal(got, want) {
			t.Errorf("pins change %q, want %q", got, want)
		}
		for name, want := range map[string]uint16{
			"olat": 0x0ff0 | 1<<3 | 1, "gppu": 0x2002 | 1<<3, "ipol": 0x4020, "iodir": 0xf00e, "gpinten": 1 << 3, "iocon": 0x54,
		} {
			rig.wantReg(name, want)
		}
		rig.claim(c, relay, button, with(lamp, Keep))
		rig.wantReg("iodir", 0xf00e)
		rig.wantReg("olat", 0x0ff0|1<<3|1) // GPB1 was driven high: kept
		// Released lines stay as they are, but have no interrupt any more.
		rig.claim(c, lamp)
		rig.wantReg("iodir", 0xf00e)
		rig.wantReg("gpinten", 0)
		if got := pins(); got != nil {
			t.Errorf("pins change %q, want none", got)
		}
		if c.Repairs() != 0 {
			t.Errorf("%d repairs, want 0\n%s", c.Repairs(), &rig.log)
		}
	})
}

func TestExpanderClaimErrors(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		c := rig.open()
		rig.taken()
		for _, l := range []LineConfig{
			{Offset: 7}, {Offset: 15}, {Offset: 2, Pull: PullDown}, {Offset: 16}, {Offset: MaxLines - 1, Output: true},
		} {
			errs := c.Claim([]LineConfig{l})
			if len(errs) != 1 || errs[0] == nil {
				t.Errorf("%+v: %v, want an error", l, errs)
			}
		}
		if got := rig.taken(); got != nil {
			t.Errorf("transactions %q, want none", got)
		}
		errs := c.Claim([]LineConfig{{Offset: 7}, {Offset: 7, Output: true}, {Name: "x", Offset: 7, Output: true}, {Offset: 2, Pull: PullDown}})
		want := []string{"GPA7 must not be an input", "", "line 7 is in use", "GPA2: an MCP23017 has no pull-down"}
		for i, err := range errs {
			if got := fmt.Sprint(err); want[i] == "" && err != nil || !strings.Contains(got, want[i]) {
				t.Errorf("line %d: got %q, want %q", i, got, want[i])
			}
		}
		rig.wantReg("iodir", 0xff7f)
		// The bus fails: a new line fails, what was claimed stays claimed, and the same call later works.
		rig.play("absent 0x20")
		lines := []LineConfig{{Offset: 7, Output: true}, relay}
		if errs := c.Claim(lines); errs == nil || errs[0] != nil || !errors.Is(errs[1], bus.EREMOTEIO) {
			t.Errorf("Claim of an absent chip: %v, want EREMOTEIO for the new line alone", errs)
		}
		rig.play("present 0x20")
		rig.claim(c, lines...)
		rig.wantReg("iodir", 0xff7e)
		rig.taken()
		rig.claim(c, lines...)
		if got := rig.taken(); got != nil {
			t.Errorf("the same Claim again: %q, want no transaction", got)
		}
	})
}

func TestExpanderOpenErrors(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.play("absent 0x20")
		if _, err := MCP23017.Open(rig.cfg); !errors.Is(err, bus.EREMOTEIO) || !strings.Contains(err.Error(), "MCP23017 at 0x20") {
			t.Errorf("open of an absent chip: %v", err)
		}
		rig.play("chip regs@0x27,fill=0xff")
		rig.cfg.Addr = 0x27
		if _, err := MCP23017.Open(rig.cfg); err == nil || !strings.Contains(err.Error(), "no MCP23017") {
			t.Errorf("open of something else: %v", err)
		}
	})
}

// What other programs left: another register layout, or addresses that do not step on.
func TestExpanderLayouts(t *testing.T) {
	for _, iocon := range []byte{0x80, 0xa0, 0x20, 0xe6} {
		bubble(t, func(t *testing.T, rig *expanderRig) {
			rig.cfg.Interrupt = rig.irq
			rig.poke(0x14, 0x01, 0x00)
			rig.poke(0x00, 0xfe, 0xff)
			rig.poke(0x0a, iocon)
			pins := rig.watchPins()
			c := rig.open()
			rig.claim(c, relay, lamp, button)
			if got, want := pins(), []string{"a3 true", "b1 true"}; !slices.Equal(got, want) {
				t.Errorf("IOCON 0x%02x: pins change %q, want %q", iocon, got, want)
			}
			rig.wantReg("olat", 1|1<<9|1<<3)
			rig.wantReg("iodir", 0xfdfe)
			rig.wantReg("iocon", 0x44)
			// And again while we run.
			edges, stop := rig.start(c)
			rig.poke(0x0a, iocon)
			time.Sleep(5 * time.Second)
			rig.wantReg("iocon", 0x44)
			rig.wantReg("olat", 1|1<<9|1<<3)
			rig.wantReg("iodir", 0xfdfe)
			if got := pins(); got != nil {
				t.Errorf("IOCON 0x%02x: pins change %q, want none", iocon, got)
			}
			wantEdges(t, edges)
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A reset is found by the next scan where a latch shows it, by the next comparison at the latest, and repaired without telling levels
// that are not true: a button whose pull-up is gone was not pressed.
func TestExpanderReset(t *testing.T) {
	for _, test := range []struct {
		name   string
		lines  []LineConfig
		reset  func(*expanderRig)
		within time.Duration // polled
		say    string
	}{
		{"brown-out", []LineConfig{with(relay, On), lamp, button, door}, func(r *expanderRig) { r.play("0x20 reset") },
			12 * time.Millisecond, "chip was reset, repaired"},
		{"inputs only", []LineConfig{button}, func(r *expanderRig) { r.play("0x20 reset") },
			12 * time.Millisecond, "chip was reset, repaired"},
		{"outputs only", []LineConfig{with(relay, On)}, func(r *expanderRig) { r.play("0x20 reset") },
			500 * time.Millisecond, "chip was reset, repaired"},
		{"outputs that are off", []LineConfig{relay}, func(r *expanderRig) { r.play("0x20 reset") },
			2 * time.Second, "chip was reset, repaired"},
		{"latches survive", []LineConfig{with(relay, On), lamp, button, door}, func(r *expanderRig) {
			r.poke(0x0a, 0x00)
			r.poke(0x04, 0x00, 0x00)
			r.poke(0x00, 0xff, 0xff)
			r.poke(0x0c, 0x00, 0x00)
		}, 12 * time.Millisecond, "chip was reset, repaired"},
		{"directions only", []LineConfig{with(relay, On), button}, func(r *expanderRig) { r.poke(0x00, 0xff, 0xff) },
			12 * time.Millisecond, "configuration lost, repaired"},
		{"pull-ups only", []LineConfig{relay, button, door}, func(r *expanderRig) { r.poke(0x0c, 0x00, 0x00) },
			12 * time.Millisecond, "configuration lost, repaired"},
		{"polarity", []LineConfig{button, door}, func(r *expanderRig) { r.poke(0x02, 0x08, 0x10) },
			2 * time.Second, "configuration lost, repaired"},
	} {
		for _, interrupt := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/interrupt=%v", test.name, interrupt), func(t *testing.T) {
				bubble(t, func(t *testing.T, rig *expanderRig) {
					within := test.within
					if interrupt {
						rig.cfg.Interrupt = rig.irq
						within = max(within, 500*time.Millisecond)
					}
					c := rig.open()
					rig.claim(c, test.lines...)
					edges, stop := rig.start(c)
					time.Sleep(3 * time.Second)
					before := map[string]uint16{}
					for _, name := range []string{"iodir", "ipol", "gpinten", "intcon", "iocon", "gppu", "olat"} {
						before[name] = rig.reg(name)
					}
					test.reset(rig)
					time.Sleep(within + 5*time.Millisecond)
					for name, want := range before {
						rig.wantReg(name, want)
					}
					time.Sleep(3 * time.Second)
					if test.name == "polarity" {
						synctest.Wait()
						for len(edges) > 0 {
							<-edges // inverted levels are levels like others until the registers are compared
						}
					}
					wantEdges(t, edges)
					if c.Repairs() != 1 || rig.log.count(test.say) != 1 || rig.log.count("\n") != 1 {
						t.Errorf("%d repairs, and in the log:\n%swant one %q", c.Repairs(), &rig.log, test.say)
					}
					// Edges that were missed meanwhile are no presses.
					if c.inputs() != 0 {
						rig.irq.be(true, nil)
						rig.input(3, false)
						rig.play("0x20 reset")
						rig.irq.be(false, nil)
						time.Sleep(2100 * time.Millisecond)
						wantEdges(t, edges, "3 low resync")
						rig.input(3, true)
						time.Sleep(10 * time.Millisecond)
						wantEdges(t, edges, "3 high")
					}
					if err := stop(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// Read repairs as well, so that a command that meets a chip just reset is carried out and confirmed.
func TestExpanderReadRepairs(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		c := rig.open()
		rig.claim(c, relay, lamp, button)
		for _, reset := range []func(){
			func() { rig.play("0x20 reset") },
			func() { rig.poke(0x00, 0xff, 0xff) },
			func() { rig.poke(0x14, 0x00, 0x00) },
		} {
			for _, high := range []Lines{LinesOf(0), LinesOf(9), {}} {
				reset()
				if err := c.Write(LinesOf(0, 9), high); err != nil {
					t.Error(err)
				}
				want := high
				want.Set(3, true)
				rig.wantLevels(c, LinesOf(0, 3, 9), LinesOf(0, 3, 9), want, Lines{})
				if rig.level(0) != high.Has(0) || rig.level(9) != high.Has(9) {
					t.Errorf("pins are 0x%04x, want %v", rig.reg("pins"), high)
				}
			}
		}
		// A chip that cannot be repaired, like one whose directions stick: not valid, and Watch gives it up.
		rig.spoil = func(n int, w, r []byte, do func() error) error {
			if r == nil && w[0] == 0x00 {
				return nil
			}
			return do()
		}
		rig.play("0x20 reset")
		v, err := c.Read(LinesOf(0, 9))
		if !errors.Is(err, errExpanderForgets) {
			t.Errorf("Read of outputs that are none: valid %v, %v, want %v", v.Valid, err, errExpanderForgets)
		}
		began := time.Now()
		if err := c.Watch(t.Context(), make(chan Edge, 16)); !errors.Is(err, errExpanderForgets) || time.Since(began) > 2300*time.Millisecond {
			t.Errorf("Watch: %v after %v, want %v soon after the first comparison", err, time.Since(began), errExpanderForgets)
		}
	})
}

// A pin that is held by a short circuit is a fault; what is driven is told.
func TestExpanderFault(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		c := rig.open()
		rig.claim(c, with(relay, On), lamp)
		short := false
		rig.spoil = func(n int, w, r []byte, do func() error) error {
			err := do()
			if i := 0x12 - int(w[0]); short && i >= 0 && i < len(r) {
				r[i] &^= 1
			}
			return err
		}
		_, stop := rig.start(c)
		rig.wantLevels(c, LinesOf(0, 9), LinesOf(0, 9), LinesOf(0, 9), Lines{})
		short = true
		rig.wantLevels(c, LinesOf(0, 9), LinesOf(0, 9), LinesOf(0, 9), LinesOf(0))
		if err := c.Write(LinesOf(0), Lines{}); err != nil {
			t.Error(err)
		}
		rig.wantLevels(c, LinesOf(0, 9), LinesOf(0, 9), LinesOf(9), Lines{})
		c.Write(LinesOf(0), LinesOf(0))
		time.Sleep(time.Second)
		rig.transfers()
		time.Sleep(10 * time.Second)
		if got := rig.transfers(); got > 25 {
			t.Errorf("%d transactions in 10 s: a fault that stays makes no more of them", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if c.Repairs() != 0 {
			t.Errorf("%d repairs, want none\n%s", c.Repairs(), &rig.log)
		}
	})
}

// One transaction per scan, as the simulated bus counts.
func TestExpanderScanCosts(t *testing.T) {
	for _, test := range []struct {
		name      string
		interrupt bool
		lines     []LineConfig
		want      int // in 10 s, the comparisons among them
	}{
		{"polled", false, []LineConfig{relay, button, door}, 1000},
		{"interrupt", true, []LineConfig{relay, button, door}, 20},
		{"outputs only", false, []LineConfig{relay}, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, rig *expanderRig) {
				if test.interrupt {
					rig.cfg.Interrupt = rig.irq
				}
				c := rig.open()
				rig.claim(c, test.lines...)
				_, stop := rig.start(c)
				time.Sleep(100 * time.Millisecond)
				rig.transfers()
				time.Sleep(10 * time.Second)
				if got := rig.transfers(); got < test.want-5 || got > test.want+5 {
					t.Errorf("%d transactions in 10 s, want %d", got, test.want)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// From an interrupt to the confirmed relay on another chip: one read, one write, and one to read everything back.
func TestExpanderBudget(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.cfg.Interrupt = rig.irq
		buttons := rig.open()
		rig.claim(buttons, button, door)
		rig.play("chip mcp23017@0x21")
		cfg := rig.cfg
		cfg.Addr, cfg.Interrupt = 0x21, nil
		relays, err := MCP23017.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		rig.claim(relays, relay, lamp)
		edges, stop := rig.start(buttons)
		time.Sleep(100 * time.Millisecond)
		for _, high := range []bool{false, true} {
			rig.taken()
			rig.bus.TakeStats()
			rig.input(3, high)
			e := <-edges
			if e.Offset != 3 || e.High != high {
				t.Errorf("edge %+v", e)
			}
			set := Lines{}
			set.Set(0, !high)
			if err := relays.Write(LinesOf(0), set); err != nil {
				t.Error(err)
			}
			rig.wantLevels(relays, LinesOf(0), LinesOf(0), set, Lines{})
			synctest.Wait()
			if got, want := rig.taken(), 3; len(got) != want {
				t.Errorf("%q: %d transactions, want %d", got, len(got), want)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A pull-up takes a while to lift a long cable. What reads low meanwhile is not pressed: not when it is claimed, not after a repair.
func TestExpanderSlowPullUps(t *testing.T) {
	for _, interrupt := range []bool{false, true} {
		bubble(t, func(t *testing.T, rig *expanderRig) {
			if interrupt {
				rig.cfg.Interrupt = rig.irq
			}
			var pulled time.Time
			rig.spoil = func(n int, w, r []byte, do func() error) error {
				if r == nil && w[0] == 0x0c {
					pulled = time.Now()
				}
				err := do()
				if i := 0x12 - int(w[0]); i >= 0 && i < len(r) && time.Since(pulled) < 4*time.Millisecond {
					r[i] &^= 1 << 3
				}
				return err
			}
			c := rig.open()
			rig.claim(c, relay)
			edges, stop := rig.start(c)
			began := time.Now()
			rig.claim(c, relay, button)
			if got := time.Since(began); got != expanderSettle {
				t.Errorf("Claim took %v, want %v", got, expanderSettle)
			}
			rig.wantLevels(c, LinesOf(3), LinesOf(3), LinesOf(3), Lines{})
			time.Sleep(100 * time.Millisecond)
			rig.play("0x20 reset")
			time.Sleep(time.Second)
			wantEdges(t, edges)
			rig.play("0x20 reset")
			rig.wantLevels(c, LinesOf(3), LinesOf(3), LinesOf(3), Lines{})
			time.Sleep(time.Second)
			wantEdges(t, edges)
			if err := stop(); err != nil {
				t.Error(err)
			}
			if got := c.Repairs(); got != 2 {
				t.Errorf("%d repairs, want 2", got)
			}
			began = time.Now()
			rig.claim(rig.open(), relay, button)
			if got := time.Since(began); got != 0 {
				t.Errorf("Claim of what runs took %v, want no wait", got)
			}
		})
	}
}

// Who takes no edges costs bounded memory, and gets the right end of the story when he does.
func TestExpanderSlowTaker(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		c := rig.open()
		rig.claim(c, button, door)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		edges, ended := make(chan Edge), make(chan error, 1)
		go func() { ended <- c.Watch(ctx, edges) }()
		synctest.Wait()
		for i := range 1001 {
			rig.input(3, i%2 != 0)
			if _, err := c.Read(LinesOf(3)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if n := len(c.pending); n > expanderPending {
			t.Errorf("%d edges wait, want at most %d", n, expanderPending)
		}
		level, n := true, 0
		for {
			synctest.Wait()
			select {
			case e := <-edges:
				if n++; e.High == level {
					t.Fatalf("edge %d, %+v, is the second to that level", n, e)
				}
				level = e.High
				continue
			case <-time.After(50 * time.Millisecond):
			}
			break
		}
		if level || n < expanderPending/2 {
			t.Errorf("after %d edges the line is high: %v, want low", n, level)
		}
		rig.input(3, true)
		time.Sleep(time.Second) // Watch waits for us again
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Repairs counts how often the chip was found with other registers than it was given.
func (e *expander) Repairs() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.repairs
}
