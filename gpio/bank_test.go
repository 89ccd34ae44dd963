package gpio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// faultyChip is a Sim whose transactions can be made to fail, and are counted.
type faultyChip struct {
	*Sim
	mu       sync.Mutex // guards the following
	writeErr func() error
	readErr  func() error
	edit     func(*Levels)    // of what Read gives
	pass     func(*Edge) bool // of what Watch gives; false: swallowed
	writes   []Lines          // masks
	claims   [][]LineConfig
	opens    []time.Time
}

func (f *faultyChip) Open() (Chip, error) {
	f.mu.Lock()
	f.opens = append(f.opens, time.Now())
	f.mu.Unlock()
	if _, err := f.Sim.Open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *faultyChip) Claim(lines []LineConfig) []error {
	f.mu.Lock()
	f.claims = append(f.claims, slices.Clone(lines))
	f.mu.Unlock()
	return f.Sim.Claim(lines)
}

func (f *faultyChip) Write(mask, levels Lines) error {
	f.mu.Lock()
	f.writes = append(f.writes, mask)
	fail := f.writeErr
	f.mu.Unlock()
	if fail != nil {
		if err := fail(); err != nil {
			return err
		}
	}
	return f.Sim.Write(mask, levels)
}

func (f *faultyChip) Read(mask Lines) (Levels, error) {
	f.mu.Lock()
	fail, edit := f.readErr, f.edit
	f.mu.Unlock()
	if fail != nil {
		if err := fail(); err != nil {
			return Levels{}, err
		}
	}
	v, err := f.Sim.Read(mask)
	if edit != nil {
		edit(&v)
	}
	return v, err
}

func (f *faultyChip) Watch(ctx context.Context, edges chan<- Edge) error {
	between := make(chan Edge)
	ended := make(chan error, 1)
	go func() { ended <- f.Sim.Watch(ctx, between) }()
	for {
		select {
		case err := <-ended:
			return err
		case e := <-between:
			f.mu.Lock()
			pass := f.pass
			f.mu.Unlock()
			if pass != nil && !pass(&e) {
				continue
			}
			select {
			case edges <- e:
			case <-ctx.Done():
				return <-ended
			}
		}
	}
}

func (f *faultyChip) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// bench is a Bank at work inside a synctest bubble.
type bench struct {
	t      *testing.T
	chip   *faultyChip
	bank   *Bank
	events chan Event
	cancel context.CancelFunc
	ended  chan error
}

// run makes a bench and has f use it; then the bank ends, and with it every goroutine: synctest sees to that.
func runBench(t *testing.T, cfg BankConfig, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &bench{t: t, chip: &faultyChip{Sim: NewSim(16)}, events: make(chan Event, 4096), cancel: cancel, ended: make(chan error, 1)}
		cfg.Chip, cfg.Open = "header", b.chip.Open
		b.bank = NewBank(cfg, b.events)
		go func() { b.ended <- b.bank.Run(ctx) }()
		f(b)
		b.stop()
	})
}

func (b *bench) stop() {
	b.cancel()
	if err := <-b.ended; err != nil {
		b.t.Errorf("Run: %v, want nil", err)
	}
	b.ended <- nil
}

// after waits and gives what was told until then, as short texts.
func (b *bench) after(d time.Duration) []string {
	b.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	var got []string
	for {
		select {
		case e := <-b.events:
			got = append(got, describe(e))
		default:
			return got
		}
	}
}

func (b *bench) want(d time.Duration, want ...string) {
	b.t.Helper()
	if got := b.after(d); !slices.Equal(got, want) {
		b.t.Errorf("told\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func describe(e Event) string {
	s := e.Line
	if s == "" {
		s = "chip"
	}
	switch {
	case e.Err != nil:
		s += " err " + e.Err.Error()
	case e.Line == "":
		s += " up"
	case e.Active:
		s += " on"
	default:
		s += " off"
	}
	if e.Edge {
		s += " edge"
	}
	if e.Lost > 0 {
		s += fmt.Sprintf(" lost %d", e.Lost)
	}
	if e.Fault != nil {
		s += " fault"
	}
	return s
}

const msec = time.Millisecond

var (
	doorLine  = LineConfig{Name: "door", Offset: 1, Pull: PullUp, ActiveLow: true, Debounce: 10 * msec}
	meterLine = LineConfig{Name: "meter", Offset: 2}
	lampLine  = LineConfig{Name: "lamp", Offset: 3, Output: true}
	fanLine   = LineConfig{Name: "fan", Offset: 4, Output: true, ActiveLow: true, Initial: On}
)

func TestBankFirstReadsAndEdges(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{doorLine, meterLine, lampLine, fanLine}}, func(b *bench) {
		b.want(startQuiet+10*msec, "chip up", "door off", "meter off", "lamp off", "fan on")
		if b.chip.Level(4) {
			t.Error("fan is active-low and on: its pin is high, want low")
		}
		begin := time.Now()
		b.chip.Press(1)
		time.Sleep(3 * msec)
		b.chip.Release(1)
		time.Sleep(msec)
		b.chip.Press(1)
		b.want(9 * msec)
		time.Sleep(5 * msec)
		if e := <-b.events; describe(e) != "door on edge" || e.At.Sub(begin) != 14*msec || e.Chip != "header" {
			t.Errorf("event %q after %v, want door on edge after 14 ms", describe(e), e.At.Sub(begin))
		}
		b.chip.Release(1) // and back within the period
		time.Sleep(4 * msec)
		b.chip.Press(1)
		b.want(100 * msec)
		b.chip.Press(2)
		b.chip.Release(2)
		b.chip.Press(2)
		b.want(0, "meter on edge", "meter off edge", "meter on edge")
		b.want(time.Minute) // supervision finds nothing
	})
}

func TestBankEdgeKinds(t *testing.T) {
	settledDoor := doorLine
	runBench(t, BankConfig{Lines: []LineConfig{settledDoor, meterLine}}, func(b *bench) {
		b.after(msec)
		for _, c := range []struct {
			name string
			edge Edge
			want []string
		}{
			{"a pulse's second half only", Edge{Offset: 2}, []string{"meter off edge"}},
			{"the same level again", Edge{Offset: 2, Lost: 2}, []string{"meter off edge lost 2"}},
			{"read again, nothing new", Edge{Offset: 2, Resync: true}, nil},
			{"read again, nothing new but a loss", Edge{Offset: 2, Resync: true, Lost: 4}, []string{"meter off lost 4"}},
			{"read again, changed", Edge{Offset: 2, High: true, Resync: true, Lost: 1}, []string{"meter on lost 1"}},
			{"settled by the chip", Edge{Offset: 1, Settled: true}, []string{"door on edge"}},
			{"settled, the same again", Edge{Offset: 1, Settled: true}, nil},
			{"settled, the same again, with a loss", Edge{Offset: 1, Settled: true, Lost: 2}, []string{"door on lost 2"}},
			{"not settled, the same again, with a loss", Edge{Offset: 1, Lost: 3}, []string{"door on lost 3"}},
			{"not settled, changed, with a loss", Edge{Offset: 1, High: true, Lost: 5}, []string{"door off edge lost 5"}},
			{"not settled, read again", Edge{Offset: 1, Resync: true, Lost: 5}, []string{"door on lost 5"}},
			{"nobody's line", Edge{Offset: 9}, nil},
			{"no line", Edge{Offset: MaxLines}, nil},
		} {
			b.chip.set(func() { b.chip.pass = func(e *Edge) bool { at := e.At; *e = c.edge; e.At = at; return true } })
			b.chip.Drive(2, !b.chip.Level(2)) // any edge: what passes on is c.edge
			if got := b.after(20 * msec); !slices.Equal(got, c.want) {
				t.Errorf("%s: told %q, want %q", c.name, got, c.want)
			}
		}
	})
}

func TestBankAnswersEveryWish(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine, fanLine, doorLine}}, func(b *bench) {
		b.after(msec)
		b.bank.Set("lamp", true)
		b.bank.Set("fan", true)
		b.bank.Set("fan", false)
		b.bank.Set("door", true)    // an input
		b.bank.Set("nobody", false) // nobody
		b.want(0, "lamp on", "fan off")
		b.bank.Set("lamp", true)
		b.want(0, "lamp on") // confirmed, changed or not
		if !b.chip.Level(3) || !b.chip.Level(4) {
			t.Errorf("pins high %v, %v, want true, true (active-low)", b.chip.Level(3), b.chip.Level(4))
		}
	})
}

// A pin that rises slowly reads as before right after it was written: nothing is told before it was looked at again.
func TestBankSlowPin(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine}}, func(b *bench) {
		b.after(100 * msec)
		risen := time.Now()
		b.chip.set(func() {
			b.chip.writeErr = func() error { risen = time.Now().Add(10 * msec); return nil }
			b.chip.edit = func(v *Levels) {
				if time.Now().Before(risen) {
					v.High.Set(3, !v.High.Has(3))
				}
			}
		})
		b.bank.Set("lamp", true)
		b.want(recheckAfter - msec)
		b.want(2*msec, "lamp on")
		b.bank.Set("lamp", false)
		b.want(recheckAfter - msec)
		b.want(2*msec, "lamp off")
		// One that never follows is told as it is, at the second look.
		b.chip.set(func() { b.chip.edit = func(v *Levels) { v.High.Set(3, false) } })
		b.bank.Set("lamp", true)
		b.want(recheckAfter - msec)
		b.want(2*msec, "lamp off")
	})
}

// Edges from before the first reading, and what a pull-up does while it lifts its line, are no presses.
func TestBankEarlyEdges(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{doorLine, meterLine}}, func(b *bench) {
		b.want(0, "chip up", "door off", "meter off")
		b.chip.Press(1)
		time.Sleep(5 * msec)
		b.chip.Drive(2, true) // without a pull: a real one
		b.want(0, "meter on edge")
		b.want(10*msec, "door on")
		time.Sleep(startQuiet)
		b.chip.Release(1)
		b.want(15*msec, "door off edge")
		b.chip.set(func() {
			b.chip.pass = func(e *Edge) bool { e.At = e.At.Add(-time.Second); return true } // queued before the lines were read
		})
		b.chip.Drive(2, false)
		b.want(0, "meter off")
	})
}

// Where a line is polled, a level counts when it was read twice, however short the debounce.
func TestBankPolledSettles(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{doorLine}}, func(b *bench) {
		b.after(100 * msec)
		b.chip.set(func() { b.chip.pass = func(e *Edge) bool { e.Every = 10 * msec; return true } })
		b.chip.Press(1)
		time.Sleep(10*msec + msec/2) // the next scan, a little later than the period
		b.chip.Release(1)
		b.want(50 * msec)
		b.chip.Press(1)
		b.want(14 * msec)
		b.want(2*msec, "door on edge")
	})
}

func TestBankBatchWhileBusy(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine, fanLine, doorLine}}, func(b *bench) {
		b.after(startQuiet + 10*msec)
		b.chip.set(func() { b.chip.writeErr = func() error { time.Sleep(time.Second); return nil } }) // a stuck bus
		b.bank.Set("lamp", true)
		synctest.Wait()
		for i := range 10 {
			b.bank.Set("fan", i%2 == 0)
			b.bank.Set("lamp", i%2 == 0)
		}
		b.chip.Press(1) // meanwhile
		got := b.after(2500 * msec)
		door := slices.Index(got, "door on edge") // before or after the second write
		if door < 1 || !slices.Equal(slices.Delete(got, door, door+1), []string{"lamp on", "lamp off", "fan off"}) {
			t.Errorf("told %q (door %d), want lamp on, lamp off, fan off, and door on edge after the first", got, door)
		}
		b.chip.set(func() {
			if want := []Lines{LinesOf(3), LinesOf(3, 4)}; !slices.Equal(b.chip.writes, want) {
				t.Errorf("writes %v, want %v", b.chip.writes, want)
			}
		})
	})
}

func TestBankSetNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := &faultyChip{Sim: NewSim(8)}
		events := make(chan Event) // nobody takes them
		bank := NewBank(BankConfig{Chip: "header", Lines: []LineConfig{lampLine}, Open: chip.Open}, events)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- bank.Run(ctx) }()
		for range 1000 {
			synctest.Wait()
			bank.Set("lamp", true)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if !chip.Level(3) {
			t.Error("the wish set before the end was not written")
		}
	})
}

func TestBankWriteRetries(t *testing.T) {
	for _, c := range []struct {
		name        string
		write, read int // how many fail
		want        []string
	}{
		{"a write", 1, 0, []string{"lamp on"}},
		{"writes", 3, 0, []string{"lamp on"}},
		{"reading back", 0, 3, []string{"lamp on"}},
		{"too many", 4, 0, []string{`chip err chip "header": EREMOTEIO`, `lamp err output "lamp" (line 3 on header): EREMOTEIO`,
			`fan err output "fan" (line 4 on header): EREMOTEIO`, "chip up", "lamp on", "fan on"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			runBench(t, BankConfig{Lines: []LineConfig{lampLine, fanLine}, Check: time.Hour}, func(b *bench) {
				b.after(msec)
				fail := func(n int) func() error {
					return func() error {
						if n--; n >= 0 {
							return errors.New("EREMOTEIO")
						}
						return nil
					}
				}
				b.chip.set(func() { b.chip.writeErr, b.chip.readErr = fail(c.write), fail(c.read) })
				b.bank.Set("lamp", true)
				b.want(time.Second, c.want...)
				if !b.chip.Level(3) {
					t.Error("lamp is off, want on")
				}
			})
		})
	}
}

func TestBankRetryTakesLatestWish(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine}}, func(b *bench) {
		b.after(msec)
		var at []time.Duration
		begin := time.Now()
		b.chip.set(func() {
			b.chip.writeErr = func() error {
				if at = append(at, time.Since(begin)); len(at) < 3 {
					return errors.New("EREMOTEIO")
				}
				return nil
			}
		})
		b.bank.Set("lamp", true)
		b.after(10 * msec)
		b.bank.Set("lamp", false)
		b.want(time.Second, "lamp off")
		if want := []time.Duration{0, 20 * msec, 70 * msec}; !slices.Equal(at, want) {
			t.Errorf("written at %v, want %v: a wish does not cut the pause short", at, want)
		}
	})
}

func TestBankChipFailsAndReturns(t *testing.T) {
	keepOn := LineConfig{Name: "pump", Offset: 5, Output: true, Initial: On}
	valve := LineConfig{Name: "valve", Offset: 7, Output: true, Initial: Keep}
	runBench(t, BankConfig{Lines: []LineConfig{doorLine, lampLine, keepOn, valve}}, func(b *bench) {
		b.want(msec, "chip up", "door off", "lamp off", "pump on", "valve off")
		b.bank.Set("pump", false)
		b.want(msec, "pump off")
		b.chip.Fail(errors.New("no such device"))
		b.want(time.Minute, `chip err chip "header": no such device`, `door err input "door" (line 1 on header): no such device`,
			`lamp err output "lamp" (line 3 on header): no such device`, `pump err output "pump" (line 5 on header): no such device`,
			`valve err output "valve" (line 7 on header): no such device`)
		var gaps []time.Duration
		b.chip.set(func() {
			for i := 1; i < len(b.chip.opens); i++ {
				gaps = append(gaps, b.chip.opens[i].Sub(b.chip.opens[i-1]))
			}
		})
		if len(gaps) < 6 || len(gaps) > 9 || gaps[0] < 200*msec || gaps[0] > 310*msec || gaps[5] < 6*time.Second {
			t.Errorf("opened again after %v, want 250 ms and doubling", gaps)
		}
		b.bank.Set("lamp", true) // waits
		b.chip.Press(1)
		b.want(time.Second)
		b.chip.Recover()
		b.want(time.Minute, "chip up", "door on", "lamp on", "pump off", "valve off")
		b.chip.set(func() {
			got := b.chip.claims[len(b.chip.claims)-1]
			if got[1].Initial != On || got[2].Initial != Off || got[3].Initial != Off {
				t.Errorf("claimed again with initial %v, %v and %v, want On, Off (wishes) and Off (the last confirmed)",
					got[1].Initial, got[2].Initial, got[3].Initial)
			}
		})
		b.chip.Fail(errors.New("no such device")) // the same reason is told again
		if got := b.after(msec); len(got) != 5 {
			t.Errorf("failed again: told %q", got)
		}
	})
}

func TestBankChipMissingAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := NewSim(8)
		chip.Fail(errors.New("no such device"))
		events := make(chan Event, 64)
		bank := NewBank(BankConfig{Chip: "header", Lines: []LineConfig{fanLine}, Open: chip.Open}, events)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- bank.Run(ctx) }()
		b := &bench{t: t, events: events}
		b.want(time.Minute, `chip err chip "header": no such device`, `fan err output "fan" (line 4 on header): no such device`)
		chip.Recover()
		b.want(time.Minute, "chip up", "fan on") // nothing was wished yet: the configured initial
		cancel()
		<-ended
	})
}

func TestBankBusyLine(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{doorLine, lampLine}, LineName: HeaderLineName}, func(b *bench) {
		b.want(msec, "chip up", "door off", "lamp off")
		b.chip.FailLine(3, errors.New(`in use by "spi0 CS0": choose another line or free that one`))
		const busy = `lamp err output "lamp" (GPIO3, pin 5, on header): in use by "spi0 CS0": choose another line or free that one`
		if got := b.after(10 * time.Second); len(got) == 0 || got[len(got)-1] != busy || len(got) > 2 {
			t.Errorf("told %q, want the line's loss, and %q once", got, busy)
		}
		b.chip.Press(1)
		b.want(20*msec, "door on edge") // the others work
		b.bank.Set("lamp", true)
		b.want(msec, busy) // every wish has its answer
		b.want(time.Minute)
		b.chip.FailLine(3, errors.New("in use by someone else"))
		b.want(5*time.Second, `lamp err output "lamp" (GPIO3, pin 5, on header): in use by someone else`)
		b.chip.FailLine(3, nil)
		b.want(5*time.Second, "lamp on")
		if !b.chip.Level(3) {
			t.Error("lamp is off, want what was wished")
		}
	})
}

func TestBankSupervision(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{doorLine, meterLine, lampLine}}, func(b *bench) {
		b.after(msec)
		b.chip.set(func() { b.chip.pass = func(*Edge) bool { return false } })
		b.chip.Press(1) // the edge goes missing
		b.chip.Press(2)
		b.want(1900 * msec)
		b.want(300*msec, "door on", "meter on")
		b.chip.set(func() { b.chip.pass = nil })

		// An edge that is only late stays an edge: a press must fire its rule though a check saw it first.
		b.chip.set(func() {
			b.chip.pass = func(*Edge) bool { time.Sleep(110 * msec); return true }
			b.chip.readErr = sync.OnceValue(func() error { b.chip.Release(1); return nil })
		})
		b.want(3*time.Second, "door off edge")
		b.chip.set(func() { b.chip.pass, b.chip.readErr = nil, nil })

		// An output that is found otherwise is written again.
		b.bank.Set("lamp", true)
		b.after(msec)
		if err := b.chip.Sim.Write(LinesOf(3), Lines{}); err != nil {
			t.Fatal(err)
		}
		b.want(3*time.Second, "lamp on")
		if !b.chip.Level(3) {
			t.Error("lamp is off, want it repaired")
		}
		// One that does not obey is told once, as it is.
		b.chip.set(func() { b.chip.edit = func(v *Levels) { v.High.Set(3, false) } })
		b.want(time.Minute, "lamp off")
		b.chip.set(func() { b.chip.edit = nil })
		b.want(5*time.Second, "lamp on")
		// One that the chip no longer drives is not available until it does.
		b.chip.set(func() { b.chip.edit = func(v *Levels) { v.Valid.Set(3, false) } })
		b.want(time.Minute, `lamp err output "lamp" (line 3 on header): `+errNotValid.Error())
		b.chip.set(func() { b.chip.edit = nil })
		b.want(5*time.Second, "lamp on")
	})
}

func TestBankCheckFails(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine}}, func(b *bench) {
		b.after(msec)
		var left atomic.Int32
		left.Store(3)
		b.chip.set(func() {
			b.chip.readErr = func() error {
				if left.Add(-1) >= 0 {
					return errors.New("EREMOTEIO")
				}
				return nil
			}
		})
		for range 2 { // forgiven, and forgotten
			b.want(5 * time.Second)
			if n := left.Load(); n >= 0 {
				t.Errorf("%d failures left, want them used up by retries", n)
			}
			left.Store(3)
		}
		b.chip.set(func() { b.chip.readErr = func() error { return errors.New("EREMOTEIO") } })
		b.want(time.Minute, `chip err chip "header": EREMOTEIO`, `lamp err output "lamp" (line 3 on header): EREMOTEIO`)
		b.chip.set(func() { b.chip.readErr = nil })
		b.want(time.Minute, "chip up", "lamp off")
	})
}

func TestBankFault(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine}}, func(b *bench) {
		b.after(msec)
		b.chip.Drive(3, true) // a short circuit
		b.want(3 * time.Second)
		b.want(time.Minute, "lamp off fault")
		b.bank.Set("lamp", false)
		b.want(msec, "lamp off fault")
		b.chip.Float(3)
		b.want(3*time.Second, "lamp off")
		b.want(time.Minute)
	})
}

func TestBankLastWishes(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine, fanLine}}, func(b *bench) {
		b.after(msec)
		left := 2
		b.chip.set(func() {
			b.chip.writeErr = func() error {
				if left--; left >= 0 {
					return errors.New("EREMOTEIO")
				}
				return nil
			}
		})
		b.bank.Set("lamp", true)
		b.bank.Set("fan", false)
		b.stop()
		if !b.chip.Level(3) || !b.chip.Level(4) {
			t.Errorf("pins high %v, %v after the end, want true, true", b.chip.Level(3), b.chip.Level(4))
		}
		b.want(0, "lamp on", "fan off")
		if _, err := b.chip.Sim.Open(); err != nil {
			t.Errorf("the chip was not closed: %v", err)
		}
	})
}

func TestBankInterrupt(t *testing.T) {
	irqLine := LineConfig{Name: "irq", Offset: 6, Pull: PullUp, ActiveLow: true, Debounce: time.Second}
	synctest.Test(t, func(t *testing.T) {
		chip := &faultyChip{Sim: NewSim(8)}
		events := make(chan Event, 64)
		bank := NewBank(BankConfig{Chip: "header", Lines: []LineConfig{doorLine}, Interrupts: []LineConfig{irqLine}, Open: chip.Open}, events)
		irq := bank.Interrupt("irq")
		if _, err := irq.Asserted(); err == nil || !strings.Contains(err.Error(), `interrupt "irq"`) {
			t.Errorf("Asserted before Run: %v, want an error that names it", err)
		}
		early := irq.Subscribe(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- bank.Run(ctx) }()
		time.Sleep(msec)
		asserted := func(want bool) {
			t.Helper()
			if got, err := irq.Asserted(); got != want || err != nil {
				t.Errorf("Asserted: %v, %v, want %v", got, err, want)
			}
		}
		signalled := func(ch <-chan struct{}, want bool) {
			t.Helper()
			synctest.Wait()
			select {
			case <-ch:
				if !want {
					t.Error("signalled, want not")
				}
			default:
				if want {
					t.Error("not signalled")
				}
			}
		}
		asserted(false)
		signalled(early, false)
		lateCtx, lateEnd := context.WithCancel(t.Context())
		late := irq.Subscribe(lateCtx)
		chip.Press(6)
		signalled(early, true)
		signalled(late, true)
		asserted(true)
		chip.Release(6)
		asserted(false)
		signalled(early, false)
		lateEnd()
		synctest.Wait()
		// The edge goes missing: the line itself tells, and the next check signals.
		chip.set(func() { chip.pass = func(*Edge) bool { return false } })
		chip.Press(6)
		asserted(true)
		signalled(early, false)
		time.Sleep(3 * time.Second)
		signalled(early, true)
		signalled(late, false)
		signalled(irq.Subscribe(t.Context()), true) // it is active already
		chip.Fail(errors.New("no such device"))
		synctest.Wait()
		if _, err := irq.Asserted(); err == nil || !strings.Contains(err.Error(), "no such device") {
			t.Errorf("Asserted of a failed chip: %v", err)
		}
		chip.Recover()
		time.Sleep(time.Minute)
		signalled(early, true) // and active when it returns
		asserted(true)
		cancel()
		<-ended
		if _, err := irq.Asserted(); err == nil {
			t.Error("Asserted after the end: no error")
		}
		close(events)
		for e := range events {
			if e.Line == "irq" {
				t.Errorf("event %q of an interrupt line", describe(e))
			}
		}
	})
}

func TestBankAssertedIsBounded(t *testing.T) {
	irqLine := LineConfig{Name: "irq", Offset: 6}
	runBench(t, BankConfig{Lines: []LineConfig{lampLine}, Interrupts: []LineConfig{irqLine}}, func(b *bench) {
		b.after(msec)
		b.chip.set(func() { b.chip.writeErr = func() error { time.Sleep(time.Second); return nil } })
		b.bank.Set("lamp", true)
		synctest.Wait()
		begin := time.Now()
		if got, err := b.bank.Interrupt("irq").Asserted(); got || err != nil || time.Since(begin) > assertedWait {
			t.Errorf("Asserted while the bank is busy: %v, %v after %v", got, err, time.Since(begin))
		}
		b.after(2 * time.Second)
	})
}

// TestBankEdgesInOrder has 10,000 edges pass while wishes are written and nobody hurries to take the events.
func TestBankEdgesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := &faultyChip{Sim: NewSim(8)}
		events := make(chan Event, 16)
		bank := NewBank(BankConfig{Chip: "header", Lines: []LineConfig{meterLine, lampLine}, Open: chip.Open}, events)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- bank.Run(ctx) }()
		for range 3 {
			<-events // chip, meter, lamp
		}
		const n = 10000
		go func() {
			for i := range n {
				chip.Drive(2, i%2 == 0)
				if i%10 == 0 {
					bank.Set("lamp", i%20 == 0)
					time.Sleep(10 * msec)
				}
			}
		}()
		seen, answers, want := 0, 0, true
		for seen < n {
			e := <-events
			switch {
			case e.Line == "lamp":
				answers++
			case !e.Edge || e.Active != want || e.Lost != 0:
				t.Fatalf("edge %d: %q, want on %v", seen, describe(e), want)
			default:
				seen, want = seen+1, !want
			}
		}
		cancel()
		<-ended
		if answers == 0 {
			t.Error("no wish was answered: edges starved them")
		}
	})
}

// TestBankEdgesBeforeSettling: the timer fires while a bounce waits in the channel. The bounce is older and decides.
func TestBankEdgesBeforeSettling(t *testing.T) {
	events := make(chan Event, 8)
	b := NewBank(BankConfig{Chip: "header", Lines: []LineConfig{doorLine}}, events)
	b.lines[0].ok = true
	begin := time.Now()
	b.edge(&Edge{Offset: 1, At: begin}) // pressed
	edges := make(chan Edge, 1)
	edges <- Edge{Offset: 1, High: true, At: begin.Add(9 * msec)}
	if err := b.due(begin.Add(10*msec), edges); err != nil || len(events) != 0 {
		t.Errorf("due: %v and %d events, want none: the press was a bounce", err, len(events))
	}
}

// The edge comes while the lines are read for the last time: it is a press still.
func TestBankEdgesBeforeCheck(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{meterLine}}, func(b *bench) {
		b.after(time.Second)
		late := make(chan struct{})
		b.chip.set(func() { b.chip.pass = func(*Edge) bool { <-late; return true } })
		b.chip.Press(2)
		reads := 0
		b.chip.set(func() {
			b.chip.readErr = func() error {
				if reads++; reads == suspectFor+1 {
					close(late)
					time.Sleep(msec)
				}
				return nil
			}
		})
		b.want(10*time.Second, "meter on edge")
	})
}

func TestBankEdgeAllocatesNothing(t *testing.T) {
	events := make(chan Event, 1)
	b := NewBank(BankConfig{Chip: "header", Lines: []LineConfig{meterLine, doorLine}}, events)
	b.lines[0].ok, b.lines[1].ok = true, true
	e := Edge{Offset: 2, At: time.Now()}
	bounce := Edge{Offset: 1, High: true, At: time.Now()}
	if n := testing.AllocsPerRun(1000, func() {
		e.High, bounce.High = !e.High, !bounce.High
		b.edge(&e)
		<-events
		b.edge(&bounce)
	}); n != 0 {
		t.Errorf("an edge allocates %v times, want 0", n)
	}
}

func BenchmarkBankEdge(bm *testing.B) {
	events := make(chan Event, 1)
	b := NewBank(BankConfig{Chip: "header", Lines: []LineConfig{meterLine}}, events)
	b.lines[0].ok = true
	e := Edge{Offset: 2, At: time.Now()}
	bm.ReportAllocs()
	for bm.Loop() {
		e.High = !e.High
		b.edge(&e)
		<-events
	}
}

// A bank shows that it lives, and that a call to its chip hangs.
func TestBankBeat(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine}}, func(b *bench) {
		b.after(10 * time.Second)
		if lag := time.Since(b.bank.Beat()); lag > checkEvery {
			t.Errorf("the last beat is %v old", lag)
		}
		b.chip.set(func() { b.chip.readErr = func() error { time.Sleep(20 * time.Second); return nil } })
		time.Sleep(15 * time.Second)
		if lag := time.Since(b.bank.Beat()); lag < 10*time.Second {
			t.Errorf("the chip hangs, and the last beat is %v old", lag)
		}
	})
}

// A clock that is set by a year makes no beat old: the time carries the monotonic stamp.
func TestBankBeatMonotonic(t *testing.T) {
	b := NewBank(BankConfig{}, nil)
	if !b.Beat().IsZero() {
		t.Error("a beat before Run")
	}
	b.came(time.Now())
	if beat := b.Beat(); beat == beat.Round(0) || time.Since(beat) > time.Minute {
		t.Errorf("got %v, want a time with a monotonic stamp", beat)
	}
}
