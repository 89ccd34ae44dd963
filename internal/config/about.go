package config

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// KeyDoc describes a key of the file for people.
type KeyDoc struct {
	Name    string
	Doc     string // one line
	Want    string // what values look like
	Default string // as it is written; empty: there is none
	Must    bool   // it has to be given
}

// SensorKeys describes the keys that every sensor has, whatever its driver.
func SensorKeys() []KeyDoc {
	s := &sensor{settings: sensors.Settings{}, driver: &sensors.Driver{Addrs: []uint16{0}}}
	return keyDocs(slices.Concat(sensorHead, sensorTail), s)
}

// DriverKeys describes the keys that a driver has beside those of every sensor.
func DriverKeys(d *sensors.Driver) []KeyDoc {
	var keys []key[*sensor]
	for _, k := range d.Keys {
		keys = append(keys, driverKey(k))
	}
	docs := keyDocs(keys, &sensor{settings: sensors.Settings{}})
	for i, k := range d.Keys {
		docs[i].Default = k.Default // what is required has none, and prints as nothing
	}
	return docs
}

// CounterKeys describes the keys of a counter.
func CounterKeys() []KeyDoc { return keyDocs(counterKeys, new(counter)) }

// EncoderKeys describes the keys of a rotary encoder.
func EncoderKeys() []KeyDoc { return keyDocs(encoderKeys, new(encoder)) }

// ChipDoc describes a type of chip for people.
type ChipDoc struct {
	Type    string
	Doc     string // one line
	Lines   string // what its lines are called
	Board   bool   // it is a board with several chips
	Addrs   []uint16
	Keys    []KeyDoc
	Example string // a configuration with one, and a point on it
}

// ChipTypes describes what can stand under chips, in the order in which messages name it.
func ChipTypes() []ChipDoc {
	var all []ChipDoc
	for _, t := range chipTypes {
		doc := ChipDoc{Type: t.name, Keys: keyDocs(t.keys, &chip{kind: t})}
		keys, line := "label: mcp23017", "0"
		switch e := t.expander; {
		case e == nil:
			doc.Doc, doc.Lines = "another GPIO chip of the kernel: one of the board, or an expander that an overlay drives", "by their numbers"
		case t == iopiplusType:
			doc.Board = true
			doc.Doc, doc.Lines = "IO Pi Plus: two MCP23017 on one board", "bus1-1 to bus1-16, bus2-1 to bus2-16"
			keys, line = "bus: 1, addresses: [0x20, 0x21]", "bus1-1"
		default:
			doc.Doc = fmt.Sprintf("%s: %d lines on I2C; pull: %s", e.Name, e.Lines, join(pullsOf(e), "or"))
			doc.Lines = lineNames(e)
			keys, line = fmt.Sprintf("bus: 1, address: 0x%02x", e.First), e.LineName(0)
		}
		if e := t.expander; e != nil {
			for a := e.First; a <= e.Last; a++ {
				doc.Addrs = append(doc.Addrs, a)
			}
		}
		doc.Example = fmt.Sprintf("chips:\n  - {name: relays, type: %s, %s}\noutputs:\n  - {name: light, chip: relays, line: %s}\n", t.name, keys, line)
		all = append(all, doc)
	}
	return all
}

// lineNames names the lines, port by port.
func lineNames(e *gpio.ExpanderType) string {
	var ports []string
	for o := 0; o < e.Lines; o += 8 {
		ports = append(ports, e.LineName(uint32(o))+" to "+e.LineName(uint32(o+7)))
	}
	return strings.Join(ports, ", ")
}

// pullsOf gives what an expander does not refuse.
func pullsOf(e *gpio.ExpanderType) (all []string) {
	for _, p := range []struct {
		word string
		pull gpio.Pull
	}{{"up", gpio.PullUp}, {"down", gpio.PullDown}, {"none", gpio.PullNone}} {
		if _, msg := e.Refuse(&gpio.LineConfig{Pull: p.pull}, e.LineName(0)); msg == "" {
			all = append(all, p.word)
		}
	}
	return all
}

// keyDocs describes keys; t is a section that is read into, and has what decides which keys it prints.
func keyDocs[T any](keys []key[T], t T) []KeyDoc {
	var docs []KeyDoc
	for _, k := range keys {
		d := KeyDoc{Name: k.name, Doc: k.doc, Want: k.want, Must: k.must}
		k.preset(t)
		if !k.must {
			d.Default = flat(k.node(t))
		}
		docs = append(docs, d)
	}
	return docs
}

// flat writes a default in one line; a group has none of its own.
func flat(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value
	case yaml.SequenceNode:
		var all []string
		for _, c := range n.Content {
			all = append(all, flat(c))
		}
		if len(all) > 0 {
			return "[" + strings.Join(all, ", ") + "]"
		}
	}
	return ""
}
