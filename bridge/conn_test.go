package bridge

import (
	"bytes"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// source is a connection that brings data in pieces of at most n bytes.
type source struct {
	net.Conn
	data []byte
	n    int
}

func (s *source) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.n)], s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *source) Close() error                { return nil }
func (s *source) SetDeadline(time.Time) error { return nil }

func publishPacket(topic string, qos byte, id uint16, n int) []byte {
	m := Message{Topic: topic, Payload: bytes.Repeat([]byte("x"), n), QoS: qos}
	return appendPublish(nil, &m, id)
}

var connack = []byte{0x20, 2, 0, 0}

func TestConnFrames(t *testing.T) {
	var stream []byte
	stream = append(stream, connack...)
	sizes := []int{0, 10, MaxPayload - 1, MaxPayload, MaxPayload + 1, 300_000, 1, 400_000, 2}
	for i, n := range sizes {
		stream = append(stream, publishPacket("a/b", byte(i%2), uint16(i+1), n)...)
		stream = append(stream, 0x40, 2, 0x80, byte(i)) // ours
		stream = append(stream, 0x40, 2, 0x00, byte(i)) // the client's
	}
	for _, piece := range []int{1, 3, 4096, 1 << 20} {
		var acked []uint16
		var oversized atomic.Uint64
		s := &source{data: stream, n: piece}
		c := newConn(s, s, time.Second, func(id uint16) { acked = append(acked, id) }, &oversized)
		if p, err := packets.ReadPacket(c); err != nil || p.(*packets.ConnackPacket).ReturnCode != 0 {
			t.Fatalf("CONNACK: %v, %v", p, err)
		}
		for i, n := range sizes {
			p, err := packets.ReadPacket(c)
			if err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			m := p.(*packets.PublishPacket)
			if want := min(n, MaxPayload); len(m.Payload) != want || m.TopicName != "a/b" || i%2 == 1 && m.MessageID != uint16(i+1) {
				t.Errorf("%d bytes: got %d on %s with identifier %d, want %d bytes", n, len(m.Payload), m.TopicName, m.MessageID, want)
			}
			p, err = packets.ReadPacket(c)
			if a, ok := p.(*packets.PubackPacket); !ok || err != nil || a.MessageID != uint16(i) {
				t.Fatalf("the client's acknowledgement: %v, %v", p, err)
			}
		}
		if _, err := packets.ReadPacket(c); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		var want []uint16
		for i := range sizes {
			want = append(want, 0x8000+uint16(i))
		}
		if !slices.Equal(acked, want) || oversized.Load() != 3 {
			t.Errorf("pieces of %d: acknowledged %x, cut %d", piece, acked, oversized.Load())
		}
	}
}

func TestConnRefusesLargeControlPackets(t *testing.T) {
	s := &source{data: append(append([]byte(nil), connack...), 0x90, 0x80, 0x80, 0x80, 0x7f), n: 4096}
	c := newConn(s, s, time.Second, func(uint16) {}, new(atomic.Uint64))
	packets.ReadPacket(c)
	if p, err := packets.ReadPacket(c); err == nil {
		t.Errorf("a SUBACK of 256 MB is taken: %v", p)
	}
}

func TestParseBroker(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"tcp://host", "tcp://host:1883"}, {"mqtt://host:1", "tcp://host:1"}, {"ssl://host", "tls://host:8883"}, {"MQTTS://u:p@host", "tls://host:8883"},
		{"ws://host", "ws://host:80/mqtt"}, {"wss://host/x", "wss://host:443/x"}, {"wss://host/x?y=1", ""}, {"ws://host?", ""}, {"tcp://[fe80::1%25eth0]:1883", "tcp://[fe80::1%25eth0]:1883"},
		{"host:1883", ""}, {"tcp://", ""}, {"tcp://:1883", ""}, {"http://host", ""}, {"tcp://host/path", ""}, {"tcp://u:p@ho st", ""}, {"", ""},
		{"u:p@host", ""}, {"ftp://u:p@host", ""}, {"tcp://u:p@host:0", ""}, {"tcp://u:p@host?x=1", ""}, {"ws://u:p@host#x", ""}, {"tcp://u:p@", ""},
		{"mqtt://me:host:1883", ""}, {"tcp://fe80::1", ""}, {"tcp://[fe80::1]", "tcp://[fe80::1]:1883"},
	} {
		e, _, err := parseBroker(test.in)
		if got := e.String(); err == nil && got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		} else if again, _, err2 := parseBroker(got); err == nil && (err2 != nil || again != e) {
			t.Errorf("%q: read again: %+v, want %+v: %v", got, again, e, err2)
		}
		if (err != nil) != (test.want == "") {
			t.Errorf("%q: %v", test.in, err)
		}
		if err != nil && (strings.Contains(err.Error(), "u:p") || strings.Contains(err.Error(), "x=1")) {
			t.Errorf("the password is told: %v", err)
		}
	}
}

func TestParseHosts(t *testing.T) {
	got := parseHosts("192.168.1.5     STREAM homeassistant.local\n192.168.1.5     DGRAM  \nfe80::1 STREAM\nfe80::1%eth0 STREAM\n2001:db8::1 RAW\nx y\n")
	if want := []string{"192.168.1.5", "fe80::1%eth0", "2001:db8::1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for host, want := range map[string]bool{"homeassistant.local": true, "HA.Local.": true, "local": false, "x.localdomain": false} {
		if isLocal(host) != want {
			t.Errorf("isLocal(%q) = %v", host, !want)
		}
	}
}

// TestLocalNameNotFound has a network error below: the remedy must not go with its addresses.
func TestLocalNameNotFound(t *testing.T) {
	below := &net.OpError{Op: "listen", Net: "udp4", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	err := explain(notFound("homeassistant.local", below), endpoint{"tcp", "homeassistant.local", "1883", ""}, false)
	for _, want := range []string{"homeassistant.local is not found", "write its address", "address already in use"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
}
