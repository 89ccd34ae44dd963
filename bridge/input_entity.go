package bridge

import (
	"cmp"
	"slices"
)

// buttonWords are of inputs that people press. They win over all others: a door button is no door.
var buttonWords = vocabulary{
	"button": "button", "pushbutton": "button", "doorbell": "button", "bell": "button", "key": "button", "keypad": "button",
	"-taster": "button", "-klingel": "button", "-taste": "button", "-tasten": "button", "-drücker": "button", "-knopf": "button", "-knöpfe": "button",
}

// inputWords are what an input's names say of it: a binary sensor's device class.
var inputWords = vocabulary{
	"door": "door", "-tür": "door", "-türe": "door", "-türen": "door", "-tuer": "door", "-tuere": "door", "-tueren": "door",
	"window": "window", "skylight": "window", "-fenster": "window", "-dachluke": "window",
	"garage_door": "garage_door", "-garagentor": "garage_door", "-garagentore": "garage_door", "-rolltor": "garage_door",
	"motion": "motion", "pir": "motion", "radar": "motion", "bewegung": "motion", "-bewegungsmelder": "motion",
	"smoke": "smoke", "fire": "smoke", "rauch": "smoke", "-rauchmelder": "smoke", "-brandmelder": "smoke",
	"leak": "moisture", "water": "moisture", "flood": "moisture", "moisture": "moisture", "rain": "moisture",
	"wasser": "moisture", "-wassermelder": "moisture", "leck": "moisture", "-leckage": "moisture", "regen": "moisture",
	"vibration": "vibration", "shock": "vibration", "-erschütterung": "vibration", "-glasbruch": "vibration",
	"tamper": "tamper", "sabotage": "tamper", "-sabotagekontakt": "tamper",
	"occupancy": "occupancy", "occupied": "occupancy", "seat": "occupancy", "bed": "occupancy", "belegt": "occupancy",
	"presence": "presence", "anwesenheit": "presence", "präsenz": "presence", "-präsenzmelder": "presence",
	"gas": "gas", "-gasmelder": "gas", "carbon_monoxide": "carbon_monoxide",
	"noise": "sound", "-geräusch": "sound", "frost": "cold", "overheat": "heat",
	"fault": "problem", "problem": "problem", "-störung": "problem", "mains": "power", "-netzausfall": "problem",
	// These have no class of their own, and are no door: the state of a lock is the other way round from one wiring to the next.
	"lock": NoComponent, "bolt": NoComponent, "-riegel": NoComponent, "-schloss": NoComponent, "light": NoComponent, "pump": NoComponent,
	"-licht": NoComponent, "-lampe": NoComponent, "-pumpe": NoComponent, "counter": NoComponent, "meter": NoComponent, "-zähler": NoComponent,
	"level": NoComponent, "-füllstand": NoComponent,
}

// contactWords say less: that something opens. Any word of inputWords wins over them.
var contactWords = vocabulary{
	"contact": "opening", "reed": "opening", "opening": "opening", "gate": "opening", "hatch": "opening", "lid": "opening", "drawer": "opening",
	"-kontakt": "opening", "-kontakte": "opening", "-deckel": "opening", "-klappe": "opening", "-luke": "opening", "-schublade": "opening",
	"tor": "opening", "tore": "opening", "-hoftor": "opening", "-gartentor": "opening", "mailbox": "opening", "letterbox": "opening", "-briefkasten": "opening",
}

// Shown gives how the input is shown, with all that was left open filled in; a class that is still empty then is none. What is called
// a button anywhere, in label, name or topic, has none, nor has what tells clicks: somebody presses "Bed left", nobody lies there. Its
// level is of little interest then, and stands among the diagnostics. Else the last word counts that says what it watches: of the label, else of the
// name, else of the topic; and only without one, a word that says that something opens.
func (p *Input) Shown() Entity {
	e := p.Entity
	clicks := p.Gestures.clicks()
	if clicks {
		e.Category = cmp.Or(e.Category, "diagnostic")
	}
	texts := []string{e.Name, p.Label, p.Name, given(p.Topic)}
	return e.filled(p.Name, p.Label, InputComponents, "binary_sensor", func(component string) string {
		if component != "binary_sensor" || clicks || buttonWords.first(texts...) != "" {
			return ""
		}
		class := inputWords.first(texts...)
		if class == "" {
			class = contactWords.first(texts...)
		}
		if class == NoComponent {
			return ""
		}
		return class
	})
}

// clicks tells whether clicks are told: only buttons make some. A door can be told of when it is open for long.
func (g *Gestures) clicks() bool {
	return slices.ContainsFunc(g.Told, func(t Trigger) bool { return t == Click || t == Double || t == Triple })
}
