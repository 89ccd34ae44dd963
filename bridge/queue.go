package bridge

import "sync"

const (
	queueMost    = 256 // commands waiting
	refusedMost  = 64  // topics that are answered one by one when the queue is full
	payloadLimit = maxCommand + 1
)

// queue holds commands between the session, which must not wait, and the loop. When it is full it refuses the newest,
// but never an OFF: the latest OFF of each output and group has a place of its own.
type queue struct {
	wake   chan struct{} // of capacity 1
	topics *Topics
	words  map[string]*wordings // of outputs and groups, by name

	mu      sync.Mutex // guards the following
	waiting []Inbound
	offs    map[string]Inbound // by output or group
	refused map[string]int     // by topic
}

func newQueue(s *state) *queue {
	q := &queue{
		wake: make(chan struct{}, 1), topics: s.topics, words: map[string]*wordings{},
		offs: map[string]Inbound{}, refused: map[string]int{},
	}
	for name, p := range s.targets {
		q.words[name] = p.wording()
	}
	return q
}

// put takes a message and never waits. It keeps no more of the payload than tells that it is too long.
func (q *queue) put(m Inbound) {
	m.Payload = append([]byte(nil), m.Payload[:min(len(m.Payload), payloadLimit)]...)
	q.mu.Lock()
	defer q.mu.Unlock()
	name := q.topics.Target(m.Topic)
	switch {
	case len(q.waiting) < queueMost:
		q.waiting = append(q.waiting, m)
	case q.off(name, &m):
		q.offs[name] = m
	default:
		topic := m.Topic
		if _, ok := q.refused[topic]; !ok && len(q.refused) >= refusedMost {
			topic = ""
		}
		q.refused[topic]++
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) off(name string, m *Inbound) bool {
	w := q.words[name]
	if w == nil || m.Retained {
		return false
	}
	verb, _, err := w.command(m.Payload)
	return err == nil && verb == VerbOff
}

// take gives what waits: commands in order, then the OFFs that came while there was no place, then what was refused.
func (q *queue) take() (commands []Inbound, refused []overflow) {
	q.mu.Lock()
	defer q.mu.Unlock()
	commands, q.waiting = q.waiting, nil
	for _, m := range q.offs {
		commands = append(commands, m)
	}
	for topic, n := range q.refused {
		refused = append(refused, overflow{topic, n})
	}
	clear(q.offs)
	clear(q.refused)
	return commands, refused
}
