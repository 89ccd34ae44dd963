package bridge

import (
	"fmt"
	"time"
)

// Rule is a local reaction: when an input does something, outputs are wished something. It needs no broker.
type Rule struct {
	When    string // an input or an encoder
	Is      Trigger
	Do      Verb
	For     time.Duration // of ON, TOGGLE and PULSE; 0: as the output has it
	Outputs []string      // or groups; each on its own: TOGGLE toggles every one from where it is
	Only    Only
}

// Only limits when a rule acts.
type Only uint8

const (
	Always  Only = iota
	Offline      // while the broker is not connected
)

type rule struct {
	*Rule
	source string
}

func (s *state) addRule(r *Rule) error {
	i, e := s.inputs[r.When], s.encoders[r.When]
	if i == nil && e == nil {
		return fmt.Errorf("bridge: rule on %q: no such input or encoder", r.When)
	}
	for _, name := range r.Outputs {
		if s.targets[name] == nil {
			return fmt.Errorf("bridge: rule on %q: no output or group %q", r.When, name)
		}
	}
	if e != nil {
		e.rules = append(e.rules, &rule{r, fmt.Sprintf("rule on %q", r.When)})
		return nil
	}
	i.ask(r.Is)
	i.rules = append(i.rules, &rule{r, fmt.Sprintf("rule on %q", r.When)})
	return nil
}

// fire carries out the rules of an input that wait for what it has done.
func (s *state) fire(rules []*rule, did Trigger) {
	for _, r := range rules {
		if !r.Is.meets(did) || r.Only == Offline && s.linked {
			continue
		}
		for _, name := range r.Outputs {
			s.wish(Command{Point: name, Verb: r.Do, For: r.For, Source: r.source})
		}
	}
}

// meets tells whether what an input has done is what a rule waits for.
func (t Trigger) meets(did Trigger) bool {
	return t == did || t == Changed && (did == Pressed || did == Released)
}
