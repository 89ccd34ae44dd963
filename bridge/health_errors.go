package bridge

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// lastError is something that went wrong, for people.
type lastError struct {
	text  string
	at    time.Time // the last time
	times uint64
}

// lastErrors is what went wrong last, the latest first. What goes wrong again does not drive out the others.
type lastErrors []lastError

const (
	lastMost   = 5   // of them
	lastLength = 255 // bytes of each: Home Assistant takes no state beyond 255 characters
)

// add notes what went wrong.
func (l *lastErrors) add(text string, at time.Time) {
	e := lastError{text: text, at: at, times: 1}
	if i := slices.IndexFunc(*l, func(e lastError) bool { return e.text == text }); i >= 0 {
		e.times += (*l)[i].times
		*l = slices.Delete(*l, i, i+1)
	}
	*l = slices.Insert(*l, 0, e)
	*l = (*l)[:min(len(*l), lastMost)]
}

// wrong keeps what went wrong last, and has health say so, but not more often than once in a while.
func (s *state) wrong(text string) {
	text = strings.ToValidUTF8(text, "?")
	if len(text) > lastLength {
		n := lastLength - len("…")
		for !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n] + "…"
	}
	h := &s.health
	h.last.add(text, s.now)
	if h.soon.due.IsZero() {
		s.timers.set(&h.soon, s.now.Add(healthSoon))
	}
}

// toldError is how gateway/health tells of it: with the time on the wall, or how long ago it was while nobody knows that.
type toldError struct {
	Text  string `json:"text"`
	Times uint64 `json:"times"`
	when
}

// when is the time at which something happened.
type when struct {
	At   string `json:"at,omitempty"`
	AgeS *int64 `json:"age_s,omitempty"`
}

// when tells that time.
func (s *state) when(at time.Time, v *Vitals) when {
	ago := s.now.Sub(at)
	if v.Wall.IsZero() {
		return when{AgeS: new(int64(ago / time.Second))}
	}
	return when{At: v.Wall.Add(-ago).UTC().Format(time.RFC3339)}
}

// lastErrors lists what went wrong last.
func (s *state) lastErrors(v *Vitals) []toldError {
	list := make([]toldError, 0, len(s.health.last))
	for i := range s.health.last {
		e := &s.health.last[i]
		list = append(list, toldError{e.text, e.times, s.when(e.at, v)})
	}
	return list
}
