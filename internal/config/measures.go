package config

import (
	"math"

	"gatewayd/sensors"
)

// measure is what a meter's pulses stand for.
type measure struct {
	word  string
	class string   // of the total, as Home Assistant has it
	name  string   // of the total; empty: there is none
	units []string // of the total, or of the rate where there is none; the first unless said
	rate  sensors.Quantity
	per   []float64 // the rate for one unit in a second, by unit
}

// measures are all of them. A rate has a unit of its own: power is in W, whatever the energy is in.
var measures = []measure{
	{"energy", "energy", "energy", []string{"kWh", "Wh", "MWh"}, sensors.Quantity{Name: "power", Class: "power", Unit: "W", Precision: 1}, []float64{3.6e6, 3600, 3.6e9}},
	{"water", "water", "water", []string{"m³", "L"}, sensors.Quantity{Name: "flow", Class: "volume_flow_rate", Unit: "L/min", Precision: 2}, []float64{60e3, 60}},
	{"gas", "gas", "gas", []string{"m³", "L"}, sensors.Quantity{Name: "flow", Class: "volume_flow_rate", Unit: "m³/h", Precision: 3}, []float64{3600, 3.6}},
	{"volume", "volume", "volume", []string{"L", "m³"}, sensors.Quantity{Name: "flow", Class: "volume_flow_rate", Unit: "L/min", Precision: 2}, []float64{60, 60e3}},
	{"rain", "precipitation", "rain", []string{"mm"}, sensors.Quantity{Name: "rain_rate", Class: "precipitation_intensity", Unit: "mm/h", Precision: 2}, []float64{3600}},
	{"wind", "", "", []string{"km/h", "m/s"}, sensors.Quantity{Name: "wind_speed", Class: "wind_speed", Precision: 1}, []float64{1, 1}},
}

// frequency is what a counter of type frequency measures: its rate is that of its edges.
var frequency = measure{word: "frequency", units: []string{"Hz"}, rate: sensors.Quantity{Name: "frequency", Class: "frequency", Precision: 2}, per: []float64{1}}

// pulses is what a counter of type counter measures: its edges.
var pulses = measure{word: "count", name: "count", units: []string{""}}

// measureOf gives the measure of that name; nil: there is none.
func measureOf(word string) *measure {
	for i := range measures {
		if measures[i].word == word {
			return &measures[i]
		}
	}
	return nil
}

// total gives the total's quantity; nil: there is none. It has as many decimals as one edge makes a difference in.
func (m *measure) total(unit string, perUnit float64) *sensors.Quantity {
	if m.name == "" {
		return nil
	}
	decimals := math.Log10(perUnit)
	if whole := math.Round(decimals); math.Abs(decimals-whole) < 1e-9 {
		decimals = whole
	} else {
		decimals = math.Ceil(decimals) + 1 // 3.58 tips for a mm: 0.28, 0.56, 0.84
	}
	return &sensors.Quantity{Name: m.name, Class: m.class, Unit: unit, StateClass: "total_increasing", Precision: min(max(int(decimals), 0), 6)}
}

// speed gives the rate's quantity; nil: there is none.
func (m *measure) speed(unit string) *sensors.Quantity {
	if m.rate.Name == "" {
		return nil
	}
	q := m.rate
	q.StateClass = "measurement"
	if q.Unit == "" {
		q.Unit = unit
	}
	return &q
}
