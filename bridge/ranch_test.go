//go:build unix

package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/internal/mqtttest"
)

// ranch is a broker with a session, and what they say.
type ranch struct {
	t     *testing.T
	m     *mqtttest.Mosquitto
	gate  *gate
	users []string // of the broker: as it is to be, and with our password changed
	lists []string // who may do what: as it is to be, and with nothing allowed to us

	session  *Session
	stop     func() // ends it, and waits
	connects uint64
	events   int
	dropped  uint64
	heard    atomic.Value // the payload of the latest command

	mu   sync.Mutex // guards the following
	told map[string]string
}

const ranchStates = 20

func newRanch(t *testing.T) *ranch {
	r := &ranch{t: t, told: map[string]string{}}
	r.users = []string{mqtttest.PasswordLine("anna", "secret") + mqtttest.PasswordLine("looks", "secret"),
		mqtttest.PasswordLine("anna", "another") + mqtttest.PasswordLine("looks", "secret")}
	const all = "user looks\ntopic readwrite #\nuser anna\ntopic readwrite "
	r.lists = []string{all + "#\n", all + "nothing\n"}
	r.m = mqtttest.StartMosquitto(t, func(dir string, port int) string {
		r.put(dir, r.users[0], r.lists[0])
		return fmt.Sprintf("log_type error\nlistener %[2]d 127.0.0.1\nallow_anonymous false\npassword_file %[1]s/users\nacl_file %[1]s/list\n", dir, port)
	})
	r.gate = startGate(t, r.m.Addr(), testStatus, ranchStates)
	for i := range ranchStates {
		r.told[fmt.Sprintf("gw/s%d", i)] = "0"
	}
	r.begin()
	return r
}

func (r *ranch) put(dir, users, list string) {
	for name, content := range map[string]string{"users": users, "list": list} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			r.t.Error(err)
		}
	}
}

// begin starts a session with all states.
func (r *ranch) begin() {
	r.session = NewSession(SessionConfig{
		Broker: "tcp://anna:secret@" + r.gate.l.Addr().String(), ClientID: "gatewayd-test", Status: testStatus,
		Subscriptions: []string{"gw/+/set"}, Timeout: 3 * time.Second, AckTimeout: 3 * time.Second,
	}, func(m Inbound) { r.heard.Store(string(m.Payload)) }, func(Link) {}, slog.New(slog.DiscardHandler))
	r.mu.Lock()
	for topic, payload := range r.told {
		r.session.Publish(stateMsg(topic, payload))
	}
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.session.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			r.t.Error("Run does not end")
		}
	}
}

// until waits for something.
func (r *ranch) until(what string, so func() bool) {
	for end := time.Now().Add(20 * time.Second); !so() && !r.t.Failed(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Errorf("not %s: %+v", what, r.session.Stats())
		}
	}
}

// say has some states change and an event happen.
func (r *ranch) say() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events++
	r.session.Publish(eventMsg("gw/e", fmt.Sprint(r.events)))
	for range 3 {
		topic, payload := fmt.Sprintf("gw/s%d", rand.N(ranchStates)), fmt.Sprint(rand.N(1000))
		r.told[topic] = payload
		r.session.Publish(stateMsg(topic, payload))
	}
}

// suffer has the broker break at a place, and return a while later. It gives how long it takes until everything is right there.
func (r *ranch) suffer(how, place string) time.Duration {
	st := func() Stats { return r.session.Stats() }
	r.until("at rest", func() bool { s := st(); return s.Connected && s.Queued+s.InFlight == 0 })
	broken := make(chan struct{})
	nth := 1
	if place == "dump" || place == "traffic" {
		nth += rand.N(10)
	}
	hit := func() {
		r.breakIt(how)
		close(broken)
	}
	if place != "leaving" {
		r.gate.set(func() { r.gate.shut = 1 }) // a broker that always answers, and ends each connection, has a rival of ours
		r.gate.cut()
	}
	if place != "idle" {
		r.gate.set(func() { r.gate.at, r.gate.nth, r.gate.call = place, nth, hit })
	}
	running, quiet := make(chan struct{}), make(chan struct{})
	traffic := func() {
		defer close(quiet)
		for range maxEvents - 50 { // more would be dropped
			r.say()
			select {
			case <-running:
				return
			case <-time.After(time.Duration(rand.N(60)) * time.Millisecond):
			}
		}
	}
	ended := func() {}
	switch place {
	case "idle":
		r.until("refused", func() bool { return !st().Connected })
		r.until("at rest", func() bool { s := st(); return s.Connected && s.Queued+s.InFlight == 0 })
		hit()
		close(quiet)
	case "leaving":
		for range 10 {
			r.say()
		}
		begin, left := time.Now(), make(chan struct{})
		go func() {
			r.stop()
			close(left)
		}()
		ended = func() {
			<-left
			if d := time.Since(begin); d > 2*back || *torture > 0 && d > back {
				r.t.Errorf("%s while leaving: left after %v", how, d)
			}
		}
		close(quiet)
	default:
		go traffic()
	}
	select {
	case <-broken:
	case <-time.After(20 * time.Second):
		r.t.Errorf("%s: never came to %s: %+v", how, place, st())
		close(running)
		<-quiet
		return 0
	}
	away := time.Duration(rand.N(1500)) * time.Millisecond
	switch rand.N(8) {
	case 0, 1:
		away = 0
	case 2: // long enough to be noticed
		away += 3 * time.Second
	}
	time.Sleep(away)
	if how == "access list" {
		r.until("connected", func() bool { return st().Connected })
	}
	close(running)
	<-quiet
	r.mend(how)
	begin := time.Now()
	if place == "leaving" {
		ended()
		if s := st(); s.InFlight != 0 {
			r.t.Errorf("%d in flight after the end", s.InFlight)
		}
		r.connects += st().Connects
		r.lost(st(), true)
		r.dropped = 0
		r.begin()
	}
	took, denied := r.complete(begin)
	limit := 2 * back // a machine that tests much else at once may stand still for seconds
	if *torture > 0 {
		limit = back
	}
	if took > limit && (!denied || how == "access list") && !r.t.Failed() {
		r.t.Errorf("%s at %s, away for %v: right again after %v, want %v", how, place, away, took, limit)
	}
	r.until("at rest", func() bool { s := st(); return s.Connected && s.Queued+s.InFlight == 0 })
	r.lost(st(), false)
	r.hears()
	return took
}

// hears sends a command.
func (r *ranch) hears() {
	c := looking(r.m.Addr())
	if c == nil {
		r.t.Error("the broker does not answer")
		return
	}
	defer c.Disconnect(50)
	payload := fmt.Sprint(rand.Int64())
	c.Publish("gw/a/set", 1, false, payload)
	r.until("subscribed: a command does not arrive", func() bool { return r.heard.Load() == payload })
}

// looking is another client; nil: the broker does not answer.
func looking(addr string) mqtt.Client {
	c := mqtt.NewClient(clientOptions(addr, fmt.Sprint("looks-", rand.Int64())).SetUsername("looks").SetPassword("secret").SetConnectTimeout(time.Second))
	if token := c.Connect(); !token.WaitTimeout(2*time.Second) || token.Error() != nil {
		c.Disconnect(0)
		return nil
	}
	return c
}

// breakIt breaks the broker, or the way there.
func (r *ranch) breakIt(how string) {
	switch how {
	case "killed":
		r.m.Stop()
	case "frozen":
		syscall.Kill(r.m.PID(), syscall.SIGSTOP)
	case "half-open", "dropped":
		r.gate.set(func() { r.gate.held = true })
	case "slow":
		r.gate.set(func() { r.gate.slow = time.Duration(1+rand.N(4)) * time.Millisecond })
	case "password":
		r.put(r.m.Dir, r.users[1], r.lists[0])
		syscall.Kill(r.m.PID(), syscall.SIGHUP)
		go r.gate.cut()
	case "access list":
		r.put(r.m.Dir, r.users[0], r.lists[1])
		syscall.Kill(r.m.PID(), syscall.SIGHUP)
		time.Sleep(100 * time.Millisecond) // until it has read it
	}
}

// mend brings the broker back.
func (r *ranch) mend(how string) {
	switch how {
	case "killed":
		r.m.Restart(r.t)
	case "frozen":
		syscall.Kill(r.m.PID(), syscall.SIGCONT)
	case "half-open": // what was said is said again
		r.gate.set(func() { r.gate.held = false })
	case "dropped": // the way has forgotten the connection
		r.gate.cut()
		r.gate.set(func() { r.gate.held = false })
	case "slow":
		r.gate.set(func() { r.gate.slow = 0 })
	case "password", "access list":
		r.put(r.m.Dir, r.users[0], r.lists[0])
		syscall.Kill(r.m.PID(), syscall.SIGHUP)
	}
}

// end stops everything.
func (r *ranch) end() {
	r.connects += r.session.Stats().Connects
	r.stop()
	open := 0
	r.until("every connection closed", func() bool { // the gate ends those that it holds only now
		r.gate.set(func() { open = len(r.gate.conns) })
		return open == 0
	})
	r.gate.stop()
	r.m.Stop()
}
