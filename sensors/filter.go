package sensors

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Treatment is what becomes of the readings of a quantity.
type Treatment struct {
	Name    string // they are told under; empty: the quantity's own
	Filters []Filter
}

// Filter is one step that the readings of a quantity go through. Exactly one of its parts is set.
type Filter struct {
	Offset    *float64     // is added
	Scale     *float64     // is multiplied by
	Calibrate [][2]float64 // what was measured and what is right there, ascending: linear between the points and beyond the outer ones
	Median    int          // of so many readings
	Average   int          // of so many readings
	Min, Max  *float64     // what is below, or above, is a failed measurement
	Round     *int         // to so many decimals; -1: to tens
	Delta     *Delta
}

// Delta holds readings back that differ by less from the last one that was told.
type Delta struct {
	By        float64
	Heartbeat time.Duration // after that it is told all the same
}

// MaxWindow is how many readings Median and Average can look at.
const MaxWindow = 99

// chain is the filters of one quantity, and what they remember.
type chain struct {
	name    string // Treatment.Name
	filters []Filter
	windows [][]float64 // by filter, the oldest first
	told    bool
	value   float64 // that was told last, and when
	at      time.Time
}

func newChains(treatments map[string]Treatment) map[string]*chain {
	all := map[string]*chain{}
	for quantity, t := range treatments {
		all[quantity] = &chain{name: t.Name, filters: t.Filters, windows: make([][]float64, len(t.Filters))}
	}
	return all
}

// reset forgets: what is measured next has nothing to do with what was.
func (c *chain) reset() {
	clear(c.windows)
	c.told = false
}

// pass sends a reading through the filters. An error says that it is not plausible.
func (c *chain) pass(r *Reading, at time.Time) error {
	for i := range c.filters {
		f := &c.filters[i]
		switch {
		case f.Offset != nil:
			r.Value += *f.Offset
		case f.Scale != nil:
			r.Value *= *f.Scale
		case f.Calibrate != nil:
			r.Value = calibrated(f.Calibrate, r.Value)
		case f.Median > 0:
			sorted := slices.Clone(c.window(i, f.Median, r.Value))
			slices.Sort(sorted)
			n := len(sorted)
			r.Value = (sorted[(n-1)/2] + sorted[n/2]) / 2
		case f.Average > 0:
			sum := 0.0
			w := c.window(i, f.Average, r.Value)
			for _, v := range w {
				sum += v
			}
			r.Value = sum / float64(len(w))
		case f.Min != nil && r.Value < *f.Min:
			return fmt.Errorf("%v is below min: %v", shortened(r.Value), *f.Min)
		case f.Max != nil && r.Value > *f.Max:
			return fmt.Errorf("%v is above max: %v", shortened(r.Value), *f.Max)
		case f.Round != nil:
			r.Value = rounded(r.Value, *f.Round)
		case f.Delta != nil:
			r.Quiet = c.told && math.Abs(r.Value-c.value) < f.Delta.By && at.Sub(c.at) < f.Delta.Heartbeat
		}
	}
	if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
		return fmt.Errorf("its filters make %v of it", r.Value)
	}
	return nil
}

// tell notes that a reading that has passed is told: the ones after it are compared with it.
func (c *chain) tell(r *Reading, at time.Time) {
	if !r.Quiet {
		c.told, c.value, c.at = true, r.Value, at
	}
}

// window gives the last n values that have come to a filter.
func (c *chain) window(i, n int, v float64) []float64 {
	w := append(c.windows[i], v)
	w = w[max(0, len(w)-n):]
	c.windows[i] = w
	return w
}

// calibrated gives the value on the line through the points.
func calibrated(points [][2]float64, v float64) float64 {
	i := 1
	for i < len(points)-1 && v > points[i][0] {
		i++
	}
	a, b := points[i-1], points[i]
	return a[1] + (v-a[0])*(b[1]-a[1])/(b[0]-a[0])
}

// rounded is to so many decimals, half away from zero.
func rounded(v float64, decimals int) float64 {
	p := math.Pow10(decimals)
	if r := math.Round(v*p) / p; !math.IsInf(r, 0) {
		return r
	}
	return v
}

// shortened is a value for people.
func shortened(v float64) float64 { return rounded(v, 4) }
