package bridge

import (
	"strings"
	"time"
)

// announce puts the sensor's readings into its book, each as a sensor of its own, or as a binary sensor.
func (p *Sensor) announce(c *catalogue) {
	s := c.shows(p.Shown(), p.Name, p.QoS, SensorComponents)
	if s == nil {
		return
	}
	for i := range p.Quantities {
		q := &p.Quantities[i]
		reading := p.ShownReading(q)
		e := c.component(s, reading.Component, q.Name, reading.Name, reading.class())
		if bare := apart(s.book.Device.Name, s.Name); bare == "" && e.Class != "" && e.Class == strings.ReplaceAll(q.Name, " ", "_") {
			e.Name = nil // Home Assistant names it by its class, in the user's language
		}
		if !q.Flag {
			e.Unit, e.StateClass, e.Precision = q.Unit, q.StateClass, new(q.Precision)
		}
		e.StateTopic, e.ExpireAfter = c.topics.ReadingOf(p, q.Name), int(p.Expires(q)/time.Second)
		if p.JSON {
			e.ValueTemplate = valueTemplate(q.Name)
		}
		s.book.Components = append(s.book.Components, e)
	}
}
