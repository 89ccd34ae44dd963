package bridge

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"gatewayd/sensors"
)

// place is a topic of a row: one that the row has with a given configuration.
type place struct {
	row    *topicRow
	filter string // regular expression
	retain bool
	qos    byte
}

// places give what the table says of a configuration, from its patterns alone.
func places(cfg *Config) (all []place) {
	type shape struct {
		kinds, name, topic, command string
		retain                      bool
		qos                         byte
		quantities                  []sensors.Quantity
		json                        bool
	}
	var points []shape
	of := func(kind, name, command string, c Channel) {
		points = append(points, shape{kind + " <point>", name, c.Topic, command, c.Retain, c.QoS, nil, false})
	}
	for _, p := range cfg.Inputs {
		of("<input>", p.Name, "", p.Channel)
	}
	for _, p := range cfg.Outputs {
		of("<output>", p.Name, p.CommandTopic, p.Channel)
	}
	for _, p := range cfg.Groups {
		of("<group>", p.Name, p.CommandTopic, p.Channel)
	}
	for _, p := range cfg.Sensors {
		points = append(points, shape{"<sensor> <point>", p.Name, p.Topic, "", p.Retain, p.QoS, p.Quantities, p.JSON})
	}
	for i := range cfg.Counters {
		p := cfg.Counters[i].Sensor()
		points = append(points, shape{"<counter> <point>", p.Name, p.Topic, "", p.Retain, p.QoS, p.Quantities, false})
	}
	for _, p := range cfg.Encoders {
		points = append(points, shape{"<encoder> <point>", p.Name, p.Topic, "", p.Retain, p.QoS, nil, false})
	}
	fill := strings.NewReplacer("<device>", cfg.Device, "<id>", cmp.Or(cfg.ID, cfg.Device), "<part>", "[a-z0-9_-]+").Replace
	kind := regexp.MustCompile("<(input|output|group|sensor|counter|encoder|point)>")
	for i := range topicTable {
		r := &topicTable[i]
		of := kind.FindString(r.topic)
		if of == "" {
			all = append(all, place{r, fill(r.topic), r.keep == retained, 1})
			continue
		}
		for _, p := range points {
			if !slices.Contains(strings.Fields(p.kinds), of) || of == "<sensor>" && p.json == strings.Contains(r.topic, "<quantity>") {
				continue
			}
			topic := r.topic
			switch {
			case r.commands() && p.command != "":
				topic = p.command
			case r.given != "" && p.topic != "":
				topic = strings.Replace(r.given, "<topic>", p.topic, 1)
			}
			topic = fill(strings.Replace(topic, of, p.name, 1))
			retain, qos := r.keep == retained, byte(1)
			if r.own {
				retain, qos = r.keep == retained && p.retain, p.qos
			}
			if !strings.Contains(topic, "<quantity>") {
				all = append(all, place{r, topic, retain, qos})
			}
			for _, q := range p.quantities {
				if strings.Contains(topic, "<quantity>") {
					all = append(all, place{r, strings.Replace(topic, "<quantity>", q.Name, 1), retain, qos})
				}
			}
		}
	}
	return all
}
