package config

import (
	"slices"

	"gatewayd/bridge"
)

// formatKey is how readings are told.
var formatKey = field("format", "plain: each reading on a topic of its own, json: all of a measurement in one message, with its time",
	calledElsewhere(oneOf(choice[bool]{"plain", false}, choice[bool]{"json", true}), map[string]string{"text": "plain", "raw": "plain", "number": "plain"}),
	func(s *sensor) *bool { return &s.json }, false)

// checkFormat looks whether the quantities can be told so.
func (s *sensor) checkFormat(d *draft) {
	for _, q := range s.told {
		if s.json && slices.Contains(bridge.ReservedInJSON, q.Name) {
			s.errorf(&d.notes, "format", "in JSON %q is when it was measured: choose another name for the quantity", q.Name)
		}
	}
}
