package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatewayd/bridge"
	"gatewayd/internal/config"
)

// dice makes configurations, each from the one before.
type dice struct {
	*rand.Rand
	device string
	status string
	chips  map[string]*string // by their names: how they are wired
	names  map[string]string  // of chips: as they are called
	points []*dicePoint
	rules  []string
	locks  string
	all    string // a group
}

type dicePoint struct {
	kind, name, id, chip, line, more string
}

var diceWirings = map[string][]string{
	"x": {"type: mcp23017, address: 0x20", "type: mcp23017, address: 0x20, interrupt: GPIO4", "type: mcp23017, address: 0x20, poll: 5ms"},
	"y": {"type: mcp23017, address: 0x21", "type: mcp23017, address: 0x21, interrupt: GPIO4", "type: mcp23017, address: 0x21, interrupt: GPIO27"},
	"k": {"type: gpiochip, label: k1", "type: gpiochip, label: k2"},
}

func newDice(seed uint64) *dice {
	d := &dice{Rand: rand.New(rand.NewPCG(seed, 1)), device: "shed", chips: map[string]*string{}, names: map[string]string{}}
	for _, name := range []string{"x", "y", "k"} {
		d.chips[name], d.names[name] = &diceWirings[name][0], name
	}
	for range 10 {
		d.change()
	}
	return d
}

func (d *dice) one(of ...string) string { return of[d.IntN(len(of))] }

// change rolls one change.
func (d *dice) change() {
	if len(d.points) < 4 {
		d.add()
		return
	}
	p := d.points[d.IntN(len(d.points))]
	switch d.IntN(20) {
	case 0, 1, 2, 3:
		d.add()
	case 4, 5, 6:
		d.points = slices.DeleteFunc(d.points, func(q *dicePoint) bool { return q == p })
	case 7:
		p.id = d.one(p.id, p.name)
		p.name = d.name(p.kind)
	case 8:
		p.name = d.name(p.kind)
	case 9, 10:
		d.place(p)
	case 11, 12, 13:
		d.character(p)
	case 14:
		chip := d.one("x", "y", "k")
		d.chips[chip] = &diceWirings[chip][d.IntN(len(diceWirings[chip]))]
	case 15:
		chip := d.one("x", "y", "k")
		d.names[chip] = d.one(chip, chip+chip)
	case 16, 17:
		d.rules = nil
		for range d.IntN(4) {
			d.rules = append(d.rules, fmt.Sprintf("{when: %s, do: toggle, output: %s}", d.find("input"), d.find("output")))
		}
	case 18:
		d.all, d.locks = "", ""
		if d.IntN(2) == 0 {
			d.all = fmt.Sprintf("{name: everything, outputs: [%s]}", d.find("output"))
		}
		if d.IntN(4) == 0 {
			d.locks = fmt.Sprintf("{name: lock, outputs: [%s, %s]}", d.find("output"), d.find("output"))
		}
	case 19:
		switch d.IntN(4) {
		case 0:
			d.status = d.one("", "alive")
		case 1:
			d.device = d.one("shed", "barn")
		}
	}
}

func (d *dice) find(kind string) string {
	var all []string
	for _, p := range d.points {
		if p.kind == kind {
			all = append(all, p.name)
		}
	}
	if len(all) == 0 {
		return "nobody"
	}
	return d.one(all...)
}

func (d *dice) name(kind string) string { return fmt.Sprintf("%s%d", kind[:1], d.IntN(40)) }

func (d *dice) add() {
	kinds := []string{"input", "output", "output", "input", "output", "input", "output", "output", "input", "sensor", "counter", "encoder"}
	p := &dicePoint{kind: d.one(kinds...)}
	p.name = d.name(p.kind)
	d.place(p)
	d.character(p)
	d.points = append(d.points, p)
}

func (d *dice) place(p *dicePoint) {
	if p.kind == "sensor" {
		p.line = d.one("type: simulated", "type: simulated", "type: bme280, address: 0x76")
		return
	}
	p.chip = d.one("", "", "x", "y", "k")
	if p.kind == "encoder" {
		p.chip = ""
		p.line = fmt.Sprintf("a: GPIO%d, b: GPIO%d", 5+d.IntN(20), 5+d.IntN(20))
		return
	}
	switch p.chip {
	case "":
		p.line = fmt.Sprintf("line: GPIO%d", 5+d.IntN(20))
	case "k":
		p.line = fmt.Sprintf("line: %d", d.IntN(16))
	default:
		p.line = fmt.Sprintf("line: GP%s%d", d.one("A", "B"), d.IntN(7))
	}
}

func (d *dice) character(p *dicePoint) {
	var more []string
	sometimes := func(text string) {
		if d.IntN(4) == 0 {
			more = append(more, text)
		}
	}
	if p.kind == "sensor" {
		p.more = ", every: " + d.one("1s", "2s", "1h")
		return
	}
	if p.kind == "counter" || p.kind == "encoder" {
		sometimes(fmt.Sprintf("topic: t/%d", d.IntN(30)))
		sometimes("retain: false")
		sometimes("label: Something")
		if p.kind == "counter" {
			sometimes("edges: both")
			sometimes("type: meter, measures: energy, per_unit: " + d.one("1000", "800"))
			sometimes("pull: up")
			sometimes("debounce: 1ms")
			sometimes("every: 1m")
		} else {
			sometimes("position: true")
			sometimes("steps: 2")
		}
		p.more = ""
		if len(more) > 0 {
			p.more = ", " + strings.Join(more, ", ")
		}
		return
	}
	sometimes("active_low: true")
	sometimes(fmt.Sprintf("topic: t/%d", d.IntN(30)))
	sometimes("retain: false")
	sometimes("qos: 0")
	sometimes("payload_on: an")
	sometimes("label: Something")
	if p.kind == "input" {
		sometimes("pull: up")
		sometimes("debounce: 0")
		sometimes("gestures: [click, double]")
	} else {
		sometimes("max_on: 1h")
		sometimes("initial: " + d.one("on", "off"))
		sometimes("on_exit: " + d.one("on", "off"))
		sometimes("min_interval: 50ms")
	}
	p.more = ""
	if len(more) > 0 {
		p.more = ", " + strings.Join(more, ", ")
	}
}

// text is the configuration.
func (d *dice) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "device: %s\nid: shed\nhome_assistant: {discovery: false}\nmqtt: {broker: \"tcp://BROKER\", client_id: c", d.device)
	if d.status != "" {
		fmt.Fprintf(&b, ", status: {topic: %s}", d.status)
	}
	b.WriteString("}\nchips:\n")
	for _, c := range []string{"x", "y", "k"} {
		fmt.Fprintf(&b, "  - {name: %s, %s}\n", d.names[c], *d.chips[c])
	}
	for _, kind := range []string{"input", "output", "sensor", "counter", "encoder"} {
		first := true
		for _, p := range d.points {
			if p.kind != kind {
				continue
			}
			if first {
				fmt.Fprintf(&b, "%ss:\n", kind)
				first = false
			}
			fmt.Fprintf(&b, "  - {name: %s, ", p.name)
			if p.id != "" {
				fmt.Fprintf(&b, "id: %s, ", p.id)
			}
			if p.chip != "" {
				fmt.Fprintf(&b, "chip: %s, ", d.names[p.chip])
			}
			fmt.Fprintf(&b, "%s%s}\n", p.line, p.more)
		}
	}
	for _, s := range []struct {
		section string
		list    []string
	}{{"rules", d.rules}, {"groups", []string{d.all}}, {"interlocks", []string{d.locks}}} {
		if list := slices.DeleteFunc(slices.Clone(s.list), func(s string) bool { return s == "" }); len(list) > 0 {
			fmt.Fprintf(&b, "%s:\n  - %s\n", s.section, strings.Join(list, "\n  - "))
		}
	}
	return b.String()
}

// next rolls until there is another configuration without mistakes.
func (d *dice) next() string {
	for {
		was := *d
		was.points, was.rules = nil, slices.Clone(d.rules)
		for _, p := range d.points {
			q := *p
			was.points = append(was.points, &q)
		}
		chips, names := map[string]*string{}, map[string]string{}
		for k, v := range d.chips {
			chips[k], names[k] = v, d.names[k]
		}
		was.chips, was.names = chips, names
		for range 1 + d.IntN(4) {
			d.change()
		}
		text := d.text()
		if _, _, err := config.Parse("c.yaml", []byte(strings.ReplaceAll(text, "BROKER", "localhost"))); err == nil {
			return text
		}
		*d = was
	}
}

// chipsOf gives how the chip of each point is wired.
func chipsOf(cfg *config.Config) map[string]config.Chip {
	of := map[string]config.Chip{}
	for _, c := range cfg.Chips {
		lines := c.Lines
		c.Lines = nil
		for _, l := range lines {
			of[l.Name] = c
		}
	}
	return of
}

// same gives the points that one configuration has as the other has it, hardware and all, by name.
func same(was, is *config.Config) map[string]bool {
	all := map[string]bool{}
	if was.Device != is.Device {
		return all
	}
	before, now := chipsOf(was), chipsOf(is)
	a, b := itemsOf(was), itemsOf(is)
	for i := range a {
		if !slices.Contains([]string{"input", "output", "counter", "encoder"}, a[i].what) {
			continue
		}
		names := pointIDs(is)
		for name, id := range names {
			if x, y := a[i].by[id], b[i].by[id]; x != nil && y != nil && reflect.DeepEqual(x, y) && reflect.DeepEqual(before[name], now[name]) {
				all[name] = true
			}
		}
	}
	for _, cfg := range []*config.Config{was, is} { // the others of it have a say
		if !reflect.DeepEqual(was.Bridge.Interlocks, is.Bridge.Interlocks) || len(cfg.Bridge.Interlocks) > 0 {
			for _, l := range cfg.Bridge.Interlocks {
				for _, name := range l.Outputs {
					delete(all, name)
				}
			}
		}
	}
	return all
}

// TestReloadRandom has a gateway go through many configurations by reloads. After each, nothing has become of what it has in common
// with the one before; now and then, all is as a start would leave it; and in the end nothing has piled up.
func TestReloadRandom(t *testing.T) {
	reloads := 150
	if n, err := strconv.Atoi(os.Getenv("GATEWAYD_TEST_RELOADS")); err == nil {
		reloads = n
	}
	const compare = 15 // reloads from one comparison to the next
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("GATEWAYD_TEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("GATEWAYD_TEST_SEED=%d", seed)
	d := newDice(seed)
	b := newBench(t)
	text := d.next()
	a := newAlive(t, b, text, manner{})
	var slowest, sum time.Duration
	presses := 0
	var first, last footprint
	for i := 1; i <= reloads && !t.Failed(); i++ {
		next := d.next()
		for _, at := range places(configured(t, a.broker.Addr(), next)) {
			if at.output && at.addr == 0 {
				b.sim(at).Float(at.offset) // it was an input, perhaps
			}
		}
		a.excite(d)
		was := a.g.cfg
		a.settled()
		b.moves()
		a.published()
		connects := a.g.session.Stats().Connects
		began := time.Now()
		if testing.Verbose() {
			t.Logf("%d: from\n%s\nto\n%s", i, text, next)
		}
		a.reload(next)
		took := time.Since(began)
		slowest, sum = max(slowest, took), sum+took
		a.settled()
		a.untouched(was, a.g.session.Stats().Connects > connects)
		presses += a.press(was)
		if t.Failed() {
			t.Logf("from\n%s\nto\n%s", text, next)
		}
		text = next
		if i%compare == 0 {
			a.asStarted(text, manner{})
			if t.Failed() {
				t.Logf("after %d reloads, with\n%s", i, text)
			}
			last = a.footprint()
			if i == compare {
				first = last
			}
		}
	}
	t.Logf("%d reloads, %d presses; %v on average, %v at most; %v after %d, %v in the end", reloads, presses, sum/time.Duration(reloads), slowest, first, compare, last)
	if last.goroutines > first.goroutines+20 || last.files > first.files+10 { // the configurations differ
		t.Errorf("something has piled up: %v, and %v in the end", first, last)
	}
}

// excite switches some outputs.
func (a *alive) excite(d *dice) {
	topics := bridge.NewTopics(&a.g.cfg.Bridge)
	for _, o := range a.g.cfg.Bridge.Outputs {
		if d.IntN(3) == 0 {
			a.send(topics.Command(o.Name), d.one("ON", "OFF", "TOGGLE"))
		}
	}
	time.Sleep(20 * time.Millisecond)
	time.Sleep(60 * time.Millisecond) // min_interval
}

// untouched proves that nothing was said of, or done with, what is as it was. A broker that is new is told once more what it is not to
// keep, if that is recent.
func (a *alive) untouched(was *config.Config, reconnected bool) {
	a.t.Helper()
	is := a.g.cfg
	kept := same(was, is)
	topics, at := bridge.NewTopics(&is.Bridge), places(is)
	quiet := map[string]string{}
	pins := map[string]string{}
	for name := range kept {
		quiet[topics.State(name)] = name
		for _, topic := range []string{topics.Availability(name), topics.Error(name)} { // a click before may become an event now
			quiet[topic] = name
		}
		for _, leaf := range []string{"count", "energy", "power"} {
			quiet[topics.Reading(name, leaf)] = name
		}
		p := at[name]
		where := fmt.Sprintf("0x%02x %d", p.addr, p.offset)
		if p.addr == 0 {
			where = fmt.Sprintf("%s %d", cmp.Or(p.label, "header"), p.offset)
		}
		pins[where] = name
	}
	if reconnected {
		for i := range is.Bridge.Counters {
			if p := is.Bridge.Counters[i].Sensor(); !p.Retain {
				for _, topic := range topics.Readings(&p) {
					delete(quiet, topic)
				}
			}
		}
		for _, p := range is.Bridge.Encoders {
			if !p.Retain {
				delete(quiet, topics.State(p.Name))
			}
		}
		for _, p := range is.Bridge.Inputs {
			if !p.Retain {
				delete(quiet, topics.State(p.Name))
			}
		}
		for _, p := range is.Bridge.Outputs {
			if !p.Retain {
				delete(quiet, topics.State(p.Name))
			}
		}
	}
	for _, m := range a.published() {
		if name := quiet[m.Topic]; name != "" {
			a.t.Errorf("%s is as it was, and there is a message on %s: %q", name, m.Topic, m.Payload)
		}
	}
	for _, m := range a.bench.moves() {
		if name := pins[m[:strings.LastIndex(m, " ")]]; name != "" {
			a.t.Errorf("%s is as it was, and its pin moves: %s", name, m)
		}
	}
}

// press presses the button of each rule, and looks whether its output follows; it tells how often. Chips that were opened anew may
// still be about that.
func (a *alive) press(was *config.Config) (n int) {
	cfg := a.g.cfg
	at, wired, before := places(cfg), chipsOf(cfg), map[string]bool{}
	for _, c := range chipsOf(was) {
		before[fmt.Sprint(c)] = true
	}
	for _, r := range cfg.Bridge.Rules {
		if !before[fmt.Sprint(wired[r.When])] || !before[fmt.Sprint(wired[r.Outputs[0]])] {
			continue
		}
		in, out := at[r.When], at[r.Outputs[0]]
		if in.addr != 0 || out.addr != 0 || slices.ContainsFunc(cfg.Bridge.Rules, func(o bridge.Rule) bool { return o.When == r.When && !reflect.DeepEqual(o, r) }) ||
			slices.ContainsFunc(cfg.Bridge.Interlocks, func(l bridge.Interlock) bool { return slices.Contains(l.Outputs, r.Outputs[0]) }) {
			continue
		}
		sim := a.bench.sim
		sim(in).Drive(in.offset, in.activeLow)
		time.Sleep(60 * time.Millisecond) // what a line that is new says at first may be its pull-up's doing
		level := sim(out).Level(out.offset)
		sim(in).Drive(in.offset, !in.activeLow)
		await(a.t, 5*time.Second, fmt.Sprintf("%s switches %s", r.When, r.Outputs[0]), func() bool { return sim(out).Level(out.offset) != level })
		sim(in).Drive(in.offset, in.activeLow)
		time.Sleep(25 * time.Millisecond)
		n++
	}
	return n
}

// footprint is what a process has of what could pile up.
type footprint struct{ goroutines, files, heap int }

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d KiB on the heap", f.goroutines, f.files, f.heap)
}

func (a *alive) footprint() footprint {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd")
	return footprint{runtime.NumGoroutine(), len(files), int(m.HeapAlloc / 1024)}
}

// TestReloadFlat has one gateway go through reloads of all kinds, again and again: nothing piles up.
func TestReloadFlat(t *testing.T) {
	b := newBench(t)
	texts := []string{
		reloadConfig,
		strings.NewReplacer("0x20", "0x21", "type: simulated, every: 1h", "type: simulated, every: 2h").Replace(reloadConfig),
		strings.NewReplacer("label: k1", "label: k2", "line: GPIO22", "line: GPIO23").Replace(reloadConfig),
		strings.NewReplacer("name: lamp,", "name: light,", "interrupt: GPIO4", "interrupt: GPIO6").Replace(reloadConfig),
		strings.ReplaceAll(reloadConfig, "discovery: false", "discovery: true"),
		strings.ReplaceAll(reloadConfig, "\nchips:", "\ndevice: barn\nchips:"),
	}
	a := newAlive(t, b, texts[0], manner{memory: newMemory("", configured(t, "127.0.0.1:1", texts[0]), "a", slog.New(slog.DiscardHandler))})
	many := func(n int) footprint {
		for i := range n * len(texts) {
			a.reload(texts[(i+1)%len(texts)])
			if i%20 == 0 {
				time.Sleep(20 * time.Millisecond)
			}
		}
		a.settled()
		await(t, 10*time.Second, "what was left has ended", func() bool {
			return !slices.ContainsFunc(a.g.leaving, func(p *part) bool { return !p.member.ended() })
		})
		a.published()
		b.moves()
		return a.footprint()
	}
	first := many(20)
	last := many(100)
	t.Logf("%v; %v", first, last)
	if last.goroutines > first.goroutines+3 || last.files > first.files+1 || last.heap > first.heap+1500 {
		t.Errorf("after 120 reloads %v, after 720 %v", first, last)
	}
}
