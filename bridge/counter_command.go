package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
	"strings"
)

// maxPulses is the most that a total can be preset to, in edges: up to there a number of JSON is exact.
const maxPulses = 1 << 53

// errPreset is why a retained command is refused.
var errPreset = errors.New("it is retained, and would set the total again at every start: publish commands without the retain flag")

// Counted is how far a counter has come, for the next run.
type Counted struct {
	ID     string // what it is kept by
	Pulses uint64
	Preset bool // somebody has set it: it is kept at once
}

// receive is a command: a number presets the total, RESET makes it 0.
func (c *counter) receive(s *state, m *Inbound) error {
	switch {
	case m.Retained:
		return errPreset
	case c.cfg.Total == nil:
		return errors.New("it has no total, and takes no commands")
	}
	value, err := c.preset(m.Payload)
	if err != nil {
		return err
	}
	was := c.pulses
	c.pulses = uint64(math.Round(value * c.cfg.PerUnit))
	s.counts = append(s.counts, Counted{ID: c.cfg.key(), Pulses: c.pulses, Preset: true})
	s.notes = append(s.notes, note{text: fmt.Sprintf("counter %q: a command has set the total from %s to %s", c.cfg.Name, c.inUnits(was), c.inUnits(c.pulses))})
	c.tellTotal(s)
	return nil
}

func (c *counter) inUnits(pulses uint64) string {
	return strings.TrimSpace(string(decimal(float64(pulses)/c.cfg.PerUnit, c.cfg.Total.Precision)) + " " + c.cfg.Total.Unit)
}

// preset reads what the total is to be, in its unit.
func (c *counter) preset(payload []byte) (value float64, err error) {
	const wanted = `wanted what the total is to be, such as 1234.5 or {"total":1234.5}, or RESET`
	text := strings.TrimSpace(string(payload[:min(len(payload), maxCommand)]))
	switch {
	case strings.EqualFold(text, "RESET"):
		return 0, nil
	case strings.HasPrefix(text, "{"):
		var o struct {
			Total json.RawMessage `json:"total"`
		}
		d := json.NewDecoder(bytes.NewReader(payload))
		d.DisallowUnknownFields()
		if d.Decode(&o) != nil || len(o.Total) == 0 {
			return 0, fmt.Errorf("payload %s: %s", quoted(payload), wanted)
		}
		if _, err := d.Token(); err != io.EOF {
			return 0, fmt.Errorf("payload %s: more after the object: %s", quoted(payload), wanted)
		}
		text = string(o.Total)
	}
	value, err = strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "+-.0123456789eE") != "" { // no Inf, no NaN, nothing hexadecimal
		return 0, fmt.Errorf("payload %s: %s", quoted(payload), wanted)
	}
	if most := maxPulses / c.cfg.PerUnit; value < 0 || value > most {
		return 0, fmt.Errorf("payload %s: a total is from 0 to %.0f here", quoted(payload), most)
	}
	return value, nil
}

func (c *counter) command(*state, Command) error {
	return errors.New("it is a counter: rules cannot switch it")
}

// recount takes how far counters had come in an earlier run, before the first step.
func (s *state) recount(kept map[string]uint64) {
	s.totals = maps.Clone(kept)
	if s.totals == nil {
		s.totals = map[string]uint64{}
	}
	for _, c := range s.counters {
		c.pulses = s.totals[c.cfg.key()]
	}
}
