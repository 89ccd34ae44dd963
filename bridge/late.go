package bridge

import (
	"encoding/json"
	"time"

	"gatewayd/internal/backlog"
)

// belated is where and how a reading is told that could not be told in time. It never becomes the current one: it has a topic of its own.
type belated struct {
	topic string
	unit  string // `,"unit":"°C"`; empty: none
}

func unitMember(unit string) string {
	if unit == "" {
		return ""
	}
	text, err := json.Marshal(unit)
	if err != nil {
		panic(err) // text always marshals
	}
	return `,"unit":` + string(text)
}

func (l *belated) reading(value []byte, at time.Time) *backlog.Message {
	return &backlog.Message{Topic: l.topic, Body: `"value":` + string(value) + l.unit, At: at}
}

// lateGesture is the same of a gesture.
func lateGesture(topic string, t Trigger, at time.Time) *backlog.Message {
	payload := payloads[t]
	return &backlog.Message{Topic: topic, Body: string(payload[1 : len(payload)-1]), At: at}
}
