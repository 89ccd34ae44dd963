package gpio

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// TestExpanderClaimLosesNothing presses between any two transactions of a Claim that changes other lines: its readings end the
// interrupts, and what these had to say must not go with them.
func TestExpanderClaimLosesNothing(t *testing.T) {
	bell := LineConfig{Name: "bell", Offset: 3, Pull: PullUp, ActiveLow: true}
	horn := LineConfig{Name: "horn", Offset: 8, Output: true}
	for _, test := range []struct {
		name          string
		before, after []LineConfig
		releases      bool // before the next transaction
		edges         []string
	}{
		{"an input comes", []LineConfig{bell}, []LineConfig{bell, door}, false, []string{"3 low"}},
		{"an input comes", []LineConfig{bell}, []LineConfig{bell, door}, true, []string{"3 low", "3 high"}},
		{"an output comes", []LineConfig{bell}, []LineConfig{bell, horn}, true, []string{"3 low", "3 high"}},
		{"both come", []LineConfig{bell}, []LineConfig{bell, door, horn}, true, []string{"3 low", "3 high"}},
		{"an input goes", []LineConfig{bell, door}, []LineConfig{bell}, true, []string{"3 low", "3 high"}},
		{"an output goes", []LineConfig{bell, horn}, []LineConfig{bell}, true, []string{"3 low", "3 high"}},
		{"an output stays as it was found", []LineConfig{bell}, []LineConfig{bell, {Name: "found", Offset: 10, Output: true, Initial: Keep}}, true, []string{"3 low", "3 high"}},
	} {
		for at, more := 0, true; more; at++ {
			t.Run(fmt.Sprintf("%s/%v/%d", test.name, test.releases, at), func(t *testing.T) {
				bubble(t, func(t *testing.T, rig *expanderRig) {
					rig.cfg.Interrupt = rig.irq
					c := rig.open()
					rig.claim(c, horn) // found later, driven
					rig.poke(mcpIODIR+1, 0xfa)
					rig.claim(c, test.before...)
					edges, stop := rig.start(c)
					time.Sleep(100 * time.Millisecond)
					var pressed atomic.Bool
					var first atomic.Int64
					first.Store(-1)
					rig.mu.Lock()
					rig.spoil = func(n int, _, _ []byte, do func() error) error {
						first.CompareAndSwap(-1, int64(n))
						if n == int(first.Load())+at {
							pressed.Store(true)
							rig.input(3, false)
							if test.releases {
								rig.input(3, true)
							}
						}
						return do()
					}
					rig.mu.Unlock()
					rig.claim(c, test.after...)
					more = pressed.Load()
					time.Sleep(time.Second)
					if more {
						wantEdges(t, edges, test.edges...)
					}
					if err := stop(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}
