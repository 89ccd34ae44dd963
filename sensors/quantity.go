package sensors

import (
	"slices"
	"strings"
)

// Quantities that many drivers measure, so that their names, classes and units are the same everywhere.
var (
	temperature = Quantity{Name: "temperature", Class: "temperature", Unit: "°C", StateClass: "measurement", Precision: 2}
	humidity    = Quantity{Name: "humidity", Class: "humidity", Unit: "%", StateClass: "measurement", Precision: 1, High: 100}
	pressure    = Quantity{Name: "pressure", Class: "atmospheric_pressure", Unit: "hPa", StateClass: "measurement", Precision: 1}
	illuminance = Quantity{Name: "illuminance", Class: "illuminance", Unit: "lx", StateClass: "measurement", Precision: 1}
	voltage     = Quantity{Name: "voltage", Class: "voltage", Unit: "V", StateClass: "measurement", Precision: 3}
	current     = Quantity{Name: "current", Class: "current", Unit: "A", StateClass: "measurement", Precision: 4}
	power       = Quantity{Name: "power", Class: "power", Unit: "W", StateClass: "measurement", Precision: 3}
	co2         = Quantity{Name: "carbon_dioxide", Class: "carbon_dioxide", Unit: "ppm", StateClass: "measurement"}
	vocIndex    = Quantity{Name: "voc_index", Class: "aqi", StateClass: "measurement"} // 1 to 500, without a unit
)

var standard = []Quantity{temperature, humidity, pressure, illuminance, voltage, current, power, co2, vocIndex}

// Standard gives the quantity that is called so, for devices that are not there to be asked: those that drivers share, or that the
// kernel's devices have, also with an index or a label; or one without unit and class.
func Standard(name string) Quantity {
	if q, known := named(name); known {
		return q
	}
	for base := name; base != ""; {
		if q, known := named(strings.TrimRight(base, "0123456789")); known && !q.Flag {
			return q.as(name)
		}
		base = base[:max(0, strings.LastIndex(base, "_"))]
	}
	return Quantity{Name: name, StateClass: "measurement", Precision: 2}
}

// named gives a quantity by its very name.
func named(name string) (Quantity, bool) {
	for _, f := range piFlags {
		if f.name == name {
			return piFlag(name), true
		}
	}
	all := append(slices.Clone(standard), piFrequency, piLoad, piUptime, piShare("memory"), piShare("disk"))
	for _, kinds := range []map[string]kernelKind{hwmonKinds, iioSubstances, iioKinds} {
		for _, k := range kinds {
			all = append(all, k.Quantity)
		}
	}
	for _, q := range all {
		if q.Name == name && name != "concentration" { // there are two
			return q, true
		}
	}
	return Quantity{}, false
}
