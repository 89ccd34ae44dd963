package gpio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// ExpanderConfig is how an I2C port expander is reached and supervised.
type ExpanderConfig struct {
	Bus       i2c.Bus       // the caller's, who closes it; safe for several chips at once
	Addr      uint16        // 7 bits
	Interrupt Interrupt     // nil: polled
	Poll      time.Duration // between scans where no interrupt is wired or its line is not available; 0: 10 ms
	Safety    time.Duration // between scans besides interrupts, as one missed edge would leave the line low for ever; 0: 500 ms
	Verify    time.Duration // between comparisons of the configuration registers with ours; 0: 2 s
	Log       *slog.Logger  // nil: silent
}

// The registers of an expander's lines, a bit per line, in the order in which they are written: the latch first, so that a line
// that becomes an output has its level, and the direction last. What a family lacks stays 0.
const (
	exLatch   = iota // what outputs drive
	exPull           // pull-ups
	exInvert         // inputs that read inverted
	exMode           // how the interrupt pins behave; the family's own bits
	exCompare        // interrupt on a level rather than on a change
	exAlert          // lines whose change pulls the interrupt
	exDriven         // outputs
	exRegs
)

// expanderRegs are an expander's registers. Where a chip has none for something, as a PCF8574 for directions, its family computes it.
type expanderRegs [exRegs]uint16

// merge takes the bits in mask from r and the others from of.
func (r expanderRegs) merge(mask, of expanderRegs) expanderRegs {
	for i := range r {
		r[i] = r[i]&mask[i] | of[i]&^mask[i]
	}
	return r
}

// expanderSample is what one transaction says of the lines.
type expanderSample struct {
	pins     uint16
	latch    uint16 // where latched says that it was read
	latched  bool
	alerts   bool   // flagged, caught and captured were read
	flagged  uint16 // lines that pulled the interrupt
	caught   uint16 // lines of which captured is new
	captured uint16 // levels at the interrupt
}

var (
	errExpanderForgets = errors.New("the chip does not keep its configuration: is its supply stable, and is it the chip that is configured?")
	errExpanderNoise   = errors.New("the chip's registers read differently each time: are the bus's wires too long, or its pull-ups too weak?")
)

// expanderChip is what sets one family of expanders apart from another. Its methods are called under the expander's lock.
type expanderChip interface {
	// check tells what the chip cannot do.
	check(l *LineConfig) error
	// mode gives the bits of exMode that are wanted, and those that are ours to set.
	mode(interrupt bool) (want, mask uint16)
	// attach brings the chip into the register layout that the other methods expect, and tells whether it was in another.
	attach() (moved bool, err error)
	// load reads everything, in one transaction.
	load() (expanderRegs, expanderSample, error)
	// put writes one of the registers, for all lines.
	put(reg int, v uint16) error
	// scan reads the lines, and the latches where one transaction gives both; with alerts, what caused an interrupt as well.
	scan(alerts bool) (expanderSample, error)
	// burst is scan reduced to what an interrupt asks for.
	burst() (expanderSample, error)
	// driven reads which lines are outputs.
	driven() (uint16, error)
	// tell describes registers for the log; reset tells whether they are as after power-on.
	tell(r expanderRegs) (text string, reset bool)
}

const (
	expanderPending = 256                  // edges that wait for Watch
	expanderSettle  = 5 * time.Millisecond // a weak pull-up (40 kOhm or more) lifts a long cable or a small capacitor
	expanderBad     = 3                    // repairs in a row after which a chip is given up
)

// expander is a Chip of up to 16 lines behind I2C. Every write comes from want, the state that we keep; the chip's registers are
// read to compare. Lines that are not claimed are left as they are found, whatever they are set to.
type expander struct {
	name string
	cfg  ExpanderConfig
	chip expanderChip
	log  *slog.Logger
	wake chan struct{} // capacity 1: Watch has edges to send or its pace has changed

	mu sync.Mutex // guards the following and the sequence of transactions
	expanderTable
	settled  time.Time
	odd      uint16 // outputs whose pin differed from the latch when last scanned
	pending  []Edge
	watching bool
	repairs  int
	bad      int // repairs since the registers were last found right
	told     string
	toldAt   time.Time
}

// expanderTable is what is known and wanted of each line, a bit per line.
type expanderTable struct {
	lines    [16]LineConfig
	claimed  uint16
	outputs  uint16 // of the claimed lines
	quick    uint16 // inputs without debounce: of these a captured pulse counts
	want     expanderRegs
	known    uint16 // inputs' levels as last told
	seen     uint16 // inputs whose level is known
	resync   uint16 // inputs whose next difference is no edge that was seen
	settling uint16 // inputs whose pull-up was just switched on: they say nothing until settled
}

func (t *expanderTable) inputs() uint16 { return t.claimed &^ t.outputs }

// release forgets lines. Their direction, level and pull stay as they are, only the interrupt is no longer wanted.
func (t *expanderTable) release(lines uint16) {
	t.claimed &^= lines
	t.outputs &^= lines
	t.quick &^= lines
	t.seen &^= lines
	t.resync &^= lines
	t.settling &^= lines
	t.want[exAlert] &^= lines
}

// openExpander finds the chip, without writing anything to it that changes a line.
func openExpander(name string, cfg ExpanderConfig, chip expanderChip) (*expander, error) {
	cfg.Poll = orDefault(cfg.Poll, 10*time.Millisecond)
	cfg.Safety = orDefault(cfg.Safety, 500*time.Millisecond)
	cfg.Verify = orDefault(cfg.Verify, 2*time.Second)
	e := &expander{name: name, cfg: cfg, chip: chip, log: cfg.Log, wake: make(chan struct{}, 1)}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.log = e.log.With("chip", name)
	if _, err := chip.attach(); err != nil {
		return nil, e.failed(err)
	}
	have, _, err := chip.load()
	if err != nil {
		return nil, e.failed(err)
	}
	e.adopt(have)
	return e, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

func (e *expander) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", e.name, err)
}

// Repairs counts how often the chip was found with other registers than it was given.
func (e *expander) Repairs() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.repairs
}

// ours are the bits that we set. Of lines that are not claimed only the interrupt is: it would hold a line that chips share.
func (e *expander) ours() (m expanderRegs) {
	for i := range m {
		m[i] = e.claimed
	}
	m[exPull], m[exAlert] = e.inputs(), 0xffff
	m[exCompare] = 0
	if e.cfg.Interrupt != nil {
		m[exCompare] = e.inputs()
	}
	_, m[exMode] = e.chip.mode(e.cfg.Interrupt != nil)
	return m
}

// adopt takes what is not ours as it was found.
func (e *expander) adopt(have expanderRegs) {
	e.want[exMode], _ = e.chip.mode(e.cfg.Interrupt != nil)
	e.want = e.want.merge(e.ours(), have)
}

func (e *expander) wrong(have expanderRegs) bool { return have.merge(e.ours(), e.want) != e.want }

// store writes what differs, the latch first and the direction last.
func (e *expander) store(have, want expanderRegs) error {
	for i := range want {
		if have[i] == want[i] {
			continue
		}
		if err := e.chip.put(i, want[i]); err != nil {
			return err
		}
		if i == exPull {
			e.settle(want[i] &^ have[i])
		}
	}
	return nil
}

// settle makes the lines say nothing until their pull-up has lifted them.
func (e *expander) settle(lines uint16) {
	if lines != 0 {
		e.settling |= lines
		e.settled = time.Now().Add(expanderSettle)
	}
}

// awaitSettled waits for them with the lock free. It is not for Watch, which has others to watch meanwhile.
func (e *expander) awaitSettled() {
	for d := time.Until(e.settled); d > 0; d = time.Until(e.settled) {
		e.mu.Unlock()
		time.Sleep(d)
		e.mu.Lock()
	}
	e.settling = 0
}

// Claim is Chip's. It reads the chip's registers and writes those that differ, so that a chip that runs as it should sees no write.
// It waits 5 ms when a pull-up was switched on. A line that is released stays as it is, and an output that is claimed again in
// another way keeps its level.
func (e *expander) Claim(lines []LineConfig) []error {
	e.mu.Lock()
	defer e.mu.Unlock()
	errs := make([]error, len(lines))
	var keep, fresh uint16
	var at [16]int // index into lines
	for i := range lines {
		l := &lines[i]
		if l.Offset >= 16 {
			errs[i] = fmt.Errorf("%s has no line %d: its lines are 0 to 15", e.name, l.Offset)
			continue
		}
		bit := uint16(1) << l.Offset
		switch err := e.chip.check(l); {
		case (keep|fresh)&bit != 0:
			errs[i] = fmt.Errorf("%s: line %d is in use by %q: choose another line", e.name, l.Offset, lines[at[l.Offset]].Name)
		case err != nil:
			errs[i] = e.failed(err)
		case e.claimed&bit != 0 && sameWiring(&e.lines[l.Offset], l):
			e.lines[l.Offset] = *l
			keep |= bit
			at[l.Offset] = i
		default:
			fresh |= bit
			at[l.Offset] = i
		}
	}
	gone := e.claimed &^ (keep | fresh)
	e.release(gone) // even if the chip does not answer: the next comparison then ends the interrupt
	defer e.nudge()
	if gone|fresh == 0 {
		return anyError(errs)
	}
	err := e.claim(fresh, gone, lines, &at)
	if err != nil {
		for i := range 16 {
			if fresh>>i&1 != 0 {
				errs[at[i]] = e.failed(err)
			}
		}
	}
	return anyError(errs)
}

// sameWiring tells whether the chip sees no difference between two configurations of a claimed line.
func sameWiring(a, b *LineConfig) bool {
	return a.Output == b.Output && (a.Output || a.Pull == b.Pull && (a.Debounce == 0) == (b.Debounce == 0))
}

func anyError(errs []error) []error {
	for _, err := range errs {
		if err != nil {
			return errs
		}
	}
	return nil
}

// claim sets up fresh lines. On an error they are as they were before: not claimed, or claimed with their old configuration.
func (e *expander) claim(fresh, gone uint16, lines []LineConfig, at *[16]int) error {
	if _, err := e.chip.attach(); err != nil {
		return err
	}
	have, _, err := e.loadSure()
	if err != nil {
		return err
	}
	e.adopt(have)
	found := have
	found[exAlert] &^= gone // as it was told
	if e.claimed != 0 && e.wrong(found) {
		e.repaired(have, false)
	}
	next := e.expanderTable // taken over when the chip has it
	for i := range 16 {
		bit := uint16(1) << i
		if fresh&bit == 0 {
			continue
		}
		l := lines[at[i]]
		wasOutput := e.outputs&bit != 0
		next.release(bit)
		next.claimed |= bit
		next.lines[i] = l
		set := func(reg int, on bool) {
			next.want[reg] &^= bit
			if on {
				next.want[reg] |= bit
			}
		}
		set(exInvert, false)
		set(exDriven, l.Output)
		if l.Output {
			next.outputs |= bit
			switch driven := have[exDriven]&bit != 0; {
			case wasOutput: // keeps what it was told last
			case l.Initial != Keep:
				set(exLatch, l.Level(l.Initial == On))
			case !driven:
				set(exLatch, l.Level(false))
			}
			continue
		}
		// The latch of an input drives nothing. Set, it tells that the chip was reset in every scan that reads the latches.
		set(exLatch, true)
		if l.Pull != PullAsIs {
			set(exPull, l.Pull == PullUp)
		}
		set(exCompare, false)
		set(exAlert, e.cfg.Interrupt != nil)
		if l.Debounce == 0 {
			next.quick |= bit
		}
	}
	if err := e.store(have, next.want); err != nil {
		return err
	}
	next.settling |= e.settling & next.inputs() // from store
	e.expanderTable = next
	if e.settling != 0 {
		e.awaitSettled()
	}
	if fresh&e.inputs() == 0 {
		return nil
	}
	// Edges count from here. This also ends interrupts that the new configuration caused. If it fails, the next scan does it.
	if s, err := e.sample(); err == nil {
		e.observe(s, time.Now())
	}
	return nil
}

// sample scans in the way that loses no pulse: reading the pins ends an interrupt, so what it caught must come along.
func (e *expander) sample() (expanderSample, error) { return e.chip.scan(e.want[exAlert] != 0) }

// Read is Chip's. It costs one transaction where the mask has inputs only, a second one for the directions where it has outputs,
// and more only when something is not as it should be: then the chip is compared, repaired and read once more.
func (e *expander) Read(mask Lines) (Levels, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := word(mask) & e.claimed
	if m == 0 {
		return Levels{}, nil
	}
	out := m & e.outputs
	if e.settling&m != 0 {
		e.awaitSettled()
	}
	for again := true; ; again = false {
		at := time.Now()
		s, err := e.sample()
		var driven uint16
		if err == nil && out != 0 {
			driven, err = e.chip.driven() // after the latches: a reset in between then shows
		}
		if err != nil {
			return Levels{}, e.failed(err)
		}
		faults := (s.pins ^ s.latch) & out
		if again && (faults != 0 || out&^driven != 0 || e.suspicious(s)) {
			if _, err := e.verify(); err != nil {
				return Levels{}, e.failed(err)
			}
			if e.settling&m != 0 {
				e.awaitSettled()
			}
			continue
		}
		e.observe(s, at)
		valid := out & driven
		if !e.lost(s) {
			valid |= e.inputs() &^ e.settling
		}
		high := s.latch&e.outputs | s.pins&^e.outputs
		return Levels{Valid: lines(valid), High: lines(high & valid), Fault: lines(faults & valid)}, nil
	}
}

func word(l Lines) uint16  { return uint16(l[0]) }
func lines(w uint16) Lines { return Lines{uint64(w)} }

// Write is Chip's: one transaction. On an error the wish stays, and a repair may carry it out before it is written again.
func (e *expander) Write(mask, levels Lines) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := word(mask) & e.outputs
	if m == 0 {
		return nil
	}
	e.want[exLatch] = e.want[exLatch]&^m | word(levels)&m
	return e.failed(e.chip.put(exLatch, e.want[exLatch])) // even if it is nothing new: the chip may have been reset
}

// Close is Chip's. It does not close the bus. Outputs stay as they are; interrupts end, lest they hold a line that others share.
func (e *expander) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	alerts := e.want[exAlert]
	e.release(e.claimed)
	if alerts == 0 {
		return nil
	}
	if err := e.chip.put(exAlert, 0); err != nil {
		return e.failed(err)
	}
	_, err := e.chip.burst() // ends one that was on
	return e.failed(err)
}

// lost tells that the latches are not ours: the chip was reset, or something else answered.
func (e *expander) lost(s expanderSample) bool {
	return s.latched && (s.latch^e.want[exLatch])&e.claimed != 0
}

// suspicious tells that a sample may come from a chip that was reset, which shows wrong levels: they are not to be believed before
// the registers have been compared.
func (e *expander) suspicious(s expanderSample) bool {
	changed := (s.pins ^ e.known) & e.seen & e.inputs() &^ e.settling
	if e.lost(s) {
		return true
	}
	if odd := (s.pins ^ s.latch) & e.outputs; s.latched && odd != e.odd {
		if e.odd = odd; odd != 0 {
			return true // perhaps they are outputs no more
		}
	}
	switch {
	case s.flagged != 0:
		return false // it had its interrupts, so it has the rest
	case s.alerts && changed&e.want[exAlert] != 0:
		return true // a change without an interrupt
	}
	return bits.OnesCount16(changed&e.known&e.want[exPull]) > 1 // several at once went low: the pull-ups may be gone
}

// verify compares the chip's registers with ours and repairs them. The sample is from afterwards.
func (e *expander) verify() (expanderSample, error) {
	have, s, err := e.chip.load()
	if err != nil {
		return s, err
	}
	if !e.wrong(have) {
		e.adopt(have)
		e.bad = 0
		return s, nil
	}
	// Once more before anything is written: a bit may have flipped on the wire, and in a layout that somebody else has chosen the
	// registers cannot be told apart.
	moved, err := e.chip.attach()
	if err != nil {
		return s, err
	}
	if have, s, err = e.loadSure(); err != nil {
		return s, err
	}
	e.adopt(have)
	if !e.wrong(have) && !moved {
		return s, nil
	}
	if err := e.store(have, e.want); err != nil {
		return s, err
	}
	e.repaired(have, moved)
	return e.sample()
}

// loadSure reads the registers until they read the same twice, as I2C has no check sum and writes are to follow from them.
func (e *expander) loadSure() (expanderRegs, expanderSample, error) {
	have, s, err := e.chip.load()
	for range 4 {
		before := have
		if err != nil {
			break
		}
		if have, s, err = e.chip.load(); err == nil && have == before {
			return have, s, nil
		}
	}
	if err == nil {
		err = errExpanderNoise
	}
	return have, s, err
}

// repaired counts and tells a repair, a repeated one once a minute.
func (e *expander) repaired(have expanderRegs, moved bool) {
	e.repairs++
	e.bad++
	e.resync |= e.inputs()
	e.odd = 0
	text, reset := e.chip.tell(have)
	what := "configuration lost, repaired"
	switch {
	case reset:
		what = "chip was reset, repaired"
	case moved:
		what = "register layout was changed, repaired"
	}
	if now := time.Now(); what+text != e.told || now.Sub(e.toldAt) > time.Minute {
		e.told, e.toldAt = what+text, now
		e.log.Warn(what, "found", text, "repairs", e.repairs)
	}
}

// observe compares a sample with what is known and queues the edges for Watch. Before Watch runs, nobody waits for edges.
func (e *expander) observe(s expanderSample, at time.Time) {
	if e.lost(s) {
		return
	}
	if e.settling != 0 && !time.Now().Before(e.settled) {
		e.settling = 0
	}
	live := e.inputs() &^ e.settling
	first := live &^ e.seen
	if !e.watching {
		first = live
	}
	e.known = e.known&^first | s.pins&first
	e.seen |= live
	pulses := (s.captured ^ e.known) & (s.captured ^ s.pins) & s.caught & e.quick & live &^ e.resync
	for w := (s.pins ^ e.known | pulses) & live &^ first; w != 0; w &= w - 1 {
		i := bits.TrailingZeros16(w)
		bit := uint16(1) << i
		if len(e.pending)+2 > expanderPending {
			break // known stays, so that the next sample finds the difference again
		}
		if pulses&bit != 0 {
			e.pending = append(e.pending, Edge{Offset: uint32(i), High: s.captured&bit != 0, At: at})
		}
		e.pending = append(e.pending, Edge{Offset: uint32(i), High: s.pins&bit != 0, At: at, Resync: e.resync&bit != 0})
		e.known = e.known&^bit | s.pins&bit
	}
	e.resync &^= live
	if len(e.pending) > 0 {
		e.nudge()
	}
}

func (e *expander) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// send hands the queued edges over, with the lock free.
func (e *expander) send(ctx context.Context, edges chan<- Edge) error {
	for {
		e.mu.Lock()
		queue := e.pending
		e.pending = nil
		e.mu.Unlock()
		if len(queue) == 0 {
			return nil
		}
		for _, edge := range queue {
			select {
			case edges <- edge:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
