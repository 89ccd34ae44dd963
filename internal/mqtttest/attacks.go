package mqtttest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Attack is one way in which a broker is hostile.
type Attack struct {
	Name string
	Ends bool // the gateway must end the connection; else it must bear it
	Play func(*Guest)
}

// Floods are the attacks that send much, each for as long as it is told, at a gateway with the given device name, an output boiler and
// an input door.
func Floods(device string, lasts time.Duration) []Attack {
	root := "gatewayd/" + device + "/"
	document := "homeassistant/device/gatewayd_" + device + "/"
	send := func(name string, packet func(i int) []byte) Attack {
		return Attack{name, false, func(g *Guest) {
			g.Live()
			g.flood(lasts, packet)
		}}
	}
	ends := func(a Attack) Attack {
		a.Ends = true
		return a
	}
	none := []string{
		root + "door/set", root + "boiler/set/set", "gatewayd/other/boiler/set", root + "boiler", "boiler/set", root + "/boiler/set", root + "Boiler/set",
		root + "status/set", "", "$SYS/boiler/set", root + "+/set", "#", "gatewayd/" + device + "boiler/set",
	}
	long := strings.Repeat(root, 60000/len(root))
	var parts []string
	for i := range 1500 {
		parts = append(parts, fmt.Sprintf(`"c%d":{"platform":"p"}`, i))
	}
	garbage := []byte(`{"origin":{"name":"gatewayd"},"availability":[{"topic":"gatewayd/a/b"}],"components":{` + strings.Join(parts, ",") + `}}`)
	deep := []byte(`{"components":` + strings.Repeat(`{"a":`, 8000) + `1` + strings.Repeat("}", 8001))
	dice := rand.New(rand.NewPCG(1, 2))
	return []Attack{
		{"268 MB in one message", false, func(g *Guest) {
			g.Live()
			topic := root + "boiler/set"
			g.writing.Lock()
			defer g.writing.Unlock()
			g.Conn.Write(append([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0, byte(len(topic))}, topic...))
			chunk := bytes.Repeat([]byte("ON "), 1<<18)
			for left := 268435455 - 2 - len(topic); left > 0; left -= len(chunk) {
				if _, err := g.Conn.Write(chunk[:min(left, len(chunk))]); err != nil {
					return
				}
			}
		}},
		send("commands that are nonsense", func(i int) []byte {
			return Publish(0x32, fmt.Sprint(root, i, "/set"), uint16(i), []byte("nonsense"))
		}),
		send("commands of 60 KB", func(i int) []byte {
			return Publish(0x32, root+"boiler/set", uint16(i), bytes.Repeat([]byte("{"), 60000))
		}),
		send("retained commands", func(int) []byte { return Publish(0x31, root+"boiler/set", 0, []byte("ON")) }),
		send("commands to what takes none", func(i int) []byte { return Publish(0x30, none[i%len(none)], 0, []byte("ON")) }),
		send("topics of 60 KB", func(i int) []byte { return Publish(0x30, fmt.Sprint(long, i, "/set"), 0, make([]byte, 5000)) }),
		send("what is not UTF-8", func(int) []byte {
			return Publish(0x30, root+"\xff\xfe\x00\x1b[2J\n/set", 0, []byte("\xff\xfe\x00\x1b[2J\nON"))
		}),
		send("garbage for Home Assistant", func(i int) []byte { return Publish(0x31, fmt.Sprint(document, i, "/config"), 0, garbage) }),
		send("garbage in one document", func(int) []byte { return Publish(0x31, document+"config", 0, garbage) }),
		send("deep garbage", func(int) []byte { return Publish(0x31, document+"config", 0, deep) }),
		send("births of Home Assistant", func(int) []byte { return Publish(0x30, "homeassistant/status", 0, []byte("online")) }),
		send("restarts that are retained", func(int) []byte { return Publish(0x31, root+"gateway/set", 0, []byte("RESTART")) }),
		send("that we are offline", func(int) []byte { return Publish(0x30, root+"status", 0, []byte("offline")) }),
		send("other boards' serial numbers", func(int) []byte {
			return Publish(0x31, root+"gateway/info", 0, []byte(`{"serial":"`+strings.Repeat("\\u001b", 10000)+`"}`))
		}),
		send("acknowledgements of what there is not", func(i int) []byte { return []byte{0x40, 2, byte(i >> 8), byte(i)} }),
		send("answers to pings that there were not", func(int) []byte { return []byte{0xd0, 0} }),
		ends(send("messages at QoS 2 that are never released", func(i int) []byte { return Publish(0x34, root+"boiler/set", uint16(i), make([]byte, 60000)) })),
		ends(send("noise", func(int) []byte {
			b := make([]byte, 4096)
			for i := range b {
				b[i] = byte(dice.Uint32())
			}
			return b
		})),
	}
}

// Packets are the attacks with one packet, or a few.
func Packets() []Attack {
	first := func(packet ...byte) func(*Guest) { // in place of CONNACK
		return func(g *Guest) {
			g.Packet()
			g.Write(packet)
		}
	}
	live := func(packet ...byte) func(*Guest) {
		return func(g *Guest) {
			g.Live()
			g.Write(packet)
		}
	}
	answer := func(change func([]byte) []byte) func(*Guest) { // to SUBSCRIBE
		return func(g *Guest) {
			if g.Greet() != nil {
				return
			}
			for {
				head, body, err := g.Packet()
				if err != nil {
					return
				}
				if head>>4 == 8 {
					g.Write(change(Answer(head, body)))
					return
				}
			}
		}
	}
	all := []Attack{
		{"a greeting of 200 KB", true, first(append([]byte{0x20, 0xc0, 0x9a, 0x0c}, make([]byte, 200000)...)...)},
		{"a greeting that is a message", true, first(Publish(0x30, "a", 0, nil)...)},
		{"two greetings", true, live(0x20, 2, 0, 0)},
		{"an announcement of 268 MB that is no message", true, live(0x90, 0xff, 0xff, 0xff, 0x7f, 0, 1)},
		{"an announcement of more than MQTT can", true, live(0x30, 0xff, 0xff, 0xff, 0xff, 0x7f)},
		{"more answers than questions", true, answer(func(a []byte) []byte { a[1] += 100; return append(a, make([]byte, 100)...) })},
		{"fewer answers than questions", true, answer(func(a []byte) []byte { a[1]--; return a[:len(a)-1] })},
		{"an answer twice", true, answer(func(a []byte) []byte { return append(a, a...) })},
		{"an answer to nothing", true, live(0x90, 3, 0x12, 0x34, 0)},
		{"a message at QoS 3", true, live(Publish(0x36, "a", 1, []byte("ON"))...)},
		{"a release of what there is not", true, live(0x62, 2, 0, 1)},
		{"a topic that is longer than its message", true, live(0x30, 4, 0xff, 0xff, 'a', 'b')},
	}
	for kind := range byte(16) {
		for _, n := range []int{0, 1, 2, 100} {
			for _, flags := range []byte{0, 0x0f} {
				packet := append([]byte{kind<<4 | flags, byte(n)}, bytes.Repeat([]byte{0xff}, n)...)
				fits := n == 2 && (kind == 4 || kind == 11) || n == 0 && kind == 13
				all = append(all, Attack{fmt.Sprintf("type %d, flags %x, %d bytes", kind, flags, n), !fits, live(packet...)})
			}
		}
	}
	return all
}

// flood sends as much as it can.
func (g *Guest) flood(lasts time.Duration, packet func(i int) []byte) {
	var b []byte
	for i, end := 0, time.Now().Add(lasts); time.Now().Before(end); i++ {
		if b = append(b, packet(i)...); len(b) < 32<<10 {
			continue
		}
		if _, err := g.Write(b); err != nil {
			return
		}
		b = b[:0]
	}
}
