package openhab

import (
	"strconv"
	"strings"

	"gatewayd/sensors"
)

// dimensions are the units that openHAB counts in, each with the dimension that an Item names. Any other unit is text behind a number.
var dimensions = map[string]string{
	"°C": "Temperature", "°F": "Temperature", "K": "Temperature",
	"%": "Dimensionless", "ppm": "Dimensionless", "dB": "Dimensionless",
	"Pa": "Pressure", "hPa": "Pressure", "kPa": "Pressure", "mbar": "Pressure", "bar": "Pressure",
	"lx": "Illuminance",
	"V":  "ElectricPotential", "mV": "ElectricPotential", "kV": "ElectricPotential",
	"A": "ElectricCurrent", "mA": "ElectricCurrent",
	"W": "Power", "mW": "Power", "kW": "Power",
	"Wh": "Energy", "kWh": "Energy",
	"Hz": "Frequency", "kHz": "Frequency", "MHz": "Frequency",
	"ms": "Time", "s": "Time", "min": "Time", "h": "Time",
	"mm": "Length", "cm": "Length", "m": "Length", "km": "Length",
	"m/s": "Speed", "km/h": "Speed",
	"g": "Mass", "kg": "Mass",
	"l": "Volume", "m³": "Volume",
	"l/min": "VolumetricFlowRate", "m³/h": "VolumetricFlowRate",
	"g/m³": "Density", "mg/m³": "Density", "µg/m³": "Density",
	"°": "Angle",
}

// unitOf gives a unit as openHAB writes it, and its dimension; that is empty for a unit that openHAB does not count in.
func unitOf(unit string) (written, dimension string) {
	written = unit
	switch unit {
	case "L":
		written = "l"
	case "L/min":
		written = "l/min"
	}
	written = strings.ReplaceAll(written, "\u03bc", "\u00b5") // openHAB writes micro with the sign, not with the Greek letter
	return written, dimensions[written]
}

// format is how a reading is shown.
func format(q *sensors.Quantity, dimension string) string {
	f := "%." + strconv.Itoa(q.Precision) + "f"
	switch {
	case dimension != "":
		return f + " %unit%"
	case q.Unit != "":
		return f + " " + strings.ReplaceAll(labelText(q.Unit), "%", "%%")
	}
	return f
}
