package bridge

// pursuit is a rule's wish for one output, which is made again until the output was seen to have followed it once, or somebody else
// has wished something. Only a wish for ON needs that: an OFF that was taken is kept until it succeeds.
type pursuit struct {
	output *output
	over   bool
	told   string // why it was refused, as told last: each reason is told once
}

// try makes the wish, if it is not over or on its way. An OFF is made all the same while an ON of the same rule is on its way: that may
// have waited for long, and was for another zone.
func (p *pursuit) try(s *state, c Command) {
	o := p.output
	if p.over || c.Verb != VerbOff && o.pursuit == p && (o.waiting != nil || o.pending && o.wished) {
		return
	}
	if other := o.pursuit; other != nil && other != p {
		other.over = true
	}
	o.pursuit = p
	c.pursuit = p
	if err := o.command(s, c); err == nil {
		p.told = ""
		p.over = c.Verb == VerbOff
	} else if text := err.Error(); text != p.told {
		p.told = text
		s.refuse(c.Point, c, err)
	}
}

// taken ends what a rule is after when somebody else's wish was taken.
func (o *output) taken(c *Command) {
	if p := o.pursuit; p != nil && p != c.pursuit {
		p.over, o.pursuit = true, nil
	}
}

// followed ends it when the output is on, as it was wished. While it blinks, that says nothing.
func (o *output) followed() {
	if p := o.pursuit; p != nil && o.on && o.blink == nil {
		p.over, o.pursuit = true, nil
	}
}
