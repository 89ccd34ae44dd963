package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// maxCommand is how long a command's payload may be, in bytes. The longest sensible one has fewer than 100.
const maxCommand = 4096

// maxFor is the longest time that a command may ask for.
const maxFor = 7 * 24 * time.Hour

// wordings are the payloads of one point.
type wordings struct{ on, off []byte }

func newWordings(on, off string) wordings {
	w := wordings{[]byte("ON"), []byte("OFF")}
	if on != "" {
		w.on = []byte(on)
	}
	if off != "" {
		w.off = []byte(off)
	}
	return w
}

// state gives the payload for a state. It is shared: nobody writes to it.
func (w *wordings) state(on bool) []byte {
	if on {
		return w.on
	}
	return w.off
}

// command reads a command's payload: ON, OFF or TOGGLE in any case, the point's own words as they are written, or JSON with
// "state" and, for an ON, "for" as a duration or in seconds. Space around it does not matter.
func (w *wordings) command(payload []byte) (verb Verb, limit time.Duration, err error) {
	if len(payload) > maxCommand {
		return 0, 0, fmt.Errorf("payload of more than %d bytes: wanted %s", maxCommand, w.wanted())
	}
	if !utf8.Valid(payload) {
		return 0, 0, fmt.Errorf("payload is not UTF-8: wanted %s", w.wanted())
	}
	payload = bytes.TrimSpace(payload)
	if verb, ok := w.verb(string(payload)); ok {
		return verb, 0, nil
	}
	if len(payload) > 0 && payload[0] == '{' {
		return w.object(payload)
	}
	return 0, 0, fmt.Errorf("payload %s: wanted %s", quoted(payload), w.wanted())
}

func (w *wordings) wanted() string {
	s := fmt.Sprintf("%s, %s, TOGGLE", w.on, w.off)
	return s + ` or {"state":"ON","for":"30s"}`
}

func (w *wordings) verb(s string) (Verb, bool) {
	switch {
	case s == string(w.on):
		return VerbOn, true
	case s == string(w.off):
		return VerbOff, true
	case strings.EqualFold(s, "ON"):
		return VerbOn, true
	case strings.EqualFold(s, "OFF"):
		return VerbOff, true
	case strings.EqualFold(s, "TOGGLE"):
		return VerbToggle, true
	}
	return 0, false
}

func (w *wordings) object(payload []byte) (Verb, time.Duration, error) {
	var o struct {
		State *string         `json:"state"`
		For   json.RawMessage `json:"for"`
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields() // a misspelled "for" must not leave a relay on for ever
	if err := d.Decode(&o); err != nil {
		return 0, 0, fmt.Errorf("payload %s: %s: wanted %s", quoted(payload), cutTo(strings.TrimPrefix(err.Error(), "json: "), 100), w.wanted())
	}
	if _, err := d.Token(); err != io.EOF {
		return 0, 0, fmt.Errorf("payload %s: more after the object: wanted %s", quoted(payload), w.wanted())
	}
	if o.State == nil {
		return 0, 0, fmt.Errorf(`payload %s: no "state": wanted %s`, quoted(payload), w.wanted())
	}
	verb, ok := w.verb(strings.TrimSpace(*o.State))
	if !ok {
		return 0, 0, fmt.Errorf("state %q: wanted %s", cut(*o.State), w.wanted())
	}
	if len(o.For) == 0 {
		return verb, 0, nil
	}
	limit, err := duration(o.For)
	if err != nil {
		return 0, 0, err
	}
	if verb == VerbOff {
		return 0, 0, errors.New(`"for" goes with ON or TOGGLE: OFF has no end`)
	}
	return verb, limit, nil
}

// duration reads a JSON string such as "1m30s", or a number of seconds.
func duration(raw json.RawMessage) (d time.Duration, err error) {
	var s string
	var seconds float64
	switch {
	case json.Unmarshal(raw, &s) == nil:
		d, err = time.ParseDuration(s)
	case json.Unmarshal(raw, &seconds) == nil:
		seconds *= float64(time.Second)
		if math.Abs(seconds) > float64(math.MaxInt64/2) {
			seconds = math.MaxInt64 / 2
		}
		d = time.Duration(seconds)
	default:
		err = errors.New("neither text nor a number")
	}
	if err != nil || d < time.Millisecond || d > maxFor {
		return 0, fmt.Errorf(`"for" %s: wanted a duration from 1ms to %s such as "30s", or seconds`, quoted(raw), Hours(maxFor))
	}
	return d, nil
}

// quoted shows a payload in an error, short.
func quoted(p []byte) string { return fmt.Sprintf("%q", cut(string(p[:min(len(p), 64)]))) }

// cut shortens text from outside for an error.
func cut(s string) string { return cutTo(s, 40) }

func cutTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Hours writes a duration as people do: 2h, not 2h0m0s.
func Hours(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
