package config

import (
	"errors"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"gatewayd/sensors"
)

// What a device of the kernel's measures is known only while it is there: a rule on it is taken all the same.
func TestRuleOnOfferedReading(t *testing.T) {
	offered := func(quantities ...sensors.Quantity) func(sensors.Options) ([]sensors.Quantity, error) {
		return func(sensors.Options) ([]sensors.Quantity, error) {
			if len(quantities) == 0 {
				return nil, errors.New("it is not there")
			}
			return quantities, nil
		}
	}
	for _, c := range []struct {
		driver   sensors.Driver
		quantity string
		want     string
	}{
		{sensors.Driver{Name: "iio", Offers: offered()}, "temperature", ""},
		{sensors.Driver{Name: "iio", Offers: offered(sensors.Quantity{Name: "voltage"})}, "voltage", ""},
		{sensors.Driver{Name: "iio", Offers: offered(sensors.Quantity{Name: "voltage"})}, "current", `warning: sensor "x" (line 0) does not measure "current"`},
		{sensors.Driver{Name: "fixed", Measures: []sensors.Quantity{{Name: "voltage"}}}, "current", `error: sensor "x" (line 0) does not measure "current"`},
	} {
		s := &sensor{driver: &c.driver, settings: sensors.Settings{}}
		s.kind, s.name, s.node = "sensor", "x", &yaml.Node{}
		d := &draft{byName: map[string][]point{"x": {s}}}
		s.choose(d)
		d.problems = nil
		r := &rule{reading: reading{sensor: "x", quantity: c.quantity}}
		r.node = &yaml.Node{}
		d.checkQuantity(r)
		got := ""
		for _, p := range d.problems {
			got = map[bool]string{true: "warning: ", false: "error: "}[p.Warning] + p.Msg
		}
		if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s of %s: got %q, want %q", c.quantity, c.driver.Name, got, c.want)
		}
	}
}
