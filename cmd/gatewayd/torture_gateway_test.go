package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/sensors"
)

// torture is a gateway at work on two simulated buses and a header.
type torture struct {
	*oracle
	g      *gateway
	dice   *rand.Rand
	bad    *wire
	calm   *wire
	header *gpio.Sim
	end    func()
	other  map[uint16]bool // addresses on the bad bus with a chip of another type

	mu        sync.Mutex // guards the following
	published map[string]string
}

func pulled(name string, offset uint32, debounce time.Duration) gpio.LineConfig {
	return gpio.LineConfig{Name: name, Offset: offset, Pull: gpio.PullUp, ActiveLow: true, Debounce: debounce}
}

func drivenLine(name string, offset uint32, low bool) gpio.LineConfig {
	return gpio.LineConfig{Name: name, Offset: offset, Output: true, ActiveLow: low}
}

// newTorture starts everything in a bubble of synctest.
func newTorture(t *testing.T, seed uint64, before ...func(x *torture)) *torture {
	header := gpio.NewSim(54)
	o := newOracle(t, header)
	x := &torture{oracle: o, dice: rand.New(rand.NewPCG(seed, 2)), header: header, published: map[string]string{}, other: map[uint16]bool{},
		bad:  newWire(t, "/dev/i2c-1", seed, "mcp23017@0x20", "mcp23017@0x21", "mcp23017@0x22", "bme280@0x76"),
		calm: newWire(t, "/dev/i2c-2", seed, "mcp23017@0x20"),
	}
	header.Drive(4, true)
	x.wireInterrupt()
	chips := []struct {
		name      string
		wire      *wire
		addr      uint16
		interrupt bool
		lines     []gpio.LineConfig
	}{
		{"header", nil, 0, false, []gpio.LineConfig{drivenLine("led", 17, false), pulled("bell", 27, 10*time.Millisecond)}},
		{"io", x.bad, 0x20, false, []gpio.LineConfig{
			drivenLine("io0", 0, false), drivenLine("io1", 1, true), drivenLine("io15", 15, false),
			pulled("in8", 8, 10*time.Millisecond), pulled("in9", 9, 30*time.Millisecond), pulled("in2", 2, 10*time.Millisecond)}},
		{"wall", x.bad, 0x21, true, []gpio.LineConfig{
			drivenLine("wall4", 4, false), drivenLine("wall12", 12, true),
			pulled("b0", 0, 10*time.Millisecond), pulled("b1", 1, 10*time.Millisecond), pulled("b9", 9, 20*time.Millisecond), pulled("b10", 10, 5*time.Millisecond)}},
		{"relays", x.bad, 0x22, false, []gpio.LineConfig{drivenLine("r0", 0, false), drivenLine("r7", 7, false), drivenLine("r8", 8, true)}},
		{"quiet", x.calm, 0x20, false, []gpio.LineConfig{drivenLine("q0", 0, false), pulled("q8", 8, 10*time.Millisecond)}},
	}
	cfg := bridge.Config{Device: "shed", Sensors: []bridge.Sensor{{Name: "attic", Quantities: sensors.Lookup("bme280").Measures, Every: 5 * time.Second}}}
	for _, c := range chips {
		for _, l := range c.lines {
			o.places[l.Name] = spot{wire: c.wire, addr: c.addr, cfg: l, calm: c.wire == x.calm}
			if l.Output && c.wire != nil {
				c.wire.outputs[c.addr] = append(c.wire.outputs[c.addr], l)
			}
			if l.Output {
				cfg.Outputs = append(cfg.Outputs, bridge.Output{Name: l.Name})
			} else {
				cfg.Inputs = append(cfg.Inputs, bridge.Input{Name: l.Name})
			}
		}
	}
	log := slog.New(o)
	g, wired := &gateway{}, &wiring{lines: map[string]*gpio.Bank{}}
	g.wiring.Store(wired)
	x.g = g
	var err error
	g.bridge, err = bridge.New(&cfg, bridge.Parts{
		Set: func(line string, active bool) { x.wish(line, active); wired.lines[line].Set(line, active) },
		Publish: func(m bridge.Message) {
			x.mu.Lock()
			x.published[m.Topic] = string(m.Payload)
			x.mu.Unlock()
		},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	events, samples := make(chan gpio.Event), make(chan sensors.Sample)
	var interrupt gpio.Interrupt
	for _, c := range chips {
		bank := gpio.BankConfig{Chip: c.name, Lines: c.lines, Log: log, Open: header.Open}
		if c.addr == 0 {
			bank.Interrupts = []gpio.LineConfig{{Name: "irq", Offset: 4, Pull: gpio.PullUp, ActiveLow: true}}
		} else {
			e := gpio.ExpanderConfig{Bus: c.wire, Addr: c.addr, Log: log.With("chip", c.name)}
			if c.interrupt {
				e.Interrupt = interrupt
			}
			bank.Open = func() (gpio.Chip, error) { return gpio.MCP23017.Open(e) }
		}
		b := gpio.NewBank(bank, events)
		if c.addr == 0 {
			interrupt = b.Interrupt("irq")
		}
		wired.chips = append(wired.chips, &wiredChip{bank: b})
		for _, l := range c.lines {
			wired.lines[l.Name] = b
			if !l.Output {
				x.push(l.Name, false)
			}
		}
		if c.wire != nil {
			c.wire.look(c.addr)
		}
	}
	poller := sensors.NewPoller(sensors.PollerConfig{Name: "attic", Driver: sensors.Lookup("bme280"), Options: sensors.Options{Bus: x.bad, Addr: 0x76},
		Every: 5 * time.Second, Log: log}, samples)
	x.blow()
	for _, f := range before {
		f(x)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	runs := []func(context.Context) error{g.bridge.Run, g.watchBanks, poller.Run}
	for _, c := range wired.chips {
		runs = append(runs, c.bank.Run)
	}
	for _, run := range runs {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				t.Errorf("a part ended with %v", err)
			}
		})
	}
	wg.Go(func() {
		for {
			select {
			case e := <-events:
				o.event(e)
				select {
				case g.bridge.Events() <- e:
				case <-ctx.Done():
				}
			case s := <-samples:
				o.sample(s)
				select {
				case g.bridge.Samples() <- s:
				case <-ctx.Done():
				}
			case <-ctx.Done():
				return
			}
		}
	})
	x.end = sync.OnceFunc(func() { cancel(); wg.Wait() })
	return x
}

// wireInterrupt joins the wall's INTA with the header.
func (x *torture) wireInterrupt() {
	if _, err := x.bad.bus.OnPin(0x21, "inta", func(high bool) { x.header.Drive(4, high) }); err != nil {
		x.t.Fatal(err)
	}
}

// wish notes what an output is to be.
func (x *torture) wish(line string, active bool) {
	p := x.places[line]
	if p.addr == 0 {
		return
	}
	p.wire.mu.Lock()
	defer p.wire.mu.Unlock()
	w := append(p.wire.wishes[line], wished{time.Now(), p.cfg.Level(active)})
	p.wire.wishes[line] = w[max(0, len(w)-20):]
}
