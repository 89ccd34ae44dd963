package config

import (
	"fmt"
	"slices"
	"strings"

	"gatewayd/internal/near"
)

// didYouMean gives `, did you mean "x"?` for the nearest of the known names, or nothing where none is near.
func didYouMean(s string, known []string) string {
	if name := near.Of(s, slices.Values(known)); name != "" {
		return fmt.Sprintf(", did you mean %q?", name)
	}
	return ""
}

// otherWords are what the same things are called in other programs' configurations: the first that the section has is meant.
var otherWords = map[string]string{
	"pin": "line", "gpio": "line", "offset": "line quantities", "channel": "line",
	"filter": "filters quantities", "filters": "quantities", "calibrate": "quantities", "calibration": "quantities", "scale": "quantities", "round": "quantities", "median": "quantities", "delta": "quantities", "unit": "quantities", "tca9548": "mux", "pca9548": "mux", "multiplexer": "mux",
	"invert": "active_low", "inverted": "active_low", "pullup": "pull", "pull_up": "pull", "bouncetime": "debounce",
	"state_topic": "topic", "set_topic": "command_topic", "on_payload": "payload_on", "off_payload": "payload_off",
	"host": "broker", "hostname": "broker", "server": "broker", "url": "broker", "servers": "brokers", "hosts": "brokers", "urls": "brokers", "fallback": "brokers", "user": "username", "credential": "password_file", "password_credential": "password_file",
	"restore": "initial", "restore_mode": "initial", "safe_state": "on_crash", "statefile": "state_file", "tls_insecure": "insecure", "insecure_skip_verify": "insecure", "ca_cert": "ca", "ca_file": "ca", "cafile": "ca", "cert_file": "cert", "certfile": "cert", "key_file": "key", "keyfile": "key",
	"reload": "watch", "auto_reload": "watch", "autoreload": "watch", "watch_file": "watch",
	"interval": "every min_interval", "min_switch": "min_interval", "rate_limit": "min_interval", "throttle": "min_interval", "update_interval": "every", "period": "every", "addr": "address", "i2c_address": "address",
	"members": "outputs", "entities": "outputs", "lights": "outputs", "driver": "type", "module": "type", "kind": "type component", "id": "name", "friendly_name": "label name", "title": "label name",
	"serial_number": "serial", "rom": "serial", "unique_id": "id", "object_id": "id", "default_entity_id": "id", "platform": "component type", "class": "device_class", "entity_category": "category",
	"suggested_area": "area", "room": "area", "enabled_by_default": "enabled", "discovery_prefix": "prefix", "birth_message": "birth",
	"buffer": "backlog", "queue": "backlog", "store_and_forward": "backlog", "offline": "while_offline", "backlog": "while_offline", "limit": "most",
	"max": "most", "ttl": "max_age", "age": "max_age", "events": "gestures", "sensors": "readings", "path": "file", "ha": "home_assistant", "hass": "home_assistant",
	"over": "above", "greater_than": "above", "upper": "above", "high": "above", "setpoint": "above", "threshold": "above", "under": "below", "less_than": "below", "lower": "below", "low": "below",
	"else": "otherwise", "do_otherwise": "otherwise", "hysteresis": "below", "on_unavailable": "unavailable", "fallback_state": "unavailable",
	"pulses_per_unit": "per_unit", "pulses_per_kwh": "per_unit", "imp_kwh": "per_unit", "edge": "edges", "unit_of_measurement": "unit", "pin_a": "a", "pin_b": "b", "clk": "a", "dt": "b",
	"meters": "counters", "meter": "counters", "counter": "counters", "rotary_encoder": "encoders", "rotary_encoders": "encoders", "pulse_counter": "counters", "pulse_meter": "counters",
	"trigger": "when", "input": "when", "event": "is", "action": "do", "target": "output", "group": "output", "gesture": "gestures is", "long": "long_press", "double_click": "multi_click", "int": "interrupt", "irq": "interrupt",
}

// planned are keys that will come. They are refused like any unknown key, but with clearer words.
var planned = []string{
	"prefix", "web", "metrics", "log",
	"dimmers", "covers", "scenes", "include", "expire_after",
}

// homes say where keys belong that people look for at other places of the file.
var homes = map[string]string{
	"watch": besideDevice, "state_file": besideDevice, "save_every": besideDevice, "backlog": besideDevice,
	"initial": toOutput, "on_exit": toOutput, "on_crash": toOutput, "max_on": toOutput, "min_interval": toOutput, "on_broker_lost": toOutput,
	"while_offline": "a sensor or an input; for all of them there is the section backlog",
	"interrupt":     "a chip",
	"per_unit":      "a counter of type: meter",
}

const (
	besideDevice = "the whole file: write it at its left edge, as device"
	toOutput     = "an output"
)

// noPassword is said where a password is written into the configuration: it is shown to others when help is wanted, and copied into
// backups and repositories. What it is is not repeated.
const noPassword = "a password does not belong into this file, which gets shown and copied: write it into a file of its own that only gatewayd " +
	"can read, and that file's name into password_file"

const notYet = "planned, does not work yet: remove it"

// unknownKey says what is wrong with a key that a section does not have.
func unknownKey(name string, known []string) string {
	if slices.Contains([]string{"password", "pass", "passwd", "secret"}, strings.ToLower(name)) && slices.Contains(known, "password_file") {
		return noPassword
	}
	for _, k := range strings.Fields(otherWords[strings.ToLower(name)]) {
		if slices.Contains(known, k) {
			return fmt.Sprintf("unknown key, did you mean %q?", k)
		}
	}
	if name == "port" && slices.Contains(known, "broker") {
		return "unknown key: the port is a part of broker: tcp://homeassistant.local:1883"
	}
	if strings.HasPrefix(name, "discovery") && slices.Contains(known, "broker") {
		return "unknown key: discovery belongs to the section home_assistant, which stands beside mqtt"
	}
	if slices.Contains(planned, name) {
		return notYet
	}
	if home := homes[name]; home != "" && didYouMean(name, known) == "" {
		return "unknown key here: it belongs to " + home
	}
	if hint := didYouMean(name, known); hint != "" {
		return "unknown key" + hint
	}
	return "unknown key, the keys here are " + strings.Join(known, ", ")
}
