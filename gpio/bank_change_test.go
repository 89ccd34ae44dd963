package gpio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// named and at give a line under another name, and on another offset.
func named(l LineConfig, name string) LineConfig { l.Name = name; return l }
func at(l LineConfig, offset uint32) LineConfig  { l.Offset = offset; return l }
func activeLow(l LineConfig) LineConfig          { l.ActiveLow = !l.ActiveLow; return l }
func bounced(l LineConfig, d time.Duration) LineConfig {
	l.Debounce = d
	return l
}

// changes counts the changes of outputs' pins.
func (b *bench) changes() (of func() []string) {
	var all []string
	b.chip.OnOutput(func(offset uint32, high bool) {
		b.chip.set(func() { all = append(all, fmt.Sprintf("%d %v", offset, high)) })
	})
	return func() (got []string) {
		b.chip.set(func() { got, all = all, nil })
		return got
	}
}

func (b *bench) wantChanges(of func() []string, want ...string) {
	b.t.Helper()
	if got := of(); !slices.Equal(got, want) {
		b.t.Errorf("pins changed: %v, want %v", got, want)
	}
}

// hold has the next call to the chip hang in which lines are read, and brings it about with a wish, until the answer is called.
func (b *bench) hold(line string, active bool) (release func()) {
	hang := make(chan struct{})
	b.chip.set(func() { b.chip.readErr = func() error { <-hang; return nil } })
	b.bank.Set(line, active)
	synctest.Wait()
	return func() {
		synctest.Wait() // edges wait for the bank
		b.chip.set(func() { b.chip.readErr = nil })
		close(hang)
	}
}

func TestBankChange(t *testing.T) {
	valve := LineConfig{Name: "valve", Offset: 5, Output: true, Initial: On}
	gate := LineConfig{Name: "gate", Offset: 6, Pull: PullUp, ActiveLow: true}
	all := []LineConfig{doorLine, meterLine, lampLine, fanLine}
	for _, c := range []struct {
		name  string
		from  []LineConfig
		do    func(b *bench)
		to    []LineConfig
		told  []string
		moved []string // outputs' pins
	}{
		{name: "nothing", from: all, to: all},
		{name: "order", from: all, to: []LineConfig{fanLine, lampLine, doorLine, meterLine}},
		{name: "more", from: all, to: append([]LineConfig{valve, gate}, all...), told: []string{"valve on", "gate off"}, moved: []string{"5 true"}},
		{name: "fewer", from: all, to: []LineConfig{meterLine, fanLine}},
		{name: "none", from: all},
		{name: "first", to: []LineConfig{doorLine, valve}, told: []string{"door off", "valve on"}, moved: []string{"5 true"}},
		{name: "renamed", from: all, do: func(b *bench) { b.chip.Press(2); synctest.Wait() },
			to:   []LineConfig{named(doorLine, "gate"), named(meterLine, "water"), named(fanLine, "lamp"), named(lampLine, "fan")},
			told: []string{"meter on edge", "gate off", "water on", "lamp on", "fan off"}},
		{name: "moved", from: all, to: []LineConfig{at(lampLine, 5), fanLine}, told: []string{"lamp off"}, moved: []string{"5 false"}},
		// What was low is low.
		{name: "turned over", from: all, to: []LineConfig{activeLow(lampLine), activeLow(fanLine), activeLow(meterLine)},
			told: []string{"lamp on", "fan off", "meter on"}},
		{name: "slower", from: all, to: []LineConfig{bounced(doorLine, time.Second), meterLine}, told: []string{"door off"}},
		{name: "initial", from: all, to: []LineConfig{with(lampLine, On), with(fanLine, Off)}},
		{name: "input to output", from: all, to: []LineConfig{at(valve, 2)}, told: []string{"valve on"}, moved: []string{"2 true"}},
		{name: "output to input", from: all, to: []LineConfig{at(gate, 3)}, told: []string{"gate off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			runBench(t, BankConfig{Lines: c.from}, func(b *bench) {
				b.after(time.Second)
				moved := b.changes()
				if c.do != nil {
					c.do(b)
				}
				b.bank.Change(slices.Clone(c.to), nil)
				b.want(msec, c.told...)
				b.wantChanges(moved, c.moved...)
				b.want(time.Minute) // supervision agrees
			})
		})
	}
}

// What settles, and the edges that wait, go on under the new name or meaning.
func TestBankChangeKeepsEdges(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{doorLine, meterLine, lampLine}}, func(b *bench) {
		b.after(time.Second)
		b.chip.Press(1)
		b.want(6 * msec)
		b.bank.Change([]LineConfig{lampLine, named(doorLine, "gate"), meterLine}, nil)
		b.want(3*msec, "gate off")
		b.want(msec, "gate on edge")
		b.chip.Release(1)
		b.want(6 * msec)
		b.bank.Change([]LineConfig{activeLow(doorLine), meterLine}, nil)
		b.want(3*msec, "door off")
		b.want(msec, "door on edge")
		b.bank.Change([]LineConfig{meterLine, fanLine}, nil)
		b.want(msec, "fan on")
		release := b.hold("fan", true)
		for range 10 {
			b.chip.Press(2)
			b.chip.Release(2)
		}
		b.bank.Change([]LineConfig{named(meterLine, "water"), fanLine}, nil)
		b.chip.Press(2)
		release()
		want := []string{"fan on"}
		for range 10 {
			want = append(want, "meter on edge", "meter off edge")
		}
		b.want(msec, append(want, "meter on edge", "water on")...)
	})
}

// A Set with a new name works at once, and the output begins with it; the old name is gone.
func TestBankChangeSet(t *testing.T) {
	heater := LineConfig{Name: "heater", Offset: 7, Output: true, Initial: On}
	runBench(t, BankConfig{Lines: []LineConfig{lampLine}}, func(b *bench) {
		b.after(msec)
		moved := b.changes()
		release := b.hold("lamp", false)
		b.bank.Change([]LineConfig{heater, named(lampLine, "light")}, nil)
		b.bank.Set("heater", false)
		b.bank.Set("light", true)
		b.bank.Set("lamp", false) // is nobody's
		release()
		b.want(msec, "lamp off", "heater off", "light on")
		b.wantChanges(moved, "7 false", "3 true")
	})
}

// While a call to the chip hangs, Change does not block; of several the latest counts, and a wish for an output that stays is written
// once only.
func TestBankChangeWhileChipHangs(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{doorLine, lampLine, fanLine}}, func(b *bench) {
		b.after(msec)
		moved := b.changes()
		release := b.hold("lamp", false)
		b.bank.Set("lamp", true)
		b.bank.Set("fan", false)
		b.bank.Change([]LineConfig{doorLine, named(lampLine, "light")}, nil)
		b.bank.Set("light", false)
		b.bank.Change([]LineConfig{named(doorLine, "gate"), named(lampLine, "bulb")}, nil)
		b.bank.Set("bulb", true)
		b.want(time.Minute)
		release()
		b.want(100*msec, "lamp off", "fan off", "bulb on", "gate off")
		b.wantChanges(moved, "4 true", "3 true")
	})
}

// While the chip is down, what is new is told as not available, and the chip returns with the new lines. One that left and is owed an
// OFF gets it then.
func TestBankChangeWhileChipIsDown(t *testing.T) {
	pump := LineConfig{Name: "pump", Offset: 8, Output: true, Initial: On}
	runBench(t, BankConfig{Lines: []LineConfig{lampLine, fanLine, pump}}, func(b *bench) {
		b.after(msec)
		b.chip.Fail(errors.New("gone"))
		b.want(10*time.Second, `chip err chip "header": gone`, `lamp err output "lamp" (line 3 on header): gone`,
			`fan err output "fan" (line 4 on header): gone`, `pump err output "pump" (line 8 on header): gone`)
		moved := b.changes()
		b.bank.Set("lamp", true)
		b.bank.Set("pump", false)
		b.bank.Change([]LineConfig{doorLine, named(lampLine, "light"), fanLine}, nil)
		b.want(msec, `door err input "door" (line 1 on header): gone`, `light err output "light" (line 3 on header): gone`)
		b.bank.Set("light", true)
		b.chip.Recover()
		b.want(time.Minute, "chip up", "door off", "light on", "fan on")
		b.wantChanges(moved, "8 false", "3 true")
		// One that is owed an OFF and comes back under another name is not switched off first.
		b.bank.Change([]LineConfig{pump}, nil)
		b.want(time.Second, "pump on")
		b.chip.Fail(errors.New("gone"))
		b.after(time.Second)
		b.bank.Set("pump", false)
		b.bank.Change(nil, nil)
		b.want(time.Second)
		b.bank.Change([]LineConfig{named(pump, "heater")}, nil)
		b.chip.Recover()
		moved()
		b.want(time.Minute, `heater err output "heater" (line 8 on header): gone`, "chip up", "heater on")
		b.wantChanges(moved)
	})
}

// More changes come while the wishes for what leaves with the first are written.
func TestBankChangeMeanwhile(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine, fanLine}}, func(b *bench) {
		b.after(msec)
		moved := b.changes()
		answer := make(chan struct{})
		b.chip.set(func() { b.chip.readErr = func() error { <-answer; return nil } })
		b.bank.Set("lamp", true)
		synctest.Wait()
		b.bank.Set("lamp", false)
		b.bank.Change([]LineConfig{fanLine}, nil)
		answer <- struct{}{}
		b.want(msec, "lamp on") // and what it is owed at the end is being written
		b.bank.Set("fan", false)
		b.bank.Change([]LineConfig{meterLine}, nil)
		close(answer)
		b.want(msec, "lamp off", "fan off", "meter off")
		b.wantChanges(moved, "3 true", "3 false", "4 true")
	})
}

// A line that is refused is told at once, and one that was is asked for again.
func TestBankChangeRefused(t *testing.T) {
	busy := errors.New("in use")
	runBench(t, BankConfig{Lines: []LineConfig{lampLine, doorLine}}, func(b *bench) {
		b.chip.FailLine(3, busy)
		b.chip.FailLine(2, busy)
		b.after(time.Minute) // lamp is not available
		b.bank.Change([]LineConfig{lampLine, doorLine, meterLine}, nil)
		b.want(msec, `meter err input "meter" (line 2 on header): in use`)
		b.chip.FailLine(3, nil)
		b.chip.FailLine(1, busy)
		b.bank.Change([]LineConfig{lampLine, named(doorLine, "gate"), named(meterLine, "water")}, nil)
		b.want(msec, "lamp off", `gate err input "gate" (line 1 on header): in use`, `water err input "water" (line 2 on header): in use`)
		b.chip.FailLine(1, nil)
		b.chip.FailLine(2, nil)
		b.want(time.Minute, "gate off", "water off")
	})
}

// A pin that does not follow is told under the new name.
func TestBankChangeFault(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{lampLine}}, func(b *bench) {
		b.after(msec)
		b.chip.Drive(3, true)
		b.after(time.Minute)
		b.bank.Change([]LineConfig{named(lampLine, "light")}, nil)
		time.Sleep(msec)
		if e := <-b.events; describe(e) != "light off fault" || !strings.Contains(e.Fault.Error(), `output "light"`) {
			t.Errorf("%s, %v; want a fault of light", describe(e), e.Fault)
		}
	})
}

// The read or the write that Change needs fails, and is forgiven.
func TestBankChangeFails(t *testing.T) {
	valve := LineConfig{Name: "valve", Offset: 5, Output: true, Initial: On}
	runBench(t, BankConfig{Lines: []LineConfig{lampLine, fanLine, meterLine}}, func(b *bench) {
		b.after(msec)
		fail := func(n int) func() error {
			return func() error {
				if n--; n >= 0 {
					return errors.New("EREMOTEIO")
				}
				return nil
			}
		}
		b.chip.set(func() { b.chip.writeErr, b.chip.readErr = fail(1), fail(2) })
		b.bank.Set("lamp", true)
		b.bank.Change([]LineConfig{valve, named(fanLine, "vent"), meterLine}, nil)
		b.chip.Press(2)
		b.want(time.Second, "meter on edge", "lamp on", "valve on", "vent on")
		b.want(time.Minute)
	})
}

// The program ends right after Change: its wishes are written, on the new lines too.
func TestBankChangeLastWishes(t *testing.T) {
	valve := LineConfig{Name: "valve", Offset: 5, Output: true, Initial: On}
	runBench(t, BankConfig{Lines: []LineConfig{lampLine, fanLine}}, func(b *bench) {
		b.after(msec)
		moved := b.changes()
		release := b.hold("lamp", true)
		b.bank.Change([]LineConfig{fanLine, valve}, nil)
		b.bank.Set("fan", false)
		b.bank.Set("valve", false)
		b.cancel()
		release()
		b.stop()
		b.wantChanges(moved, "3 true", "5 false", "4 true")
	})
}

func TestBankChangeInterrupts(t *testing.T) {
	irq := LineConfig{Name: "GPIO6", Offset: 6, Pull: PullUp, ActiveLow: true}
	runBench(t, BankConfig{Lines: []LineConfig{lampLine}, Interrupts: []LineConfig{irq}}, func(b *bench) {
		b.after(msec)
		first := b.bank.Interrupt("GPIO6")
		signal := first.Subscribe(b.t.Context())
		asserted := func(i Interrupt, want string) {
			t.Helper()
			got, err := i.Asserted()
			if s := fmt.Sprint(got, err); !strings.Contains(s, want) {
				t.Errorf("Asserted: %s, want %s", s, want)
			}
		}
		asserted(first, "false <nil>")
		release := b.hold("lamp", false)
		b.bank.Change([]LineConfig{lampLine}, []LineConfig{named(irq, "P1-31"), named(at(irq, 7), "GPIO7")})
		second := b.bank.Interrupt("GPIO7")
		if b.bank.Interrupt("P1-31") != first {
			t.Error("the line is another one under its new name")
		}
		asserted(second, "not in use yet")
		release()
		b.want(msec, "lamp off")
		asserted(second, "false <nil>")
		b.chip.Press(6)
		b.chip.Press(7)
		synctest.Wait()
		asserted(second, "true <nil>")
		select {
		case <-signal:
		default:
			t.Error("no signal of the line that stayed")
		}
		release = b.hold("lamp", false)
		b.bank.Change([]LineConfig{lampLine, {Name: "button", Offset: 7, Pull: PullUp, ActiveLow: true}}, nil)
		b.chip.Release(6) // the bank takes that edge still
		release()
		asserted(first, `interrupt "P1-31" of chip "header": it is not configured any more`)
		asserted(second, `interrupt "GPIO7" of chip "header": it is not configured any more`)
		b.want(time.Second, "lamp off", "button on")
		b.chip.Release(7)
		b.want(30*msec, "button off edge")
		asserted(first, "not configured any more")
		asserted(second, "not configured any more")
	})
}

// BenchmarkBankChange has one of 500 lines be another one, until that was told.
func BenchmarkBankChange(bm *testing.B) {
	sim := NewSim(MaxLines)
	events := make(chan Event, MaxLines)
	lines := make([]LineConfig, 500)
	for i := range lines {
		lines[i] = LineConfig{Name: fmt.Sprintf("line%d", i), Offset: uint32(i), Output: i%2 == 0}
	}
	bank := NewBank(BankConfig{Chip: "chip", Lines: lines, Open: sim.Open}, events)
	ctx, cancel := context.WithCancel(bm.Context())
	ended := make(chan error, 1)
	go func() { ended <- bank.Run(ctx) }()
	for range len(lines) + 1 {
		<-events
	}
	n := 0
	for bm.Loop() {
		n++
		lines[100] = LineConfig{Name: fmt.Sprintf("other%d", n), Offset: uint32(500 + n%2)}
		bank.Change(lines, nil)
		if e := <-events; e.Line != lines[100].Name {
			bm.Fatalf("%+v", e)
		}
	}
	cancel()
	<-ended
}

// What a call to the chip that hung brings is not told of points that are another bank's by then, nor of a bank that is about to end.
func TestBankMute(t *testing.T) {
	for _, c := range []struct {
		name string
		mute []string
		told []string
	}{
		{"a point", []string{"lamp", "door"}, []string{"fan on"}},
		{"all", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			runBench(t, BankConfig{Lines: []LineConfig{doorLine, lampLine, fanLine}}, func(b *bench) {
				b.after(time.Second)
				release := b.hold("fan", true)
				b.bank.Set("lamp", true)
				b.chip.Press(1)
				b.bank.Change([]LineConfig{fanLine}, nil)
				b.bank.Mute(c.mute...)
				release()
				b.want(time.Minute, c.told...)
				if c.mute != nil {
					b.bank.Change([]LineConfig{fanLine, lampLine}, nil) // it is back
					b.want(time.Minute, "lamp on")
				}
			})
		})
	}
}

// A line that was away, or elsewhere, in a change that the bank has never seen is told once more: whoever listens takes it for new.
func TestBankChangeOvertaken(t *testing.T) {
	for _, c := range []struct {
		name    string
		between []LineConfig
	}{
		{"away", []LineConfig{doorLine, fanLine}},
		{"another name", []LineConfig{doorLine, named(lampLine, "light"), fanLine}},
		{"elsewhere", []LineConfig{doorLine, at(lampLine, 5), fanLine}},
		{"turned over", []LineConfig{doorLine, activeLow(lampLine), fanLine}},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := []LineConfig{doorLine, lampLine, fanLine}
			runBench(t, BankConfig{Lines: all}, func(b *bench) {
				b.after(time.Second)
				moved := b.changes()
				release := b.hold("fan", true)
				b.bank.Change(c.between, nil)
				b.bank.Change(all, nil)
				b.bank.Change(all, nil)
				release()
				b.want(time.Minute, "fan on", "lamp off")
				b.wantChanges(moved)
			})
		})
	}
}
