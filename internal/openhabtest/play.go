package openhabtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// StateTopic is where the channel listens.
func (ch *Channel) StateTopic() string { return ch.Params["stateTopic"].Text }

// CommandTopic is where the channel sends; empty: it is read-only.
func (ch *Channel) CommandTopic() string { return ch.Params["commandTopic"].Text }

// QoS is how the channel sends.
func (ch *Channel) QoS() byte {
	n, _ := strconv.Atoi(ch.Params["qos"].Text)
	return byte(n)
}

// State gives what openHAB makes of a message: an Item's state, or a trigger's event.
func (ch *Channel) State(payload string) (string, error) {
	if pattern := ch.Params["transformationPattern"].Text; pattern != "" {
		var err error
		if payload, err = transform(pattern, payload); err != nil {
			return "", err
		}
	}
	switch ch.Type {
	case "switch": // TypeParser.parseCommand: ON and OFF come first, whatever the parameters say
		return ch.word(payload, "ON", "OFF", true)
	case "contact":
		return ch.word(payload, "OPEN", "CLOSED", false)
	case "number":
		if _, err := strconv.ParseFloat(payload, 64); err != nil {
			return "", err
		}
		return strings.TrimSpace(payload + " " + ch.Params["unit"].Text), nil
	}
	return payload, nil
}

// word reads a state that is one of two.
func (ch *Channel) word(payload, on, off string, namesFirst bool) (string, error) {
	given := map[string]string{}
	if v, ok := ch.Params["off"]; ok {
		given[v.Text] = off
	}
	if v, ok := ch.Params["on"]; ok {
		given[v.Text] = on
	}
	names := map[string]string{on: on, off: off}
	first, second := given, names
	if namesFirst {
		first, second = names, given
	}
	if s, ok := first[payload]; ok {
		return s, nil
	}
	if s, ok := second[payload]; ok {
		return s, nil
	}
	return "", fmt.Errorf("payload %q is not supported by %s", payload, ch.UID)
}

// Command gives what openHAB sends for ON or OFF.
func (ch *Channel) Command(command string) (string, error) {
	if ch.Type != "switch" || ch.CommandTopic() == "" {
		return "", errors.New(ch.UID + " is read-only")
	}
	if v, ok := ch.Params[strings.ToLower(command)]; ok {
		return v.Text, nil
	}
	return command, nil
}

// transform applies JSONPATH, as far as plain names go.
func transform(pattern, payload string) (string, error) {
	path, ok := strings.CutPrefix(pattern, "JSONPATH:$.")
	if !ok {
		return "", fmt.Errorf("no transformation %q", pattern)
	}
	var v any
	if err := json.Unmarshal([]byte(payload), &v); err != nil {
		return "", err
	}
	for name := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		if v, ok = object[name]; !ok {
			return "", fmt.Errorf("%s: nothing at %s", payload, pattern)
		}
	}
	return fmt.Sprint(v), nil
}
