package config

import (
	"slices"
	"testing"
)

// The points of a calibration can stand in any order: a probe whose voltage falls as it gets wet is written from dry to wet.
func TestCalibrationOrder(t *testing.T) {
	c, _, err := Parse("c.yaml", []byte("sensors: [{name: soil, type: ads1115, inputs: a0, quantities: {a0: {filters: [calibrate: [[2.8, 0], [1.2, 100], [2, 40]]]}}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]float64{{1.2, 100}, {2, 40}, {2.8, 0}}
	if got := c.Sensors[0].Treatments["a0"].Filters[0].Calibrate; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
