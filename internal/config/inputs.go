package config

import (
	"slices"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

// input is a line that is watched.
type input struct {
	base
	wire
	bridge.Channel
	gestures bridge.Gestures
	offline
}

var pull = calledElsewhere(oneOf(choice[gpio.Pull]{"as_is", gpio.PullAsIs}, choice[gpio.Pull]{"up", gpio.PullUp},
	choice[gpio.Pull]{"down", gpio.PullDown}, choice[gpio.Pull]{"none", gpio.PullNone}), map[string]string{
	"pullup": "up", "pull_up": "up", "pull-up": "up", "pud_up": "up", "high": "up", "true": "up", "yes": "up", "on": "up", "input_pullup": "up",
	"pulldown": "down", "pull_down": "down", "pull-down": "down", "pud_down": "down", "low": "down", "input_pulldown": "down",
	"false": "none", "no": "none", "off": "none", "pud_off": "none", "floating": "none", "float": "none", "disable": "none", "disabled": "none",
})

var inputKeys = slices.Concat(
	baseKeys(func(i *input) *base { return &i.base }),
	wireKeys(func(i *input) *wire { return &i.wire }),
	[]key[*input]{
		field("pull", "what holds the line while nothing drives it", pull, func(i *input) *gpio.Pull { return &i.Pull }, gpio.PullAsIs),
		field("debounce", "how long the line must be still before a change counts", debounce,
			func(i *input) *time.Duration { return &i.Debounce }, 10*time.Millisecond),
	},
	gestureKeys,
	[]key[*input]{offlineKey("whether each gesture is kept and told late, or none is told, when the broker was away", func(i *input) *offline { return &i.offline })},
	channelKeys(func(i *input) *bridge.Channel { return &i.Channel }),
)

var inputList = pointList("inputs", "input", "lines that are watched", func() *input { return new(input) }, inputKeys)

func (i *input) connect(d *draft) {
	checkPayloads(&d.notes, &i.base, &i.Channel)
	d.connectLine(&i.base, &i.wire)
}

func (i *input) bridge() bridge.Input {
	return bridge.Input{Name: i.name, Label: i.label, Channel: i.Channel, Entity: i.home.Entity, Gestures: i.gestures, Keep: i.offline == offlineKeep}
}

func (i *input) join(c *bridge.Config) { c.Inputs = append(c.Inputs, i.bridge()) }

func (i *input) shown(*bridge.Config) (bridge.Entity, []string) {
	made := i.bridge()
	return made.Shown(), bridge.InputComponents
}

func (i *input) topics(t *bridge.Topics) []string {
	i.Topic = t.State(i.name)
	return []string{i.Topic}
}
