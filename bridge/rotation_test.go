package bridge

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestRotation plays what happens to the brokers a, b and c, and looks which are tried, in order.
func TestRotation(t *testing.T) {
	for _, tt := range []struct {
		name   string
		prefer bool
		events string // - an attempt fails, + one succeeds; then l: lost after long, s: lost soon, f: fell silent; .: the round ends
		want   string
	}{
		{"each once in a round", false, "---.---.", "abcabc"},
		{"the last good one first", false, "-+l+l-+l", "abbbc"},
		{"a round begins with the last good one", false, "-+l---.---.", "abbcabca"},
		{"silent: the others first", false, "+f--+l", "abca"},
		{"soon: the others first", false, "+s+s+s", "abc"},
		{"the preferred one first", true, "-+l-+l+l", "ababa"},
		{"but not when it fell silent", true, "+f+f+l", "aba"},
		{"nor when it does not last", true, "+s+l", "ab"},
		{"and in every round", true, "-+l---.---.", "ababcabc"},
	} {
		cfg := SessionConfig{Brokers: []string{"tcp://a", "tcp://b", "tcp://c"}, PreferFirst: tt.prefer}
		r, got := newRotation(&cfg), ""
		for i, e := range tt.events {
			switch e {
			case '-':
				got += r.now().end.host
				if more, want := r.failed(errors.New("x")), tt.events[min(i+1, len(tt.events)-1)] != '.'; more != want {
					t.Errorf("%s: after %d events another one is left: %v", tt.name, i+1, more)
				}
			case '+':
				got += r.now().end.host
			case 'l':
				r.lost(time.Hour, false)
			case 's':
				r.lost(time.Second, false)
			case 'f':
				r.lost(time.Hour, true)
			case '.':
				r.again()
			}
		}
		if got != tt.want {
			t.Errorf("%s: tried %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestRotationOfOne: with one broker each attempt is a round, and the reason is the attempt's own.
func TestRotationOfOne(t *testing.T) {
	r := newRotation(&SessionConfig{Broker: "tcp://u:p@a:1", PreferFirst: true})
	why := errors.New("why")
	if r.failed(why) || r.reason() != why || r.away() {
		t.Errorf("%+v", r)
	}
	if c := r.now(); c.user != "u" || c.pass != "p" || c.name != "tcp://a:1" {
		t.Errorf("%+v", c)
	}
}

// TestRotationReason names every broker, never a password.
func TestRotationReason(t *testing.T) {
	r := newRotation(&SessionConfig{Brokers: []string{"tcp://u:secret@a", "nonsense"}})
	for i := range r.all {
		r.failed(fmt.Errorf("reason %d", i))
	}
	if got, want := r.reason().Error(), "no broker can be used: tcp://a:1883: reason 0; nonsense: reason 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !errors.Is(r.reason(), r.all[1].err) {
		t.Error("the reasons are not within")
	}
}

// TestPreference goes back when the first broker has answered for long enough, which is longer after each time it was lost soon.
func TestPreference(t *testing.T) {
	p := preference{every: time.Second, calm: 2 * time.Second}
	start := time.Now()
	var got []bool
	for i, ok := range []bool{true, true, false, true, true, true} {
		got = append(got, p.answered(ok, start.Add(time.Duration(i)*time.Second)))
	}
	if want := []bool{false, false, false, false, false, true}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, tt := range []struct{ lasted, calm time.Duration }{
		{time.Minute, 4 * time.Second}, {time.Minute, 8 * time.Second}, {steady, 2 * time.Second}, {time.Minute, 4 * time.Second},
	} {
		if p.lost(tt.lasted); p.calm != tt.calm {
			t.Errorf("lost after %v: wants %v of calm, want %v", tt.lasted, p.calm, tt.calm)
		}
	}
	for range 100 {
		p.lost(0)
	}
	if p.calm != mostCalm {
		t.Errorf("lost again and again: %v of calm, want %v", p.calm, mostCalm)
	}
}
