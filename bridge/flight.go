package bridge

import (
	"encoding/binary"
	"sync"
	"time"
)

// inFlight is how many messages may wait for their acknowledgement: enough to fill a link, and few enough to send again.
const inFlight = 32

// firstID is the lowest packet identifier of our own messages. The client counts its subscriptions from 1 and never comes here.
const firstID = 0x8000

// flight holds the QoS 1 messages of one connection that wait for their acknowledgement. The session's goroutine adds, the
// connection's reader acknowledges.
type flight struct {
	room chan struct{} // one slot: as many are left as wait asked for

	mu      sync.Mutex // guards the following
	queue   []flying   // oldest first
	last    uint16
	acked   uint64
	late    uint64 // the highest number in the backlog of those that are acknowledged
	waiting bool
	limit   int // of waiting
}

type flying struct {
	item
	id   uint16
	sent time.Time
	done bool
}

func newFlight() *flight { return &flight{room: make(chan struct{}, 1)} }

// add notes that it is being sent, and returns its packet identifier.
func (f *flight) add(it item, now time.Time) uint16 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = (f.last + 1) | firstID // 0xffff is followed by 0x8000
	f.queue = append(f.queue, flying{item: it, id: f.last, sent: now})
	return f.last
}

// ack notes an acknowledgement.
func (f *flight) ack(id uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return
	}
	i := int((id - f.queue[0].id) &^ firstID)
	if i >= len(f.queue) || f.queue[i].done { // unknown, or twice
		return
	}
	f.queue[i].done = true
	n := 0
	for n < len(f.queue) && f.queue[n].done {
		n++
	}
	if n == 0 {
		return
	}
	for i := range f.queue[:n] {
		f.late = max(f.late, f.queue[i].late)
	}
	f.acked += uint64(n)
	rest := copy(f.queue, f.queue[n:])
	clear(f.queue[rest:])
	f.queue = f.queue[:rest]
	if f.waiting && rest <= f.limit {
		f.waiting = false
		select {
		case f.room <- struct{}{}:
		default:
		}
	}
}

// free reports whether at most n are in flight. If not, room gets a token when it is so.
func (f *flight) free(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) <= n {
		f.waiting = false
		return true
	}
	f.waiting, f.limit = true, n
	return false
}

// overdue reports whether the oldest was sent before t.
func (f *flight) overdue(t time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue) > 0 && f.queue[0].sent.Before(t)
}

// lateDone returns up to which number the backlog is acknowledged; 0: nothing of it is.
func (f *flight) lateDone() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.late
}

// counts returns how many are in flight, and how many have been acknowledged.
func (f *flight) counts() (flying int, acked uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue), f.acked
}

// unacked returns what is in flight, oldest first.
func (f *flight) unacked() []item {
	f.mu.Lock()
	defer f.mu.Unlock()
	var items []item
	for _, m := range f.queue {
		if !m.done {
			items = append(items, m.item)
		}
	}
	return items
}

// appendPublish appends a PUBLISH packet (MQTT 3.1.1, 3.3); id counts with a QoS alone.
func appendPublish(b []byte, m *Message, id uint16) []byte {
	first, length := byte(packetPublish<<4), 2+len(m.Topic)+len(m.Payload)
	if m.Retain {
		first |= 0x01
	}
	if m.QoS > 0 {
		first |= 1 << 1
		length += 2
	}
	b = appendHeader(b, first, length)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.Topic)))
	b = append(b, m.Topic...)
	if m.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return append(b, m.Payload...)
}
