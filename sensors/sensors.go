// Package sensors measures. Each file but this one and poller.go is one driver, which registers itself; a [Poller] reads one
// sensor on time and owns all that drivers need not care about: schedule, limits of time, retries, opening anew.
// Nothing here knows of MQTT, of YAML or of GPIO lines.
package sensors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Quantity is something that a sensor measures. Its fields are the words that Home Assistant uses for the same.
type Quantity struct {
	Name       string // [a-z0-9_]+, a topic level: temperature
	Class      string // device_class: temperature, humidity, atmospheric_pressure; empty: none fits
	Unit       string // unit_of_measurement: °C, %, hPa; empty: none
	StateClass string // measurement, total, total_increasing
	Precision  int    // decimals that are worth showing
	// Low and High are the range of the part, its ends included: whatever is outside is a failed measurement. Both 0: there is none.
	Low, High float64
	// Heartbeat is how long a reading may be held back (Reading.Quiet) before it is told all the same; 0: it never is.
	Heartbeat time.Duration
	// Flag is of a quantity that is 0 or 1, told as OFF and ON. Class is a binary sensor's then: problem, heat.
	Flag bool
}

// within gives the quantity as measured by a part with that range.
func (q Quantity) within(low, high float64) Quantity {
	q.Low, q.High = low, high
	return q
}

// as gives the quantity under another name, for parts that measure it several times.
func (q Quantity) as(name string) Quantity {
	q.Name = name
	return q
}

// is makes a reading of it.
func (q Quantity) is(v float64) Reading { return Reading{Quantity: q.Name, Value: v} }

// check refuses what the part cannot measure, NaN too.
func (q *Quantity) check(v float64) error {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Errorf("%s is no number (%v)", q.Name, v)
	case (q.Low != 0 || q.High != 0) && (v < q.Low || v > q.High):
		return fmt.Errorf("impossible %s %.*f %s: the part measures from %v to %v", q.Name, q.Precision, v, q.Unit, q.Low, q.High)
	}
	return nil
}

// Reading is one quantity's value, in the quantity's unit. NaN and infinities are never readings.
type Reading struct {
	Quantity string
	Value    float64
	Quiet    bool // it was measured, but differs too little from what was told last to be told: a filter has held it back
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
	// Measure gives all quantities from one measurement, each once, or an error: what is not possible is never a reading. It returns
	// soon after ctx ends.
	Measure(ctx context.Context) ([]Reading, error)
}

// ErrNotReady says that a device works, and has nothing to tell yet: it warms up, or its own measurement is not over. It is tried again
// when the next measurement is due, and not opened anew.
var ErrNotReady = errors.New("not ready yet")

// Options are what a driver needs to open a device.
type Options struct {
	Name     string  // the sensor's configured name
	Bus      i2c.Bus // of an I2C device
	Addr     uint16  // its 7-bit address
	Root     string  // where the kernel's files are: sys/class is below it; empty: [Root]
	Settings Settings
	Every    time.Duration // from one measurement to the next, for Driver.Check

	files kernelFiles // instead of the machine's; nil: these
}

// Driver is a type of sensor.
type Driver struct {
	Name  string   // the configuration's type
	Doc   string   // one line for people
	Addrs []uint16 // I2C addresses that the part can have, the usual one first; none: it is not on an I2C bus
	Keys  []Key    // its own settings, beside those of all sensors
	// Measures are the quantities of every device of this type.
	Measures []Quantity
	// Offers gives them where the settings or the device decide; Measures is nil then. It opens nothing but the kernel's files, and fails
	// when the device is not there.
	Offers func(Options) ([]Quantity, error)
	Every  time.Duration // measuring more often makes no sense, or spoils the measurement; 0: as often as one likes
	Most   time.Duration // it has to be measured that often at least; 0: as seldom as one likes
	// Check tells whether settings go together, and with Options.Every: a *WrongSetting. Nil: they all do.
	Check   func(Options) error
	Time    time.Duration                 // a measurement takes that long; what counts as late is later by it
	Example string                        // the keys of an example besides name, type and address, as YAML in one line: "inputs: [a0, a1], range: 4.096V"
	Open    func(Options) (Sensor, error) // looks whether the device is there and is of this type
	IDs     []ID                          // registers that all tell that it is this part; nil: it has none that can be read without harm
	// Find gives the devices of this type that the kernel has; root is Options.Root. Nil where the kernel has nothing to do with it.
	Find func(root string) []Found
}

// WrongSetting is an error of Check or Offers that no device can put right: settings which do not go together.
type WrongSetting struct{ Key, Why string }

func (w *WrongSetting) Error() string { return w.Key + ": " + w.Why }

// Quantities gives what a device with these options measures.
func (d *Driver) Quantities(o Options) ([]Quantity, error) {
	if d.Offers == nil {
		return d.Measures, nil
	}
	return d.Offers(o)
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
