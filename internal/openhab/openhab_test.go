package openhab

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/bridge"
	"gatewayd/internal/openhabtest"
	"gatewayd/sensors"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// parsed reads both files, which openHAB must take.
func parsed(t *testing.T, c *bridge.Config, b *Broker) (things []openhabtest.Thing, items []openhabtest.Item) {
	t.Helper()
	text := Things(c, b)
	things, err := openhabtest.ParseThings(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	text = Items(c)
	items, err = openhabtest.ParseItems(text)
	if err == nil {
		err = openhabtest.Check(things, items)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return things, items
}

func TestHouse(t *testing.T) {
	c := house()
	b := &Broker{Host: "homeassistant.local", Port: "1883"}
	golden(t, "house.things", Things(c, b))
	golden(t, "house.items", Items(c))
	parsed(t, c, b)
	if Things(c, b) != Things(house(), b) || Items(c) != Items(house()) {
		t.Error("not the same text from the same configuration")
	}
}

func TestBroker(t *testing.T) {
	c := &bridge.Config{Device: "shed", Status: bridge.Status{Stopped: "gone"}}
	for _, tt := range []struct {
		name      string
		broker    Broker
		want      []string
		forbidden []string
	}{
		{"plain", Broker{Host: "broker", Port: "1883"}, []string{`host="broker"`, "port=1883", "secure=false", "(mqtt:broker:gatewayd)"},
			[]string{"username", "password", "certificatepin", "protocol", "computer"}},
		{"loopback", Broker{Host: "127.0.0.1"}, []string{"// 127.0.0.1 is the computer that openHAB runs on."}, []string{"port"}},
		{"secret", Broker{Host: "broker", Username: `me "and" you`, PasswordWanted: true}, []string{`username="me \"and\" you"`, `// , password="..."`}, nil},
		{"tls", Broker{Host: "broker", Port: "8883", Secure: true, Authority: true}, []string{"secure=true", "certificatepin=true", "publickeypin=true"}, nil},
		{"websocket", Broker{Host: "broker", Port: "443", Secure: true, WebSocket: true, WebSocketPath: "/mqtt"},
			[]string{`protocol="WEBSOCKETS"`, `webSocketPath="/mqtt"`}, nil},
		{"existing", Broker{UID: "home", Host: "broker"}, []string{"(mqtt:broker:home)"}, []string{"Bridge", "host="}},
		{"existing, in full", Broker{UID: "mqtt:broker:home"}, []string{"(mqtt:broker:home)"}, []string{"Bridge"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := Things(c, &tt.broker)
			for _, want := range append(tt.want, `payloadNotAvailable="offline"`, `mqtt.status.stopped: "gone"`) {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
			for _, not := range tt.forbidden {
				if strings.Contains(text, not) {
					t.Errorf("%q is in\n%s", not, text)
				}
			}
			parsed(t, c, &tt.broker)
		})
	}
}

func TestNames(t *testing.T) {
	for id, want := range map[string]string{"shed": "Shed", "garden-shed": "GardenShed", "a_b": "A_b", "7up": "_7up", "-": "_", "x-1": "X1"} {
		if got := itemPrefix(id); got != want {
			t.Errorf("itemPrefix(%q): got %q, want %q", id, got, want)
		}
	}
	for s, want := range map[string]string{"Küche": "kueche", "Loft & more": "loft_more", "  ": "", "日本": ""} {
		if got := slug(s); got != want {
			t.Errorf("slug(%q): got %q, want %q", s, got, want)
		}
	}
}

// Any words, payloads and rooms make files that openHAB reads, and that mean what was given.
func TestAnyHouse(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := anyHouse(r)
		things, items := parsed(t, c, &Broker{Host: words3(r), Username: words3(r), PasswordWanted: true})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		channels := map[string]*openhabtest.Channel{}
		for i := range things[1].Channels {
			ch := &things[1].Channels[i]
			channels[strings.TrimPrefix(ch.UID, things[1].UID+":")] = ch
		}
		labels := map[string]string{}
		for _, it := range items {
			if len(it.Channels) == 1 {
				labels[strings.TrimPrefix(it.Channels[0], things[1].UID+":")] = it.Label
			}
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			topics := bridge.NewTopics(c)
			for i := range c.Outputs {
				p := &c.Outputs[i]
				ch := channels[channelID(p.Name)]
				if ch == nil {
					t.Fatalf("%s has no channel", p.Name)
				}
				if ch.StateTopic() != topics.State(p.Name) || ch.CommandTopic() != topics.Command(p.Name) || ch.Label != p.Label {
					t.Errorf("%s: got %+v", p.Name, ch)
				}
				if want := strings.NewReplacer("[", "(", "]", ")").Replace(p.Label); labels[channelID(p.Name)] != want {
					t.Errorf("%s: label %q, want %q", p.Name, labels[channelID(p.Name)], want)
				}
				for word, payload := range map[string]string{"ON": p.PayloadOn, "OFF": p.PayloadOff} {
					if got, err := ch.Command(word); got != payload || err != nil {
						t.Errorf("%s: %s sends %q, %v: want %q", p.Name, word, got, err, payload)
					}
					if got, err := ch.State(payload); got != word || err != nil {
						t.Errorf("%s: %q is %q, %v: want %s", p.Name, payload, got, err, word)
					}
				}
			}
		})
	}
}

// words3 is text that tries to get out of its quotes.
func words3(r *rand.Rand) string {
	pieces := []string{`"`, `\`, `'`, "%", "[", "]", "[%.1f]", "{", "}", "(", ")", "<", ">", "//", "/*", "*/", "ü", "日", "light", "door", "\\u", "$", "∩", "#", ",", "=", "a b"}
	var out strings.Builder
	out.WriteString("x")
	for range 1 + r.IntN(6) {
		out.WriteString(pieces[r.IntN(len(pieces))])
	}
	return out.String()
}

func anyHouse(r *rand.Rand) *bridge.Config {
	c := &bridge.Config{Sensors: []bridge.Sensor{{Name: "s", Label: words3(r), Every: time.Minute,
		Quantities: []sensors.Quantity{{Name: "a", Unit: words3(r)}, {Name: "b", Unit: "°C", Class: "temperature"}}}}, Device: []string{"shed", "7-up", "a_b-c", "-", "group"}[r.IntN(5)]}
	c.HomeAssistant = bridge.HomeAssistant{Name: words3(r), Diagnostics: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		c.HomeAssistant.Area = words3(r)
	}
	areas := []string{"", "Kitchen", words3(r), words3(r), strings.ToUpper(words3(r))}
	names := []string{"a", "_", "0", "true", "false", "in_room", "equipment", "bridge", "thing", "a_temperature", "x1", "x_1"}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	classes := append(slices.Sorted(maps.Keys(watched)), "")
	components := bridge.OutputComponents[:6]
	for i, name := range names {
		ch := bridge.Channel{PayloadOn: "+" + words3(r), PayloadOff: "-" + words3(r), QoS: byte(r.IntN(2))}
		e := bridge.Entity{Area: areas[r.IntN(len(areas))]}
		if i%3 == 0 {
			e.DeviceClass = classes[r.IntN(len(classes))]
			c.Inputs = append(c.Inputs, bridge.Input{Name: name, Label: words3(r), Channel: ch, Entity: e,
				Gestures: bridge.Gestures{Told: []bridge.Trigger{bridge.Click}[:r.IntN(2)]}})
			continue
		}
		e.Component = components[r.IntN(len(components))]
		c.Outputs = append(c.Outputs, bridge.Output{Name: name, Label: words3(r), Channel: ch, Entity: e})
	}
	return c
}
