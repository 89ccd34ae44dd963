package bridge

// outputWords are what an output's names say of it. The words of things that are plain switches are here to win over an earlier one:
// a pool light pump is a pump.
var outputWords = vocabulary{
	"light": "light", "lamp": "light", "led": "light", "lighting": "light", "spot": "light", "spotlight": "light", "lantern": "light",
	"chandelier": "light", "bulb": "light", "floodlight": "light", "downlight": "light",
	"-licht": "light", "-lichter": "light", "-lampe": "light", "-lampen": "light", "-leuchte": "light", "-leuchten": "light",
	"-strahler": "light", "-beleuchtung": "light", "-laterne": "light", "-laternen": "light",
	"valve": "valve", "irrigation": "valve", "sprinkler": "valve",
	"-ventil": "valve", "-ventile": "valve", "-bewässerung": "valve", "-bewaesserung": "valve", "-sprenger": "valve",
	"siren": "siren", "horn": "siren", "-sirene": "siren", "-sirenen": "siren", "-hupe": "siren",
	"outlet": "outlet", "socket": "outlet", "plug": "outlet", "-steckdose": "outlet", "-steckdosen": "outlet",
	"pump": "switch", "fan": "switch", "heater": "switch", "heating": "switch", "motor": "switch",
	"-pumpe": "switch", "-pumpen": "switch", "-lüfter": "switch", "-luefter": "switch", "-ventilator": "switch", "-heizung": "switch",
}

// strikeWords are what an output's names say of it when it pulses: an electric strike opens a door, the impulse of a garage's drive
// moves a door either way.
var strikeWords = vocabulary{
	"strike": "lock", "lock": "lock", "opener": "lock", "-türöffner": "lock", "-tueroeffner": "lock", "-türschloss": "lock",
	"garage_opener": "button", "gate_opener": "button", "garage_door_opener": "button", "-toröffner": "button", "-toroeffner": "button",
}

// valveWords are what flows through a valve.
var valveWords = vocabulary{
	"water": "water", "irrigation": "water", "sprinkler": "water", "-bewässerung": "water", "-bewaesserung": "water", "-sprenger": "water",
	"-wasserventil": "water", "wasser": "water", "gas": "gas", "-gasventil": "gas",
}

// Shown gives how the output is shown, with all that was left open filled in; a class that is still empty then is none. Its component
// is what the last known word says: of its label, else of its name, else of its topic. An output that pulses is a lock where these
// speak of a strike, else a button unless they know better; any other is a switch.
func (p *Output) Shown() Entity {
	e := p.Entity
	texts := []string{e.Name, p.Label, p.Name, given(p.Topic)}
	guess := outputWords.first(texts...)
	component := guess
	switch guess {
	case "", "switch", "outlet":
		component = "switch"
		if p.Pulse > 0 {
			component = "button"
		}
	}
	if p.Pulse > 0 {
		if strike := strikeWords.first(texts...); strike != "" {
			component = strike
		}
	}
	return e.filled(p.Name, p.Label, OutputComponents, component, func(component string) string {
		switch {
		case component == "switch" && guess == "outlet":
			return "outlet"
		case component == "valve":
			return valveWords.first(texts...)
		}
		return ""
	})
}

// announce puts the output into its book.
func (p *Output) announce(c *catalogue) {
	if s := c.shows(p.Shown(), p.Name, p.QoS, OutputComponents); s != nil {
		c.commanded(s, &p.Channel)
	}
}

// sirenCommand makes gatewayd's JSON of the duration that Home Assistant may give with an ON.
const sirenCommand = "{{ {'state': value, 'for': duration} | to_json if duration is defined and duration else value }}"

// commanded puts what takes ON and OFF into its book, with the point's own words. Nothing is retained and nothing believed: the state
// is told after every command.
func (c *catalogue) commanded(s *showing, ch *Channel) {
	w := newWordings(ch.PayloadOn, ch.PayloadOff)
	on, off := string(w.on), string(w.off)
	e := c.component(s, s.Component, "", s.Name, s.class())
	e.CommandTopic = c.topics.Command(s.point)
	if e.Platform != "button" {
		e.StateTopic = c.topics.State(s.point)
	}
	switch e.Platform {
	case "button":
		e.PayloadPress = on
	case "valve":
		e.PayloadOpen, e.PayloadClose, e.StateOpen, e.StateClosed = on, off, on, off
	case "lock":
		e.PayloadUnlock, e.PayloadLock, e.StateUnlocked, e.StateLocked = on, off, on, off
	case "siren":
		e.CommandTemplate, e.Volume = sirenCommand, new(false)
		fallthrough
	default:
		e.PayloadOn, e.PayloadOff = unless("ON", on), unless("OFF", off)
	}
	s.book.Components = append(s.book.Components, e)
}
