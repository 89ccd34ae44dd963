package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"gatewayd/internal/mqtttest"
)

var testStatus = Status{Topic: "gw/status", Online: "online", Offline: "offline", Stopped: "stopped"}

// sessionRun is a session under test.
type sessionRun struct {
	*Session
	links    chan Link
	received chan Inbound
	log      *safeBuffer
	stop     func() // ends Run and waits for it
}

type safeBuffer struct {
	mu sync.Mutex // guards the following
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func startSession(t *testing.T, cfg SessionConfig, before ...Message) *sessionRun {
	t.Helper()
	if cfg.ClientID == "" {
		cfg.ClientID = "gatewayd-test"
	}
	if cfg.Status.Topic == "" {
		cfg.Status = testStatus
	}
	if cfg.RetryMin == 0 {
		cfg.RetryMin, cfg.RetryMax = 20*time.Millisecond, 100*time.Millisecond
	}
	r := &sessionRun{links: make(chan Link, 1000), received: make(chan Inbound, 1000), log: new(safeBuffer)}
	r.Session = NewSession(cfg, func(m Inbound) { r.received <- m }, func(l Link) { r.links <- l }, slog.New(slog.NewTextHandler(r.log, nil)))
	for _, m := range before {
		r.Publish(m)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	r.stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(8 * time.Second):
			t.Error("Run does not end")
		}
	}
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

// await returns the next link with the wanted state.
func (r *sessionRun) await(t *testing.T, up bool) Link {
	t.Helper()
	limit := time.After(8 * time.Second)
	for {
		select {
		case l := <-r.links:
			if l.Up == up {
				return l
			}
		case <-limit:
			t.Fatalf("no link with up=%v; last error %v", up, r.Stats().LastError)
		}
	}
}

// watch is another client that sees everything, in order.
type observer struct {
	mqtt.Client
	seen chan string // topic=payload, with a ! for retained
}

func observe(t *testing.T, addr string) *observer {
	t.Helper()
	w := &observer{seen: make(chan string, 100000)}
	w.Client = mqtt.NewClient(clientOptions(addr, fmt.Sprint("observer-", time.Now().UnixNano())).SetDefaultPublishHandler(
		func(_ mqtt.Client, m mqtt.Message) {
			mark := ""
			if m.Retained() {
				mark = "!"
			}
			w.seen <- m.Topic() + "=" + string(m.Payload()) + mark
		}))
	if tok := w.Connect(); tok.Wait() && tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	if tok := w.Subscribe("#", 1, nil); tok.Wait() && tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	t.Cleanup(func() { w.Disconnect(100) })
	return w
}

// startOrdered gives a broker that hands on everything, in the order in which it came, over whichever connection.
func startOrdered(t *testing.T) *mqtttest.Mosquitto {
	return mqtttest.StartMosquitto(t, func(_ string, port int) string {
		return fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n", port)
	})
}

// clientOptions are those of another client, which must not ask the proxy that a test sets.
func clientOptions(addr, id string) *mqtt.ClientOptions {
	return mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(id).SetAutoReconnect(false).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return net.Dial("tcp", addr) })
}

// until returns what is seen up to want.
func (w *observer) until(t *testing.T, want string) []string {
	t.Helper()
	var got []string
	limit := time.After(8 * time.Second)
	for {
		select {
		case s := <-w.seen:
			got = append(got, s)
			if s == want {
				return got
			}
		case <-limit:
			t.Fatalf("%q was not seen, but %q", want, got[max(0, len(got)-20):])
		}
	}
}

func (w *observer) say(t *testing.T, topic, payload string, retain bool) {
	t.Helper()
	if tok := w.Publish(topic, 1, retain, payload); tok.Wait() && tok.Error() != nil {
		t.Fatal(tok.Error())
	}
}

func stateMsg(topic, payload string) Message {
	return Message{Topic: topic, Payload: []byte(payload), QoS: 1, Retain: true, State: true}
}

func eventMsg(topic, payload string) Message {
	return Message{Topic: topic, Payload: []byte(payload), QoS: 1}
}

// settled waits until no more goroutines than base run.
func settled(t *testing.T, base int) {
	t.Helper()
	for range 100 {
		if runtime.NumGoroutine() <= base {
			return
		}
		time.Sleep(30 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), base, buf[:runtime.Stack(buf, true)])
}

func descriptors(t *testing.T) int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Logf("descriptors are not counted: %v", err)
	}
	return len(d)
}

func TestSessionOrderAtStart(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	w := observe(t, b.Addr())
	r := startSession(t, SessionConfig{Broker: "tcp://" + b.Addr(), Subscriptions: []string{"gw/+/set"}},
		eventMsg("gw/bell", "1"), stateMsg("gw/a", "OFF"), stateMsg("gw/b", "OFF"), stateMsg("gw/a", "ON"))
	r.await(t, true)
	r.Publish(stateMsg("gw/a", "OFF"))
	got := slices.DeleteFunc(w.until(t, "gw/a=OFF"), func(s string) bool { return strings.HasSuffix(s, "!") }) // retained: its subscription met the first message
	if want := []string{"gw/a=ON", "gw/b=OFF", "gw/status=online", "gw/bell=1", "gw/a=OFF"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w.say(t, "gw/a/set", "TOGGLE", false)
	if m := <-r.received; m.Topic != "gw/a/set" || string(m.Payload) != "TOGGLE" || m.Retained {
		t.Errorf("received %+v", m)
	}
	w.say(t, "gw/b/set", strings.Repeat("x", 1<<20), false)
	if m := <-r.received; m.Topic != "gw/b/set" || len(m.Payload) != MaxPayload {
		t.Errorf("1 MB: received %s with %d bytes, want it cut to %d", m.Topic, len(m.Payload), MaxPayload)
	}
	w.say(t, "gw/a/set", "ON", false) // the framing has not lost its place, and the long one was acknowledged
	if m := <-r.received; string(m.Payload) != "ON" {
		t.Errorf("after 1 MB: received %+v", m)
	}
	if st := r.Stats(); st.Oversized != 1 || !st.Connected || st.Connects != 1 || st.Sent < 4 {
		t.Errorf("stats %+v", st)
	}
	r.Publish(stateMsg("gw/b", "last"))
	r.stop()
	if got, want := w.until(t, "gw/status=stopped"), "gw/b=last"; !slices.Contains(got, want) {
		t.Errorf("what was queued at the stop is missing: %q", got)
	}
	if l := r.await(t, false); l.Err != nil {
		t.Errorf("stopped: Link.Err = %v, want nil", l.Err)
	}
}

// TestSessionLargeOverWebsocket crosses the bounds of frames, packets and MaxPayload.
func TestSessionLargeOverWebsocket(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartEmbedded(t, "")
	w := observe(t, b.Addr())
	r := startSession(t, SessionConfig{Broker: "ws://" + b.Websocket(), Subscriptions: []string{"gw/+/set"}})
	r.await(t, true)
	for _, n := range []int{1, 4090, 70_000, 300_000, 2, 1 << 20, 3} {
		w.say(t, "gw/a/set", strings.Repeat("x", n), false)
		select {
		case in := <-r.received:
			if len(in.Payload) != min(n, MaxPayload) {
				t.Errorf("%d bytes: received %d", n, len(in.Payload))
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%d bytes were not received: %v", n, r.Stats().LastError)
		}
	}
	r.Publish(eventMsg("gw/large", strings.Repeat("y", 100_000)))
	w.until(t, "gw/large="+strings.Repeat("y", 100_000))
}

func TestSessionReconnects(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	w := observe(t, b.Addr())
	p := mqtttest.StartProxy(t, b.Addr())
	p.Closed.Store(true)
	r := startSession(t, SessionConfig{Broker: "tcp://" + p.Addr(), Subscriptions: []string{"gw/+/set"}})
	if l := r.await(t, false); l.Err == nil || !strings.Contains(l.Err.Error(), "closed the connection") {
		t.Errorf("first failure: %v", l.Err)
	}
	r.Publish(stateMsg("gw/a", "1"))
	r.Publish(stateMsg("gw/a", "2"))
	r.Publish(eventMsg("gw/bell", "1"))
	p.Closed.Store(false)
	r.await(t, true)
	if got, want := w.until(t, "gw/bell=1"), []string{"gw/a=2", "gw/status=online", "gw/bell=1"}; !slices.Equal(got, want) {
		t.Errorf("after the failure: got %q, want %q", got, want)
	}
	p.Kill()
	if l := r.await(t, false); l.Err == nil {
		t.Error("lost: no reason")
	}
	r.await(t, true)
	if got := w.until(t, "gw/status=online"); !slices.Contains(got, "gw/status=offline") || !slices.Contains(got, "gw/a=2") {
		t.Errorf("after the loss: got %q, want the will and the state again", got)
	}
	w.say(t, "gw/a/set", "ON", false)
	if m := <-r.received; string(m.Payload) != "ON" {
		t.Errorf("after the loss: received %+v", m)
	}
	if n := strings.Count(r.log.String(), "no connection to the broker"); n != 1 {
		t.Errorf("a failure that goes on was told %d times, want once:\n%s", n, r.log)
	}
}

// TestSessionKills cuts the connection again and again in a burst. Every state must end up at its last value, nothing may
// go backwards within a connection, no event may be missing, and no goroutine or descriptor may be left.
func TestSessionKills(t *testing.T) {
	kills := 100
	if testing.Short() {
		kills = 30
	}
	// A real one: the embedded one acknowledges a message before it hands it on, each connection on its own, so that what comes over
	// the next connection may overtake it.
	b := startOrdered(t)
	w := observe(t, b.Addr())
	p := mqtttest.StartProxy(t, b.Addr())
	base, files := runtime.NumGoroutine(), descriptors(t)
	r := startSession(t, SessionConfig{Broker: "tcp://" + p.Addr(), RetryMin: time.Millisecond, RetryMax: 2 * time.Millisecond})
	r.await(t, true)
	n := 0
	for i := range kills {
		for range 40 {
			n++
			r.Publish(stateMsg("gw/n", fmt.Sprint(n)))
			if n%8 == 0 {
				r.Publish(eventMsg("gw/e", fmt.Sprint(n)))
			}
		}
		if i%3 == 0 { // some in the middle of connecting
			time.Sleep(time.Millisecond)
		} else {
			r.await(t, true)
		}
		for p.Kill() == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	r.Publish(eventMsg("gw/end", "1"))
	got := w.until(t, "gw/end=1")
	events := map[string]bool{}
	last, lastEvent := 0, 0
	for _, s := range got {
		var v int
		if _, err := fmt.Sscanf(s, "gw/n=%d", &v); err == nil {
			if v < last {
				t.Fatalf("state %d after %d", v, last)
			}
			last = v
		}
		if _, err := fmt.Sscanf(s, "gw/e=%d", &v); err == nil {
			if v < lastEvent && !events[s] {
				t.Fatalf("event %d after %d, and not for a second time", v, lastEvent)
			}
			lastEvent, events[s] = max(v, lastEvent), true
		}
	}
	if last != n {
		t.Errorf("the last state is %d, want %d", last, n)
	}
	st := r.Stats()
	if want := n/8 - int(st.Dropped.Overflow) - int(st.Dropped.Expired); len(events) < want {
		t.Errorf("%d events came, want %d; %+v", len(events), want, st.Dropped)
	}
	if got := st.Connects; got < uint64(kills)/3 {
		t.Errorf("%d connections for %d kills", got, kills)
	}
	r.stop()
	p.Stop()
	settled(t, base)
	if now := descriptors(t); now > files {
		t.Errorf("%d descriptors, %d before", now, files)
	}
}

func TestSessionHalfOpen(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	p := mqtttest.StartProxy(t, b.Addr())
	r := startSession(t, SessionConfig{Broker: "tcp://" + p.Addr(), AckTimeout: 300 * time.Millisecond, Timeout: 500 * time.Millisecond})
	r.await(t, true)
	base := runtime.NumGoroutine()
	p.Frozen.Store(true)
	begin := time.Now()
	for range 100 { // more than the window
		r.Publish(eventMsg("gw/e", strings.Repeat("x", 10000)))
	}
	l := r.await(t, false)
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("a dead connection was noticed after %v", d)
	}
	if l.Err == nil || !strings.Contains(l.Err.Error(), "acknowledge") {
		t.Errorf("reason: %v", l.Err)
	}
	w := observe(t, b.Addr()) // before the next connection, which begins with what it is to see
	p.Kill()
	p.Frozen.Store(false)
	r.await(t, true)
	for range 100 { // all of them are still fresh
		w.until(t, "gw/e="+strings.Repeat("x", 10000))
	}
	w.Disconnect(100)
	settled(t, base+2)
}

// TestSessionStopsWhileStuck: a broker that reads nothing any more has our writes wait, which the program does not do for long.
func TestSessionStopsWhileStuck(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartEmbedded(t, "")
	p := mqtttest.StartProxy(t, b.Addr())
	r := startSession(t, SessionConfig{Broker: "tcp://" + p.Addr(), Timeout: time.Minute})
	r.await(t, true)
	p.Stuck.Store(true)
	m := eventMsg("gw/e", strings.Repeat("x", 2_000_000))
	for range 60 { // more than the kernel's buffers hold
		r.Publish(m)
	}
	time.Sleep(100 * time.Millisecond)
	r.stop() // within 8 s, where a write has a minute
}

func TestSessionStopsWhileFrozen(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	p := mqtttest.StartProxy(t, b.Addr())
	base := runtime.NumGoroutine()
	r := startSession(t, SessionConfig{Broker: "tcp://" + p.Addr()})
	r.await(t, true)
	p.Frozen.Store(true)
	r.Publish(eventMsg("gw/e", "1"))
	begin := time.Now()
	r.stop()
	if d := time.Since(begin); d > 4500*time.Millisecond {
		t.Errorf("stop took %v", d)
	}
	p.Stop()
	settled(t, base)
}

func TestSessionHealsStatus(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartEmbedded(t, "")
	w := observe(t, b.Addr())
	r := startSession(t, SessionConfig{Broker: "tcp://" + b.Addr()})
	r.await(t, true)
	w.until(t, "gw/status=online")
	begin := time.Now()
	for range 5 {
		w.say(t, "gw/status", "offline", true)
	}
	w.until(t, "gw/status=online")
	w.say(t, "gw/end", "1", false)
	status := w.until(t, "gw/end=1")
	if n, most := r.Stats().Healed, 2+uint64(time.Since(begin)/time.Second); n < 1 || n > most {
		t.Errorf("healed %d times at once, want 1 to %d", n, most)
	}
	status = slices.DeleteFunc(status, func(s string) bool { return !strings.HasPrefix(s, "gw/status=") })
	if len(status) > 0 && status[len(status)-1] != "gw/status=online" {
		w.until(t, "gw/status=online") // the later ones are healed a second later
	}
	for end := time.Now().Add(5 * time.Second); !strings.Contains(r.log.String(), "overwritten") && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond) // it is told when the connection has lived on for a while
	}
	if n := strings.Count(r.log.String(), "overwritten"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.log)
	}
}

func TestSessionOtherBoard(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartEmbedded(t, "")
	w := observe(t, b.Addr())
	cfg := SessionConfig{Broker: "tcp://" + b.Addr(), InfoTopic: "gw/info", Info: []byte(`{"serial":"ours"}`), Identity: "ours"}
	r := startSession(t, cfg)
	w.until(t, `gw/info={"serial":"ours"}`)
	if got := r.Stats().OtherBoard; got != "" {
		t.Errorf("nobody was there, got %q", got)
	}
	r.stop()
	w.say(t, "gw/info", `{"serial":"theirs"}`, true)
	w.until(t, `gw/info={"serial":"theirs"}`)
	begin := time.Now()
	r = startSession(t, cfg)
	r.await(t, true)
	if d := time.Since(begin); d > infoWait {
		t.Errorf("online after %v", d)
	}
	w.until(t, `gw/info={"serial":"ours"}`)
	if got := r.Stats().OtherBoard; got != "theirs" || !strings.Contains(r.log.String(), "theirs") {
		t.Errorf("other board %q:\n%s", got, r.log)
	}
}

func TestSessionRival(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartEmbedded(t, "")
	r := startSession(t, SessionConfig{Broker: "tcp://" + b.Addr(), ClientID: "twin"})
	limit := time.Now().Add(8 * time.Second)
	for !strings.Contains(fmt.Sprint(r.Stats().LastError), `another client with the identifier "twin"`) {
		if time.Now().After(limit) {
			t.Fatalf("the rival is not told: %v", r.Stats().LastError)
		}
		r.await(t, true)
		other := mqtt.NewClient(clientOptions(b.Addr(), "twin"))
		if tok := other.Connect(); tok.Wait() && tok.Error() != nil {
			t.Fatal(tok.Error())
		}
		r.await(t, false)
	}
	if n := strings.Count(r.log.String(), "level=ERROR"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.log)
	}
}

// pickyHook refuses subscriptions to secret/#.
type pickyHook struct{ mochi.HookBase }

func (h *pickyHook) ID() string { return "picky" }
func (h *pickyHook) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (h *pickyHook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (h *pickyHook) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	return write || !strings.HasPrefix(topic, "secret/")
}

func TestSessionRefusedSubscription(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartEmbedded(t, "", new(pickyHook))
	var filters []string // more than one packet
	for i := range 20 {
		filters = append(filters, fmt.Sprintf("gw/%d/set", i))
	}
	r := startSession(t, SessionConfig{Broker: "tcp://" + b.Addr(), Subscriptions: append(filters, "secret/set")})
	r.await(t, true)
	if got, want := r.Stats().Refused, []string{"secret/set"}; !slices.Equal(got, want) {
		t.Errorf("refused %q, want %q", got, want)
	}
	if !strings.Contains(r.log.String(), "secret/set") {
		t.Errorf("not told:\n%s", r.log)
	}
	w := observe(t, b.Addr())
	w.say(t, "gw/19/set", "ON", false)
	if m := <-r.received; m.Topic != "gw/19/set" {
		t.Errorf("received %+v", m)
	}
}

// answering is a listener that says the same to everybody and then waits for the end, or closes.
func answering(t *testing.T, answer string, hold bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				c.Read(buf)
				c.Write([]byte(answer))
				for hold {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestSessionRefusals(t *testing.T) {
	none := fmt.Sprintf("127.0.0.1:%d", mqtttest.FreePort(t))
	for _, test := range []struct {
		name, broker, want string
	}{
		{"scheme", "http://x", `the scheme "http" is not`},
		{"nothing listens", "tcp://" + none, "nothing listens on " + none},
		{"code 1", "tcp://" + answering(t, "\x20\x02\x00\x01", true), "MQTT 3.1.1"},
		{"code 2", "tcp://" + answering(t, "\x20\x02\x00\x02", true), `client identifier "gatewayd-test"`},
		{"code 3", "tcp://" + answering(t, "\x20\x02\x00\x03", true), "unavailable"},
		{"code 4", "tcp://u:p@" + answering(t, "\x20\x02\x00\x04", true), `user name or password (user "u")`},
		{"code 5", "tcp://" + answering(t, "\x20\x02\x00\x05", true), "not authorise us (no user name is given)"},
		{"code 135", "tcp://" + answering(t, "\x20\x02\x00\x87", true), "with code 135"},
		{"closes", "tcp://" + answering(t, "", false), "when we said CONNECT"},
		{"silent", "tcp://" + answering(t, "", true), "does not answer as an MQTT broker"},
		{"TLS port", "tcp://" + answering(t, "\x15\x03\x01\x00\x02\x02\x46", true), "use tls://"},
		{"HTTP port", "tcp://" + answering(t, "HTTP/1.1 400 Bad Request\r\n\r\n", true), "use ws://"},
		{"SSH port", "tcp://" + answering(t, "SSH-2.0-OpenSSH\r\n", true), "no MQTT broker"},
		{"plain port", "tls://" + answering(t, "\x20\x02\x00\x01\x00\x00", true), "does not speak TLS"},
		{"web server", "ws://" + answering(t, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true), "check the path"},
		{"web server auth", "ws://" + answering(t, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", true), "401"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := startSession(t, SessionConfig{Broker: test.broker, Timeout: 300 * time.Millisecond})
			l := r.await(t, false)
			if l.Err == nil || !strings.Contains(l.Err.Error(), test.want) {
				t.Errorf("got %v, want %q", l.Err, test.want)
			}
			time.Sleep(200 * time.Millisecond)
			if n := len(r.links); n != 0 {
				t.Errorf("the same reason was told %d times more: %v", n, (<-r.links).Err)
			}
			if strings.Contains(r.log.String(), "u:p@") || strings.Contains(l.Broker, "u:p") {
				t.Error("the password is told")
			}
		})
	}
}

// TestSessionStopsAtAnyTime ends Run while it connects, waits for CONNACK and waits for a subscription.
func TestSessionStopsAtAnyTime(t *testing.T) {
	base := runtime.NumGoroutine()
	for name, answer := range map[string]string{"CONNACK": "", "subscription": string(connack)} {
		r := startSession(t, SessionConfig{Broker: "tcp://" + answering(t, answer, true)})
		time.Sleep(100 * time.Millisecond)
		begin := time.Now()
		r.stop()
		if d := time.Since(begin); d > time.Second {
			t.Errorf("waiting for the %s: stop took %v", name, d)
		}
	}
	settled(t, base+2) // the listeners
}

func TestSessionPasswordFileIsMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	r := startSession(t, SessionConfig{Broker: "tcp://127.0.0.1:1", PasswordFile: file})
	l := r.await(t, false)
	if !errors.Is(l.Err, os.ErrNotExist) || !strings.Contains(l.Err.Error(), "password_file") {
		t.Errorf("got %v", l.Err)
	}
}

// TestSessionSubscribesForLess: a broker that does not answer a subscription at QoS 1 in time is asked for QoS 0 with the next
// connection, and commands arrive; the one after that begins with QoS 1 again.
func TestSessionSubscribesForLess(t *testing.T) {
	t.Parallel()
	asked := make(chan byte, 100)
	b := mqtttest.StartRogue(t, func(g *mqtttest.Guest) {
		if g.Greet() != nil {
			return
		}
		for {
			first, body, err := g.Packet()
			if err != nil {
				return
			}
			answer := mqtttest.Answer(first, body)
			if first>>4 == 8 {
				qos := body[len(body)-1]
				asked <- qos
				if qos > 0 {
					continue
				}
				answer = append(answer, mqtttest.Publish(0x30, "gw/a/set", 0, []byte("ON"))...)
			}
			if _, err := g.Write(answer); err != nil {
				return
			}
			if first>>4 == 3 && strings.Contains(string(body), "end") {
				return
			}
		}
	}, nil)
	r := startSession(t, SessionConfig{Broker: "tcp://" + b.Addr(), Subscriptions: []string{"gw/+/set"}, Timeout: 300 * time.Millisecond,
		RetryMin: 10 * time.Millisecond, RetryMax: 20 * time.Millisecond})
	for _, round := range []string{"first", "second"} {
		for _, want := range []byte{1, 0} {
			if got := <-asked; got != want {
				t.Errorf("%s: subscribes with QoS %d, want %d", round, got, want)
			}
		}
		r.await(t, true)
		if m := <-r.received; m.Topic != "gw/a/set" || string(m.Payload) != "ON" {
			t.Errorf("%s: received %+v", round, m)
		}
		r.Publish(eventMsg("gw/e", "end"))
	}
}
