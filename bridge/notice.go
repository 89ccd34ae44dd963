package bridge

import (
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// notice remembers what the log was told, so that it is told once.
type notice struct {
	mu   sync.Mutex // guards the following
	said map[string]said
}

type said struct {
	text string
	at   time.Time
}

// Something that goes on is told again after repeatAfter. Beyond maxNotices different things nothing new is told.
const (
	repeatAfter = time.Hour
	maxNotices  = 256
)

// first reports whether key is new.
func (n *notice) first(key string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.said[key]; ok {
		return false
	}
	return n.keep(key, said{})
}

// again reports whether text is new for key, or has not been told for long.
func (n *notice) again(key, text string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s, ok := n.said[key]; ok && s.text == text && now.Sub(s.at) < repeatAfter {
		return false
	}
	return n.keep(key, said{text, now})
}

// forget makes key new.
func (n *notice) forget(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.said, key)
}

// clear makes everything new.
func (n *notice) clear() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.said)
}

func (n *notice) keep(key string, s said) bool {
	if n.said == nil {
		n.said = make(map[string]said)
	}
	if _, ok := n.said[key]; !ok && len(n.said) >= maxNotices {
		return false
	}
	n.said[key] = s
	return true
}

// healing limits how often an overwritten status is published again: two gateways that do not agree about one must not make
// the broker glow. The first time is at once, then from a second up to a minute.
type healing struct {
	next time.Time
	wait time.Duration
}

func (h *healing) due(now time.Time) bool {
	if now.Before(h.next) {
		return false
	}
	if now.Sub(h.next) > 5*time.Minute {
		h.wait = 0
	}
	h.wait = min(max(2*h.wait, time.Second), time.Minute)
	h.next = now.Add(h.wait)
	return true
}

// serialOf returns the serial in an info message, or "". It is told to people, and what others have written is not to fill a page.
func serialOf(info []byte) string {
	var v struct {
		Serial string `json:"serial"`
	}
	if json.Unmarshal(info, &v) != nil {
		return ""
	}
	return strings.ToValidUTF8(cut(v.Serial), "?")
}
