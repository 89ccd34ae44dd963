package bridge

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"gatewayd/gpio"
)

// What becomes of each field in a reload. Whoever adds one decides: into the point's life, which goes along as a whole, or here.
const (
	built  = "made of the new configuration"
	taken  = "taken over"
	redone = "made anew from what was"
	ends   = "of one step only"
)

var decided = map[reflect.Type]map[string]string{
	reflect.TypeFor[output](): {"cfg": built, "topic": built, "words": built, "interlock": built, "groups": built, "fault": redone, "blink": redone, "pursuit": redone,
		"touched": ends, "leaves": ends, "timer": redone, "outputLife": taken},
	reflect.TypeFor[fault]():    {"output": built, "now": taken, "told": taken, "at": taken, "timer": redone},
	reflect.TypeFor[blink]():    {"output": built, "was": taken, "end": taken, "timer": redone},
	reflect.TypeFor[input]():    {"cfg": built, "topic": built, "words": built, "rules": built, "gestures": redone, "inputLife": taken},
	reflect.TypeFor[gestures](): {"told": built, "topic": built, "late": built, "presses": redone, "timer": redone},
	reflect.TypeFor[presses](): {"asked": built, "long": built, "gap": built, "every": built, "most": built, "pressesLife": taken + " if the above are equal",
		"found": ends},
	reflect.TypeFor[group]():  {"cfg": built, "topic": built, "words": built, "members": built, "timer": redone, "groupLife": taken},
	reflect.TypeFor[sensor](): {"cfg": built, "topics": built, "late": built, "last": taken + " by quantity", "at": taken, "sensorLife": taken, "thermostats": built},
	reflect.TypeFor[thermostat](): {"Thermostat": built, "sensor": built, "quantity": built, "source": built, "pursuits": redone,
		"thermostatLife": taken + " if the rule and its sensor are the same"},
	reflect.TypeFor[pursuit](): {"output": built, "over": taken, "told": taken},
	reflect.TypeFor[counter](): {"cfg": built, "total": redone, "rate": redone, "timer": redone, "counterLife": taken + "; the pulses by whatever name"},
	reflect.TypeFor[reading](): {"Quantity": built, "topic": built, "late": built, "last": taken + " if it means the same"},
	reflect.TypeFor[encoder](): {"cfg": built, "topic": built, "turns": built, "rules": built, "encoderLife": taken},
	reflect.TypeFor[health](): {"changed": taken, "chips": taken + " but those gone", "edges": taken, "lost": taken, "commands": taken, "refused": taken,
		"last": taken, "soon": redone, "weak": taken},
	reflect.TypeFor[announcer](): {"topics": built, "books": built, "public": built, "birth": built, "known": taken, "full": taken, "sent": taken + " while connected",
		"silent": taken + " while something is announced", "may": redone, "spread": taken, "again": taken, "finish": redone, "restate": taken, "late": redone, "news": taken, "partial": redone,
		"some": taken, "held": taken + " while something waits", "timer": redone},
	reflect.TypeFor[interlock](): {"cfg": built, "outputs": built},
	reflect.TypeFor[rule]():      {"Rule": built, "source": built},
	reflect.TypeFor[ending]():    {"at": taken, "by": taken, "timed": taken, "from": taken},
	reflect.TypeFor[hung]():      {"said": taken + " of lines that are the same", "known": taken},
	reflect.TypeFor[unkept]():    {"owner": built, "told": taken},
	reflect.TypeFor[state](): {"cfg": built, "about": built, "topics": built, "points": built, "inputs": built, "outputs": built, "groups": built, "sensors": built,
		"targets": built, "order": built, "thermostats": built, "hung": redone, "health": taken, "announcer": redone, "gone": redone, "unkept": redone, "now": ends, "linked": taken,
		"away": taken, "lost": redone, "stopping": ends, "restart": ends, "reload": ends, "timers": redone, "do": ends, "send": ends, "notes": ends,
		"keep": ends, "drop": ends, "touched": ends, "counters": built, "encoders": built, "contacts": built, "former": redone, "counts": ends, "totals": taken},
}

func TestReloadFields(t *testing.T) {
	for of, fields := range decided {
		seen := map[string]bool{}
		for i := range of.NumField() {
			name := of.Field(i).Name
			seen[name] = true
			if fields[name] == "" {
				t.Errorf("%v.%s is new: decide what becomes of it in a reload, and say so here", of, name)
			}
		}
		for name := range fields {
			if !seen[name] {
				t.Errorf("%v has no %s", of, name)
			}
		}
	}
}

// fill gives each field of a struct a value that is not zero.
func fill(t *testing.T, p any) {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		f := reflect.NewAt(v.Field(i).Type(), unsafe.Pointer(v.Field(i).UnsafeAddr())).Elem()
		switch x := f.Addr().Interface().(type) {
		case *bool:
			*x = true
		case *int:
			*x = 7
		case *string:
			*x = "x"
		case *time.Time:
			*x = time.Date(2030, 1, 1, 0, 0, i, 0, time.UTC)
		case *time.Duration:
			*x = time.Hour
		case *error:
			*x = errors.New("x")
		case **Command:
			*x = &Command{Point: "l01"}
		case **Kept:
			*x = &Kept{On: true}
		case *ending:
			*x = ending{at: time.Date(2031, 1, 1, 0, 0, i, 0, time.UTC), by: "x"}
		default:
			t.Fatalf("%T.%s is a %v: give it a value", p, v.Type().Field(i).Name, f.Type())
		}
	}
}

// Every field of a point's life goes along.
func TestReloadLives(t *testing.T) {
	cfg := house()
	withGroups(cfg)
	cfg.Inputs[0].Gestures.Told = []Trigger{Double, Long}
	was, err := newState(cfg, About{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	was.step(start{}, now)
	o, i, g, p := was.outputs["l01"], was.inputs["door"], was.groups[cfg.Groups[0].Name], was.sensors["attic"]
	fill(t, &o.outputLife)
	fill(t, &i.inputLife)
	fill(t, &i.gestures.presses.pressesLife)
	fill(t, &g.groupLife)
	fill(t, &p.sensorLife)
	p.last[0] = []byte("21.5")
	is, err := newState(cfg, About{})
	if err != nil {
		t.Fatal(err)
	}
	a := newAdoption(was, is, nil)
	is.now = now
	a.output(is, &a.outputs[0])
	a.input(is, &a.inputs[0])
	a.group(is, &a.groups[0])
	a.sensor(is, &a.sensors[0])
	for _, c := range []struct{ got, want any }{
		{is.outputs["l01"].outputLife, o.outputLife}, {is.inputs["door"].inputLife, i.inputLife},
		{is.inputs["door"].gestures.presses.pressesLife, i.gestures.presses.pressesLife}, {is.groups[g.cfg.Name].groupLife, g.groupLife},
		{is.sensors["attic"].sensorLife, p.sensorLife}, {string(is.sensors["attic"].last[0]), "21.5"},
	} {
		if c.got != c.want {
			t.Errorf("got  %+v\nwant %+v", c.got, c.want)
		}
	}
	if len(is.send)+len(is.do)+len(is.keep) > 0 {
		t.Errorf("sent %v, wrote %v, kept %v", is.send, is.do, is.keep)
	}
}

// A chip that is gone is gone from health, whatever its bank still says; one that comes back is heard.
func TestReloadChips(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, err := newState(house(), About{Chips: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	reload := func(chips ...string) {
		is, err := newState(house(), About{Chips: chips})
		if err != nil {
			t.Fatal(err)
		}
		is.step(newAdoption(s, is, nil), now)
		s = is
	}
	fails := &gpio.Event{Chip: "b", Err: errors.New("b: broken")}
	s.step(&gpio.Event{Chip: "a"}, now)
	s.step(fails, now)
	for _, tt := range []struct {
		chips []string
		want  string
	}{{[]string{"a"}, "map[a:ok]"}, {[]string{"a", "c"}, "map[a:ok]"}, {[]string{"a", "b"}, "map[a:ok b:b: broken]"}} {
		reload(tt.chips...)
		if !s.health.changed {
			t.Errorf("%v: nothing is told", tt.chips)
		}
		s.step(fails, now)
		if got := fmt.Sprint(healthOf(t, s, Vitals{}, now)["chips"]); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.chips, got, tt.want)
		}
	}
}

// That a call to a chip hangs may have been seen just before a reload took the chip away: nobody would say that it has returned.
func TestReloadHangOfGoneChip(t *testing.T) {
	now := time.Now()
	s, err := newState(house(), About{Chips: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	s.step(&gpio.Event{Chip: "b"}, now)
	is, err := newState(house(), About{Chips: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	is.step(newAdoption(s, is, nil), now)
	is.step(&gpio.Event{Chip: "a", Line: "pump"}, now)
	is.step(Hang{Chip: "b", Lines: []string{"pump"}, Err: errors.New("it hangs")}, now)
	if chips := fmt.Sprint(healthOf(t, is, Vitals{}, now)["chips"]); chips != "map[]" {
		t.Errorf("chips %s, want none", chips)
	}
	if err := is.outputs["pump"].err; err != nil {
		t.Errorf("the pump, which is on another chip: %v", err)
	}
}

// What an output is found as after a reload is what is heard of it last, until somebody wishes.
func TestReloadFoundLast(t *testing.T) {
	now := time.Now()
	s, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	s.step(&gpio.Event{Line: "pump", Active: true}, now)
	is, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	is.step(newAdoption(s, is, map[string]bool{"pump": true}), now)
	is.step(&gpio.Event{Line: "pump"}, now) // of the line where it was
	o := is.outputs["pump"]
	for _, on := range []bool{true, false, true} {
		_, _, next := is.step(&gpio.Event{Line: "pump", Active: on}, now)
		if o.wanted() != on {
			t.Errorf("heard %v, and it counts as %v", on, o.wanted())
		}
		if on && !next.Equal(now.Add(o.cfg.MaxOn)) {
			t.Errorf("it ends at %v, want max_on from now, %v", next, now.Add(o.cfg.MaxOn))
		}
	}
}
