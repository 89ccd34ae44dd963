package bridge

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

var update = flag.Bool("update", false, "write what was got into the golden files")

// house is the configuration of the transcripts.
func house() *Config {
	plain := Channel{QoS: 1, Retain: true}
	at := func(topic string) Channel { return Channel{Topic: topic, QoS: 1, Retain: true} }
	return &Config{
		Device: "shed",
		Inputs: []Input{
			{Name: "door", Channel: plain},
			{Name: "l01_button", Channel: at("light/l01/button")},
			{Name: "up_button", Channel: plain},
			{Name: "all_off", Channel: Channel{PayloadOn: "1", PayloadOff: "0"}},
			{Name: "backup", Channel: plain},
		},
		Outputs: []Output{
			{Name: "l01", Channel: at("light/l01")},
			{Name: "l02", Channel: Channel{QoS: 1, Retain: true, PayloadOn: "1", PayloadOff: "0"}, OnExit: ExitOff},
			{Name: "pump", Channel: plain, MaxOn: 10 * time.Minute},
			{Name: "bell", Channel: plain, Pulse: 500 * time.Millisecond},
			{Name: "up", Channel: plain},
			{Name: "down", Channel: plain, OnExit: ExitOff},
		},
		Sensors: []Sensor{{Name: "attic", QoS: 1, Retain: true, Quantities: []sensors.Quantity{
			{Name: "temperature", Precision: 2}, {Name: "humidity", Precision: 1},
		}}},
		Rules: []Rule{
			{When: "l01_button", Do: VerbToggle, Outputs: []string{"l01"}},
			{When: "up_button", Do: VerbOn, For: 30 * time.Second, Outputs: []string{"up"}},
			{When: "up_button", Is: Released, Do: VerbOff, Outputs: []string{"up"}},
			{When: "all_off", Do: VerbOff, Outputs: []string{"l01", "l02"}},
			{When: "door", Is: Changed, Do: VerbPulse, Outputs: []string{"bell"}},
			{When: "backup", Do: VerbOn, Outputs: []string{"pump"}, Only: Offline},
		},
		Interlocks: []Interlock{{Name: "blind", Outputs: []string{"up", "down"}, DeadTime: 300 * time.Millisecond}},
	}
}

// withRestore has l01 restored, and an output that is recognised by another name.
func withRestore(c *Config) {
	c.Outputs[0].Restore = true
	c.Outputs[3].Pulse = 5 * time.Second
	c.Outputs = append(c.Outputs, Output{Name: "heater", Entity: Entity{ID: "boiler"}, Channel: c.Outputs[2].Channel, MaxOn: time.Hour},
		Output{Name: "strike", Channel: c.Outputs[2].Channel, Pulse: 500 * time.Millisecond})
}

// withMinute has outputs that are switched once a minute at most.
func withMinute(c *Config) {
	for i := range c.Outputs {
		c.Outputs[i].MinInterval = time.Minute
	}
	c.Outputs[3].Pulse = 2 * time.Minute
}

// otherHouses change the house for the transcript of that name.
var otherHouses = map[string]func(*Config){
	"group": withGroups,
	"kept":  withRestore, "kept_crash": withRestore, "kept_interval": withMinute,
	"late": withLate, "fault": withGroups, "interval": withIntervals, "lost": withLost,
	"gesture": onlyButtons, "gesture_late": onlyButtons, "gesture_lost": onlyButtons, "gesture_rule": onlyButtons,
}

// withLost has outputs that do something when the broker has been away for long.
func withLost(cfg *Config) {
	off, on := BrokerLost{After: time.Minute}, BrokerLost{After: 5 * time.Second, Do: VerbOn}
	for name, lost := range map[string]BrokerLost{"l01": off, "pump": on, "bell": on, "down": off, "up": {After: time.Minute, Do: VerbOn}} {
		cfg.Outputs[slices.IndexFunc(cfg.Outputs, func(o Output) bool { return o.Name == name })].OnLost = lost
	}
}

// withLate has points whose readings and gestures are told late.
func withLate(cfg *Config) {
	cfg.Sensors[0].Keep = true
	cfg.Sensors[0].Quantities[0].Unit = "°C"
	for i := range cfg.Inputs {
		cfg.Inputs[i].Gestures.Told = []Trigger{Pressed, Double}
		cfg.Inputs[i].Keep = cfg.Inputs[i].Name == "l01_button"
	}
}

// withIntervals has outputs that are not switched too often.
func withIntervals(cfg *Config) {
	for i := range cfg.Outputs {
		cfg.Outputs[i].MinInterval = map[string]time.Duration{"l01": time.Second, "pump": 3 * time.Minute, "bell": 500 * time.Millisecond,
			"up": 3 * time.Second, "l02": 400 * time.Millisecond}[cfg.Outputs[i].Name]
	}
	cfg.HomeAssistant.Identify = "l02"
}

// A transcript is a text of inputs ("> 1.5s event door on edge") and, indented below each, what step answered to it and
// to the ticks that came due before the next one.
type player struct {
	t      *testing.T
	state  *state
	house  *Config // that of the transcript
	origin time.Time
	next   time.Time
	out    strings.Builder
}

func (p *player) step(in any, now time.Time) {
	do, send, next := p.state.step(in, now)
	p.next = next
	at := ""
	if _, ticked := in.(tick); ticked {
		at = fmt.Sprintf("%v ", now.Sub(p.origin))
	}
	for _, w := range do {
		fmt.Fprintf(&p.out, "  %swrite %s %v\n", at, w.Point, w.Value)
	}
	for is, flag := range map[string]*bool{"restart": &p.state.restart, "reload": &p.state.reload} {
		if *flag {
			*flag = false
			fmt.Fprintf(&p.out, "  %s%s\n", at, is)
		}
	}
	if len(p.state.drop) > 0 {
		fmt.Fprintf(&p.out, "  %sdrop %s\n", at, strings.Join(p.state.drop, " "))
	}
	for _, k := range p.state.keep {
		fmt.Fprintf(&p.out, "  %skeep %s\n", at, p.kept(k))
	}
	for _, c := range p.state.counts {
		fmt.Fprintf(&p.out, "  %scount %s\n", at, c)
	}
	for _, m := range send {
		flags := ""
		for _, f := range []struct {
			is   bool
			name string
		}{{m.Retain, " retain"}, {!m.State, " event"}, {m.QoS != 1, fmt.Sprintf(" qos%d", m.QoS)}} {
			if f.is {
				flags += f.name
			}
		}
		if !m.At.IsZero() {
			flags += fmt.Sprintf(" of %v", m.At.Sub(p.origin))
		}
		if l := m.Late; l != nil {
			flags += fmt.Sprintf(", or late %s {%s} of %v", l.Topic, l.Body, l.At.Sub(p.origin))
		}
		fmt.Fprintf(&p.out, "  %ssend %s %s%s\n", at, m.Topic, m.Payload, flags)
	}
}

// kept writes what is kept: pump on until 10m1s, or pump on for 5s until 7s, or l01 off, or pump nothing.
func (p *player) kept(k keepsake) string {
	switch {
	case k.Kept == nil:
		return k.id + " nothing"
	case !k.On:
		return k.id + " off"
	case k.End.IsZero():
		return k.id + " on"
	case k.Timed:
		return fmt.Sprintf("%s on for a time until %v", k.id, k.End.Sub(p.origin))
	}
	return fmt.Sprintf("%s on until %v", k.id, k.End.Sub(p.origin))
}

// recall reads "recall pump on until 10m", as kept writes it; it stands before the first input.
func (p *player) recall(line string) {
	f := strings.Fields(line)
	k := Kept{On: f[1] == "on", Timed: strings.Contains(line, " for a time ")}
	if end, err := time.ParseDuration(f[len(f)-1]); err == nil {
		k.End = p.origin.Add(end)
	}
	p.state.recall(map[string]Kept{f[0]: k})
}

// ticks delivers the ticks that are due until then, as the loop would.
func (p *player) ticks(until time.Time) {
	for n := 0; !p.next.IsZero() && !p.next.After(until); n++ {
		if n > 100 {
			p.t.Fatal("step asks for one tick after the other")
		}
		p.step(tick{}, p.next)
	}
}

func (p *player) line(line string) {
	f := strings.Fields(line)
	at, err := time.ParseDuration(f[0])
	if err != nil {
		p.t.Fatalf("%q: %v", line, err)
	}
	now := p.origin.Add(at)
	p.ticks(now)
	fmt.Fprintf(&p.out, "> %s\n", line)
	if f[1] == "reload" {
		p.reload(f[2:], now)
		return
	}
	p.step(p.input(line, f[1:], now), now)
}

func (p *player) input(line string, f []string, now time.Time) any {
	rest := strings.Join(f[2:], " ")
	switch f[0] {
	case "event": // event POINT on|off [edge] [lost=N] [count=N] [at=-200ms, the stamp] | event POINT error TEXT | event POINT on|off fault TEXT
		e := &gpio.Event{Chip: "relays", Line: f[1], At: now, Active: f[2] == "on"}
		switch {
		case f[2] == "error":
			e.Err = errors.New(strings.Join(f[3:], " "))
		case len(f) > 3 && f[3] == "fault":
			e.Fault = errors.New(strings.Join(f[4:], " "))
		}
		for _, w := range f[3:] {
			e.Edge = e.Edge || w == "edge"
			if n, ok := strings.CutPrefix(w, "lost="); ok {
				lost, _ := strconv.Atoi(n)
				e.Lost = uint32(lost)
			}
			if n, ok := strings.CutPrefix(w, "count="); ok {
				count, _ := strconv.Atoi(n)
				e.Count = uint64(count)
			}
			if d, ok := strings.CutPrefix(w, "at="); ok {
				late, err := time.ParseDuration(d)
				if err != nil {
					p.t.Fatalf("%q: %v", line, err)
				}
				e.At = now.Add(late)
			}
		}
		return e
	case "chip": // chip NAME ok | chip NAME error TEXT
		e := &gpio.Event{Chip: f[1], At: now}
		if f[2] == "error" {
			e.Err = errors.New(strings.Join(f[3:], " "))
		}
		return e
	case "hang": // hang CHIP LINE,... [TEXT]
		h := Hang{Chip: f[1], Lines: strings.Split(f[2], ",")}
		if len(f) > 3 {
			h.Err = errors.New(strings.Join(f[3:], " "))
		}
		return h
	case "message": // message TOPIC PAYLOAD
		return Inbound{Topic: f[1], Payload: []byte(rest)}
	case "retained":
		return Inbound{Topic: f[1], Payload: []byte(rest), Retained: true}
	case "link":
		return Link{Up: f[1] == "up"}
	case "sample": // sample SENSOR error TEXT | sample SENSOR [at=-200ms] QUANTITY=VALUE|QUANTITY~VALUE, which is held back...
		s := sensors.Sample{Sensor: f[1], At: now}
		if f[2] == "error" {
			s.Err = errors.New(strings.Join(f[3:], " "))
			return s
		}
		for _, r := range f[2:] {
			if d, ok := strings.CutPrefix(r, "at="); ok {
				late, err := time.ParseDuration(d)
				if err != nil {
					p.t.Fatalf("%q: %v", line, err)
				}
				s.At = now.Add(late)
				continue
			}
			name, value, loud := strings.Cut(r, "=")
			if !loud {
				name, value, _ = strings.Cut(r, "~")
			}
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				p.t.Fatalf("%q: %v", line, err)
			}
			s.Readings = append(s.Readings, sensors.Reading{Quantity: name, Value: v, Quiet: !loud})
		}
		return s
	case "overflow":
		return overflow{topic: f[1], n: 3}
	case "vitals": // vitals TEMPERATURE|x ok|weak|x
		v := Vitals{Uptime: time.Hour, Wall: now, Sent: 7, Memory: 9 << 20, Goroutines: 12}
		if c, err := strconv.ParseFloat(f[1], 64); err == nil {
			v.CPUTemperature = &c
		}
		if weak := f[2] == "weak"; weak || f[2] == "ok" {
			v.UnderVoltage = &weak
		}
		return v
	case "complaint":
		return complaint(strings.Join(f[1:], " "))
	case "do":
		switch f[1] {
		case "start":
			return start{}
		case "stop":
			return stop{}
		}
		return tick{}
	}
	p.t.Fatalf("%q: not understood", line)
	return nil
}

func TestStep(t *testing.T) {
	files, err := filepath.Glob("testdata/step/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg := house()
			if changed := otherHouses[strings.TrimSuffix(filepath.Base(file), ".txt")]; changed != nil {
				changed(cfg)
			}
			s, err := newState(cfg, About{restarts: true, reloads: true})
			if err != nil {
				t.Fatal(err)
			}
			p := &player{t: t, state: s, house: cfg, origin: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
			for line := range strings.Lines(string(want)) {
				switch {
				case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
					p.out.WriteString(line)
				case strings.HasPrefix(line, "recall "):
					p.out.WriteString(line)
					p.recall(strings.TrimPrefix(line, "recall "))
				case strings.HasPrefix(line, "> "):
					p.line(strings.TrimSpace(line[2:]))
				}
			}
			got := p.out.String()
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("got:\n%s", difference(got, string(want)))
			}
		})
	}
}

// difference shows the lines of got, marking those that want does not have in the same place.
func difference(got, want string) string {
	w := strings.Split(want, "\n")
	var out strings.Builder
	for i, line := range strings.Split(got, "\n") {
		if i >= len(w) || w[i] != line {
			wanted := ""
			if i < len(w) {
				wanted = w[i]
			}
			fmt.Fprintf(&out, "! %s\n     want %s\n", line, wanted)
			continue
		}
		fmt.Fprintf(&out, "  %s\n", line)
	}
	return out.String()
}
