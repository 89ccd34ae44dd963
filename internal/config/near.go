package config

import (
	"fmt"
	"slices"
	"strings"
)

// didYouMean gives `, did you mean "x"?` for the nearest of the known names, or nothing where none is near.
func didYouMean(s string, known []string) string {
	if name := near(s, known); name != "" {
		return fmt.Sprintf(", did you mean %q?", name)
	}
	return ""
}

// near gives the known name that s was most likely meant to be, or "".
func near(s string, known []string) string {
	if len(s) > 64 {
		return ""
	}
	s = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), "-", "_")
	limit := min(max(1, len(s)/3), 3)
	if len(s) < 2 {
		limit = 0 // but another case
	}
	best, least := "", limit+1
	for _, k := range known {
		if len(k) > 64 {
			continue
		}
		if d := distance(s, strings.ReplaceAll(strings.ToLower(k), "-", "_")); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their neighbour to make b of a.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// otherWords are what the same things are called in other programs' configurations.
var otherWords = map[string]string{
	"pin": "line", "gpio": "line", "offset": "line", "channel": "line",
	"invert": "active_low", "inverted": "active_low", "pullup": "pull", "pull_up": "pull", "bouncetime": "debounce",
	"state_topic": "topic", "set_topic": "command_topic", "on_payload": "payload_on", "off_payload": "payload_off",
	"host": "broker", "hostname": "broker", "server": "broker", "url": "broker", "user": "username", "pass": "password",
	"ca_cert": "ca", "ca_file": "ca", "cafile": "ca", "cert_file": "cert", "certfile": "cert", "key_file": "key", "keyfile": "key",
	"interval": "every", "update_interval": "every", "period": "every", "addr": "address", "i2c_address": "address",
	"driver": "type", "module": "type", "kind": "type", "id": "name", "friendly_name": "label", "title": "label",
	"trigger": "when", "input": "when", "event": "is", "action": "do", "target": "output", "int": "interrupt", "irq": "interrupt",
}

// planned are keys that will come. They are refused like any unknown key, but with clearer words.
var planned = []string{
	"homeassistant", "id", "restore", "on_broker_lost", "brokers", "reload", "watch", "prefix", "web", "metrics", "log", "backlog", "state_file",
	"counters", "meters", "dimmers", "covers", "groups", "scenes", "include", "above", "below", "filter", "calibrate", "expire_after", "safe_state",
}

const notYet = "planned, does not work yet: remove it"

// unknownKey says what is wrong with a key that a section does not have.
func unknownKey(name string, known []string) string {
	if slices.Contains(planned, name) {
		return notYet
	}
	if k := otherWords[strings.ToLower(name)]; k != "" && slices.Contains(known, k) {
		return fmt.Sprintf("unknown key, did you mean %q?", k)
	}
	if hint := didYouMean(name, known); hint != "" {
		return "unknown key" + hint
	}
	return "unknown key, the keys here are " + strings.Join(known, ", ")
}
