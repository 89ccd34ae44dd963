package config

import (
	"slices"
	"strings"

	"gatewayd/bridge"
)

// switched is how a point that takes commands speaks with the broker.
type switched struct {
	bridge.Channel
	command string // its topic
}

func (s *switched) speaks() *switched { return s }

// target is a point that takes commands.
type target interface {
	point
	speaks() *switched
	drives() []*output // the outputs that its commands go to
}

// switchedKeys are how every point that takes commands speaks with the broker.
func switchedKeys[T any](at func(T) *switched) []key[T] {
	return slices.Concat(channelKeys(func(t T) *bridge.Channel { return &at(t).Channel }), []key[T]{
		field("command_topic", "where its commands come from", topic, func(t T) *string { return &at(t).command }),
	})
}

// checkCommands tells of payloads that would not do as commands; other is what helps besides another payload.
func (s *switched) checkCommands(r *notes, b *base, other string) {
	checkPayloads(r, b, &s.Channel)
	for _, p := range []struct{ key, text, opposite string }{{"payload_on", s.PayloadOn, "OFF"}, {"payload_off", s.PayloadOff, "ON"}} {
		switch {
		case strings.EqualFold(p.text, p.opposite), strings.EqualFold(p.text, "TOGGLE"):
			b.errorf(r, p.key, "%s always means something else as a command: choose another payload%s", quote(p.text), other)
		case strings.HasPrefix(p.text, "{"):
			b.errorf(r, p.key, "%s: a command that begins with { is read as JSON: choose another payload", quote(p.text))
		}
	}
}

// complete gives the topics that were not given, and the one of the state.
func (s *switched) complete(t *bridge.Topics, name string) []string {
	s.Topic, s.command = t.State(name), t.Command(name)
	return []string{s.Topic}
}
