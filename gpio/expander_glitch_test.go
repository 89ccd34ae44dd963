package gpio

import "testing"

// A pulse of a line without debounce that falls into the reading of another's interrupt: the chip had none left to tell of its
// beginning, but tells of its end.
func TestMCP23017PulseBesideInterrupt(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.cfg.Interrupt = rig.irq
		c := rig.open()
		rig.claim(c, button, LineConfig{Name: "meter", Offset: 4, Pull: PullUp})
		edges, stop := rig.start(c)
		wantEdges(t, edges)
		rig.spoilNext(0, func(w, rd []byte) bool { return len(rd) > 2 && w[0] == mcpINTF }, func(_, _ []byte, do func() error) error {
			rig.input(4, false)
			err := do()
			rig.input(4, true)
			return err
		})
		rig.input(3, false)
		wantEdges(t, edges, "3 low", "4 low", "4 high")
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
