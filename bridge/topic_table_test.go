package bridge

import (
	"strings"
)

// topicRow is a line of the table in docs/topics.md. What it says is held against what the gateway does, by topic_proof_test.go.
type topicRow struct {
	section  string
	topic    string // where the configuration gives none; what is in <> has a value for each point
	given    string // where the point has a topic of its own; empty: that moves nothing
	by       string // who writes it: "gateway" is among them if the gateway does
	reads    bool   // the gateway subscribes to it
	payload  string // where no example says enough
	examples []string
	keep     keeping
	own      bool // retain and qos are as the point has them
	means    string
}

// keeping is whether the broker keeps a message.
type keeping uint8

const (
	retained keeping = iota
	passing
	refused // it must not be retained
)

var topicTable = []topicRow{
	{"Points", "gatewayd/<device>/<input>", "<topic>", "gateway", false, "", []string{"ON", "OFF"}, retained, true,
		"whether the input is active; with every edge, and when it is read first or again"},
	{"Points", "gatewayd/<device>/<input>/event", "", "gateway", false, "", []string{
		`{"event_type":"press"}`, `{"event_type":"release"}`, `{"event_type":"click"}`, `{"event_type":"double"}`, `{"event_type":"triple"}`,
		`{"event_type":"long"}`, `{"event_type":"hold"}`}, passing, true,
		"[gestures](#gestures), those that are to be told"},
	{"Points", "gatewayd/<device>/<input>/event/late", "", "gateway", false,
		"`{\"event_type\":\"click\",\"at\":\"2026-01-02T03:04:05.678Z\",\"late\":true}`", nil, passing, false,
		"a gesture that could not be told in time, of an input with [`while_offline: keep`](#told-late)"},
	{"Points", "gatewayd/<device>/<output>", "<topic>", "gateway", false, "", []string{"ON", "OFF"}, retained, true,
		"what the chip has confirmed, never what was only asked for; after every command, also when nothing changed"},
	{"Points", "gatewayd/<device>/<output>/set", "<topic>/set", "controller", true, "",
		[]string{"ON", "OFF", "TOGGLE", `{"state":"ON","for":"30s"}`}, refused, false, "a [command](#commands)"},
	{"Points", "gatewayd/<device>/<group>", "<topic>", "gateway", false, "", []string{"ON", "OFF"}, retained, true,
		"`ON` while one of its outputs is"},
	{"Points", "gatewayd/<device>/<group>/set", "<topic>/set", "controller", true, "",
		[]string{"ON", "OFF", "TOGGLE", `{"state":"ON","for":"30s"}`}, refused, false, "a command to each of its outputs"},
	{"Points", "gatewayd/<device>/<sensor>/<quantity>", "<topic>/<quantity>", "gateway", false, "", []string{"21.46"}, retained, true,
		"a reading, in the unit of the [quantity](#readings)"},
	{"Points", "gatewayd/<device>/<sensor>/<quantity>/late", "<topic>/<quantity>/late", "gateway", false,
		"`{\"value\":21.46,\"unit\":\"°C\",\"at\":\"2026-01-02T03:04:05.678Z\",\"late\":true}`", nil, passing, false,
		"a reading that could not be told in time, of a sensor with [`while_offline: keep`](#told-late)"},
	{"Points", "gatewayd/<device>/<sensor>", "<topic>", "gateway", false,
		"`{\"temperature\":21.46,\"humidity\":48.1,\"at\":\"2026-01-02T03:04:05.678Z\"}`", nil, retained, true,
		"all readings of a measurement, of a sensor with [`format: json`](#readings), in place of the two above"},
	{"Points", "gatewayd/<device>/<sensor>/late", "<topic>/late", "gateway", false,
		"`{\"temperature\":21.46,\"humidity\":48.1,\"at\":\"2026-01-02T03:04:05.678Z\",\"late\":true}`", nil, passing, false,
		"such a measurement that could not be told in time, with [`while_offline: keep`](#told-late)"},
	{"Points", "gatewayd/<device>/<counter>/<quantity>", "<topic>/<quantity>", "gateway", false, "", []string{"7.000"}, retained, true,
		"a total, or a rate, of a [counter](#counters-and-encoders)"},
	{"Points", "gatewayd/<device>/<counter>/<quantity>/late", "<topic>/<quantity>/late", "gateway", false,
		"`{\"value\":7.000,\"unit\":\"kWh\",\"at\":\"2026-01-02T03:04:05.678Z\",\"late\":true}`", nil, passing, false,
		"what could not be told in time, of a counter with [`while_offline: keep`](#told-late)"},
	{"Points", "gatewayd/<device>/<counter>/set", "", "controller", true, "", []string{"1234.5", `{"total":1234.5}`, "RESET"}, refused, false,
		"what the total is to be; of a counter that has one, whatever its topic"},
	{"Points", "gatewayd/<device>/<encoder>", "<topic>", "gateway", false, "", []string{"1"}, retained, true,
		"the position, of an encoder with `position: true`"},
	{"Points", "gatewayd/<device>/<encoder>/event", "", "gateway", false, "", []string{`{"event_type":"clockwise"}`, `{"event_type":"counterclockwise"}`},
		passing, true, "a step of an [encoder](#counters-and-encoders)"},
	{"Points", "gatewayd/<device>/<point>/availability", "", "gateway", false, "", []string{"online", "offline"}, retained, false,
		"whether its chip or sensor works, and an output's pin follows; of a group, one of its outputs"},
	{"Points", "gatewayd/<device>/<point>/error", "", "gateway", false, "text, such as",
		[]string{`l01: command refused: payload "MAYBE": wanted ON, OFF, TOGGLE or {"state":"ON","for":"30s"}`}, passing, false,
		"why a command was refused, or what has failed"},

	{"The gateway", "gatewayd/<device>/status", "", "gateway, broker", true, "", []string{"online", "offline"}, retained, false,
		"whether the gateway is there; the broker says `offline` when it is lost"},
	{"The gateway", "gatewayd/<device>/gateway/health", "", "gateway", false, "[JSON](#gatewayhealth)", nil, retained, false,
		"what works and what does not; each minute, and when something changes"},
	{"The gateway", "gatewayd/<device>/gateway/info", "", "gateway", true, "[JSON](#gatewayinfo)", nil, retained, false,
		"version, board, serial; with each connection, after a look whether another board has written it"},
	{"The gateway", "gatewayd/<device>/gateway/error", "", "gateway", false, "text, such as",
		[]string{`command on "gatewayd/garden-pi/l1/set": no such point, did you mean "l01"?`}, passing, false,
		"refused commands for points that do not exist or for the gateway itself, and what is wrong with all of it"},
	{"The gateway", "gatewayd/<device>/gateway/set", "", "controller", true, "", []string{"RESTART", "RELOAD", "IDENTIFY"}, refused, false,
		"commands to [the gateway itself](#the-gateway-itself)"},
	{"The gateway", "gatewayd/<device>/gateway/forget", "", "gatewayd forget", false, "", []string{"online"}, retained, false,
		"only while `gatewayd forget` runs, which clears it at its end"},

	{"Home Assistant", "homeassistant/device/gatewayd_<id>/config", "", "gateway", true, "[JSON](#home-assistant)", nil, retained, false,
		"the gateway and all its points; Home Assistant empties it when a person deletes the device"},
	{"Home Assistant", "homeassistant/device/gatewayd_<id>/<part>/config", "", "gateway", true, "[JSON](#home-assistant)", nil, retained, false,
		"the same of the points in another room, or the rest of a large one"},
	{"Home Assistant", "homeassistant/status", "", "Home Assistant", true, "", []string{"online"}, passing, false,
		"Home Assistant has started; the gateway tells all again"},
}

func (r *topicRow) writes() bool { return strings.Contains(r.by, "gateway") }

// commands tells whether a point may have a command topic of its own here.
func (r *topicRow) commands() bool { return strings.HasSuffix(r.given, "/set") }
