package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Vitals are what the bridge cannot know by itself of the process, for gateway/health.
type Vitals struct {
	Uptime     time.Duration
	Sent       uint64 // messages, since the start
	Queued     int
	Dropped    uint64
	Superseded uint64   // states that gave way to newer ones before they were sent
	Backlog    *Waiting // nil: nothing is told late
	Reconnects uint64
	Buses      map[string]Bus // by number
	Broker     string         // the one that is in use; empty: none is
	InFlight   int            // messages that wait for their acknowledgement
	Wall       time.Time      // the time of the report, for people; zero: the clock is not synchronised
	Memory     uint64         // resident, in bytes
	Goroutines int
	Troubles   []string // what else is wrong, for people

	commands, facts int // that wait for the loop, which fills them in

	// What the board tells of itself; nil: not known now.
	CPUTemperature *float64 // in degrees Celsius
	UnderVoltage   *bool    // now
	Throttled      *bool    // now: the firmware slows the processor down
}

// Waiting is how it stands with what is told late.
type Waiting struct {
	Waiting int    // to be told
	Dropped uint64 // never told: there were too many, or they became too old
}

// health is what the state counts for gateway/health.
type health struct {
	changed  bool // something to report at once
	chips    map[string]error
	edges    uint64
	lost     uint64
	commands uint64
	refused  uint64
	last     lastErrors
	soon     timer // something to report in a moment
	weak     bool  // the supply, as last told
}

// healthSoon is how long a report waits for more: what went wrong last may change with every command.
const healthSoon = time.Second

// tooWeak says what under-voltage means: a Raspberry Pi tells it below 4.63 V.
const tooWeak = "the supply is too weak: the board gets less than 4.63 V and may fail at any time: " +
	"use a supply of 5.1 V made for it, a short cable, and a supply of their own for relays"

func newHealth() health { return health{chips: map[string]error{}} }

// chip notes whether a chip works.
func (h *health) chip(name string, err error) {
	h.chips[name] = err
	h.changed = true
}

// report publishes gateway/health.
func (s *state) report(v *Vitals) {
	h := &s.health
	h.changed = false
	s.timers.set(&h.soon, time.Time{})
	s.supply(v)
	status := struct {
		Level      string            `json:"level"` // ok or degraded
		Reasons    []string          `json:"reasons"`
		Version    string            `json:"version"`
		UptimeS    int64             `json:"uptime_s"`
		Chips      map[string]string `json:"chips"`
		Sensors    map[string]string `json:"sensors"`
		Faults     map[string]string `json:"faults"`
		Edges      uint64            `json:"edges"`
		LostEdges  uint64            `json:"lost_edges"`
		Commands   uint64            `json:"commands"`
		Refused    uint64            `json:"refused"`
		Sent       uint64            `json:"sent"`
		Queued     int               `json:"queued"`
		Dropped    uint64            `json:"dropped"`
		Superseded uint64            `json:"superseded"`
		Late       *int              `json:"late_waiting,omitempty"` // these two where anything is told late
		LateLost   *uint64           `json:"late_dropped,omitempty"`
		Reconnects uint64            `json:"reconnects"`
		Broker     string            `json:"broker"`
		Queues     queues            `json:"queues"`
		BusErrors  uint64            `json:"bus_errors"`
		Buses      map[string]any    `json:"buses"`
		MemoryKiB  uint64            `json:"memory_kib"`
		Goroutines int               `json:"goroutines"`
		LastError  string            `json:"last_error"`
		LastAt     string            `json:"last_error_at,omitempty"`
		Errors     []toldError       `json:"errors"`
		Clock      bool              `json:"clock_synchronised"`

		// Left out where the board does not tell; null: it does, but not now.
		CPUTemperature any `json:"cpu_temperature_c,omitempty"`
		UnderVoltage   any `json:"under_voltage,omitempty"`
		Throttled      any `json:"throttled,omitempty"`
	}{
		Level: "ok", Reasons: s.ailments(v), Version: s.about.Version, UptimeS: int64(v.Uptime / time.Second),
		Chips: map[string]string{}, Sensors: map[string]string{}, Faults: map[string]string{},
		Edges: h.edges, LostEdges: h.lost, Commands: h.commands, Refused: h.refused,
		Sent: v.Sent, Queued: v.Queued, Dropped: v.Dropped, Superseded: v.Superseded, Reconnects: v.Reconnects,
		Broker: v.Broker, Queues: queues{v.Queued, v.InFlight, v.commands, v.facts},
		MemoryKiB: v.Memory / 1024, Goroutines: v.Goroutines,
		Errors: s.lastErrors(v), Clock: !v.Wall.IsZero(),
	}
	if v.Backlog != nil {
		status.Late, status.LateLost = &v.Backlog.Waiting, &v.Backlog.Dropped
	}
	status.BusErrors, status.Buses = s.buses(v)
	if len(status.Errors) > 0 {
		status.LastError, status.LastAt = status.Errors[0].Text, status.Errors[0].At
	}
	if s.about.CPUTemperature || v.CPUTemperature != nil {
		status.CPUTemperature = v.CPUTemperature
	}
	if s.about.UnderVoltage || v.UnderVoltage != nil {
		status.UnderVoltage = v.UnderVoltage
	}
	if s.about.Throttled || v.Throttled != nil {
		status.Throttled = v.Throttled
	}
	for name, err := range h.chips {
		status.Chips[name] = word(err)
	}
	for name, p := range s.sensors {
		status.Sensors[name] = word(p.err)
	}
	for name, p := range s.outputs {
		if p.fault.told != nil {
			status.Faults[name] = p.fault.told.Error()
		}
	}
	if len(status.Reasons) > 0 {
		status.Level = "degraded"
	}
	payload, err := json.Marshal(status)
	if err != nil {
		panic(err) // text and numbers always marshal
	}
	s.send = append(s.send, Message{Topic: s.topics.Gateway("health"), Payload: payload, QoS: 1, Retain: true, State: true})
}

// supply tells of a supply that has become too weak, once.
func (s *state) supply(v *Vitals) {
	weak := v.UnderVoltage != nil && *v.UnderVoltage
	if weak && !s.health.weak {
		s.complain(s.topics.Gateway("error"), tooWeak)
		s.timers.set(&s.health.soon, time.Time{}) // it is reported now
	}
	s.health.weak = weak
}

func word(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

// firstReads is how long a start may take until all has been read: nothing is wrong before, and no controller is to see a problem.
const firstReads = 10 * time.Second

// ailments lists what does not work, each once: of a chip that failed, not its lines.
func (s *state) ailments(v *Vitals) []string {
	reasons := map[string]bool{}
	for _, err := range s.health.chips {
		if err != nil {
			reasons[err.Error()] = true // it names the chip
		}
	}
	line := func(kind, name, chip string, err error) {
		switch {
		case err == nil || s.health.chips[chip] != nil:
		case err == errUnread && v.Uptime < firstReads:
		case err == errUnread:
			reasons[fmt.Sprintf("%s %q: %v", kind, name, err)] = true
		default:
			reasons[err.Error()] = true // it names the point
		}
	}
	for name, p := range s.inputs {
		line("input", name, p.chip, p.err)
	}
	for name, p := range s.outputs {
		line("output", name, p.chip, p.err)
		line("output", name, p.chip, p.fault.told)
	}
	for name, p := range s.sensors {
		line("sensor", name, "", p.err)
	}
	for name, p := range s.counters {
		line("counter", name, p.chip, p.err)
	}
	for name, p := range s.encoders {
		line("encoder", name, p.chip, p.err())
	}
	if s.health.weak {
		reasons[tooWeak] = true
	}
	for _, text := range v.Troubles {
		reasons[text] = true
	}
	const most = 20
	list := slices.Sorted(maps.Keys(reasons))
	if len(list) > most {
		list = append(list[:most], fmt.Sprintf("and %d more", len(list)-most))
	}
	if list == nil {
		list = []string{}
	}
	return list
}
