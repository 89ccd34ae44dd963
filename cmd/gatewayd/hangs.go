package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

const hangLook = time.Second

// watchBanks has the points of a chip fail while a call to it hangs, since its bank cannot: it waits in that call. It ends with ctx.
func (g *gateway) watchBanks(ctx context.Context) error {
	t := time.NewTicker(hangLook)
	defer t.Stop()
	hung := map[*gpio.Bank]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		now := g.wiring.Load()
		maps.DeleteFunc(hung, func(b *gpio.Bank, _ bool) bool { return !now.has(b) })
		for _, c := range now.chips {
			b := c.bank
			beat := b.Beat()
			hangs := !beat.IsZero() && time.Since(beat) > bankStale
			if hangs == hung[b] {
				continue
			}
			hung[b] = hangs
			h := bridge.Hang{Chip: b.Chip(), Lines: now.linesOf(b)}
			if hangs {
				h.Err = fmt.Errorf("chip %q: a call to it hangs: look for a bus that is stuck, or restart the Raspberry Pi", b.Chip())
			}
			select {
			case g.bridge.Hangs() <- h:
			case <-ctx.Done():
				return nil
			}
		}
	}
}
