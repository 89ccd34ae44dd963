package gpio

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/i2csim/bus"
)

// While SDA is held low nobody answers too. Now and then it is let go for just the transfer that asks nobody: the zeros around it are no levels.
func TestPCF857xHeldButForAMoment(t *testing.T) {
	pcfBubble(t, func(t *testing.T, rig *expanderRig) {
		rig.rest()
		b, events := rig.bank(famButton, famDoor, famRelay, with(famLamp, On))
		time.Sleep(time.Second)
		taken(events)
		asked := 0
		rig.mu.Lock()
		rig.spoil = func(_ int, w, rd []byte, do func() error) error {
			if rd == nil {
				return nil // lost
			}
			err := do()
			clear(rd)
			if err != nil {
				if asked++; asked%2 == 1 {
					return err
				}
			}
			return nil
		}
		rig.mu.Unlock()
		b.Set("relay", true)
		time.Sleep(10 * time.Second)
		for _, e := range taken(events) {
			if strings.HasSuffix(e, " on") || strings.HasSuffix(e, " off") || strings.HasSuffix(e, "edge") {
				t.Errorf("told %q while the bus was held", e)
			}
		}
		if asked < 2 {
			t.Errorf("nobody was asked %d times", asked)
		}
	})
}

// A wish that got lost is not confirmed by one bit that flips in what is read then, nor where the write that follows from what is read fails.
func TestPCF857xLostWish(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(n int, rd []byte) (err error, skip bool) // n counts the transfers after the write that gets lost
	}{
		{"a bit flips", func(n int, rd []byte) (error, bool) {
			if rd != nil && n == 1 {
				rd[0] ^= 1
			}
			return nil, false
		}},
		{"a bit flips in the second reading", func(n int, rd []byte) (error, bool) {
			if rd != nil && n == 2 {
				rd[0] ^= 1
			}
			return nil, false
		}},
		{"the next write fails", func(n int, rd []byte) (error, bool) { return bus.EREMOTEIO, rd == nil && n < 4 }},
		{"the next two fail", func(n int, rd []byte) (error, bool) { return bus.EREMOTEIO, rd == nil && n < 12 }},
		{"readings differ", func(n int, rd []byte) (error, bool) {
			if rd != nil && n%2 == 1 && n < 6 {
				rd[0] ^= 1 << famLamp.Offset
			}
			return nil, false
		}},
	} {
		pcfBubble(t, func(t *testing.T, rig *expanderRig) {
			rig.rest()
			b, events := rig.bank(famButton, famDoor, famRelay, with(famLamp, On))
			time.Sleep(1100 * time.Millisecond)
			taken(events)
			n := -1
			rig.mu.Lock()
			rig.spoil = func(_ int, w, rd []byte, do func() error) error {
				if n < 0 && rd != nil {
					return do()
				}
				if n++; n == 0 {
					return nil // lost
				}
				if rd == nil {
					if err, skip := test.spoil(n, nil); skip {
						return err
					}
					return do()
				}
				err := do()
				test.spoil(n, rd)
				return err
			}
			rig.mu.Unlock()
			b.Set("relay", true)
			told := false
			for range 3000 {
				time.Sleep(time.Millisecond)
				if told = slices.Contains(taken(events), "relay on"); told {
					break
				}
			}
			if high := rig.level(0); !told || !high {
				t.Errorf("%s: told that the relay is on: %v, and it is high: %v", test.name, told, high)
			}
		})
	}
}

// Of two readings that say that a line has changed, the second counts only if nothing was lost in between.
func TestPCF857xDoubtAndFailure(t *testing.T) {
	button := famButton
	button.Debounce = 5 * time.Millisecond
	bit := byte(1) << button.Offset
	for second := 3; second < 8; second++ {
		pcfBubble(t, func(t *testing.T, rig *expanderRig) {
			rig.rest()
			_, events := rig.bank(button, famRelay)
			time.Sleep(100 * time.Millisecond)
			rig.input(int(button.Offset), false)
			time.Sleep(time.Second)
			taken(events)
			n := 0
			rig.mu.Lock()
			rig.spoil = func(_ int, w, rd []byte, do func() error) error {
				err := do()
				if rd == nil {
					return err
				}
				switch n++; n {
				case 1, second:
					rd[0] ^= bit
				case 2:
					return bus.EREMOTEIO
				}
				return err
			}
			rig.mu.Unlock()
			time.Sleep(time.Second)
			if got := taken(events); slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, "edge") }) {
				t.Errorf("told %q where readings 1 and %d were spoilt, and nothing happened", got, second)
			}
		})
	}
}

// Where a pressed button has the chip told once more at the start, a bit that flips in that pulls another line low: that line is not pressed.
func TestPCF857xSpoiltRefresh(t *testing.T) {
	for n := range 6 {
		pcfBubble(t, func(t *testing.T, rig *expanderRig) {
			rig.rest()
			rig.input(int(famButton.Offset), false)
			rig.spoilNext(n, func(_, rd []byte) bool { return rd == nil }, func(w, rd []byte, do func() error) error {
				w[0] ^= 1 << famDoor.Offset
				defer func() { w[0] ^= 1 << famDoor.Offset }()
				return do()
			})
			_, events := rig.bank(famButton, famDoor, famRelay)
			time.Sleep(3 * time.Second)
			got := taken(events)
			if !slices.Contains(got, "button on") || !slices.Contains(got, "door off") || slices.Contains(got, "door on") || slices.Contains(got, "door on edge") {
				t.Errorf("write %d is spoilt: told %q", n, got)
			}
		})
	}
}
