package sensors

import (
	"testing"

	"periph.io/x/conn/v3/i2c"

	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/control"
)

// simPart is a model of the simulated bus as a chip that works.
func simPart(kind string, addr uint16) func() i2c.Bus {
	return func() i2c.Bus {
		b := bus.New(bus.Profiles["bcm2835"], nil)
		if _, err := b.Add(kind, addr, nil); err != nil {
			panic(err)
		}
		return i2csim.New(b, "sim")
	}
}

// newSim is a simulated bus with one chip, and with lines that set it: "temperature 25". It ends with the test.
func newSim(t *testing.T, kind string, addr uint16) (*bus.Bus, i2c.Bus) {
	t.Helper()
	b := bus.New(bus.Profiles["bcm2835"], nil)
	t.Cleanup(func() { b.Close() })
	if _, err := b.Add(kind, addr, nil); err != nil {
		t.Fatal(err)
	}
	return b, i2csim.New(b, "sim")
}

// simDo carries out a line of the simulated bus's control interface.
func simDo(t *testing.T, b *bus.Bus, line string) {
	t.Helper()
	if _, err := control.Exec(b, line); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}
