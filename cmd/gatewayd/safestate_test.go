package main

import (
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/control"
)

const crashConfig = `
device: shed
chips:
  - {name: relays, type: mcp23017, address: 0x20, interrupt: GPIO4}
  - {name: more, type: mcp23017, bus: 3, address: 0x21}
inputs:
  - {name: button, chip: relays, line: GPA3, pull: up}
outputs:
  - {name: near_off, line: GPIO22, on_crash: off, active_low: true}
  - {name: near_keep, line: GPIO23}
  - {name: far_keep, chip: relays, line: GPA0}
  - {name: far_off, chip: relays, line: GPA1, on_crash: off, initial: on}
  - {name: far_on, chip: relays, line: GPB2, on_crash: on}
  - {name: more_off, chip: more, line: GPA0, on_crash: off}
`

// crashed is the hardware that a gateway has left: a header and two buses.
type crashed struct {
	pi    *gpio.Sim
	wires *bus.Bus
	other i2c.Bus // bus 3
}

func (h *crashed) header() (gpio.Chip, error)                       { return h.pi.Open() }
func (h *crashed) gpiochip(label, device string) (gpio.Chip, error) { return nil, errors.New("none") }
func (h *crashed) buses() map[string]bridge.Bus                     { return nil }
func (h *crashed) sys() string                                      { return "" }
func (h *crashed) bus(number int) i2c.Bus {
	if number == 3 {
		return h.other
	}
	return i2csim.New(h.wires, "/dev/i2c-1 (simulated)")
}

// newCrashed runs the gateway's lines, switches all outputs on, and leaves them.
func newCrashed(t *testing.T) (h *crashed, cfg *config.Config) {
	t.Helper()
	cfg = parsed(t, crashConfig)
	h = &crashed{pi: gpio.NewSim(headerLines), wires: bus.New(bus.Profiles["bcm2835"], nil)}
	t.Cleanup(func() { h.wires.Close() })
	for _, chip := range []string{"chip mcp23017@0x20", "chip mcp23017@0x21"} {
		h.ask(t, chip)
	}
	h.other = i2csim.New(h.wires, "/dev/i2c-3 (simulated)")
	for i := range cfg.Chips {
		c, err := open(&cfg.Chips[i], h, nil, slog.New(slog.DiscardHandler))()
		if err != nil {
			t.Fatal(err)
		}
		if errs := c.Claim(cfg.Chips[i].Lines); errs != nil {
			t.Fatal(errs)
		}
		for _, l := range cfg.Chips[i].Lines {
			if l.Output {
				var high gpio.Lines
				high.Set(l.Offset, l.Level(l.Name != "far_on"))
				if err := c.Write(gpio.LinesOf(l.Offset), high); err != nil {
					t.Fatal(err)
				}
			}
		}
		c.Close()
	}
	return h, cfg
}

func (h *crashed) ask(t *testing.T, line string) string {
	t.Helper()
	out, err := control.Exec(h.wires, line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.Join(out, " ")
}

// levels gives all outputs as they are.
func (h *crashed) levels(t *testing.T) string {
	t.Helper()
	var all []string
	for _, pin := range []uint32{22, 23} {
		all = append(all, map[bool]string{true: "high", false: "low"}[h.pi.Level(pin)])
	}
	for _, pin := range []string{"0x20 pin a0", "0x20 pin a1", "0x20 pin b2", "0x21 pin a0"} {
		all = append(all, h.ask(t, "get "+pin))
	}
	return strings.Join(all, " ")
}

func TestSafeState(t *testing.T) {
	h, cfg := newCrashed(t)
	if got, want := h.levels(t), "low high high high low high"; got != want {
		t.Fatalf("before: %s, want %s", got, want)
	}
	log, out := logged()
	if err := safeState(cfg.AfterCrash(), h, log); err != nil {
		t.Error(err)
	}
	if got, want := h.levels(t), "high high high low high low"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, want := range []string{"near_off off", "far_off off, far_on on", "more_off off"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not told: %s in\n%s", want, out)
		}
	}
	if err := safeState(parsed(t, "device: d\noutputs: [{name: a, line: 4, on_exit: off}]").AfterCrash(), h, log); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
}

// A chip that hangs, or does not answer, keeps the others from nothing, and the service from its restart for a few seconds at most.
func TestSafeStateWithoutChip(t *testing.T) {
	for name, c := range map[string]struct {
		bus  i2c.Bus
		want string
	}{"hangs": {hangingBus{}, "hangs"}, "is away": {silentBus{}, "no such device"}} {
		t.Run(name, func(t *testing.T) {
			h, cfg := newCrashed(t)
			h.other = c.bus
			began := time.Now()
			err := safeState(cfg.AfterCrash(), h, slog.New(slog.DiscardHandler))
			if took := time.Since(began); took > safeWithin+2*time.Second {
				t.Errorf("took %v", took)
			}
			if err == nil || !strings.Contains(err.Error(), `chip "more"`) || !strings.Contains(err.Error(), "more_off off") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "relays") {
				t.Errorf("error %v", err)
			}
			if got, want := h.levels(t), "high high high low high high"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

type hangingBus struct{}

func (hangingBus) Tx(uint16, []byte, []byte) error { select {} }
func (hangingBus) SetSpeed(physic.Frequency) error { return nil }
func (hangingBus) String() string                  { return "hangs" }

type silentBus struct{}

func (silentBus) Tx(uint16, []byte, []byte) error { return syscall.ENXIO }
func (silentBus) SetSpeed(physic.Frequency) error { return nil }
func (silentBus) String() string                  { return "silent" }
