package gpio

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// Pulses that last for long enough are counted on an expander, polled or by its interrupt, beside others and with bounces.
func TestExpanderCounts(t *testing.T) {
	for _, interrupt := range []bool{false, true} {
		t.Run(fmt.Sprintf("interrupt %v", interrupt), func(t *testing.T) {
			bubble(t, func(t *testing.T, rig *expanderRig) {
				width := 25 * time.Millisecond // two readings that say the same
				if interrupt {
					rig.cfg.Interrupt, width = rig.irq, 2*time.Millisecond
				}
				events := make(chan Event, 4096)
				b := NewBank(BankConfig{Chip: "expander", Open: func() (Chip, error) { return rig.kind.Open(rig.cfg) }, Lines: []LineConfig{
					{Name: "meter", Offset: 0, Count: CountActive, Pull: PullUp, ActiveLow: true},
					{Name: "both", Offset: 1, Count: CountBoth},
					{Name: "reed", Offset: 2, Count: CountActive, Debounce: 10 * time.Millisecond},
				}}, events)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				rig.input(0, true)
				go func() { ended <- b.Run(ctx) }()
				time.Sleep(time.Second)
				for range 100 {
					rig.input(0, false)
					rig.input(1, true)
					time.Sleep(width)
					rig.input(0, true)
					time.Sleep(width)
					rig.input(1, false)
					time.Sleep(width)
				}
				for range 20 {
					for range 4 {
						rig.input(2, true)
						time.Sleep(time.Millisecond)
						rig.input(2, false)
						time.Sleep(time.Millisecond)
					}
					rig.input(2, true)
					time.Sleep(80 * time.Millisecond)
					rig.input(2, false)
					time.Sleep(80 * time.Millisecond)
				}
				time.Sleep(time.Second)
				cancel()
				<-ended
				got := map[string]uint64{}
				for len(events) > 0 {
					e := <-events
					got[e.Line] += e.Count
				}
				if got["meter"] != 100 || got["both"] != 200 || got["reed"] != 20 {
					t.Errorf("counted %v, want meter 100, both 200, reed 20", got)
				}
			})
		})
	}
}

// Of two lines that are together it is not known which came first when both have changed between two readings: these are no edges.
func TestExpanderTogether(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		events := make(chan Event, 4096)
		b := NewBank(BankConfig{Chip: "expander", Open: func() (Chip, error) { return rig.kind.Open(rig.cfg) }, Lines: []LineConfig{
			{Name: "a", Offset: 3, Together: "knob"}, {Name: "b", Offset: 9, Together: "knob"}, {Name: "other", Offset: 4},
		}}, events)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(time.Second)
		told := func() (text string) {
			time.Sleep(100 * time.Millisecond)
			for len(events) > 0 {
				if e := <-events; e.Line != "" {
					text += fmt.Sprintf("%s %v %v; ", e.Line, e.Active, e.Edge)
				}
			}
			return text
		}
		told()
		rig.input(3, true)
		rig.input(4, true)
		if got, want := told(), "a true true; other true true; "; got != want {
			t.Errorf("one of them: %q, want %q", got, want)
		}
		rig.input(3, false)
		rig.input(9, true)
		if got, want := told(), "a false false; b true false; "; got != want {
			t.Errorf("both: %q, want %q", got, want)
		}
		cancel()
		<-ended
	})
}
