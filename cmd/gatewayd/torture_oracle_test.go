package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// spot is where a point's line is.
type spot struct {
	wire *wire
	addr uint16 // 0: a line of the header
	cfg  gpio.LineConfig
	calm bool // nothing ever befalls it
}

// oracle knows what truly is, and compares everything that is told with it.
type oracle struct {
	t      *testing.T
	places map[string]spot
	header *gpio.Sim

	mu      sync.Mutex // guards the following
	levels  map[string][]wished
	credits map[string][]wished // changes of inputs that no edge has told of
	climate []weather
	lies    int
	heard   int
	samples int
	lines   map[string]int // of the log, by their message
	minute  map[int64]int  // lines of the log
	logged  []string
}

// weather is what the sensor's surroundings were from a time on.
type weather struct {
	at                    time.Time
	temperature, pressure float64
}

func newOracle(t *testing.T, header *gpio.Sim) *oracle {
	return &oracle{t: t, header: header, places: map[string]spot{}, levels: map[string][]wished{}, credits: map[string][]wished{},
		lines: map[string]int{}, minute: map[int64]int{}}
}

// pushes notes that the world gives an input a level.
func (o *oracle) pushes(name string, high bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := wished{time.Now(), high}
	h := o.levels[name]
	if n := len(h); n > 0 && h[n-1].high == high {
		return
	}
	if len(h) > 1000 {
		h = append([]wished(nil), h[500:]...)
	}
	o.levels[name] = append(h, now)
	if len(h) > 0 {
		o.credits[name] = append(o.credits[name], now)
	}
}

// was tells whether an input had a level at some time since then.
func (o *oracle) was(name string, high bool, since time.Time) bool {
	h := o.levels[name]
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].high == high {
			return true
		}
		if !h[i].at.After(since) {
			return false
		}
	}
	return false
}

const (
	atOnce  = 30 * time.Millisecond // transfers take no time here, settling and a look again do
	edgeAge = 1500 * time.Millisecond
)

// event judges what a bank says.
func (o *oracle) event(e gpio.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, known := o.places[e.Line]
	if !known {
		return
	}
	o.heard++
	now := time.Now()
	switch {
	case e.Err != nil:
		if p.calm {
			o.lie(p, e, "it works all the time")
		}
	case p.cfg.Output:
		if !o.drives(p, e.Active, now.Add(-atOnce)) {
			o.lie(p, e, "it is not driven so")
		}
		if e.Fault != nil {
			o.lie(p, e, "its pin follows")
		}
	case e.Edge && p.addr != 0 && !p.cfg.Level(e.Active) && p.wire.unpulled(p.addr, p.cfg, e.At.Add(-p.cfg.Debounce-edgeAge)):
		// A write that was meant for another chip has taken the pull-up away, and the interrupt tells of the change as of any other: where
		// nothing else shows, that is a press.
		delete(o.credits, e.Line)
	case e.Edge:
		high := p.cfg.Level(e.Active)
		if !o.was(e.Line, high, e.At.Add(-p.cfg.Debounce-edgeAge)) {
			o.lie(p, e, "it had no such level")
		}
		c := o.credits[e.Line]
		for len(c) > 0 && c[0].at.Before(e.At.Add(-p.cfg.Debounce-edgeAge)) {
			c = c[1:]
		}
		i := 0
		for i < len(c) && c[i].high != high {
			i++
		}
		if i == len(c) {
			o.lie(p, e, "there was no such change, or it was told already")
		} else {
			c = c[i+1:]
		}
		o.credits[e.Line] = c
	default:
		if !o.was(e.Line, p.cfg.Level(e.Active), e.At.Add(-p.cfg.Debounce-atOnce)) {
			o.lie(p, e, "it does not read so")
		}
	}
}

func (o *oracle) drives(p spot, active bool, since time.Time) bool {
	high := p.cfg.Level(active)
	if p.addr == 0 {
		driven, level := o.header.Driven(p.cfg.Offset)
		return driven && level == high
	}
	return p.wire.drove(p.addr, p.cfg.Offset, high, since)
}

// lie reports what was told and is not so. The mutex is held.
func (o *oracle) lie(p spot, e gpio.Event, why string) {
	if o.lies++; o.lies > 10 {
		return
	}
	o.t.Errorf("%v: %s is told %+v: %s", time.Now().Format("15:04:05.000000"), e.Line, e, why)
	if p.addr != 0 {
		o.t.Logf("the last transfers:\n%s\nthe log:\n%s", p.wire.last(p.addr, 30), strings.Join(o.logged[max(0, len(o.logged)-8):], "\n"))
		for _, r := range p.wire.registersOf(p.addr, 5) {
			o.t.Logf("%v there %v iodir %04x olat %04x gppu %04x ipol %04x", r.at.Format("15:04:05.000000"), r.there, r.iodir, r.latch, r.gppu, r.ipol)
		}
	}
}

// sample judges what a sensor says.
func (o *oracle) sample(s sensors.Sample) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.Err != nil {
		return
	}
	o.samples++
	ok := false
	for i := len(o.climate) - 1; i >= 0; i-- {
		w, right := o.climate[i], true
		for _, r := range s.Readings {
			want, within := w.temperature, 0.05
			switch r.Quantity {
			case "pressure":
				want, within = w.pressure, 0.5
			case "humidity":
				want, within = 50, 0.5
			}
			right = right && r.Value > want-within && r.Value < want+within
		}
		if ok = ok || right; w.at.Before(s.At.Add(-time.Second)) {
			break
		}
	}
	if !ok {
		if o.lies++; o.lies <= 10 {
			o.t.Logf("the last transfers:\n%s", o.places["r0"].wire.last(0x76, 30))
			o.t.Errorf("a sample is %+v, want one of %+v", s, o.climate[max(0, len(o.climate)-2):])
		}
	}
}

// Enabled, Handle, WithAttrs and WithGroup make the oracle a slog.Handler that counts.
func (o *oracle) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

func (o *oracle) Handle(_ context.Context, r slog.Record) error {
	text := fmt.Sprint(time.Now().Format("15:04:05.000 "), r.Message)
	r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %v", a); return true })
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines[r.Message]++
	o.minute[time.Now().Unix()/60]++
	o.logged = append(o.logged, text)
	if len(o.logged) > 2000 {
		o.logged = append([]string(nil), o.logged[1000:]...)
	}
	return nil
}

func (o *oracle) WithAttrs(a []slog.Attr) slog.Handler { return tagged{o, a} }
func (o *oracle) WithGroup(string) slog.Handler        { return o }

// tagged is an oracle whose lines have attributes.
type tagged struct {
	*oracle
	attrs []slog.Attr
}

func (h tagged) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(h.attrs...)
	return h.oracle.Handle(ctx, r)
}
