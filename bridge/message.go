package bridge

import (
	"time"

	"gatewayd/internal/backlog"
)

// Message goes to the broker.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
	// State says that only the latest message on this topic counts: it is kept and published again after a reconnect, and
	// gives way to a newer one when the queue overflows. Anything else is an event: what waits too long is dropped and counted.
	State bool
	// At is when it was so, as package clock has it: whoever sends it adds that to the payload, a JSON object that is not empty. Zero: it
	// goes as it is.
	At time.Time
	// Late is told later, on a topic of its own, when this could not be told in time; nil: nothing.
	Late *backlog.Message
}

// clearing takes what is retained on a topic away.
func clearing(topic string) Message { return Message{Topic: topic, QoS: 1, Retain: true, State: true} }

// Inbound is a message from the broker.
type Inbound struct {
	Topic    string
	Payload  []byte
	Retained bool // the broker had kept it; it is not new
}

// Link is a change of the connection to the broker.
type Link struct {
	Up     bool
	Broker string // its URL, without credentials
	Err    error  // why it is down; nil when it is up, or has been closed by us
	At     time.Time
}
