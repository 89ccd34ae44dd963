//go:build unix

package bridge

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/internal/mqtttest"
)

// back is how soon after the loss of a broker everything is to be right at another.
const back = 5 * time.Second

// site is a real broker that is killed and started again at its place; it keeps nothing.
type site struct {
	t    *testing.T
	port int
	more string // of its configuration
	m    *mqtttest.Mosquitto
}

func newSite(t *testing.T) *site {
	s := &site{t: t, port: mqtttest.FreePort(t)}
	s.start()
	return s
}

func (s *site) start() {
	s.t.Helper()
	s.m = mqtttest.StartMosquitto(s.t, func(_ string, other int) string {
		return fmt.Sprintf("listener %d 127.0.0.1\nlistener %d 127.0.0.1\nallow_anonymous true\n%s", s.port, other, s.more)
	})
}

func (s *site) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }
func (s *site) url() string  { return "tcp://" + s.addr() }

func (s *site) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(s.m.PID(), sig); err != nil {
		s.t.Fatal(err)
	}
}

// complete waits until the broker has these messages, retained, and gives how long that took.
func (s *site) complete(want map[string]string) time.Duration {
	s.t.Helper()
	begin := time.Now()
	for got := map[string]string(nil); ; time.Sleep(20 * time.Millisecond) {
		c := mqtt.NewClient(clientOptions(s.addr(), fmt.Sprint("looks-", time.Now().UnixNano())))
		if token := c.Connect(); token.WaitTimeout(time.Second) && token.Error() == nil {
			seen := make(chan mqtt.Message, 100)
			c.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) { seen <- m })
			c.Publish("end", 1, false, "x")
			got = map[string]string{}
			for limit, ended := time.After(2*time.Second), false; !ended; {
				select {
				case m := <-seen:
					if ended = m.Topic() == "end"; !ended {
						got[m.Topic()] = string(m.Payload())
					}
				case <-limit:
					ended = true
				}
			}
			c.Disconnect(50)
		}
		if maps.Equal(got, want) {
			return time.Since(begin)
		}
		if time.Since(begin) > 2*back {
			s.t.Fatalf("the broker has %v, want %v", got, want)
		}
	}
}

// inTime fails the test where something took longer than it may.
func inTime(t *testing.T, what string, d time.Duration) {
	t.Helper()
	t.Logf("%s: complete after %v", what, d.Round(time.Millisecond))
	if d > back {
		t.Errorf("%s: complete after %v, want %v", what, d, back)
	}
}

// twoBrokers is a session with the usual times between attempts.
func twoBrokers(t *testing.T, a, b *site, cfg SessionConfig) *sessionRun {
	t.Helper()
	cfg.Brokers, cfg.RetryMin, cfg.RetryMax = []string{a.url(), b.url()}, time.Second, time.Minute
	cfg.Subscriptions = []string{"gw/+/set"}
	return startSession(t, cfg, stateMsg("gw/a", "1"), stateMsg("gw/b", "2"))
}

var (
	whole  = map[string]string{"gw/a": "1", "gw/b": "2", "gw/status": "online"}
	parted = map[string]string{"gw/a": "1", "gw/b": "2", "gw/status": "stopped"}
)

// hears sends a command at a broker and expects it here.
func (r *sessionRun) hears(t *testing.T, s *site) {
	t.Helper()
	if got := r.Stats().Broker; got != s.url() {
		t.Errorf("in use is %s, want %s", got, s.url())
	}
	c := person(t, s.url())
	defer c.Disconnect(50)
	c.Publish("gw/a/set", 1, false, "ON").Wait()
	select {
	case m := <-r.received:
		if m.Topic != "gw/a/set" {
			t.Errorf("received %+v", m)
		}
	case <-time.After(5 * time.Second):
		t.Error("a command does not arrive")
	}
}

// TestBrokersKilled: the one in use is killed, and everything is at the other; back and forth.
func TestBrokersKilled(t *testing.T) {
	t.Parallel()
	a, b := newSite(t), newSite(t)
	r := twoBrokers(t, a, b, SessionConfig{})
	a.complete(whole)
	r.hears(t, a)
	a.m.Stop()
	inTime(t, "the first was killed", b.complete(whole))
	r.hears(t, b)
	a.start()
	time.Sleep(1500 * time.Millisecond) // nothing draws it back
	r.hears(t, b)
	b.m.Stop()
	inTime(t, "the second was killed", a.complete(whole))
	r.hears(t, a)
	for _, s := range []*site{a, b} {
		if !strings.Contains(r.log.String(), `msg="connection to the broker lost" broker=`+s.url()) {
			t.Errorf("the log does not name %s as lost", s.url())
		}
	}
}

// TestBrokersFrozen: the one in use stands still, and keeps its port open.
func TestBrokersFrozen(t *testing.T) {
	t.Parallel()
	a, b := newSite(t), newSite(t)
	r := twoBrokers(t, a, b, SessionConfig{AckTimeout: 2 * time.Second})
	a.complete(whole)
	a.signal(syscall.SIGSTOP)
	begin := time.Now()
	r.Publish(stateMsg("gw/a", "1"))
	if l := r.await(t, false); l.Err == nil || l.Broker != a.url() || !strings.Contains(l.Err.Error(), "acknowledge") {
		t.Errorf("noticed: %+v", l)
	}
	t.Logf("noticed after %v", time.Since(begin).Round(time.Millisecond))
	noticed := time.Now()
	b.complete(whole)
	if d := time.Since(noticed); d > 2*time.Second { // the frozen one is not asked first
		t.Errorf("complete %v after it was noticed", d)
	}
	inTime(t, "the first was frozen", time.Since(begin))
	r.hears(t, b)
	a.signal(syscall.SIGCONT)
}

// TestBrokersBothDown: both are killed, and one of them returns.
func TestBrokersBothDown(t *testing.T) {
	t.Parallel()
	a, b := newSite(t), newSite(t)
	r := twoBrokers(t, a, b, SessionConfig{})
	a.complete(whole)
	for _, first := range []*site{b, a, b} {
		a.m.Stop()
		b.m.Stop()
		l := r.await(t, false)
		for l.Err == nil || !strings.Contains(l.Err.Error(), a.url()+": nothing listens") || !strings.Contains(l.Err.Error(), b.url()+": nothing listens") {
			l = r.await(t, false) // the loss comes first
		}
		first.start()
		begin := time.Now()
		inTime(t, "both were down", r.await(t, true).At.Sub(begin))
		first.complete(whole)
		r.hears(t, first)
		for _, s := range []*site{a, b} {
			if s != first {
				s.start()
			}
		}
	}
}

// TestBrokersPreferFirst: the first is used again when it has answered for a while, and the other is left in order.
func TestBrokersPreferFirst(t *testing.T) {
	t.Parallel()
	a, b := newSite(t), newSite(t)
	a.m.Stop()
	r := twoBrokers(t, a, b, SessionConfig{PreferFirst: true, ProbeEvery: 200 * time.Millisecond})
	b.complete(whole)
	time.Sleep(time.Second) // it is asked meanwhile
	r.hears(t, b)
	seen := observe(t, b.addr())
	seen.until(t, "gw/status=online!")
	begin := time.Now() // it may answer before we know
	a.start()
	gone := r.await(t, false)
	if gone.Err != nil || gone.Broker != b.url() {
		t.Errorf("left: %+v, want no error", gone)
	}
	there := r.await(t, true)
	t.Logf("back after %v, without a broker for %v", there.At.Sub(begin).Round(time.Millisecond), there.At.Sub(gone.At).Round(time.Microsecond))
	if d := gone.At.Sub(begin); d < 400*time.Millisecond {
		t.Errorf("back after %v: it was to answer for two probes more", d)
	}
	a.complete(whole)
	b.complete(parted) // and not the will, which is offline
	r.hears(t, a)
	if n := r.Stats().Connects; n != 2 {
		t.Errorf("%d connections, want 2: probes are none", n)
	}
	a.m.Stop()
	inTime(t, "the first was killed again", b.complete(whole))
	if n := strings.Count(r.log.String(), `msg="the first broker does not answer yet"`); n != 1 {
		t.Errorf("told %d times that the first does not answer, want once", n)
	}
}

// TestBrokersPreferFirstFrozen: a first broker that takes connections and says nothing is not gone back to, and costs the session
// nothing.
func TestBrokersPreferFirstFrozen(t *testing.T) {
	t.Parallel()
	a, b := newSite(t), newSite(t)
	a.signal(syscall.SIGSTOP)
	r := twoBrokers(t, a, b, SessionConfig{PreferFirst: true, ProbeEvery: 100 * time.Millisecond, Timeout: 500 * time.Millisecond})
	r.await(t, true)
	for range 20 {
		begin := time.Now()
		r.hears(t, b)
		if d := time.Since(begin); d > 300*time.Millisecond {
			t.Errorf("a command took %v while the first broker is asked", d)
		}
		time.Sleep(100 * time.Millisecond)
	}
	begin := time.Now()
	r.stop()
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("stopped after %v while the first broker is asked", d)
	}
	a.signal(syscall.SIGCONT)
	b.complete(parted)
}

// TestBrokersBridged: two brokers share their messages, so that a farewell at one reaches the other, where the gateway is by then.
func TestBrokersBridged(t *testing.T) {
	t.Parallel()
	b := newSite(t)
	a := &site{t: t, port: mqtttest.FreePort(t), more: fmt.Sprintf("connection b\naddress %s\ntopic gw/# both 1\nnotifications false\n", b.addr())}
	a.start()
	r := twoBrokers(t, a, b, SessionConfig{PreferFirst: true, ProbeEvery: 200 * time.Millisecond})
	r.await(t, true)
	a.complete(whole)
	b.complete(whole) // by the bridge
	a.m.Stop()
	r.await(t, true)
	r.hears(t, b)
	a.start()
	r.await(t, false)
	seen := observe(t, a.addr())
	gone := time.Now()
	r.await(t, true)
	a.complete(whole)
	b.complete(whole)
	t.Logf("online at both after %v", time.Since(gone).Round(time.Millisecond))
	r.hears(t, a)
	time.Sleep(2 * time.Second) // whatever is still on its way
	a.complete(whole)
	b.complete(whole)
	status := 0
	for range len(seen.seen) {
		if strings.HasPrefix(<-seen.seen, "gw/status=") {
			status++
		}
	}
	if status > 20 {
		t.Errorf("the status was told %d times", status)
	}
	t.Logf("the status was told %d times, and healed %d times", status, r.Stats().Healed)
}

// TestBrokersKills cuts connections again and again, in rotation over two brokers: nothing is left behind, and the last broker has
// all states.
func TestBrokersKills(t *testing.T) {
	kills := 100
	if testing.Short() {
		kills = 30
	}
	var sites [2]*site
	var ways [2]*mqtttest.Proxy
	for i := range sites {
		sites[i] = newSite(t)
		ways[i] = mqtttest.StartProxy(t, sites[i].addr())
	}
	for _, prefer := range []bool{false, true} {
		base, files := runtime.NumGoroutine(), descriptors(t)
		r := startSession(t, SessionConfig{Brokers: []string{"tcp://" + ways[0].Addr(), "tcp://" + ways[1].Addr()}, PreferFirst: prefer,
			RetryMin: time.Millisecond, RetryMax: 2 * time.Millisecond, ProbeEvery: time.Millisecond}, stateMsg("gw/b", "2"))
		until := func(what string, there func(st Stats) bool) {
			t.Helper()
			for deadline := time.Now().Add(8 * time.Second); !there(r.Stats()); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("prefer_first %v: not %s: %+v", prefer, what, r.Stats())
				}
			}
		}
		used := map[string]int{}
		for i := range kills {
			r.Publish(stateMsg("gw/a", fmt.Sprint(i)))
			if i%3 == 0 { // some in the middle of connecting
				time.Sleep(time.Millisecond)
			} else {
				until("connected where it is open", func(st Stats) bool {
					for _, way := range ways {
						if way.Closed.Load() {
							way.Kill() // what it was about to accept
						}
					}
					return st.Connected && !ways[0].Closed.Load() == (st.Broker == "tcp://"+ways[0].Addr())
				})
				used[r.Stats().Broker]++
			}
			at := 0
			if r.Stats().Broker != "tcp://"+ways[0].Addr() {
				at = 1
			}
			ways[at].Closed.Store(true) // the next connection must be elsewhere
			ways[1-at].Closed.Store(false)
			ways[at].Kill()
			ways[1-at].Kill()
		}
		ways[0].Closed.Store(false)
		ways[1].Closed.Store(false)
		r.Publish(stateMsg("gw/a", "1"))
		until("at rest", func(st Stats) bool { return st.Connected && st.Queued+st.InFlight == 0 })
		i := slices.IndexFunc(ways[:], func(p *mqtttest.Proxy) bool { return "tcp://"+p.Addr() == r.Stats().Broker })
		sites[i].complete(whole)
		if len(used) != 2 || used["tcp://"+ways[0].Addr()] < kills/10 || used["tcp://"+ways[1].Addr()] < kills/10 {
			t.Errorf("prefer_first %v: used %v, want both", prefer, used)
		}
		if n := r.Stats().Connects; n < uint64(kills)/2 {
			t.Errorf("prefer_first %v: %d connections for %d kills", prefer, n, kills)
		}
		t.Logf("prefer_first %v: %d connections, %v", prefer, r.Stats().Connects, used)
		r.stop()
		ways[0].Kill()
		ways[1].Kill()
		settled(t, base)
		if now := descriptors(t); now > files {
			t.Errorf("prefer_first %v: %d descriptors, %d before", prefer, now, files)
		}
	}
}

// TestBrokersProbes goes away and back again and again, asking the first broker many times: each question ends.
func TestBrokersProbes(t *testing.T) {
	a, b := newSite(t), newSite(t)
	way := mqtttest.StartProxy(t, a.addr())
	first := "tcp://" + way.Addr()
	r := startSession(t, SessionConfig{Brokers: []string{first, b.url()}, PreferFirst: true, RetryMin: time.Millisecond, RetryMax: time.Millisecond,
		ProbeEvery: 2 * time.Millisecond}, stateMsg("gw/a", "1"), stateMsg("gw/b", "2"))
	r.await(t, true)
	base, files := runtime.NumGoroutine(), descriptors(t)
	for range 6 { // it must answer for twice as long each time, up to 256 ms
		way.Closed.Store(true)
		way.Kill()
		if l := r.await(t, true); l.Broker != b.url() {
			t.Fatalf("in use is %s, want %s", l.Broker, b.url())
		}
		way.Closed.Store(false)
		if l := r.await(t, true); l.Broker != first {
			t.Fatalf("in use is %s, want %s", l.Broker, first)
		}
	}
	if n := way.Accepts.Load(); n < 20 {
		t.Errorf("%d connections to the first, want many questions", n)
	}
	settled(t, base)
	if now := descriptors(t); now > files {
		t.Errorf("%d descriptors, %d before", now, files)
	}
	a.complete(whole)
	b.complete(parted)
}

// TestBrokersRemembered: another broker that was good for a while is told, once, and the next start begins with it.
func TestBrokersRemembered(t *testing.T) {
	t.Parallel()
	a, b := newSite(t), newSite(t)
	good := make(chan string, 100)
	cfg := SessionConfig{GoodAfter: time.Second, Good: func(broker string) { good <- broker }}
	r := twoBrokers(t, a, b, cfg)
	r.await(t, true)
	time.Sleep(2500 * time.Millisecond) // the first is what one begins with anyway
	a.m.Stop()
	r.await(t, true)
	if got := <-good; got != b.url() {
		t.Errorf("good is %s, want %s", got, b.url())
	}
	a.start()
	time.Sleep(3 * time.Second) // nothing new
	r.stop()
	if len(good) > 0 {
		t.Errorf("told again: %s", <-good)
	}
	for _, tt := range []struct {
		last   string
		prefer bool
		want   *site
	}{{"", false, a}, {b.url(), false, b}, {b.url(), true, a}, {"tcp://gone:1883", false, a}} {
		cfg := cfg
		cfg.LastGood, cfg.PreferFirst = tt.last, tt.prefer
		r := twoBrokers(t, a, b, cfg)
		if l := r.await(t, true); l.Broker != tt.want.url() {
			t.Errorf("last good %q, prefer_first %v: begins with %s, want %s", tt.last, tt.prefer, l.Broker, tt.want.url())
		}
		time.Sleep(2500 * time.Millisecond)
		r.stop()
		if told := len(good) > 0; told != (tt.last == "tcp://gone:1883") {
			t.Errorf("last good %q, prefer_first %v: told %v", tt.last, tt.prefer, told)
		}
		for len(good) > 0 {
			<-good
		}
	}
	one := SessionConfig{Broker: a.url(), GoodAfter: time.Second, Good: cfg.Good}
	startSession(t, one).await(t, true)
	time.Sleep(2500 * time.Millisecond)
	if len(good) > 0 {
		t.Errorf("with one broker %s is told", <-good)
	}
}
