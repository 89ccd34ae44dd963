package bridge

// Shown gives how the encoder is shown, with all that was left open filled in.
func (p *Encoder) Shown() Entity {
	return p.Entity.filled(p.Name, p.Label, EncoderComponents, "event", func(string) string { return "" })
}

// Turns are what an encoder tells.
func (p *Encoder) Turns() []Trigger { return []Trigger{Clockwise, Counterclockwise} }

// announce puts the encoder into its book: its steps as an event, a device trigger for each, and its position where that is told.
func (p *Encoder) announce(c *catalogue) {
	s := c.shows(p.Shown(), p.Name, p.QoS, EncoderComponents)
	if s == nil {
		return
	}
	topic := c.topics.Event(p.Name)
	e := c.component(s, "event", "", s.Name, s.class())
	e.StateTopic = topic
	for _, t := range p.Turns() {
		e.EventTypes = append(e.EventTypes, t.String())
	}
	s.book.Components = append(s.book.Components, e)
	if p.Position {
		e := c.component(s, "sensor", "position", s.Name+" position", "")
		e.StateTopic, e.StateClass, e.Precision = c.topics.State(p.Name), "measurement", new(0)
		s.book.Components = append(s.book.Components, e)
	}
	subtype := c.subtype(s)
	for _, t := range p.Turns() {
		word := t.String()
		s.book.Components = append(s.book.Components, component{
			key: s.ID + "-" + word, Platform: "device_automation", AutomationType: "trigger", Type: word, Subtype: subtype,
			Topic: topic, ValueTemplate: "{{ value_json.event_type }}", Payload: word, QoS: level(p.QoS),
		})
	}
}
