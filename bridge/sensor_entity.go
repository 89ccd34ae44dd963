package bridge

import (
	"cmp"
	"slices"
	"strings"

	"gatewayd/sensors"
)

// Shown gives how the sensor is shown, with all that was left open filled in. A class is of one quantity: it is filled only when the
// sensor has no other; see ShownReading.
func (p *Sensor) Shown() Entity {
	return p.Entity.filled(p.Name, p.Label, SensorComponents, "sensor", func(component string) string {
		if component != "sensor" || len(p.Quantities) != 1 {
			return ""
		}
		return p.Quantities[0].Class
	})
}

// ShownReading gives how one of the sensor's quantities is shown: as the sensor, with the quantity in its name and a class of its own.
// The name is not completed with what it ends in already: "Attic temperature" is that of the temperature, and the humidity beside it
// is "Attic humidity". A flag is a binary sensor.
func (p *Sensor) ShownReading(q *sensors.Quantity) Entity {
	e := p.Shown()
	if e.DeviceClass == "" || e.DeviceClass != NoComponent && len(p.Quantities) != 1 {
		e.DeviceClass = q.Class
	}
	fits := ClassFits(e.DeviceClass, q.Unit)
	if q.Flag {
		e.Component = "binary_sensor"
		fits = slices.Contains(DeviceClasses(e.Component), e.DeviceClass)
	}
	if e.DeviceClass != NoComponent && !fits {
		e.DeviceClass = ""
	}
	e.Name = p.readingName(e.Name, q)
	return e
}

// readingName puts a quantity's name after the sensor's.
func (p *Sensor) readingName(name string, q *sensors.Quantity) string {
	if p.Plain && len(p.Quantities) == 1 {
		return name
	}
	for i := range p.Quantities {
		other := &p.Quantities[i]
		for _, ending := range endings(other) {
			rest, ok := cutEnd(name, ending)
			switch {
			case !ok:
			case other.Name == q.Name:
				return name
			default:
				if rest = strings.TrimRight(rest, " -:,"); rest == "" {
					return capital(quantityWords(q))
				}
				return rest + " " + quantityWords(q)
			}
		}
	}
	return strings.TrimSpace(name + " " + quantityWords(q))
}

// quantityWords is a quantity for people.
func quantityWords(q *sensors.Quantity) string { return strings.ReplaceAll(q.Name, "_", " ") }

// endings are the words in which a name may speak of a quantity already.
func endings(q *sensors.Quantity) []string {
	german := map[string][]string{
		"temperature":          {"temperatur"},
		"humidity":             {"luftfeuchtigkeit", "luftfeuchte", "feuchtigkeit", "feuchte"},
		"atmospheric_pressure": {"luftdruck"},
		"pressure":             {"druck"},
		"illuminance":          {"helligkeit"},
		"voltage":              {"spannung"},
		"current":              {"strom"},
		"power":                {"leistung"},
		"distance":             {"abstand"},
	}
	return append([]string{quantityWords(q)}, german[cmp.Or(q.Class, q.Name)]...)
}

// cutEnd cuts an ending, large or small.
func cutEnd(text, ending string) (rest string, ok bool) {
	at := len(text) - len(ending)
	if at < 0 || !strings.EqualFold(text[at:], ending) {
		return "", false
	}
	return text[:at], true
}
