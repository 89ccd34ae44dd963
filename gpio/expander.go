package gpio

import (
	"errors"
	"fmt"
	"log/slog"
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
	stuck    uint16 // outputs that do not take what a write-only chip was told
	caught   uint16 // lines of which captured is new
	captured uint16 // levels at the interrupt
}

// after takes along what the interrupts said in an earlier reading, as it ended them. Of a line the first change counts.
func (s expanderSample) after(earlier expanderSample) expanderSample {
	s.captured = s.captured&^earlier.flagged | earlier.captured&earlier.flagged
	s.flagged |= earlier.flagged
	return s
}

// errOther says that a chip is not of the type that it is taken for.
func errOther(name string) error {
	return fmt.Errorf("what answers there is no %s: %w", name, errExpanderOther)
}

var (
	errExpanderOther   = errors.New("compare the chip's type and address with the configuration")
	errExpanderForgets = errors.New("the chip does not keep its configuration: is its supply stable, and is it the chip that is configured?")
	errExpanderNoise   = errors.New("the chip's registers read differently each time: are the bus's wires too long, or its pull-ups too weak?")
	errExpanderHeld    = errors.New("every address answers with zeros: SDA is held low; look for a short circuit, or for a chip on the bus without supply")
)

// expanderChip is what sets one family of expanders apart from another. Its methods are called under the expander's lock.
type expanderChip interface {
	// mode gives the bits of exMode that are wanted, and those that are ours to set.
	mode(interrupt bool) (want, mask uint16)
	// attach brings the chip into the register layout that the other methods expect, and tells whether it was in another.
	attach() (moved bool, err error)
	// load reads everything, in one transaction.
	load() (expanderRegs, expanderSample, error)
	// put writes one of the registers, for all lines.
	put(reg int, v uint16) error
	// scan reads the lines; with alerts, what caused an interrupt as well, where the chip tells. With latch the latches too, and else
	// only where one transaction gives both.
	scan(alerts, latch bool) (expanderSample, error)
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
	expanderReads   = 4                    // of Read's until two say the same
)

// expander is a Chip of up to 16 lines behind I2C. Every write comes from want, the state that we keep; the chip's registers are
// read to compare. Lines that are not claimed stay as they are found at the first Claim, whatever they are set to, and are repaired as ours
// are: a write that was spoilt may have made outputs of them. A reset makes inputs of them.
type expander struct {
	name string
	kind *ExpanderType
	cfg  ExpanderConfig
	chip expanderChip
	log  *slog.Logger
	wake chan struct{} // capacity 1: Watch has edges to send or its pace has changed

	mu sync.Mutex // guards the following and the sequence of transactions
	expanderTable
	taken    bool // a Claim has succeeded: all registers are known
	settled  time.Time
	odd      uint16 // outputs whose pin differed from the latch when last scanned
	written  bool   // and the registers have not been compared since
	unsound  bool   // the registers were found wrong, and not right since
	refused  error  // by the last Claim: the chip as a whole
	pending  []Edge
	missed   expanderSample // what interrupts said in readings that were not for the lines, and ended them: for observe
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
	known    uint16        // inputs' levels as last told
	seen     uint16        // inputs whose level is known
	resync   uint16        // inputs whose next difference is no edge that was seen
	doubt    uint16        // inputs that read differently from known once, and nothing else says so yet
	pulse    uint16        // inputs of which the interrupt caught a pulse, and nothing else says so yet
	since    [16]time.Time // when that was
	settling uint16        // inputs whose pull-up was just switched on: they say nothing until settled
	every    time.Duration // of the edges: see Edge.Every
}

func (t *expanderTable) inputs() uint16 { return t.claimed &^ t.outputs }

// release forgets lines. Their direction, level and pull stay as they are, only the interrupt is no longer wanted.
func (t *expanderTable) release(lines uint16) {
	t.claimed &^= lines
	t.outputs &^= lines
	t.quick &^= lines
	t.seen &^= lines
	t.resync &^= lines
	t.doubt &^= lines
	t.pulse &^= lines
	t.settling &^= lines
	t.want[exAlert] &^= lines
}

// openExpander finds the chip, without writing anything to it that changes a line.
func openExpander(kind *ExpanderType, cfg ExpanderConfig) (*expander, error) {
	cfg.Poll = orDefault(cfg.Poll, 10*time.Millisecond)
	cfg.Safety = orDefault(cfg.Safety, 500*time.Millisecond)
	cfg.Verify = orDefault(cfg.Verify, 2*time.Second)
	e := &expander{name: fmt.Sprintf("%s at 0x%02x", kind.Name, cfg.Addr), kind: kind, cfg: cfg, chip: kind.family(kind, cfg.Bus, cfg.Addr), log: cfg.Log,
		wake: make(chan struct{}, 1)}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if _, err := e.chip.attach(); err != nil {
		return nil, e.failed(err)
	}
	have, _, err := e.loadSure()
	if err != nil {
		return nil, e.failed(err)
	}
	e.want = have // in whatever mode it is; the interrupts alone are not left as they are
	e.want[exAlert] = 0
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

// store writes what differs, the latch first and the direction last; but a line that is to be an input is let go before anything
// else, as its latch bit may drive against what is wired to it. No line becomes an output before its latch has proven to be right.
func (e *expander) store(have, want expanderRegs) error {
	if kept := have[exDriven] & want[exDriven]; kept != have[exDriven] {
		if err := e.chip.put(exDriven, kept); err != nil {
			return err
		}
		e.settle(have[exDriven] &^ kept & e.kind.fixedPulls())
		have[exDriven] = kept
	}
	for i := range want {
		if have[i] == want[i] {
			continue
		}
		if i == exDriven {
			if err := e.took(want, have[exDriven]); err != nil {
				return err
			}
		}
		if err := e.chip.put(i, want[i]); err != nil {
			return err
		}
		if i == exPull { // fixed ones never differ
			e.settle(want[i] &^ have[i])
		}
	}
	return nil
}

// took asserts that the chip's registers are as wanted, but for the directions.
func (e *expander) took(want expanderRegs, driven uint16) error {
	want[exDriven] = driven
	have, s, err := e.chip.load()
	if err == nil && have != want {
		have, s, err = e.loadSure()
	}
	if err == nil && have != want {
		err = errExpanderForgets
	}
	if err == nil {
		e.missed = s.after(e.missed)
	}
	return err
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

// sample scans in the way that loses no pulse: reading the pins ends an interrupt, so what it caught must come along.
func (e *expander) sample(latch bool) (expanderSample, error) {
	if err := e.insist(); err != nil {
		return expanderSample{}, err
	}
	return e.chip.scan(e.want[exAlert] != 0, latch)
}

// Close is Chip's. It does not close the bus. Outputs stay as they are; interrupts end, lest they hold a line that others share.
func (e *expander) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { e.release(e.claimed) }()
	if e.want[exAlert] == 0 {
		return nil
	}
	e.want[exAlert] = 0
	if err := e.chip.put(exAlert, 0); err != nil {
		return e.failed(err)
	}
	_, err := e.verify() // reads the lines too, which ends an interrupt that was on
	return e.failed(err)
}
