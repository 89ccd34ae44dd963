package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatewayd/bridge"
)

// rule is a local reaction.
type rule struct {
	place
	bridge.Rule
	reading
}

var trigger = calledElsewhere(calledElsewhere(oneOf(append([]choice[bridge.Trigger]{
	{"pressed", bridge.Pressed}, {"released", bridge.Released}, {"changed", bridge.Changed}, {"on", bridge.Pressed}, {"off", bridge.Released},
	{bridge.Clockwise.String(), bridge.Clockwise}, {bridge.Counterclockwise.String(), bridge.Counterclockwise},
}, gestureWords...)...), turnElsewhere), gestureElsewhere)

// turnElsewhere is what an encoder's steps are called in other programs.
var turnElsewhere = map[string]string{"cw": "clockwise", "right": "clockwise", "ccw": "counterclockwise", "left": "counterclockwise",
	"anticlockwise": "counterclockwise", "counter_clockwise": "counterclockwise"}

var ruleKeys = slices.Concat([]key[*rule]{
	field("when", "the input or encoder that it begins with, or a sensor's reading, such as attic/temperature", reference, func(r *rule) *string { return &r.When }).required(),
	ofInputs(field("is", "what that does", trigger, func(r *rule) *bridge.Trigger { return &r.Is }, bridge.Pressed)),
}, readingKeys[:2], []key[*rule]{
	field("do", "what happens to the outputs", oneOf(choice[bridge.Verb]{"on", bridge.VerbOn}, choice[bridge.Verb]{"off", bridge.VerbOff},
		choice[bridge.Verb]{"toggle", bridge.VerbToggle}, choice[bridge.Verb]{"pulse", bridge.VerbPulse}),
		func(r *rule) *bridge.Verb { return &r.Do }).required(),
}, readingKeys[2:], []key[*rule]{
	field("output", "one output or group, or a list", several(reference), func(r *rule) *[]string { return &r.Outputs }).required(),
	field("for", "how long, for on and pulse; 0: as the output has it", durationOr0(10*time.Millisecond, 168*time.Hour),
		func(r *rule) *time.Duration { return &r.For }, 0),
	field("only", "when it acts: always, or while the broker is not connected", oneOf(choice[bridge.Only]{"always", bridge.Always},
		choice[bridge.Only]{"offline", bridge.Offline}), func(r *rule) *bridge.Only { return &r.Only }, bridge.Always),
})

var ruleList = list("rules", "what happens without the broker's help", func() *rule { return new(rule) }, always(ruleKeys),
	func(d *draft, r *rule) { d.rules = append(d.rules, r) }, func(d *draft) []*rule { return d.rules })

func (d *draft) checkRules() {
	same := map[string]*rule{}
	for _, r := range d.rules {
		errors := len(d.problems) - d.warned
		d.checkWhen(r)
		outputs, known := d.checkTargets(r)
		if len(r.bad) > 0 {
			continue
		}
		if r.For > 0 && !r.switches(true) {
			r.errorf(&d.notes, "for", "a time belongs to do: on and do: pulse only")
			continue
		}
		if pulses := r.pulses(); pulses != "" && r.For == 0 {
			for _, o := range outputs {
				if o.pulse == 0 && !o.bad["pulse"] {
					r.errorf(&d.notes, pulses, "how long? Give the rule for: 500ms, or %s a pulse", &o.base)
				}
			}
		}
		for _, o := range outputs {
			if o.maxOn > 0 && r.For > o.maxOn {
				r.errorf(&d.notes, "for", "%s is longer than max_on of %s, %s", bridge.Hours(r.For), &o.base, bridge.Hours(o.maxOn))
			}
			if r.For > 0 && r.For < o.interval {
				r.errorf(&d.notes, "for", "%s is shorter than min_interval of %s, %s", bridge.Hours(r.For), &o.base, bridge.Hours(o.interval))
			}
		}
		if known {
			id := fmt.Sprint(r.When, r.Is, r.Do, r.For, r.Only, r.Outputs, limitText(r.above), limitText(r.below), r.otherwise, r.unavailable)
			if other := same[id]; other != nil {
				d.errorf(r.node, r.path, "is the same as the rule in line %d: it would act twice", other.node.Line)
			} else {
				same[id] = r
				if r.reads() && len(d.problems)-d.warned == errors {
					d.checkContrary(r, outputs)
				}
			}
		}
	}
}

// checkWhen looks at what a rule begins with.
func (d *draft) checkWhen(r *rule) {
	if r.bad["when"] {
		return
	}
	if sensor, quantity, ok := strings.Cut(r.When, "/"); ok && d.byName[r.When] == nil {
		r.sensor, r.quantity = sensor, quantity
		d.checkReading(r)
		return
	}
	n, path := r.at("when")
	p, other := find[*input](d, n, path, r.When)
	turns := false
	switch other := other.(type) {
	case nil:
	case *encoder:
		turns = true
	case *sensor:
		example := "temperature"
		if len(other.told) > 0 {
			example = other.told[0].Name
		}
		d.errorf(n, path, "which reading? Write %s/%s, for example, with above or below", r.When, example)
		return
	default:
		d.errorf(n, path, "a rule begins with an input, an encoder or a sensor's reading: %q is the %s in line %d", r.When, other.self().kind, other.self().node.Line)
	}
	if p == nil && !turns {
		return
	}
	for _, k := range readingKeys {
		if r.has(k.name) {
			r.errorf(&d.notes, k.name, "it belongs to a rule on a sensor's reading, such as when: attic/temperature; %q is %s", r.When, map[bool]string{false: "an input", true: "an encoder"}[turns])
		}
	}
	r.checkTurn(d, turns)
}

// checkTurn looks at what an encoder does, or an input, which does not turn.
func (r *rule) checkTurn(d *draft, turns bool) {
	step := r.Is == bridge.Clockwise || r.Is == bridge.Counterclockwise
	switch {
	case r.bad["is"], turns == step:
	case turns:
		r.errorf(&d.notes, "is", "which way is %q turned? Write is: %s or is: %s", r.When, bridge.Clockwise, bridge.Counterclockwise)
	default:
		r.errorf(&d.notes, "is", "%s is what an encoder does, and %q is an input", r.Is, r.When)
	}
}

// pulses gives the key that asks for a pulse, if one does.
func (r *rule) pulses() string {
	switch {
	case r.Do == bridge.VerbPulse:
		return "do"
	case r.reads() && r.otherwise == bridge.VerbPulse:
		return "otherwise"
	}
	return ""
}

// checkTargets gives the outputs of a rule, those of its groups among them; known says that these are all.
func (d *draft) checkTargets(r *rule) (outputs []*output, known bool) {
	if r.bad["output"] {
		return nil, false
	}
	known = true
	from := map[*output]target{}
	locked := map[*interlock]*output{}
	n, path := r.at("output")
	for i, name := range r.Outputs {
		at := elements(n)[i]
		p, other := find[target](d, at, path, name)
		if other != nil {
			d.errorf(at, path, "an output or a group is wanted: %q is the %s in line %d", name, other.self().kind, other.self().node.Line)
		}
		if p == nil {
			known = false
			continue
		}
		drives := p.drives()
		if twice := slices.IndexFunc(drives, func(o *output) bool { return from[o] != nil }); twice >= 0 {
			d.errorf(at, path, "%s", thereTwice(drives[twice], from[drives[twice]], p))
			known = false
			continue
		}
		for _, o := range drives {
			from[o] = p
			if other := locked[o.group]; o.group != nil && other != nil && from[other] != p && (r.switches(true) || r.reads() && r.unavailable == bridge.VerbOn) && !r.bad["do"] {
				d.errorf(at, path, "%q and %q are in interlock %q: one at most can be on", other.name, o.name, o.group.Name)
			}
			locked[o.group] = o
		}
		outputs = append(outputs, drives...)
	}
	return outputs, known
}

// thereTwice tells of an output that a rule names twice, by itself or by a group.
func thereTwice(o *output, first, second target) string {
	if first == second {
		return fmt.Sprintf("%q is there twice", first.self().name)
	}
	var groups []string
	for _, p := range []target{first, second} {
		if g, ok := p.(*outputGroup); ok {
			groups = append(groups, fmt.Sprintf("%q", g.name))
		}
	}
	where := "it is in group " + groups[0] + ", too"
	if len(groups) > 1 {
		where = "it is in groups " + join(groups, "and")
	}
	return fmt.Sprintf("%q is there twice: %s", o.name, where)
}
