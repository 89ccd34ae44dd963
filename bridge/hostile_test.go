package bridge

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// A broker that sends packets which MQTT does not have, or not here, loses the connection, each time, and the gateway connects again; it
// does not end, and leaves nothing behind.
func TestHostilePackets(t *testing.T) {
	attacks := mqtttest.Packets()
	order, results := make(chan mqtttest.Attack), make(chan bool)
	rogue := mqtttest.StartRogue(t, func(g *mqtttest.Guest) {
		a, ok := <-order
		if !ok {
			return
		}
		a.Play(g)
		patience := 5 * time.Second
		if !a.Ends {
			patience = 50 * time.Millisecond // it lives on
		}
		results <- g.Ended(patience)
	}, nil)
	base := runtime.NumGoroutine()
	r := startSession(t, SessionConfig{Broker: "tcp://" + rogue.Addr(), RetryMin: time.Millisecond, RetryMax: time.Millisecond,
		Subscriptions: []string{"gw/+/set", "a", "b", "c"}})
	for _, a := range attacks {
		limit := time.After(20 * time.Second)
		select {
		case order <- a:
		case <-limit:
			t.Fatalf("%s: nobody comes: %+v", a.Name, r.Stats())
		}
		select {
		case ended := <-results:
			if ended != a.Ends {
				t.Errorf("%s: the connection is ended: %v, want %v", a.Name, ended, a.Ends)
			}
		case <-limit:
			t.Fatalf("%s: is not over", a.Name)
		}
	}
	close(order)
	r.stop()
	settled(t, base)
	for _, want := range []string{"the broker breaks the rules of MQTT: it sends a packet of type 9 with", "it greets a second time", "QoS 3, which was not asked for"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log does not have %q:\n%s", want, r.log)
		}
	}
}

// A packet that never ends, a byte at a time, is no sign of life.
func TestHostileSlowness(t *testing.T) {
	for name, greets := range map[string]bool{"in place of CONNACK": false, "after it": true} {
		t.Run(name, func(t *testing.T) {
			took := make(chan time.Duration, 100)
			rogue := mqtttest.StartRogue(t, func(g *mqtttest.Guest) {
				packet := mqtttest.Publish(0x30, "gw/a/set", 0, make([]byte, 60000))
				if greets {
					g.Live()
				} else {
					g.Packet()
					packet = []byte{0x20, 2, 0}
				}
				begin := time.Now()
				for _, b := range packet {
					g.Write([]byte{b})
					if g.Ended(20 * time.Millisecond) {
						break
					}
				}
				g.Ended(10 * time.Second)
				took <- time.Since(begin)
			}, nil)
			startSession(t, SessionConfig{Broker: "tcp://" + rogue.Addr(), KeepAlive: time.Second, Timeout: time.Second, AckTimeout: time.Second})
			select {
			case d := <-took:
				t.Logf("after %v", d)
			case <-time.After(15 * time.Second):
				t.Error("the connection is not ended within 15 s")
			}
		})
	}
}

// A web server whose header never ends does not fill the memory.
func TestHostileWebServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sent := make(chan int64, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n")
				n, _ := io.Copy(c, endless{})
				sent <- n
			}()
		}
	}()
	r := startSession(t, SessionConfig{Broker: "ws://" + l.Addr().String()})
	if l := r.await(t, false); l.Err == nil {
		t.Error("it is taken for a broker")
	}
	const most = 16 << 20 // what the kernel holds, on both sides, comes to what is read
	if n := <-sent; n > most {
		t.Errorf("%d bytes of a header were taken, want %d at most", n, most)
	}
}

// endless is a header that goes on.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p)-20 {
		n += copy(p[n:], "X-More: and more\r\n")
	}
	return n, nil
}

// What waits is small, however long the topics are that nobody has subscribed to.
func TestHostileTopics(t *testing.T) {
	b, _ := prepared(t, time.Millisecond, nil)
	long := strings.Repeat("x/", 30000)
	for range 2 * queueMost {
		b.Receive(Inbound{Topic: "gatewayd/shed/" + long + "set", Payload: []byte("ON")})
		b.Receive(Inbound{Topic: long, Payload: []byte("ON")})
	}
	commands, refused := b.queue.take()
	size := 0
	for _, m := range commands {
		size += len(m.Topic)
	}
	for _, r := range refused {
		size += len(r.topic)
	}
	if len(commands) != queueMost || size > 400*topicMost {
		t.Errorf("%d commands and %d refusals with %d bytes of topics", len(commands), len(refused), size)
	}
}
