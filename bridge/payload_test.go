package bridge

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestCommand(t *testing.T) {
	usual, own := newWordings("", ""), newWordings("on", "Zu")
	for _, c := range []struct {
		words   *wordings
		payload string
		verb    Verb
		limit   time.Duration
		wrong   string // part of the error
	}{
		{words: &usual, payload: "ON", verb: VerbOn},
		{words: &usual, payload: " off\n", verb: VerbOff},
		{words: &usual, payload: "Toggle", verb: VerbToggle},
		{words: &usual, payload: "1", wrong: `payload "1": wanted ON, OFF, TOGGLE`},
		{words: &own, payload: "Zu", verb: VerbOff},
		{words: &own, payload: "zu", wrong: "wanted on, Zu"},
		{words: &own, payload: "OFF", verb: VerbOff},
		{words: &usual, payload: `{"state":"on"}`, verb: VerbOn},
		{words: &usual, payload: `{"state":"ON","for":"1m30s"}`, verb: VerbOn, limit: 90 * time.Second},
		{words: &usual, payload: `{"state":"TOGGLE","for":0.5}`, verb: VerbToggle, limit: 500 * time.Millisecond},
		{words: &usual, payload: `{"state":"ON","for":-1}`, wrong: "wanted a duration"},
		{words: &usual, payload: `{"state":"ON","for":1e300}`, wrong: "wanted a duration"},
		{words: &usual, payload: `{"state":"ON","for":null}`, wrong: "wanted a duration"},
		{words: &usual, payload: `{"state":"ON","for":[1]}`, wrong: "wanted a duration"},
		{words: &usual, payload: `{"state":1}`, wrong: "cannot unmarshal number"},
		{words: &usual, payload: `{`, wrong: "unexpected EOF"},
		{words: &usual, payload: `[]`, wrong: "wanted ON"},
		{words: &usual, payload: "\xff\xfe", wrong: "not UTF-8"},
		{words: &usual, payload: strings.Repeat("x", maxCommand+1), wrong: "more than 4096 bytes"},
	} {
		verb, limit, err := c.words.command([]byte(c.payload))
		switch {
		case c.wrong != "":
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q: error %v, want %q", cut(c.payload), err, c.wrong)
			}
		case err != nil || verb != c.verb || limit != c.limit:
			t.Errorf("%q: %v for %v, %v, want %v for %v", c.payload, verb, limit, err, c.verb, c.limit)
		}
	}
}

func FuzzCommand(f *testing.F) {
	for _, s := range []string{"ON", "off ", `{"state":"ON","for":"30s"}`, `{"state":"ON","for":3}`, "{", "\xff"} {
		f.Add([]byte(s), "", "")
	}
	f.Fuzz(func(t *testing.T, payload []byte, on, off string) {
		w := newWordings(on, off)
		verb, limit, err := w.command(payload)
		if err != nil {
			if text := err.Error(); len(on)+len(off) < 64 && utf8.ValidString(on) && utf8.ValidString(off) && (len(text) > 1000 || !utf8.ValidString(text)) {
				t.Errorf("the error is %d bytes: %q", len(text), text)
			}
			return
		}
		if limit < 0 || limit > maxFor || limit > 0 && verb == VerbOff {
			t.Errorf("%q: %v for %v", payload, verb, limit)
		}
	})
}

func TestHours(t *testing.T) {
	for d, want := range map[time.Duration]string{
		2 * time.Hour: "2h", 90 * time.Second: "1m30s", time.Minute: "1m", 10 * time.Minute: "10m",
		time.Second: "1s", 500 * time.Millisecond: "500ms", 61 * time.Minute: "1h1m",
	} {
		if got := Hours(d); got != want {
			t.Errorf("Hours(%v) = %q, want %q", d, got, want)
		}
	}
}
