package sensors

// Quantities that many drivers measure, so that their names, classes and units are the same everywhere.
var (
	temperature = Quantity{Name: "temperature", Class: "temperature", Unit: "°C", StateClass: "measurement", Precision: 2}
	humidity    = Quantity{Name: "humidity", Class: "humidity", Unit: "%", StateClass: "measurement", Precision: 1, High: 100}
	pressure    = Quantity{Name: "pressure", Class: "atmospheric_pressure", Unit: "hPa", StateClass: "measurement", Precision: 1}
)

var standard = []Quantity{temperature, humidity, pressure}

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
