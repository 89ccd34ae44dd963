package gpio

import "time"

// settling debounces one line for chips that do not: a new level counts once it has been stable for the period. It knows no
// clock; the times are those of the edges, and of whoever calls settle.
type settling struct {
	period  time.Duration
	least   time.Duration // at least this long, whatever the period
	level   bool          // the settled one
	pending bool          // the other level is there, and has to last until due
	seen    bool          // it came with an edge, not with a reading after lost ones
	due     time.Time
}

// edge takes the next edge. What had settled before it must have been fetched: settle(at) comes first.
func (s *settling) edge(level, seen bool, at time.Time) {
	if level == s.level {
		s.pending = false // back again: that was a bounce
		return
	}
	s.seen = seen || s.pending && s.seen
	s.pending, s.due = true, at.Add(max(s.period, s.least))
}

// settle tells whether a new level has settled by now, and when.
func (s *settling) settle(now time.Time) (at time.Time, ok bool) {
	if !s.pending || now.Before(s.due) {
		return time.Time{}, false
	}
	s.level, s.pending = !s.level, false
	return s.due, true
}

// set makes a level the settled one without waiting: a first reading, or one that supervision has confirmed.
func (s *settling) set(level bool) { s.level, s.pending = level, false }
