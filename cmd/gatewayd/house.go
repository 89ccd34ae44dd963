package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/control"
)

// house is the demo's hardware: a header, an I2C bus with an IO Pi Plus and a climate sensor, a water meter, and a hand that presses buttons.
// The gateway sees the same interfaces as on a board.
type house struct {
	pi      *gpio.Sim
	wires   *bus.Bus
	buttons []button
	meters  []button // contacts that are counted, the water meter's first; nobody presses them
	wg      sync.WaitGroup
}

// button is an input and how it is pressed.
type button struct {
	label  string
	line   gpio.LineConfig
	addr   uint16 // of the expander; 0: a line of the header
	toggle bool   // stays as it is put, as a door does
}

const headerLines = 54

// interrupts are the expanders whose interrupt outputs are wired together, to GPIO4.
var interrupts = []uint16{0x20, 0x21}

func newHouse(cfg *config.Config) (*house, error) {
	h := &house{pi: gpio.NewSim(headerLines), wires: bus.New(bus.Profiles["bcm2835"], nil)}
	h.wires.SetSpeed(100_000)
	for _, line := range []string{"chip mcp23017@0x20", "chip mcp23017@0x21", "chip bme280@0x76", "0x76 temperature 21.4", "0x76 humidity 48"} {
		if err := h.play(line); err != nil {
			return nil, err
		}
	}
	// Open drain: the line is low as long as one of them pulls.
	var mu sync.Mutex
	low := map[uint16]bool{}
	for _, addr := range interrupts {
		_, err := h.wires.OnPin(addr, "inta", func(high bool) {
			mu.Lock()
			defer mu.Unlock()
			low[addr] = !high
			h.pi.Drive(4, !low[interrupts[0]] && !low[interrupts[1]])
		})
		if err != nil {
			return nil, err
		}
	}
	labels := map[string]string{}
	for _, in := range cfg.Bridge.Inputs {
		labels[in.Name] = in.Label
	}
	for _, c := range cfg.Chips {
		for _, l := range c.Lines {
			if label := labels[l.Name]; l.Count != gpio.CountNone {
				h.meters = append(h.meters, button{label: label, line: l, addr: c.Addr})
			} else if !l.Output {
				h.buttons = append(h.buttons, button{label: label, line: l, addr: c.Addr, toggle: c.Type == config.Header})
			}
		}
	}
	for _, list := range [][]button{h.buttons, h.meters} {
		for i := range list {
			if err := h.put(&list[i], false); err != nil {
				return nil, err
			}
		}
	}
	return h, nil
}

func (h *house) header() (gpio.Chip, error) { return h.pi.Open() }

func (h *house) gpiochip(label, device string) (gpio.Chip, error) {
	return nil, fmt.Errorf("the simulated board has no chip %s%s", label, device)
}

func (h *house) bus(number int) i2c.Bus {
	return i2csim.New(h.wires, fmt.Sprintf("/dev/i2c-%d (simulated)", number))
}

func (h *house) buses() map[string]bridge.Bus { return nil }

func (h *house) sys() string { return "" } // the temperature of the machine that plays the board says nothing

func (h *house) close() { h.wires.Close() }

// play carries out a line of the simulator's language.
func (h *house) play(line string) error {
	if _, err := control.Exec(h.wires, line); err != nil {
		return fmt.Errorf("simulated bus: %s: %w", line, err)
	}
	return nil
}

// put moves a button.
func (h *house) put(b *button, active bool) error {
	high := b.line.Level(active)
	if b.addr == 0 {
		h.pi.Drive(b.line.Offset, high)
		return nil
	}
	level := "low"
	if high {
		level = "high"
	}
	return h.play(fmt.Sprintf("0x%02x input %d %s", b.addr, b.line.Offset, level))
}

// run has a hand press buttons now and then, and the weather change, until ctx ends.
func (h *house) run(ctx context.Context, tell func(format string, args ...any)) {
	h.wg.Go(func() {
		open := false
		for wait(ctx, time.Duration(3+rand.IntN(6))*time.Second) {
			b := &h.buttons[rand.IntN(len(h.buttons))]
			if b.toggle {
				open = !open
				tell("%s %s", b.label, map[bool]string{true: "opens", false: "closes"}[open])
				h.put(b, open)
				continue
			}
			how, held := "", 150*time.Millisecond
			if rand.IntN(5) == 0 {
				how, held = ", long", 900*time.Millisecond
			}
			tell("somebody presses %s%s", b.label, how)
			h.put(b, true)
			wait(ctx, held)
			h.put(b, false)
		}
	})
	h.wg.Go(func() { // water runs now and then
		for wait(ctx, time.Duration(5+rand.IntN(20))*time.Second) {
			for range 5 + rand.IntN(60) {
				h.put(&h.meters[0], true)
				wait(ctx, 50*time.Millisecond)
				h.put(&h.meters[0], false)
				wait(ctx, 450*time.Millisecond)
			}
		}
	})
	h.wg.Go(func() {
		start := time.Now()
		for wait(ctx, 2*time.Second) {
			minutes := time.Since(start).Minutes()
			h.play(fmt.Sprintf("0x76 temperature %.2f", 21.4+math.Sin(minutes/3)+rand.Float64()/20))
			h.play(fmt.Sprintf("0x76 humidity %.1f", 48-4*math.Sin(minutes/4)+rand.Float64()/5))
		}
	})
}

func (h *house) wait() { h.wg.Wait() }

// wait sleeps, and tells whether ctx has not ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
