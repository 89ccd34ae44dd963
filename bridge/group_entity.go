package bridge

// Shown gives how the group is shown, with all that was left open filled in, as of an output. It is a light when its own names say so,
// or all its members are lights; of other words only outlet counts: several valves are switched, not opened. Outputs are those of the
// configuration, in which its members are found.
func (g *Group) Shown(outputs []Output) Entity {
	e := g.Entity
	guess := outputWords.first(e.Name, g.Label, g.Name, given(g.Topic))
	component := "switch"
	if guess == "light" || guess == "" && g.lights(outputs) {
		component = "light"
	}
	return e.filled(g.Name, g.Label, OutputComponents, component, func(component string) string {
		if component == "switch" && guess == "outlet" {
			return "outlet"
		}
		return ""
	})
}

// lights tells whether all members are lights.
func (g *Group) lights(outputs []Output) bool {
	found := 0
	for i := range outputs {
		for _, name := range g.Outputs {
			if outputs[i].Name == name && outputs[i].Shown().Component == "light" {
				found++
			}
		}
	}
	return found > 0 && found == len(g.Outputs)
}

// announce puts the group into its book.
func (g *Group) announce(c *catalogue) {
	if s := c.shows(g.Shown(c.cfg.Outputs), g.Name, g.QoS, OutputComponents); s != nil {
		c.commanded(s, &g.Channel)
	}
}
