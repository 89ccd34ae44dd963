package bridge

import (
	"testing"
	"time"
)

// A total is set to the edge that is nearest, and to nothing that edges cannot be: not below 0, not beyond what a number of JSON can say.
func TestCounterPreset(t *testing.T) {
	for _, c := range []struct {
		payload string
		perUnit float64
		want    uint64
		refused bool
	}{
		{payload: "1234.5", perUnit: 1000, want: 1234500},
		{payload: "0.29", perUnit: 100, want: 29}, // 28.999999999999996
		{payload: "1", perUnit: 3.58, want: 4},
		{payload: `{"total":2.5}`, perUnit: 2, want: 5},
		{payload: "reset", perUnit: 1, want: 0},
		{payload: "-0", perUnit: 1, want: 0},
		{payload: "9007199254740992", perUnit: 1, want: 1 << 53},
		{payload: "9007199254740994", perUnit: 1, refused: true},
		{payload: "18446744073709551616", perUnit: 1, refused: true},
		{payload: "1e300", perUnit: 1e-6, refused: true},
		{payload: "9007199254741", perUnit: 1000, refused: true},
		{payload: "-1", perUnit: 1, refused: true},
		{payload: "NaN", perUnit: 1, refused: true},
		{payload: "Inf", perUnit: 1, refused: true},
		{payload: "1e999", perUnit: 1, refused: true},
		{payload: "0x10", perUnit: 1, refused: true},
		{payload: `{"total":null}`, perUnit: 1, refused: true},
		{payload: "", perUnit: 1, refused: true},
	} {
		cfg := house()
		withCounters(cfg)
		cfg.Counters[0].PerUnit = c.perUnit
		s, err := newState(cfg, About{})
		if err != nil {
			t.Fatal(err)
		}
		s.now = time.Now()
		is := s.counters["house"]
		is.pulses = 77
		if err := is.receive(s, &Inbound{Payload: []byte(c.payload)}); (err != nil) != c.refused {
			t.Errorf("%q with %v per unit: %v, refused is to be %v", c.payload, c.perUnit, err, c.refused)
		}
		if c.refused {
			c.want = 77
		}
		if is.pulses != c.want {
			t.Errorf("%q with %v per unit: %d edges, want %d", c.payload, c.perUnit, is.pulses, c.want)
		}
	}
}
