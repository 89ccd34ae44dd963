package sensors

// Quantities that many drivers measure, so that their names, classes and units are the same everywhere.
var (
	temperature = Quantity{Name: "temperature", Class: "temperature", Unit: "°C", StateClass: "measurement", Precision: 2}
	humidity    = Quantity{Name: "humidity", Class: "humidity", Unit: "%", StateClass: "measurement", Precision: 1}
	pressure    = Quantity{Name: "pressure", Class: "atmospheric_pressure", Unit: "hPa", StateClass: "measurement", Precision: 1}
)
