package bridge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatewayd/internal/near"
)

// itself is the name of the gateway among the names of points, of which none can have it.
const itself = "gateway"

// What the gateway itself can be told, on gateway/set.
const (
	wordRestart  = "RESTART"
	wordReload   = "RELOAD"
	wordIdentify = "IDENTIFY"
)

var selfWords = []string{wordRestart, wordReload, wordIdentify}

// command takes a command to the gateway itself, or says why not.
func (s *state) command(m *Inbound) error {
	word := strings.ToUpper(strings.TrimSpace(string(m.Payload)))
	switch {
	case m.Retained:
		return errors.New("it is retained, and would come again at every start: publish commands without the retain flag")
	case word == wordRestart && !s.about.restarts:
		return errors.New("nobody restarts it here")
	case word == wordRestart:
		s.restart = true
		return nil
	case word == wordReload && !s.about.reloads:
		return errors.New("nobody reads its configuration again here")
	case word == wordReload:
		s.reload = true
		return nil
	case word == wordIdentify:
		return s.identify()
	}
	text := fmt.Sprintf("%s is no command: wanted %s, %s or %s", quoted(m.Payload), wordRestart, wordReload, wordIdentify)
	if meant := near.Of(word, slices.Values(selfWords)); meant != "" {
		text += fmt.Sprintf(", did you mean %s?", meant)
	}
	return errors.New(text)
}

// self is a message with a command to the gateway itself.
func (s *state) self(m *Inbound) {
	if err := s.command(m); err != nil {
		s.health.refused++
		s.answer(s.topics.Gateway("error"), "gateway: command refused: "+err.Error())
	}
}

// due has health be reported.
func (h *health) due(s *state) {
	h.changed = true
	s.timers.set(&h.soon, time.Time{})
}
