package gpio

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/internal/i2csim/bus"
)

// families has one type of each kind of registers, pull-ups and width.
var families = []string{"MCP23017", "MCP23008", "PCF8574", "PCF8575", "PCA9534", "PCA9535", "PCA9555"}

// What happens to one transfer.
const (
	busNack      = iota // nobody acknowledges
	busTimeout          // the controller gives up
	busUnheard          // it was carried out, and reported as failed
	busFlipRead         // a bit of what is read is wrong
	busFlipWrite        // a bit of what is written is wrong, a command's too
	busLost             // a write is acknowledged and not carried out
	busHeld             // SDA is held low for a while: every address answers, with zeros
	busReset            // the chip is reset before it
	busBrownOut         // or in the middle of it: what was left is not heard, or reads FF
	busMishaps
)

var busMishapNames = [busMishaps]string{"no answer", "timeout", "unheard", "flipped read", "flipped write", "lost write", "held", "reset", "brown-out"}

// apart is how many transfers lie between two bits that flip, and between two writes that get lost: what is spoilt alike again and again
// is believed.
const apart = 12

// truth is what a chip does, from a time on.
type truth struct {
	at            time.Time
	driven, latch uint16
}

// level is what the world makes of an input, from a time on.
type level struct {
	at   time.Time
	high bool
}

// rack is a bank with a chip on a bus on which things go wrong, and what truly is.
type rack struct {
	*expanderRig
	bank  *Bank
	lines map[string]LineConfig
	dice  *rand.Rand

	mu      sync.Mutex // guards the following; taken before the rig's
	kinds   []int      // that happen to some of the transfers
	share   float64
	flipped int // the transfer in which a bit flipped last
	n       int
	heldFor int
	struck  [busMishaps]int
	history []truth
	world   map[string][]level
	untold  map[string][]level // changes that no edge has told of
	told    map[string]string
	trail   []string
	lies    int
	heard   int
}

// now gives what the chip does.
func (r *rack) now() truth {
	t := truth{at: time.Now(), driven: r.kind.all()}
	switch {
	case r.kind.latchOut:
		t.latch = r.reg("latch")
	case r.kind.captures:
		t.driven, t.latch = ^r.reg("iodir")&r.kind.all(), r.reg("olat")
	default:
		t.driven, t.latch = ^r.reg("config")&r.kind.all(), r.reg("out")
	}
	return t
}

// look notes it.
func (r *rack) look() {
	t := r.now()
	if n := len(r.history); n > 0 && r.history[n-1].driven == t.driven && r.history[n-1].latch == t.latch {
		return
	}
	if len(r.history) > 2000 {
		r.history = slices.Clone(r.history[1000:])
	}
	r.history = append(r.history, t)
}

// strike is the tap on the wire.
func (r *rack) strike(_ int, w, rd []byte, do func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	note := func(what string, err error) error {
		r.trail = append(r.trail, fmt.Sprintf("%s w[% x] r[% x] %s %v", time.Now().Format("05.000000"), w, rd, what, err))
		r.trail = r.trail[max(0, len(r.trail)-60):]
		r.look()
		return err
	}
	held := func() error { clear(rd); return note("held", nil) }
	if r.heldFor > 0 {
		r.heldFor--
		return held()
	}
	if len(r.kinds) == 0 || r.dice.Float64() >= r.share {
		return note("", do())
	}
	kind := r.kinds[r.dice.IntN(len(r.kinds))]
	if kind >= busFlipRead && kind <= busLost {
		if r.n < r.flipped+apart || kind == busFlipRead && len(rd) == 0 || kind != busFlipRead && len(rd) > 0 {
			return note("", do())
		}
		r.flipped = r.n
	}
	if kind == busBrownOut && !r.kind.captures && len(rd) > 0 { // what it reads then says nothing of itself
		if r.n < r.flipped+apart {
			kind = busReset
		} else {
			r.flipped = r.n
		}
	}
	r.struck[kind]++
	name := busMishapNames[kind]
	flip := func(p []byte) (back func()) {
		i, bit := r.dice.IntN(len(p)), byte(1)<<r.dice.IntN(8)
		p[i] ^= bit
		return func() { p[i] ^= bit }
	}
	switch kind {
	case busNack:
		return note(name, bus.EREMOTEIO)
	case busTimeout:
		return note(name, syscall.ETIMEDOUT)
	case busUnheard:
		do()
		return note(name, syscall.EIO)
	case busFlipRead:
		if err := do(); err != nil {
			return note("", err)
		}
		flip(rd)
		return note(name, nil)
	case busFlipWrite:
		back := flip(w)
		err := do()
		defer back()
		return note(name, err)
	case busLost:
		return note(name, nil)
	case busHeld:
		r.heldFor = 3 + r.dice.IntN(40)
		return held()
	case busReset:
		r.play(fmt.Sprintf("0x%02x reset", r.cfg.Addr))
		return note(name, do())
	default:
		r.play(fmt.Sprintf("0x%02x reset", r.cfg.Addr))
		if len(rd) == 0 {
			return note(name, bus.EREMOTEIO)
		}
		err := do()
		fillWith(rd[r.dice.IntN(len(rd)):], 0xff)
		return note(name, err)
	}
}

func (r *rack) drive(name string, high bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.world[name]
	if n := len(h); n > 0 && h[n-1].high == high {
		return
	}
	l := level{time.Now(), high}
	if len(h) > 0 {
		r.untold[name] = append(r.untold[name], l)
	}
	r.world[name] = append(h[max(0, len(h)-500):], l)
	r.input(int(r.lines[name].Offset), high)
}

// did tells whether the chip drove a line so at some time since then.
func (r *rack) did(l *LineConfig, high bool, since time.Time) bool {
	for i := len(r.history) - 1; i >= 0; i-- {
		t := &r.history[i]
		if t.driven>>l.Offset&1 != 0 && (t.latch>>l.Offset&1 != 0) == high {
			return true
		}
		if !t.at.After(since) {
			break
		}
	}
	return false
}

func (r *rack) was(name string, high bool, since time.Time) bool {
	h := r.world[name]
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].high == high {
			return true
		}
		if !h[i].at.After(since) {
			break
		}
	}
	return false
}

// judge compares what is told with what is.
func (r *rack) judge(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.lines[e.Line]
	if !ok {
		return
	}
	r.heard++
	const old = 1500 * time.Millisecond
	lie := func(why string) {
		if r.lies++; r.lies <= 3 {
			r.t.Errorf("%s: told %q (%+v): %s\nthe last transfers:\n%s\nthe chip: %+v\nthe log: %s", r.kind.Name, describe(e), e, why,
				strings.Join(r.trail, "\n"), r.history[max(0, len(r.history)-5):], &r.log)
		}
	}
	if e.Err != nil {
		r.told[e.Line] = "?"
		return
	}
	r.told[e.Line] = map[bool]string{true: "on", false: "off"}[e.Active]
	high := l.Level(e.Active)
	switch {
	case l.Output:
		if !r.did(&l, high, e.At.Add(-30*time.Millisecond)) {
			lie("it is not driven so")
		}
		if e.Fault != nil {
			lie("its pin follows")
		}
	case e.Edge:
		if !r.was(e.Line, high, e.At.Add(-l.Debounce-old)) {
			lie("it had no such level")
		}
		u := r.untold[e.Line]
		i := slices.IndexFunc(u, func(l level) bool { return l.high == high && !l.at.Before(e.At.Add(-old-50*time.Millisecond)) })
		if i < 0 {
			lie("there was no such change, or it was told")
			break
		}
		r.untold[e.Line] = u[i+1:]
	default:
		if !r.was(e.Line, high, e.At.Add(-l.Debounce-30*time.Millisecond)) {
			lie("it does not read so")
		}
	}
}

// wrong gives what is not told as it is.
func (r *rack) wrong() (all []string) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.now()
	for name, l := range r.lines {
		told := r.told[name]
		high := l.Level(told == "on")
		switch {
		case told == "?" || told == "":
			all = append(all, name+" is not available")
		case l.Output && (t.driven>>l.Offset&1 == 0 || (t.latch>>l.Offset&1 != 0) != high), !l.Output && r.world[name][len(r.world[name])-1].high != high:
			all = append(all, fmt.Sprintf("%s is told %s, and is not", name, told))
		}
	}
	slices.Sort(all)
	return all
}

func (r *rack) recovers(within time.Duration) time.Duration {
	r.t.Helper()
	began := time.Now()
	for len(r.wrong()) > 0 {
		if time.Since(began) > within {
			r.t.Fatalf("%s: %v without faults: %q\n%s\n%s", r.kind.Name, time.Since(began), r.wrong(), strings.Join(r.trail, "\n"), &r.log)
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	for _, on := range []bool{true, false} {
		for name, l := range r.lines {
			if l.Output {
				r.bank.Set(name, on)
			}
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		r.mu.Lock()
		for name, l := range r.lines {
			if got := r.told[name]; l.Output && (got == "on") != on {
				r.t.Errorf("%s: %s is told %q 0.1 s after it was wished on: %v", r.kind.Name, name, got, on)
			}
		}
		r.mu.Unlock()
	}
	if all := r.wrong(); len(all) > 0 {
		r.t.Errorf("%s: after wishes: %q", r.kind.Name, all)
	}
	return took
}

// TestExpanderTorture lets random things go wrong on a bus with each family of expanders, until TORTURE_FAULTS of them have (400 each).
// What is told must be so, and be right again by itself. TORTURE_SEED repeats the dice.
func TestExpanderTorture(t *testing.T) {
	want, seed := 400, uint64(time.Now().UnixNano())
	if s := os.Getenv("TORTURE_FAULTS"); s != "" {
		want, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("TORTURE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("TORTURE_SEED=%d", seed)
	for _, name := range families {
		for _, interrupt := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/interrupt=%v", name, interrupt), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { torture(t, Expander(name), interrupt, want, seed) })
			})
		}
	}
}

func torture(t *testing.T, kind *ExpanderType, interrupt bool, want int, seed uint64) {
	r := &rack{expanderRig: newRigOf(t, kind), dice: rand.New(rand.NewPCG(seed, 7)), lines: map[string]LineConfig{}, world: map[string][]level{},
		untold: map[string][]level{}, told: map[string]string{}, flipped: -apart}
	if interrupt {
		r.cfg.Interrupt = r.irq
	}
	last := uint32(kind.Lines - 1)
	all := []LineConfig{
		{Name: "relay", Offset: 0, Output: true}, {Name: "lamp", Offset: last - 2, Output: true, ActiveLow: true}, {Name: "fan", Offset: 4, Output: true, ActiveLow: true},
		{Name: "button", Offset: 1, ActiveLow: true, Debounce: 10 * time.Millisecond}, {Name: "door", Offset: last - 1, Debounce: 20 * time.Millisecond},
		{Name: "bell", Offset: 2, ActiveLow: true, Debounce: 5 * time.Millisecond},
	}
	var ins, outs []string
	for _, l := range all {
		r.lines[l.Name] = l
		if l.Output {
			outs = append(outs, l.Name)
		} else {
			ins = append(ins, l.Name)
			r.drive(l.Name, true)
		}
	}
	r.spoil = r.strike
	r.look()
	events := make(chan Event)
	r.bank = NewBank(BankConfig{Chip: "io", Lines: all, Open: func() (Chip, error) { return kind.Open(r.cfg) }}, events)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.bank.Run(ctx); err != nil {
			t.Error(err)
		}
		close(events)
	})
	wg.Go(func() {
		for e := range events {
			r.judge(e)
		}
	})
	defer wg.Wait()
	defer cancel()
	hand := rand.New(rand.NewPCG(seed, 8)) // the strikes have dice of their own
	began := time.Now()
	r.recovers(5 * time.Second)
	var slowest time.Duration
	rounds, faults := 0, 0
	for ; faults < want && r.lies == 0 && !t.Failed(); rounds++ {
		r.mu.Lock()
		r.kinds, r.share = nil, []float64{0.01, 0.1, 0.5, 1}[hand.IntN(4)]
		for range 1 + hand.IntN(3) {
			r.kinds = append(r.kinds, hand.IntN(busMishaps))
		}
		r.mu.Unlock()
		for end := time.Now().Add(time.Duration(100+hand.IntN(8000)) * time.Millisecond); time.Now().Before(end); {
			time.Sleep(time.Duration(5+hand.IntN(300)) * time.Millisecond)
			if hand.IntN(2) == 0 {
				r.drive(ins[hand.IntN(len(ins))], hand.IntN(2) == 0)
			} else {
				r.bank.Set(outs[hand.IntN(len(outs))], hand.IntN(2) == 0)
			}
		}
		r.mu.Lock()
		r.kinds, r.heldFor = nil, 0
		faults = 0
		for _, n := range r.struck {
			faults += n
		}
		r.mu.Unlock()
		if hand.IntN(3) == 0 {
			slowest = max(slowest, r.recovers(70*time.Second))
		}
	}
	slowest = max(slowest, r.recovers(70*time.Second))
	if r.lies > 0 && !t.Failed() {
		t.Error(errors.New("something was told that is not so"))
	}
	t.Logf("%d faults in %d rounds and %v: %d events, %d of them wrong; slowest recovery %v; %v", faults, rounds, time.Since(began).Round(time.Second), r.heard, r.lies, slowest, r.struck)
}
