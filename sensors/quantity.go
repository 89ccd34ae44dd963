package sensors

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

// Standard gives the quantity that is called so, for devices that are not there to be asked: those that drivers share, or one without
// unit and class.
func Standard(name string) Quantity {
	for _, q := range standard {
		if q.Name == name {
			return q
		}
	}
	return Quantity{Name: name, StateClass: "measurement", Precision: 2}
}
