package sensors

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Key is a setting of one driver, which stands in the configuration beside those that all sensors have.
type Key struct {
	Name    string // [a-z0-9_]+
	Doc     string // one line for people
	Want    string // what a value looks like: "a resistance in ohms, such as 0.1"
	Default string // of a key that is not given; empty: there is none
	Must    bool   // it has to be given
	List    bool   // it can have several values
	// Check refuses a value with what was wanted instead. It sees what the file has, and Default.
	Check func(text string) error
}

// Settings are the values of a driver's keys, those with a default included. They were checked: what a driver asks of them is there.
type Settings map[string][]string

// required makes a key one that must be given.
func (k Key) required() Key {
	k.Must = true
	return k
}

// several makes a key one that can have a list of values.
func (k Key) several() Key {
	k.List = true
	return k
}

// textKey is a key with any text.
func textKey(name, doc, want string) Key {
	return Key{Name: name, Doc: doc, Want: want, Check: func(string) error { return nil }}
}

// wordKey is a key with one of some words; preset may be empty.
func wordKey(name, doc, preset string, words ...string) Key {
	want := "one of " + strings.Join(words, ", ")
	return Key{Name: name, Doc: doc, Want: want, Default: preset, Check: func(text string) error {
		if slices.Contains(words, text) {
			return nil
		}
		return fmt.Errorf("wanted %s", want)
	}}
}

// numberKey is a key with a number; preset may be empty.
func numberKey(name, doc, what, preset string, low, high float64) Key {
	want := fmt.Sprintf("%s, from %v to %v", what, low, high)
	return Key{Name: name, Doc: doc, Want: want, Default: preset, Check: func(text string) error {
		if v, err := strconv.ParseFloat(text, 64); err != nil || !(v >= low && v <= high) {
			return fmt.Errorf("wanted %s", want)
		}
		return nil
	}}
}

// durationKey is a key with a duration; preset may be empty.
func durationKey(name, doc, preset string, low, high time.Duration) Key {
	want := fmt.Sprintf("a duration from %v to %v", low, high)
	return Key{Name: name, Doc: doc, Want: want, Default: preset, Check: func(text string) error {
		if v, err := time.ParseDuration(text); err != nil || v < low || v > high {
			return fmt.Errorf("wanted %s", want)
		}
		return nil
	}}
}

// Has tells whether a setting has a value.
func (s Settings) Has(key string) bool { return len(s[key]) > 0 }

// Text gives a setting's value, or nothing.
func (s Settings) Text(key string) string {
	if !s.Has(key) {
		return ""
	}
	return s[key][0]
}

// All gives a setting's values.
func (s Settings) All(key string) []string { return s[key] }

// Number gives the value of a setting that is one, or 0.
func (s Settings) Number(key string) float64 {
	v, _ := strconv.ParseFloat(s.Text(key), 64)
	return v
}

// Duration gives the value of a setting that is one, or 0.
func (s Settings) Duration(key string) time.Duration {
	v, _ := time.ParseDuration(s.Text(key))
	return v
}
