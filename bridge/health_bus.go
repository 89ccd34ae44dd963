package bridge

import "time"

// Bus is what is known of an I2C bus.
type Bus struct {
	Transfers, Errors uint64    // since the start; errors are transfers that failed
	Answers           bool      // something on it does: not all of the last few transfers failed
	LastError         string    // empty: none
	LastAt            time.Time // when that was, as package clock has the time
}

// queues are how many wait, for gateway/health.
type queues struct {
	Messages int `json:"messages"`
	InFlight int `json:"in_flight"`
	Commands int `json:"commands"`
	Facts    int `json:"facts"`
}

// buses tells of the buses, and how many transfers failed on all of them.
func (s *state) buses(v *Vitals) (failed uint64, all map[string]any) {
	all = map[string]any{}
	for name, b := range v.Buses {
		failed += b.Errors
		tells := struct {
			Answers   bool   `json:"answers"`
			Transfers uint64 `json:"transfers"`
			Errors    uint64 `json:"errors"`
			LastError string `json:"last_error,omitempty"`
			when
		}{b.Answers, b.Transfers, b.Errors, b.LastError, when{}}
		if b.LastError != "" {
			tells.when = s.when(b.LastAt, v)
		}
		all[name] = tells
	}
	return failed, all
}
