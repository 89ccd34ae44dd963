package main

// lastBroker is which of several brokers was good last.
type lastBroker struct {
	good   string // its URL, without credentials; the memory's mu guards it
	stored string // what the file has; the writer's own
}

// remember takes the broker that is good now, which is told when it has been for a while. It does not block.
func (m *memory) remember(broker string) {
	m.mu.Lock()
	m.broker.good = broker
	m.mu.Unlock()
	m.nudge()
}

// lastGood gives the broker that was good last; empty: none is known.
func (m *memory) lastGood() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.broker.good
}
