package gpio

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// counted sums up what a line's events count, and gives how many there were.
func counted(t *testing.T, events []Event, line string) (n uint64, of int) {
	t.Helper()
	for _, e := range events {
		if e.Line == line {
			n += e.Count
			of++
			if e.Edge {
				t.Errorf("%+v: an edge of a line that counts", e)
			}
		}
	}
	return n, of
}

// drain takes the events that come within a time.
func (b *bench) drain(d time.Duration) (events []Event) {
	for end := time.After(d); ; {
		select {
		case e := <-b.events:
			events = append(events, e)
		case <-end:
			return events
		}
	}
}

func TestBankCounts(t *testing.T) {
	for _, test := range []struct {
		count     Count
		activeLow bool
		want      uint64 // of 1001 edges, of which the first is the level's rise
	}{
		{CountActive, false, 501}, {CountActive, true, 500}, {CountInactive, false, 500}, {CountInactive, true, 501}, {CountBoth, false, 1001}, {CountBoth, true, 1001},
	} {
		t.Run(fmt.Sprint(test.count, test.activeLow), func(t *testing.T) {
			runBench(t, BankConfig{Lines: []LineConfig{{Name: "meter", Offset: 3, Count: test.count, ActiveLow: test.activeLow}}}, func(b *bench) {
				if n, of := counted(t, b.drain(time.Second), "meter"); n != 0 || of != 1 {
					t.Errorf("%d counted in %d events after the start, want none in the first reading", n, of)
				}
				b.chip.Drive(3, true)
				first := b.drain(time.Millisecond)
				for i := range 1000 {
					b.chip.Drive(3, i%2 != 0)
					first = append(first, b.drain(time.Millisecond)...)
				}
				events := append(first, b.drain(time.Second)...)
				n, of := counted(t, events, "meter")
				if n != test.want {
					t.Errorf("%d counted, want %d", n, test.want)
				}
				if of > 12 {
					t.Errorf("%d events in 1.001 s", of)
				}
				if at := events[0].At; test.want == 501 && events[0].Count != 1 {
					t.Errorf("the first event has %d edges at %v, want the first alone", events[0].Count, at)
				}
			})
		})
	}
}

// Overflow, a pull's doing, a debounced contact, a chip that goes and returns.
func TestBankCountsOverTrouble(t *testing.T) {
	runBench(t, BankConfig{Lines: []LineConfig{
		{Name: "meter", Offset: 3, Count: CountActive}, {Name: "reed", Offset: 4, Count: CountActive, Debounce: 10 * time.Millisecond},
		{Name: "pulled", Offset: 5, Count: CountActive, Pull: PullUp, ActiveLow: true},
	}}, func(b *bench) {
		b.drain(5 * time.Millisecond)
		b.chip.Drive(5, false) // sooner than a pull-up has lifted a long cable
		b.chip.Float(5)
		if n, _ := counted(t, b.drain(time.Second), "pulled"); n != 0 {
			t.Errorf("%d counted that may be the pull's doing", n)
		}
		b.chip.Drive(5, false)
		b.chip.Float(5)
		if n, _ := counted(t, b.drain(time.Second), "pulled"); n != 1 {
			t.Errorf("%d counted of one pulse", n)
		}
		for i := range 3001 { // the chip keeps 1024
			b.chip.Drive(3, i%2 == 0)
		}
		if n, _ := counted(t, b.drain(time.Second), "meter"); n != 1501 {
			t.Errorf("%d counted of 1501 pulses, most of them lost", n)
		}
		var events []Event
		for i := range 50 {
			b.chip.Drive(4, i%10 < 7) // it settles high and low 5 times
			for range 3 {
				b.chip.Drive(4, i%10 >= 7)
				b.chip.Drive(4, i%10 < 7)
				events = append(events, b.drain(time.Millisecond)...)
			}
			events = append(events, b.drain(20*time.Millisecond)...)
		}
		if n, _ := counted(t, append(events, b.drain(time.Second)...), "reed"); n != 5 {
			t.Errorf("%d counted of a contact that closed 5 times and bounced", n)
		}
		b.chip.Drive(3, false)
		b.drain(time.Second)
		b.chip.Drive(3, true)
		b.chip.Drive(3, false)
		b.drain(10 * time.Millisecond)
		b.chip.Drive(3, true)
		b.drain(10 * time.Millisecond)
		b.chip.Fail(errors.New("gone")) // what was counted is told before
		if n, _ := counted(t, b.drain(5*time.Second), "meter"); n != 1 {
			t.Errorf("%d counted before the chip failed and not told, want 1", n)
		}
		b.chip.Drive(3, false)
		b.chip.Drive(3, true)
		b.chip.Recover()
		if n, _ := counted(t, b.drain(time.Minute), "meter"); n != 0 {
			t.Errorf("%d counted while the chip was away", n)
		}
		b.chip.Drive(3, false)
		b.chip.Drive(3, true)
		if n, _ := counted(t, b.drain(time.Second), "meter"); n != 1 {
			t.Errorf("%d counted after its return, want 1", n)
		}
	})
}

// Other lines come and go, and it gets another name, while it counts.
func TestBankCountsOverChanges(t *testing.T) {
	meter := LineConfig{Name: "meter", Offset: 3, Count: CountBoth}
	runBench(t, BankConfig{Lines: []LineConfig{meter}}, func(b *bench) {
		b.drain(time.Second)
		high, made, sum := false, uint64(0), uint64(0)
		for i := range 300 {
			for range rand.IntN(20) {
				high = !high
				made++
				b.chip.Drive(3, high)
				if rand.IntN(4) == 0 {
					for _, e := range b.drain(time.Duration(rand.IntN(int(50 * time.Millisecond)))) {
						sum += e.Count
					}
				}
			}
			lines := []LineConfig{meter}
			lines[0].Name = fmt.Sprint("meter", i%3)
			for o := range uint32(rand.IntN(3)) {
				lines = append(lines, LineConfig{Name: fmt.Sprint("other", o, i%7), Offset: o})
			}
			if i == 150 { // it goes, and comes back
				for _, e := range b.drain(time.Millisecond) {
					sum += e.Count
				}
				b.bank.Change(lines[1:], nil)
				for _, e := range b.drain(time.Second) {
					sum += e.Count
				}
			}
			b.bank.Change(lines, nil)
			for _, e := range b.drain(time.Millisecond) {
				sum += e.Count
			}
		}
		for _, e := range b.drain(time.Second) {
			sum += e.Count
		}
		if sum != made {
			t.Errorf("%d counted of %d", sum, made)
		}
	})
}
