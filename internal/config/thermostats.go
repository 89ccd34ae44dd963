package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/sensors"
)

// reading is what a rule has that begins with one.
type reading struct {
	sensor, quantity string
	above, below     *float64 // nil: not given
	otherwise        bridge.Verb
	unavailable      bridge.Verb
}

// limit is a number that a reading is compared with, in the reading's unit.
var limit = scalar("a number, such as 24 or -0.5", func(s string) (*float64, error) {
	if !decimal.MatchString(s) {
		switch comma := strings.Replace(s, ",", ".", 1); {
		case decimal.MatchString(comma):
			return nil, fmt.Errorf("%s: a decimal point is wanted: write %s", quote(s), comma)
		case withUnit.MatchString(s):
			return nil, fmt.Errorf("%s: the number alone is wanted, in the unit of the reading: write %s", quote(s), withUnit.FindStringSubmatch(s)[1])
		}
		return nil, fmt.Errorf("%s is not a number, such as 24 or -0.5", quote(s))
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.Abs(v) > 1e12 {
		return nil, fmt.Errorf("%s is out of range: nothing measures that", quote(s))
	}
	return &v, nil
}, func(v *float64) *yaml.Node {
	if v == nil {
		return nil
	}
	return plain(strconv.FormatFloat(*v, 'f', -1, 64))
})

var (
	decimal  = regexp.MustCompile(`^[+-]?[0-9]+(?:\.[0-9]+)?$`)
	withUnit = regexp.MustCompile(`^([+-]?[0-9]+(?:\.[0-9]+)?) *[^0-9.,eE ]`)
)

// readingKeys are those of a rule that begins with a reading: its limits first.
var readingKeys = []key[*rule]{
	field("above", "the reading beyond which it does that", limit, func(r *rule) **float64 { return &r.above }),
	field("below", "the reading below which it does otherwise; alone: does that", limit, func(r *rule) **float64 { return &r.below }),
	ofReadings(field("otherwise", "what happens to the outputs below", oneOf(choice[bridge.Verb]{"on", bridge.VerbOn}, choice[bridge.Verb]{"off", bridge.VerbOff},
		choice[bridge.Verb]{"pulse", bridge.VerbPulse}, choice[bridge.Verb]{"nothing", bridge.VerbNone}),
		func(r *rule) *bridge.Verb { return &r.otherwise }, bridge.VerbNone)),
	ofReadings(field("unavailable", "what happens to the outputs when the sensor is not available", oneOf(choice[bridge.Verb]{"off", bridge.VerbOff},
		choice[bridge.Verb]{"on", bridge.VerbOn}, choice[bridge.Verb]{"keep", bridge.VerbNone}),
		func(r *rule) *bridge.Verb { return &r.unavailable }, bridge.VerbOff)),
}

// ofReadings leaves a key out where the rule begins with an input.
func ofReadings(k key[*rule]) key[*rule] { return only(k, (*rule).reads) }

// ofInputs leaves it out where the rule begins with a reading.
func ofInputs(k key[*rule]) key[*rule] { return only(k, func(r *rule) bool { return !r.reads() }) }

func only(k key[*rule], which func(*rule) bool) key[*rule] {
	node := k.node
	k.node = func(r *rule) *yaml.Node {
		if !which(r) {
			return nil
		}
		return node(r)
	}
	return k
}

// reads tells whether the rule begins with a reading.
func (r *rule) reads() bool { return r.sensor != "" }

// checkReading looks at a rule that begins with a reading.
func (d *draft) checkReading(r *rule) {
	d.checkQuantity(r)
	if r.has("is") {
		r.errorf(&d.notes, "is", "an input is pressed or released; a reading has limits: write above: 24, below: 22 in its place")
	}
	if r.bad["above"] || r.bad["below"] || r.bad["otherwise"] || r.bad["do"] {
		return
	}
	above, below := limitText(r.above), limitText(r.below)
	switch {
	case above == "" && below == "":
		r.errorf(&d.notes, "when", "a reading needs limits: write above: 24, or below: 22, or both, between which nothing happens")
	case r.Do == bridge.VerbToggle:
		r.errorf(&d.notes, "do", "a limit tells what is to be, and toggle what is not: write on, off or pulse")
	case above == "" && r.otherwise != bridge.VerbNone:
		r.errorf(&d.notes, "otherwise", "both limits are wanted with it, and do is what happens above: write above: %s or a little more, below: %[1]s, do: %s, otherwise: %s",
			below, verbText(r.otherwise), verbText(r.Do))
	case above == "":
	case below != "" && *r.above < *r.below:
		r.errorf(&d.notes, "above", "%s is less than below, %s: nothing happens between the two, so above is the higher one; do is what happens above it, "+
			"and otherwise what happens below the other", above, below)
	case below != "" && !r.has("otherwise"):
		r.errorf(&d.notes, "below", "do is what happens above %s: what happens below %s? Write otherwise: off, for example, or otherwise: nothing", above, below)
	case r.Do == r.otherwise && r.Do != bridge.VerbPulse:
		r.errorf(&d.notes, "otherwise", "it is the same as do, so that the limits make no difference")
	case below == "" && r.otherwise != bridge.VerbNone:
		n, path := r.at("above")
		d.warnf(n, path, "a reading that wavers around %s switches each time: give it below, too, a little lower", above)
	}
}

func limitText(v *float64) string {
	if v == nil {
		return ""
	}
	return limit.node(v).Value
}

func verbText(v bridge.Verb) string { return strings.ToLower(v.String()) }

// checkQuantity looks for the sensor, and for what it measures.
func (d *draft) checkQuantity(r *rule) {
	n, path := r.at("when")
	if r.sensor == "" || r.quantity == "" || notName.MatchString(r.quantity) {
		d.errorf(n, path, "%s is no reading: a sensor's name and what it measures are wanted, such as attic/temperature", quote(r.When))
		return
	}
	p, other := find[*sensor](d, n, path, r.sensor)
	if other != nil {
		d.errorf(n, path, "a sensor is wanted before the /: %q is the %s in line %d", r.sensor, other.self().kind, other.self().node.Line)
	}
	if p == nil || p.driver == nil || p.unknown || slices.ContainsFunc(p.told, func(q sensors.Quantity) bool { return q.Name == r.quantity }) {
		return
	}
	complain := d.errorf
	if p.asDevice() {
		complain = d.warnf
	}
	complain(n, path, "%s does not measure %s%s", &p.base, quote(r.quantity), offers(r.quantity, p.told))
}

// checkContrary looks for outputs that rules on readings would switch against each other: each acts when its own limit is crossed, and
// knows nothing of the other.
func (d *draft) checkContrary(r *rule, outputs []*output) {
	told := false
	for _, o := range outputs {
		for _, other := range o.readings {
			n, path := r.at("output")
			switch {
			case told:
			case r.switches(true) && r.switches(false) && other.switches(true) && other.switches(false):
				d.errorf(n, path, "the rule in line %d switches %q on and off already, and neither would wait for the other: let one of them only switch it on "+
					"or only off (otherwise: nothing), or let a controller join the two", other.node.Line, o.name)
				told = true
			case r.When != other.When && (r.switches(true) && other.switches(false) || r.switches(false) && other.switches(true)):
				d.warnf(n, path, "the rule in line %d switches %q, too: whichever crosses a limit last has its way", other.node.Line, o.name)
				told = true
			}
		}
		o.readings = append(o.readings, r)
	}
}

// switches tells whether the rule switches its outputs on, or off.
func (r *rule) switches(on bool) bool {
	for _, v := range []bridge.Verb{r.Do, r.otherwise} {
		if v == bridge.VerbOff && !on || (v == bridge.VerbOn || v == bridge.VerbPulse) && on {
			return true
		}
	}
	return false
}

// thermostat is what the bridge gets of a rule that begins with a reading.
func (r *rule) thermostat() bridge.Thermostat {
	t := bridge.Thermostat{When: r.When, High: r.Do, Low: r.otherwise, Unavailable: r.unavailable, For: r.For, Outputs: r.Outputs, Only: r.Only}
	switch {
	case r.above == nil:
		t.Above, t.Below, t.High, t.Low = *r.below, *r.below, bridge.VerbNone, r.Do
	case r.below == nil:
		t.Above, t.Below = *r.above, *r.above
	default:
		t.Above, t.Below = *r.above, *r.below
	}
	return t
}
