package bridge

import "slices"

// announce puts the input into its book: its state, and where gestures are told, an event and a device trigger for each.
func (p *Input) announce(c *catalogue) {
	s := c.shows(p.Shown(), p.Name, p.QoS, InputComponents)
	if s == nil {
		return
	}
	w := newWordings(p.PayloadOn, p.PayloadOff)
	e := c.component(s, "binary_sensor", "", s.Name, s.class())
	e.StateTopic = c.topics.State(p.Name)
	e.PayloadOn, e.PayloadOff = unless("ON", string(w.on)), unless("OFF", string(w.off))
	s.book.Components = append(s.book.Components, e)
	if len(p.Gestures.Told) == 0 {
		return
	}
	topic := c.topics.Event(p.Name)
	told := p.Gestures.each()
	e = c.component(s, "event", "event", s.Name, "button")
	e.StateTopic = topic
	if e.Category == "diagnostic" {
		e.Category = "" // that is said of the level
	}
	for _, t := range told {
		e.EventTypes = append(e.EventTypes, t.String())
	}
	s.book.Components = append(s.book.Components, e)
	subtype := c.subtype(s)
	for _, t := range told {
		word := t.String()
		s.book.Components = append(s.book.Components, component{
			key: s.ID + "-" + word, Platform: "device_automation", AutomationType: "trigger", Type: triggerType(t), Subtype: subtype,
			Topic: topic, ValueTemplate: "{{ value_json.event_type }}", Payload: word, QoS: level(p.QoS),
		})
	}
}

// each gives the gestures that are told, each once.
func (g *Gestures) each() (told []Trigger) {
	for _, t := range g.Told {
		if !slices.Contains(told, t) {
			told = append(told, t)
		}
	}
	return told
}

// triggerType gives Home Assistant's own type of a device trigger where that means the same, so that it is shown in the user's
// language. Its button_short_release is not our release, which follows a long press, too.
func triggerType(t Trigger) string {
	switch t {
	case Click:
		return "button_short_press"
	case Double:
		return "button_double_press"
	case Triple:
		return "button_triple_press"
	case Long:
		return "button_long_press"
	}
	return t.String()
}

// subtype gives what an input's triggers are called. Home Assistant refuses two of one type and subtype on a device, so that the
// second input of one name has its own behind it.
func (c *catalogue) subtype(s *showing) string {
	name := apart(s.book.Device.Name, s.Name)
	if name == "" {
		name = s.Name
	}
	for c.called[s.book.name+"\x00"+name] {
		name += " (" + s.point + ")"
	}
	c.called[s.book.name+"\x00"+name] = true
	return name
}
