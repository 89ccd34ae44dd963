// Package sensors measures. Each file but this one and poller.go is one driver, which registers itself; a [Poller] reads one
// sensor on time and owns all that drivers need not care about: schedule, limits of time, retries, opening anew.
// Nothing here knows of MQTT, of YAML or of GPIO lines.
package sensors

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Quantity is something that a sensor measures. Its fields are the words that Home Assistant uses for the same.
type Quantity struct {
	Name       string // [a-z0-9_]+, a topic level: temperature
	Class      string // device_class: temperature, humidity, atmospheric_pressure
	Unit       string // unit_of_measurement: °C, %, hPa
	StateClass string // measurement, total, total_increasing
	Precision  int    // decimals that are worth showing
}

// Reading is one quantity's value, in the quantity's unit. NaN and infinities are never readings.
type Reading struct {
	Quantity string
	Value    float64
}

// Sample is what one measurement of a sensor gave, or why it gave nothing.
type Sample struct {
	Sensor   string // the configured name
	At       time.Time
	Readings []Reading
	Err      error // the sensor is not available, and why; there are no readings then
}

// Sensor is an open device. Only its Poller calls it, one call at a time; if it is an io.Closer, the Poller closes it.
type Sensor interface {
	// Measure gives all quantities from one measurement. It returns soon after ctx ends.
	Measure(ctx context.Context) ([]Reading, error)
}

// Options are what a driver needs to open a device.
type Options struct {
	Bus  i2c.Bus // of an I2C device
	Addr uint16  // its 7-bit address
}

// Driver is a type of sensor.
type Driver struct {
	Name     string   // the configuration's type
	Doc      string   // one line for people
	Addrs    []uint16 // I2C addresses that the part can have, the usual one first
	Measures []Quantity
	Open     func(Options) (Sensor, error) // looks whether the device is there and is of this type
}

var drivers = map[string]*Driver{}

// Register makes a driver known. It is called by init functions and panics on a name that is taken.
func Register(d Driver) {
	if _, taken := drivers[d.Name]; taken {
		panic(fmt.Sprintf("sensors: two drivers %q", d.Name))
	}
	drivers[d.Name] = &d
}

// Lookup gives the driver of that name, or nil.
func Lookup(name string) *Driver { return drivers[name] }

// Drivers gives all drivers, by name.
func Drivers() []*Driver {
	return slices.SortedFunc(maps.Values(drivers), func(a, b *Driver) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}
