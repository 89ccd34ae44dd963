package bridge

import (
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"gatewayd/internal/backlog"
)

// Bounds of the outbox.
const (
	maxQueued = 4096             // messages waiting while connected
	maxEvents = 256              // events waiting while not connected, or kept when the queue overflows
	maxAge    = 10 * time.Second // of an event that waited for a connection: an older press rings no bell
)

// item is a message in the outbox.
type item struct {
	Message
	at     time.Time // when it was published; of an event
	online bool      // no message but the place in the order where the birth message goes
	turn   bool      // none either, but the place where another connection begins
	late   uint64    // its number in the backlog; 0: it is not from there
}

// Dropped counts messages that never reached the broker, by cause.
type Dropped struct {
	Overflow uint64 // events beyond the bound of the queue
	Expired  uint64 // events that waited too long for a connection
	Invalid  uint64 // with a topic that no broker takes
}

// outbox holds what is to be published. While a connection is open everything goes through one ring, in order. Without one
// only the latest message of each state topic is kept, and a few fresh events.
//
// A connection begins with all states, then the mark for the birth message, then the waiting events; what is published
// meanwhile queues behind, so that no state can be overtaken by an older one.
//
// What is to be told later when it cannot be told in time goes to the backlog in place of being lost: a reading that comes while there is
// no connection, or that gave way to a newer one, and an event that waited too long or found no room.
type outbox struct {
	wake    chan struct{}    // one slot: something was put while next had found nothing
	backlog *backlog.Backlog // nil: there is none

	mu         sync.Mutex // guards the following
	open       bool       // between begin and end
	turn       bool       // the next connection is to be left at once
	starved    bool       // next found nothing and nobody was woken since
	ring       []item     // ring[head:] waits
	head       int
	states     []Message      // the latest of each topic, in the order in which the topics came first
	index      map[string]int // topic to its place in states
	dropped    Dropped
	superseded uint64 // states that gave way to a newer one on the same topic
}

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1), index: make(map[string]int)}
}

// put queues m. It never blocks. It reports false for a topic that no broker takes; m is dropped then.
func (o *outbox) put(m Message, now time.Time) bool {
	valid := validTopic(m.Topic)
	o.mu.Lock()
	defer o.mu.Unlock()
	if !valid {
		o.dropped.Invalid++
		return false
	}
	if m.State {
		latest := m
		latest.Late = nil // it is told again with each connection, and late once
		if i, ok := o.index[m.Topic]; ok {
			o.states[i] = latest
			if !o.open {
				o.superseded++
			}
		} else {
			o.index[m.Topic] = len(o.states)
			o.states = append(o.states, latest)
		}
		if !o.open {
			o.later(&m)
			return true
		}
	} else if !o.open && len(o.ring)-o.head >= maxEvents {
		o.lose(o.pop(), &o.dropped.Overflow)
	}
	// A collapse leaves at most one message per state topic and maxEvents events, so it frees at least half of the bound.
	if o.open && len(o.ring)-o.head >= max(maxQueued, 2*(len(o.states)+maxEvents)) {
		o.collapse()
	}
	o.push(item{Message: m, at: now})
	o.call()
	return true
}

// call wakes who found nothing.
func (o *outbox) call() {
	if o.starved {
		o.starved = false
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

// mark puts the place in the order where another connection is to begin: what is there goes over this one, what comes later over the
// next one. While none is open, the next one that is opened is the wrong one, unless unmark comes first.
func (o *outbox) mark() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open {
		o.turn = true
		return
	}
	o.push(item{turn: true})
	o.call()
}

// unmark takes marks away.
func (o *outbox) unmark() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn = false
	o.ring, o.head = slices.DeleteFunc(o.ring[o.head:], func(it item) bool { return it.turn }), 0
}

// drop forgets the states on these topics: they are not told again with the next connection. What is queued is sent.
func (o *outbox) drop(topics []string) {
	gone := make(map[string]bool, len(topics))
	for _, t := range topics {
		gone[t] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.only(func(m *Message) bool { return !gone[m.Topic] })
}

// only keeps some of the states.
func (o *outbox) only(keep func(*Message) bool) {
	o.states = slices.DeleteFunc(o.states, func(m Message) bool { return !keep(&m) })
	clear(o.index)
	for i := range o.states {
		o.index[o.states[i].Topic] = i
	}
}

// next takes the oldest item; but a mark stays. When there is none, wake gets a token with the next put.
func (o *outbox) next() (item, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.head == len(o.ring) {
		o.starved = true
		return item{}, false
	}
	if it := o.ring[o.head]; it.turn {
		return it, true
	}
	return o.pop(), true
}

// begin opens the outbox for a new connection.
func (o *outbox) begin(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := o.ring[o.head:]
	o.ring, o.head, o.open = make([]item, 0, len(o.states)+2+len(events)), 0, true
	if o.turn {
		o.push(item{turn: true})
	}
	for _, m := range o.states {
		o.push(item{Message: m, at: now})
	}
	o.push(item{online: true})
	for _, e := range events {
		if now.Sub(e.at) > maxAge {
			o.lose(e, &o.dropped.Expired)
			continue
		}
		o.push(e)
	}
}

// expire gives up the events that have waited too long for a connection; with all of them, there will be none.
func (o *outbox) expire(now time.Time, all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.open && o.head < len(o.ring) && (all || now.Sub(o.ring[o.head].at) > maxAge) {
		o.lose(o.pop(), &o.dropped.Expired)
	}
}

// later hands to the backlog what is told later now, and tells whether it is.
func (o *outbox) later(m *Message) bool {
	if o.backlog == nil || m.Late == nil {
		return false
	}
	o.backlog.Add(*m.Late)
	return true
}

// lose gives up an event: it is told later, or counted.
func (o *outbox) lose(it item, count *uint64) {
	if !o.later(&it.Message) {
		*count++
	}
}

// end closes the outbox after a connection. Of unacked, oldest first, and of what is queued only the newest events are kept;
// states are covered by the latest of each topic. A QoS 0 message that was handed to the connection is not sent again.
func (o *outbox) end(unacked []item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var events []item
	open := map[string]bool{} // topics whose clearing is not acknowledged
	keep := func(it *item, again bool) {
		switch {
		case it.clears():
			open[it.Topic] = true
		case it.online || it.turn || it.late > 0 || !again:
		case it.State:
			o.later(&it.Message)
		default:
			events = append(events, *it)
		}
	}
	for i := range unacked {
		keep(&unacked[i], unacked[i].QoS > 0)
	}
	for i := o.head; i < len(o.ring); i++ {
		keep(&o.ring[i], true)
	}
	o.settle(open)
	if n := len(events) - maxEvents; n > 0 {
		for _, e := range events[:n] {
			o.lose(e, &o.dropped.Overflow)
		}
		events = append([]item(nil), events[n:]...)
	}
	o.ring, o.head, o.open, o.starved = events, 0, false, false
}

// clears reports whether the message takes a retained one away.
func (m *Message) clears() bool { return m.State && m.Retain && len(m.Payload) == 0 }

// settle drops the states that have cleared their topic, but for those that are still open: a topic that is empty at the broker
// may be another gateway's by the next connection, and each that ever was would be held.
func (o *outbox) settle(open map[string]bool) {
	o.only(func(m *Message) bool { return !m.clears() || open[m.Topic] })
}

// forget queues an empty message for each retained state: the broker then forgets it. Those on topics that match one of the filters
// come first.
func (o *outbox) forget(now time.Time, first []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, early := range []bool{true, false} {
		for i := range o.states {
			m := &o.states[i]
			if m.Retain && early == slices.ContainsFunc(first, func(f string) bool { return Matches(f, m.Topic) }) {
				m.Payload = nil
				o.push(item{Message: *m, at: now})
			}
		}
	}
}

// collapse keeps the last message of each state topic and the newest events, all in their order.
func (o *outbox) collapse() {
	seen := make(map[string]bool, len(o.states))
	events, w := 0, len(o.ring)
	var late []*backlog.Message // the newest first
	later := func(it *item) bool {
		if o.backlog == nil || it.Late == nil {
			return false
		}
		late = append(late, it.Late)
		return true
	}
	for i := len(o.ring) - 1; i >= o.head; i-- {
		it := &o.ring[i]
		switch {
		case it.online, it.turn:
		case it.State:
			if seen[it.Topic] {
				o.superseded++
				later(it)
				continue
			}
			seen[it.Topic] = true
		case events == maxEvents:
			if !later(it) {
				o.dropped.Overflow++
			}
			continue
		default:
			events++
		}
		w--
		o.ring[w] = *it
	}
	clear(o.ring[o.head:w]) // what was dropped must not be held
	o.head = w
	for _, m := range slices.Backward(late) {
		o.backlog.Add(*m)
	}
}

func (o *outbox) push(it item) {
	if len(o.ring) == cap(o.ring) && o.head >= len(o.ring)/2 && o.head > 0 {
		n := copy(o.ring, o.ring[o.head:])
		clear(o.ring[n:])
		o.ring, o.head = o.ring[:n], 0
	}
	o.ring = append(o.ring, it)
}

func (o *outbox) pop() item {
	it := o.ring[o.head]
	o.ring[o.head] = item{}
	o.head++
	if o.head == len(o.ring) {
		o.ring, o.head = o.ring[:0], 0
		if cap(o.ring) > maxEvents { // after a burst
			o.ring = nil
		}
	}
	return it
}

// counts returns how many messages wait, what was dropped, and how many states gave way to newer ones.
func (o *outbox) counts() (queued int, dropped Dropped, superseded uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.ring) - o.head, o.dropped, o.superseded
}

// validTopic reports whether a message can be published on topic (MQTT 3.1.1, 4.7). A broker would close the connection, each
// time again.
func validTopic(topic string) bool {
	return topic != "" && len(topic) <= 65535 && !strings.ContainsAny(topic, "+#\x00") && utf8.ValidString(topic)
}
