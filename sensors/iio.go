package sensors

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Documentation/ABI/testing/sysfs-bus-iio.
func init() {
	Register(Driver{
		Name:    "iio",
		Doc:     "any sensor or converter that the kernel drives (IIO): DHT11, DHT22, AM2302, BMP180, BME680, Si7021, ADS1115, MCP3008, MAX31855 and many more",
		Keys:    []Key{deviceKey("bme680, 1-0076, dht11@4 or spi0.0")},
		Offers:  func(o Options) ([]Quantity, error) { _, channels, err := iioAt(o); return quantitiesOf(channels), err },
		Time:    2 * time.Second,
		Example: "device: bme680, measures: [temperature, humidity, pressure]",
		Find:    iioClass.finder("iio"),
		Open: func(o Options) (Sensor, error) {
			device, channels, err := iioAt(o)
			if err != nil {
				return nil, err
			}
			return &iio{device: device, channels: channels, kernel: o.kernel()}, nil
		},
	})
}

var iioClass = kernelClass{what: "IIO device", folder: "sys/bus/iio/devices", prefix: "iio:device"}

// iioKinds are the types with a unit, in the ABI's units: milli-°C, milli-%, kPa, mV, mA, mW, J, Ω, %, μg/m³, m, nF, S/m, lux.
var iioKinds = map[string]kernelKind{
	"temp":                   {temperature.within(-273.15, 2000), 0.001},
	"humidityrelative":       {humidity, 0.001},
	"pressure":               {pressure, 10},
	"illuminance":            {illuminance, 1},
	"voltage":                {voltage, 0.001},
	"altvoltage":             {voltage.as("ac_voltage"), 0.001},
	"current":                {current, 0.001},
	"power":                  {power, 0.001},
	"energy":                 {Quantity{Name: "energy", Class: "energy", Unit: "Wh", StateClass: "total_increasing", Precision: 3}, 1.0 / 3600},
	"resistance":             {Quantity{Name: "resistance", Unit: "Ω", StateClass: "measurement"}, 1},
	"concentration":          {Quantity{Name: "concentration", Unit: "ppm", StateClass: "measurement"}, 10_000},
	"massconcentration":      {Quantity{Name: "concentration", Unit: "μg/m³", StateClass: "measurement", Precision: 1}, 1},
	"distance":               {Quantity{Name: "distance", Class: "distance", Unit: "m", StateClass: "measurement", Precision: 3}, 1},
	"capacitance":            {Quantity{Name: "capacitance", Unit: "nF", StateClass: "measurement", Precision: 3}, 1},
	"electricalconductivity": {Quantity{Name: "conductivity", Class: "conductivity", Unit: "mS/cm", StateClass: "measurement", Precision: 3}, 10},
	"ph":                     {Quantity{Name: "ph", Class: "ph", StateClass: "measurement", Precision: 2}, 1},
	"uvindex":                {Quantity{Name: "uv_index", StateClass: "measurement", Precision: 1}, 1},
	"accel":                  {Quantity{Name: "acceleration", Unit: "m/s²", StateClass: "measurement", Precision: 3}, 1},
	"anglvel":                {Quantity{Name: "rotation", Unit: "rad/s", StateClass: "measurement", Precision: 4}, 1},
	"magn":                   {Quantity{Name: "magnetic_field", Unit: "G", StateClass: "measurement", Precision: 4}, 1},
	"intensity":              {Quantity{Name: "intensity", StateClass: "measurement"}, 1},
	"proximity":              {Quantity{Name: "proximity", StateClass: "measurement"}, 1},
}

// iioSubstances are concentrations that Home Assistant has a class for.
var iioSubstances = map[string]kernelKind{
	"concentration_co2":       {co2, 10_000},
	"concentration_voc":       {Quantity{Name: "voc", Class: "volatile_organic_compounds_parts", Unit: "ppb", StateClass: "measurement"}, 10_000_000},
	"massconcentration_pm1":   {iioDust("pm1"), 1},
	"massconcentration_pm2p5": {iioDust("pm25"), 1},
	"massconcentration_pm4":   {iioDust("pm4"), 1},
	"massconcentration_pm10":  {iioDust("pm10"), 1},
	"temp_object":             {temperature.as("object_temperature").within(-273.15, 2000), 0.001},
	"temp_ambient":            {temperature.as("ambient_temperature").within(-273.15, 2000), 0.001},
	"concentration_ethanol":   {Quantity{Name: "ethanol", Unit: "ppm", StateClass: "measurement"}, 10_000},
	"concentration_h2":        {Quantity{Name: "hydrogen", Unit: "ppm", StateClass: "measurement"}, 10_000},
	"concentration_o2":        {Quantity{Name: "oxygen", Unit: "%", StateClass: "measurement", Precision: 2}, 1},
}

func iioDust(name string) Quantity {
	return Quantity{Name: name, Class: name, Unit: "μg/m³", StateClass: "measurement", Precision: 1}
}

// iioChannel is an attribute's name in its parts: in_voltage0-voltage1_raw, in_temp_ambient_input.
type iioChannel struct {
	kind, index  string
	other        string // the index of what is subtracted; empty: nothing is
	modifier     string
	rest         string // voltage0-voltage1
	input        bool   // it is in the ABI's unit already
	scale, shift string // the files that make it so; empty: none
}

// parseIIO takes an attribute's name apart. ok is false for all that is no measurement.
func parseIIO(attribute string) (c iioChannel, ok bool) {
	rest, ok := strings.CutPrefix(attribute, "in_")
	if !ok {
		return c, false
	}
	if c.rest, c.input = strings.CutSuffix(rest, "_input"); !c.input {
		if c.rest, ok = strings.CutSuffix(rest, "_raw"); !ok {
			return c, false
		}
	}
	first, modifier, _ := strings.Cut(c.rest, "_")
	first, other, differential := strings.Cut(first, "-")
	c.modifier = modifier
	c.kind = strings.TrimRight(first, "0123456789")
	c.index = first[len(c.kind):]
	if differential {
		c.other = strings.TrimPrefix(other, c.kind)
		if c.other == other || !decimals(c.other) {
			return c, false
		}
	}
	for _, part := range strings.Split(modifier, "_") {
		if part == "peak" || part == "mean" || part == "trough" { // of what was: not a measurement of now
			return c, false
		}
	}
	return c, c.kind != ""
}

// iioAt gives the device of the settings, and what it measures.
func iioAt(o Options) (device kernelDevice, channels []channel, err error) {
	return kernelChannels(&o, &iioClass, func(d *kernelDevice, names []string) []channel { return iioChannels(d.name, names) })
}

// iioChannels gives what a device with these attributes measures, in the order of their names.
func iioChannels(device string, names []string) (all []channel) {
	var channels []iioChannel
	several := map[string]int{} // channels of one kind
	for _, n := range names {
		c, ok := parseIIO(n)
		if !ok || !c.input && slices.Contains(names, "in_"+c.rest+"_input") {
			continue
		}
		if _, known := c.quantity(); !known {
			continue
		}
		if !c.input {
			c.scale, c.shift = c.file(names, "scale"), c.file(names, "offset")
		}
		if c.other == "" {
			several[c.kind+"_"+c.modifier]++
		}
		channels = append(channels, c)
	}
	slices.SortFunc(channels, func(a, b iioChannel) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(len(a.index), len(b.index)), cmp.Compare(a.rest, b.rest))
	})
	taken := map[string]bool{}
	for _, c := range channels {
		kind, _ := c.quantity()
		q := kind.Quantity
		switch {
		case c.other != "":
			q.Name += c.index + "_" + c.other
		case several[c.kind+"_"+c.modifier] > 1:
			q.Name += c.index
		}
		if !c.input && c.scale == "" { // a number of the part's own
			q = Quantity{Name: q.Name, StateClass: "measurement"}
			kind.factor = 1
		}
		if taken[q.Name] {
			continue // two that differ in signs only
		}
		taken[q.Name] = true
		all = append(all, channel{quantity: q, read: func(kernel attributes, folder string) (float64, error) {
			v, err := c.value(kernel, folder)
			return iioOdd(device, c.kind, v, v*kind.factor), err
		}})
	}
	return all
}

// quantity gives what a channel measures, without its index.
func (c *iioChannel) quantity() (kernelKind, bool) {
	if k, known := iioSubstances[c.kind+"_"+c.modifier]; known && c.modifier != "" {
		return k, true
	}
	k, known := iioKinds[c.kind]
	if known && c.modifier != "" {
		if k.Name += "_" + alphabet(c.modifier); c.kind == "massconcentration" || c.kind == "concentration" {
			k.Name = alphabet(c.modifier)
		}
	}
	return k, known
}

// file gives the name of what belongs to the channel, alone or together with others; empty: there is nothing.
func (c *iioChannel) file(names []string, what string) string {
	for _, of := range []string{"in_" + c.rest, "in_" + c.kind + c.index, "in_" + c.kind + "-" + c.kind, "in_" + c.kind + "_" + c.modifier, "in_" + c.kind, "in"} {
		if of == "in_"+c.kind+"-"+c.kind && c.other == "" {
			continue
		}
		if slices.Contains(names, of+"_"+what) {
			return of + "_" + what
		}
	}
	return ""
}

// value gives what is measured in the ABI's unit: (raw + offset) * scale.
func (c *iioChannel) value(kernel attributes, folder string) (float64, error) {
	if c.input {
		return kernel.number(filepath.Join(folder, "in_"+c.rest+"_input"))
	}
	v, err := kernel.number(filepath.Join(folder, "in_"+c.rest+"_raw"))
	if err == nil && c.shift != "" {
		var shift float64
		shift, err = kernel.number(filepath.Join(folder, c.shift))
		v += shift
	}
	if err == nil && c.scale != "" {
		var scale float64
		scale, err = kernel.number(filepath.Join(folder, c.scale))
		v *= scale
	}
	return v, err
}

// iioOdd puts right what some drivers tell in other units than the ABI has.
func iioOdd(device, kind string, told, value float64) float64 {
	switch {
	case device == "bme680" && kind == "humidityrelative" && told <= 100: // it tells percent (bme680_core.c, up to 6.12)
		return told
	case device == "bme680" && kind == "pressure" && told > 200: // and told hPa (up to 5.7)
		return told
	case kind == "humidityrelative":
		return damp(value)
	}
	return value
}

// dhtPause is how long a DHT11 or DHT22 rests between two measurements: the kernel tells the same until then, and after a failure it
// would ask too soon.
const dhtPause = 2 * time.Second

// iio is an IIO device.
type iio struct {
	device   kernelDevice
	channels []channel
	kernel   attributes
	asked    time.Time
}

// Measure reads every file once.
func (s *iio) Measure(ctx context.Context) ([]Reading, error) {
	if bareName(s.device.name) == "dht11" && !s.asked.IsZero() && !sleep(ctx, dhtPause-time.Since(s.asked)) {
		return nil, ctx.Err()
	}
	s.asked = time.Now()
	return s.device.measure(ctx, s.kernel, s.channels)
}
