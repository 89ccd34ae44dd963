package bridge

import (
	"bytes"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatewayd/gpio"
)

// FuzzConn is a broker that sends anything, in pieces of any size, with zeros behind it: what the client reads with its own reader is
// what a broker may send, within the bounds, and reading ends.
func FuzzConn(f *testing.F) {
	subscribe := []byte{0x82, 12, 0, 1, 0, 1, 'a', 1, 0, 3, 'b', '/', '+', 0}
	f.Add(slices.Concat(connack, []byte{0x30, 0xa0, 0x8d, 0x06, 0, 1, 'a', 'x'}), uint16(5), uint32(100_000), subscribe)
	f.Add(slices.Concat(connack, []byte{0x90, 4, 0, 1, 1, 0}, publishPacket("b/c", 1, 7, 10)), uint16(3), uint32(0), subscribe)
	f.Add(slices.Concat(connack, []byte{0x90, 8, 0, 1, 1, 0, 0, 0, 0, 0}), uint16(100), uint32(0), subscribe)
	f.Add([]byte{0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff}, uint16(1), uint32(300_000), subscribe)
	f.Add([]byte{0x20, 2, 0, 0, 0x40, 2, 0x80, 1, 0xd0, 0, 0xb0, 2, 0, 2, 0x34, 5, 0, 1, 'a', 0, 1}, uint16(2), uint32(0), []byte{0x82})
	f.Add([]byte{0x20, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(100), uint32(0), []byte{0x82, 0x80})
	f.Fuzz(func(t *testing.T, data []byte, piece uint16, zeros uint32, subscribe []byte) {
		zeros %= 400_000
		s := &trickle{r: io.MultiReader(bytes.NewReader(data), io.LimitReader(zero{}, int64(zeros))), n: max(1, int(piece&0xfff))}
		c := newConn(s, s, time.Second, func(uint16) {}, new(atomic.Uint64))
		c.subscribing(subscribe)
		asked := c.asked
		total := 0
		for first := true; ; first = false {
			p, err := packets.ReadPacket(c)
			if err != nil {
				return
			}
			switch p := p.(type) {
			case *packets.ConnackPacket:
				if !first {
					t.Fatal("a second greeting")
				}
			case *packets.PublishPacket:
				if len(p.Payload) > MaxPayload || p.Qos > 1 {
					t.Fatalf("%d bytes at QoS %d", len(p.Payload), p.Qos)
				}
				total += len(p.Payload) + len(p.TopicName)
			case *packets.SubackPacket:
				if n, ok := asked[p.MessageID]; ok && n != len(p.ReturnCodes) {
					t.Fatalf("%d answers to %d questions", len(p.ReturnCodes), n)
				}
			case *packets.PubackPacket, *packets.UnsubackPacket, *packets.PingrespPacket:
			default:
				t.Fatalf("the client sees a %T", p)
			}
			if total > len(data)+int(zeros) {
				t.Fatalf("%d bytes were made of %d", total, len(data)+int(zeros))
			}
		}
	})
}

// trickle brings pieces of at most n bytes.
type trickle struct {
	source
	r io.Reader
	n int
}

func (s *trickle) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.n)]) }

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// FuzzReceive is anybody who sends anything to anywhere: nothing is switched but by a command that is not retained, on an output's or a
// group's own topic; every answer is UTF-8, short, and on a topic that can be published to.
func FuzzReceive(f *testing.F) {
	for _, topic := range []string{"light/l01/set", "gatewayd/shed/pump/set", "gatewayd/shed/door/set", "gatewayd/shed/gateway/set", "gatewayd/shed/l01/set",
		"homeassistant/device/gatewayd_shed/config", "homeassistant/device/gatewayd_shed/x/config", "homeassistant/status", "gatewayd/shed/a/b/set"} {
		for _, payload := range []string{"ON", `{"state":"ON","for":"1s"}`, "IDENTIFY", "online", ""} {
			f.Add(topic, []byte(payload), false)
			f.Add(topic, []byte(payload), true)
		}
	}
	f.Fuzz(func(t *testing.T, topic string, payload []byte, retained bool) {
		cfg := house()
		cfg.HomeAssistant.Discovery = true
		s, err := newState(cfg, About{restarts: true})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		for _, o := range cfg.Outputs {
			s.step(&gpio.Event{Line: o.Name, At: now}, now)
		}
		s.step(Link{Up: true}, now)
		own := map[string]string{}
		for name := range s.targets {
			own[s.topics.Command(name)] = name
		}
		check := func(do []Write, send []Message) {
			for _, w := range do {
				if retained || own[topic] != w.Point {
					t.Errorf("%q on %q, retained %v, switches %s", payload, topic, retained, w.Point)
				}
			}
			for _, m := range send {
				if !validTopic(m.Topic) || !utf8.ValidString(m.Topic) {
					t.Errorf("published on %q", m.Topic)
				}
				if strings.HasSuffix(m.Topic, "/error") && (len(m.Payload) > 1000 || !utf8.Valid(m.Payload)) {
					t.Errorf("%s: %q", m.Topic, m.Payload)
				}
			}
		}
		do, send, next := s.step(Inbound{Topic: topic, Payload: payload, Retained: retained}, now)
		check(do, send)
		if s.restart && (retained || topic != "gatewayd/shed/gateway/set") {
			t.Errorf("%q on %q, retained %v, restarts", payload, topic, retained)
		}
		for range 10 { // what it has set going
			if next.IsZero() {
				break
			}
			now = next
			do, send, next = s.step(tick{}, now)
			check(do, send)
		}
	})
}

// FuzzFound reads what others have left for Home Assistant: what is cleared has a topic that can be published to.
func FuzzFound(f *testing.F) {
	f.Add([]byte(`{"origin":{"name":"gatewayd"},"availability":[{"topic":"gatewayd/a/status"}],"components":{"l01":{"platform":"light",` +
		`"unique_id":"x","state_topic":"a/b","command_topic":"a/b/set","json_attributes_topic":"c","availability":[{"topic":"d"}]}}}`))
	f.Add([]byte(`{"origin":{"name":"gatewayd"},"components":{"t":{"platform":"device_automation","type":"a","subtype":"b"},"b":{"platform":"button","command_topic":"x/set"}}}`))
	f.Add([]byte(`{"origin":`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		found := readFound(payload)
		for _, topic := range found.topics {
			if !validTopic(topic) {
				t.Errorf("%q", topic)
			}
		}
		for i := range found.components {
			found.components[i].entity()
			found.components[i].removal()
		}
		if found.size() > len(payload)+1000 {
			t.Errorf("%d of %d bytes", found.size(), len(payload))
		}
		if serial := serialOf(payload); len(serial) > 64 || !utf8.ValidString(serial) {
			t.Errorf("serial %q", serial)
		}
	})
}

// FuzzBroker reads URLs: what is read is read again as the same, and no error and no name shows a password.
func FuzzBroker(f *testing.F) {
	for _, s := range []string{"tcp://host", "mqtts://u:SECRET@host:1/", "wss://host/x?SECRET", "ws://[fe80::1%25eth0]:80/mqtt", "tcp://u:SECRET@ho st", "u:SECRET@host", "http://u:SECRET@x/y#z"} {
		f.Add(s, "SECRET")
	}
	f.Fuzz(func(t *testing.T, broker, secret string) {
		e, user, err := parseBroker(broker)
		shown := newCandidate(broker, "").name
		if err == nil {
			again, _, err := parseBroker(e.String())
			if err != nil || again != e {
				t.Errorf("%q: got %+v, then %+v, %v", broker, e, again, err)
			}
		} else {
			shown += err.Error()
		}
		pass, there := user.Password()
		before, _, credentials := strings.Cut(broker, "@") // without one it is a host and a port
		if credentials && len(secret) > 5 && strings.Count(broker, secret) == 1 && (there && pass == secret || strings.HasSuffix(before, ":"+secret)) && strings.Contains(shown, secret) {
			t.Errorf("%q shows it: %s", broker, shown)
		}
	})
}

// FuzzHosts reads what getent prints: only addresses, each once.
func FuzzHosts(f *testing.F) {
	f.Add("192.168.1.5     STREAM homeassistant.local\n192.168.1.5     DGRAM  \nfe80::1 STREAM\nfe80::1%eth0 STREAM\n2001:db8::1 RAW\nx y\n")
	f.Fuzz(func(t *testing.T, out string) {
		addrs := parseHosts(out)
		for i, a := range addrs {
			if _, err := netip.ParseAddr(a); err != nil || slices.Contains(addrs[:i], a) {
				t.Errorf("%q", addrs)
			}
		}
	})
}
