package main

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/internal/i2cmux"
	"gatewayd/sensors"
)

// handover is how long a part waits for the one whose place it takes.
const handover = 3 * time.Second

// wiring is which chips and sensors run, and which lines they have. It is never changed, only replaced.
type wiring struct {
	chips   []*wiredChip // the header first
	sensors []*wiredSensor
	lines   map[string]*gpio.Bank // by the point's name
}

// use is what a chip is used for.
type use struct {
	config.Chip
	interrupts []gpio.LineConfig // of the header: they serve other chips
}

// part is a chip's bank or a sensor's poller: it can come and go while the others run.
type part struct {
	name   string // for people: chip "relays"
	place  string // where it is: two parts at one place would disturb each other
	run    func(context.Context) error
	mute   func(...string) // has it say nothing more; nil: it does not anyway
	member *member         // nil: it was not started
}

type wiredChip struct {
	part
	use  use // as the file has it
	bank *gpio.Bank
	irq  gpio.Interrupt // given before the bank runs
}

type wiredSensor struct {
	part
	cfg    config.Sensor
	poller *sensors.Poller
}

// rewiring is how one wiring becomes the next.
type rewiring struct {
	next       *wiring
	chips      []*wiredChip // of next, with new banks
	lines      []relined
	come, gone []*part
}

// relined is a bank that runs on with other lines.
type relined struct {
	bank              *gpio.Bank
	lines, interrupts []gpio.LineConfig
	moved             []string // points that are on other lines of it: what these still say is not theirs
}

// uses gives what is used of the chips of a configuration, the header first.
func uses(chips []config.Chip) []use {
	header := use{Chip: config.Chip{Name: string(config.Header), Type: config.Header}}
	var others []use
	for i := range chips {
		c := &chips[i]
		if line := c.Interrupt; line != nil && !slices.Contains(header.interrupts, *line) {
			header.interrupts = append(header.interrupts, *line)
		}
		if c.Type == config.Header {
			header.Lines = c.Lines
		} else if len(c.Lines) > 0 {
			others = append(others, use{Chip: *c})
		}
	}
	if len(header.Lines)+len(header.interrupts) == 0 {
		return others
	}
	return append([]use{header}, others...)
}

// rewire compares what runs with a configuration, and makes what it has more. Nothing is started or changed. claimed is the same
// configuration, with the states that its outputs are to be claimed with.
func (g *gateway) rewire(was *wiring, cfg, claimed *config.Config) *rewiring {
	r := &rewiring{next: &wiring{lines: map[string]*gpio.Bank{}}}
	with := uses(claimed.Chips)
	for i, u := range uses(cfg.Chips) {
		c := was.chip(&u)
		switch {
		case c == nil:
			c = g.newChip(u, with[i])
			r.chips, r.come = append(r.chips, c), append(r.come, &c.part)
		case !slices.Equal(c.use.Lines, u.Lines) || !slices.Equal(c.use.interrupts, u.interrupts):
			r.lines = append(r.lines, relined{c.bank, with[i].Lines, with[i].interrupts, movedOn(c.use.Lines, u.Lines)})
			other := *c
			other.use = u
			c = &other
		}
		r.next.chips = append(r.next.chips, c)
		for _, l := range u.Lines {
			r.next.lines[l.Name] = c.bank
		}
	}
	for _, s := range cfg.Sensors {
		at := slices.IndexFunc(was.sensors, func(old *wiredSensor) bool { return reflect.DeepEqual(old.cfg, s) })
		if at >= 0 {
			r.next.sensors = append(r.next.sensors, was.sensors[at])
			continue
		}
		p := g.newSensor(s)
		r.next.sensors, r.come = append(r.next.sensors, p), append(r.come, &p.part)
	}
	for _, c := range was.chips {
		if !r.next.has(c.bank) {
			r.gone = append(r.gone, &c.part)
		}
	}
	for _, s := range was.sensors {
		if !slices.Contains(r.next.sensors, s) {
			r.gone = append(r.gone, &s.part)
		}
	}
	return r
}

// movedOn gives the points of a chip that are on other lines of it than before.
func movedOn(was, is []gpio.LineConfig) (names []string) {
	before := map[string]uint32{}
	for _, l := range was {
		before[l.Name] = l.Offset
	}
	for _, l := range is {
		if at, there := before[l.Name]; there && at != l.Offset {
			names = append(names, l.Name)
		}
	}
	return names
}

// chip gives the chip that is called and wired as u, whatever its lines; nil: there is none.
func (w *wiring) chip(u *use) *wiredChip {
	bare := func(c config.Chip) config.Chip {
		c.Lines = nil
		return c
	}
	for _, c := range w.chips {
		if reflect.DeepEqual(bare(c.use.Chip), bare(u.Chip)) {
			return c
		}
	}
	return nil
}

// has tells whether a bank is one of it.
func (w *wiring) has(b *gpio.Bank) bool {
	return slices.ContainsFunc(w.chips, func(c *wiredChip) bool { return c.bank == b })
}

// linesOf gives the points of a bank, in the order of their names.
func (w *wiring) linesOf(b *gpio.Bank) (names []string) {
	for name, of := range w.lines {
		if of == b {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// newChip makes the bank of a chip, whose lines are claimed as those of with.
func (g *gateway) newChip(u, with use) *wiredChip {
	c := &wiredChip{use: u}
	c.part = part{name: fmt.Sprintf("chip %q", u.Name), place: "the kernel's chips", run: func(ctx context.Context) error { return c.bank.Run(ctx) }}
	if u.Type.Expander() != nil {
		c.place = i2cPlace(u.Bus, u.Addr)
	}
	log := g.log.With("chip", u.Name)
	c.bank = gpio.NewBank(gpio.BankConfig{
		Chip: u.Name, Lines: with.Lines, Interrupts: with.interrupts, LineName: u.LineName, Log: g.log,
		Open: func() (gpio.Chip, error) { return open(&u.Chip, g.hw, c.irq, log)() },
	}, g.bridge.Events())
	c.mute = c.bank.Mute
	return c
}

// newSensor makes the poller of a sensor.
func (g *gateway) newSensor(s config.Sensor) *wiredSensor {
	p := &wiredSensor{cfg: s}
	p.part = part{name: fmt.Sprintf("sensor %q", s.Name), place: s.Name, run: func(ctx context.Context) error { return p.poller.Run(ctx) }}
	if len(s.Driver.Addrs) > 0 {
		p.place = i2cPlace(s.Bus, s.Addr)
		if s.Mux != 0 {
			p.place = fmt.Sprintf("%s, behind 0x%02x on channel %d", p.place, s.Mux, s.Channel)
		}
	}
	cfg := pollerConfig(&s, g.hw, &g.muxes)
	cfg.Offered, cfg.Log = g.learn, g.log
	p.poller = sensors.NewPoller(cfg, g.bridge.Samples())
	return p
}

// pollerConfig is how a sensor is read, on that hardware.
func pollerConfig(s *config.Sensor, hw hardware, muxes *i2cmux.Muxes) sensors.PollerConfig {
	options := sensors.Options{Name: s.Name, Addr: s.Addr, Settings: s.Settings, Every: s.Every}
	if len(s.Driver.Addrs) > 0 {
		options.Bus = hw.bus(s.Bus)
		if s.Mux != 0 {
			options.Bus = muxes.Channel(options.Bus, s.Mux, s.Channel)
		}
	}
	return sensors.PollerConfig{Name: s.Name, Driver: s.Driver, Options: options, Every: s.Every, Misses: s.Misses, Only: s.Measures, Treatments: s.Treatments}
}

func i2cPlace(bus int, addr uint16) string { return fmt.Sprintf("bus %d, address 0x%02x", bus, addr) }

// mute has the hardware say nothing more of what goes, and of points that are elsewhere in the next wiring.
func (g *gateway) mute(r *rewiring) {
	for _, p := range r.gone {
		if p.mute != nil {
			p.mute()
		}
	}
	for name, b := range g.wiring.Load().lines {
		if now := r.next.lines[name]; now != nil && now != b {
			b.Mute(name)
		}
	}
	for _, l := range r.lines {
		if len(l.moved) > 0 {
			l.bank.Mute(l.moved...)
		}
	}
}

// carryOut changes what runs. It does not block: what goes ends by itself, and what comes is started by start.
func (g *gateway) carryOut(r *rewiring) {
	for _, p := range r.gone {
		p.member.leave()
	}
	g.wiring.Store(r.next)
	for _, l := range r.lines { // the header is the first, if it is among them
		l.bank.Change(l.lines, l.interrupts)
	}
	r.interrupt()
}

// interrupt gives new chips their interrupt lines, which the header has by now.
func (r *rewiring) interrupt() {
	for _, c := range r.chips {
		if c.use.Interrupt != nil {
			c.irq = r.next.chips[0].bank.Interrupt(c.use.Interrupt.Name)
		}
	}
}

// start starts new parts, each once what goes from its place has ended.
func (g *gateway) start(r *rewiring) {
	g.leaving = slices.DeleteFunc(append(g.leaving, r.gone...), func(p *part) bool { return p.member.ended() })
	for _, p := range r.come {
		var before []*part
		for _, other := range g.leaving {
			if other.place == p.place || other.name == p.name {
				before = append(before, other)
			}
		}
		p.member = g.hardware.add(func(ctx context.Context) error {
			g.await(ctx, before)
			return p.run(ctx)
		})
	}
}

// await waits until parts have ended. One that hangs is left behind, and named.
func (g *gateway) await(ctx context.Context, parts []*part) {
	limit := time.NewTimer(handover)
	defer limit.Stop()
	for _, p := range parts {
		select {
		case <-p.member.gone:
		case <-ctx.Done():
			return
		case <-limit.C:
			g.bridge.Complain(p.name + ": a call to it hangs, so that it does not end: what takes its place begins beside it, and may find its lines or its bus in use: " +
				"look for a bus that is stuck, or restart the Raspberry Pi")
			return
		}
	}
}
