package bridge

import (
	"bytes"
	"sync"
)

const (
	queueMost    = 256 // commands waiting
	refusedMost  = 64  // topics that are answered one by one when the queue is full
	payloadLimit = maxCommand + 1
	topicMost    = 256     // bytes of a topic that is nobody's, where it is kept and told
	newsMost     = 1 << 20 // bytes of what Home Assistant and we have announced
)

// queue holds commands between the session, which must not wait, and the loop. When it is full it refuses the newest,
// but never an OFF: the latest OFF of each output and group has a place of its own.
type queue struct {
	wake chan struct{} // of capacity 1

	mu      sync.Mutex // guards the following
	topics  *Topics
	words   map[string]*wordings // of outputs and groups, by name
	waiting []Inbound
	offs    map[string]Inbound // by output or group
	refused map[string]int     // by topic
	news    []Inbound          // what concerns Home Assistant, whole
	size    int                // of news, in bytes
}

func newQueue(s *state) *queue {
	q := &queue{wake: make(chan struct{}, 1), offs: map[string]Inbound{}, refused: map[string]int{}}
	q.change(s)
	return q
}

// change has the queue know the topics and words of a state.
func (q *queue) change(s *state) {
	words := map[string]*wordings{}
	for name, p := range s.targets {
		words[name] = p.wording()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.topics, q.words = s.topics, words
}

// put takes a message and never waits. It keeps no more of the payload than tells that it is too long.
func (q *queue) put(m Inbound) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.topics.discovers(m.Topic) || m.Topic == q.topics.birth {
		q.putNews(m)
		return
	}
	m.Payload = append([]byte(nil), m.Payload[:min(len(m.Payload), payloadLimit)]...)
	name := q.topics.Target(m.Topic)
	if q.words[name] == nil && len(m.Topic) > topicMost {
		m.Topic = cut(m.Topic)
	}
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
	q.call()
}

// putNews takes a document. What finds no place is left out: the next connection brings it again.
func (q *queue) putNews(m Inbound) {
	if q.size += len(m.Topic) + len(m.Payload); q.size > newsMost {
		return
	}
	m.Payload = bytes.Clone(m.Payload)
	q.news = append(q.news, m)
	q.call()
}

// call wakes the loop.
func (q *queue) call() {
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

// take gives what waits: news, commands in order, then the OFFs that came while there was no place, then what was refused.
func (q *queue) take() (commands []Inbound, refused []overflow) {
	q.mu.Lock()
	defer q.mu.Unlock()
	commands = append(q.news, q.waiting...)
	q.waiting, q.news, q.size = nil, nil, 0
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

// depth is how many messages wait.
func (q *queue) depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) + len(q.offs) + len(q.news)
}
