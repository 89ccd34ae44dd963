package bridge

import (
	"container/heap"
	"time"
)

// timer wants a tick at a time: fire is called within step then, and must set another time, or none.
type timer struct {
	due   time.Time
	place int // among the timers of the state, -1: none
	fire  func(*state)
}

func newTimer(fire func(*state)) timer { return timer{place: -1, fire: fire} }

// timers is a heap, the earliest first.
type timers []*timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].due.Before(t[j].due) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i]; t[i].place, t[j].place = i, j }
func (t *timers) Push(x any)        { e := x.(*timer); e.place = len(*t); *t = append(*t, e) }
func (t *timers) Pop() any {
	n := len(*t) - 1
	e := (*t)[n]
	(*t)[n], e.place = nil, -1
	*t = (*t)[:n]
	return e
}

// set gives a timer its next tick; the zero time means none.
func (t *timers) set(e *timer, due time.Time) {
	e.due = due
	switch {
	case due.IsZero() && e.place >= 0:
		heap.Remove(t, e.place)
	case due.IsZero():
	case e.place >= 0:
		heap.Fix(t, e.place)
	default:
		heap.Push(t, e)
	}
}
