package config

import (
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
)

// brokerLost is the section on_broker_lost of an output.
type brokerLost struct {
	place
	bridge.BrokerLost
}

var brokerLostKeys = []key[*brokerLost]{
	field("after", "how long it has been away then, without a break", duration(time.Second, 720*time.Hour),
		func(l *brokerLost) *time.Duration { return &l.After }).required(),
	field("do", "what the output gets then, once", oneOf(choice[bridge.Verb]{"off", bridge.VerbOff}, choice[bridge.Verb]{"on", bridge.VerbOn}),
		func(l *brokerLost) *bridge.Verb { return &l.Do }).required(),
}

// brokerLostGroup is that section. There is nothing to print where it is not given.
var brokerLostGroup = func() key[*output] {
	k := group("on_broker_lost", "what becomes of it when the broker has been away for long", brokerLostKeys, func(o *output) *brokerLost { return &o.lost })
	printed := k.node
	k.node = func(o *output) *yaml.Node {
		if o.lost.After == 0 {
			return nil
		}
		return printed(o)
	}
	return k
}()

// comesOn tells whether the output goes on when the broker is lost.
func (l *brokerLost) comesOn() bool { return l.After > 0 && l.Do == bridge.VerbOn }
