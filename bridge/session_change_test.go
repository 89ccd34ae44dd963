//go:build unix

package bridge

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// hearing waits until a message on topic arrives, or none does any more.
func (r *sessionRun) hearing(t *testing.T, w *observer, topic string, want bool) {
	t.Helper()
	for i, end := 0, time.Now().Add(5*time.Second); ; i++ {
		mark := fmt.Sprint("mark", i)
		w.say(t, topic, mark, false)
		w.say(t, "gw/mark/set", mark, false)
		heard, n := false, 0
		for marked := false; !marked; {
			select {
			case m := <-r.received:
				if m.Topic == topic && string(m.Payload) == mark {
					heard = true
					n++
				}
				marked = m.Topic == "gw/mark/set" && string(m.Payload) == mark
			case <-time.After(5 * time.Second):
				t.Fatal("what was subscribed to all the time is missed")
			}
		}
		if n > 1 {
			t.Fatalf("a message on %s came %d times", topic, n)
		}
		if heard == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("a message on %s arrives: %v, want %v", topic, heard, want)
		}
	}
}

// TestChangeSubscriptions: other subscriptions need no other connection.
func TestChangeSubscriptions(t *testing.T) {
	t.Parallel()
	embedded := mqtttest.StartEmbedded(t, "", new(pickyHook))
	for name, addr := range map[string]string{"embedded": embedded.Addr(), "mosquitto": newSite(t).addr()} {
		t.Run(name, func(t *testing.T) {
			cfg := SessionConfig{Broker: "tcp://" + addr, Subscriptions: []string{"gw/+/set", "old/set"}, InfoTopic: "gw/info", Info: []byte(`{"serial":"1"}`)}
			r := startSession(t, cfg, stateMsg("gw/a", "1"))
			w := observe(t, addr)
			r.await(t, true)
			r.hearing(t, w, "old/set", true)
			set := func(filters ...string) {
				// The embedded broker does not unsubscribe under an identifier that a message of its own has in flight, and says nothing.
				calm := func(is func() bool) {
					for end := time.Now().Add(5 * time.Second); name == "embedded" && !is() && time.Now().Before(end); {
						time.Sleep(time.Millisecond)
					}
				}
				calm(func() bool { return atomic.LoadInt64(&embedded.Info.Inflight) == 0 })
				gone := cfg.Subscriptions
				cfg.Subscriptions = append([]string{"gw/+/set"}, filters...)
				r.Session.change(cfg)
				calm(func() bool {
					c, ok := embedded.Clients.Get("gatewayd-test")
					return ok && !slices.ContainsFunc(gone, func(f string) bool {
						_, there := c.State.Subscriptions.Get(f)
						return there && !slices.Contains(cfg.Subscriptions, f)
					})
				})
			}
			set("new/set", "secret/set")
			r.hearing(t, w, "new/set", true)
			r.hearing(t, w, "old/set", false)
			if name == "embedded" {
				if got, want := r.Stats().Refused, []string{"secret/set"}; !slices.Equal(got, want) || strings.Count(r.log.String(), "secret/set") != 1 {
					t.Errorf("refused %q, want %q; the log has\n%s", got, want, r.log)
				}
			}
			var many []string // more than one packet
			for i := range 20 {
				many = append(many, fmt.Sprintf("many/%d/set", i))
			}
			set(many...)
			r.hearing(t, w, "many/19/set", true)
			r.hearing(t, w, "new/set", false)
			if got := r.Stats().Refused; len(got) > 0 {
				t.Errorf("refused %q, want none: it is not asked for", got)
			}
			set("many/#") // it has all in common with the old ones
			r.hearing(t, w, "many/20/set", true)
			r.hearing(t, w, "many/19/set", true)
			cfg.Info = []byte(`{"serial":"1","other":"2"}`)
			r.Session.change(cfg)
			w.until(t, "gw/info="+string(cfg.Info))
			if st := r.Stats(); st.Connects != 1 || !st.Connected {
				t.Errorf("%d connections, want 1", st.Connects)
			}
			if strings.Contains(r.log.String(), "disconnected") {
				t.Errorf("disconnected:\n%s", r.log)
			}
		})
	}
}

// change is Change with the times of tests.
func (s *Session) change(cfg SessionConfig) {
	s.mu.Lock()
	last := s.latest
	s.mu.Unlock()
	cfg.RetryMin, cfg.RetryMax, cfg.Timeout = last.RetryMin, last.RetryMax, last.Timeout
	if cfg.ClientID == "" {
		cfg.ClientID = last.ClientID
	}
	if cfg.Status.Topic == "" {
		cfg.Status = last.Status
	}
	s.Change(cfg)
}

// TestChangeConnection changes what needs another connection, in each state of the old one.
func TestChangeConnection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	more := "password_file " + file("users", mqtttest.PasswordLine("anna", "secret")+mqtttest.PasswordLine("bert", "geheim")) + "\n"
	secret, other, wrong := file("secret", "secret"), file("other", "geheim"), file("wrong", "wrong")
	for _, state := range []struct {
		name string
		at   func(site *site) string // the broker before
	}{
		{"connected", func(s *site) string { return s.url() }},
		{"down", func(*site) string { return fmt.Sprintf("tcp://127.0.0.1:%d", mqtttest.FreePort(t)) }},
		{"connecting", func(*site) string { return "tcp://" + answering(t, "", true) }},
		{"subscribing", func(*site) string { return "tcp://" + answering(t, string(connack), true) }},
	} {
		for _, what := range []string{"broker", "credentials", "status", "client id", "info topic", "keep alive"} {
			t.Run(state.name+" "+what, func(t *testing.T) {
				t.Parallel()
				s := &site{t: t, port: mqtttest.FreePort(t), more: more}
				s.start()
				there := s
				if what == "broker" {
					there = &site{t: t, port: mqtttest.FreePort(t), more: more}
					there.start()
				}
				cfg := SessionConfig{Broker: state.at(s), Username: "anna", PasswordFile: secret, ClientID: "one", InfoTopic: "gw/info", Info: []byte("{}"), Status: testStatus,
					Timeout: 8 * time.Second, RetryMin: time.Minute, RetryMax: time.Minute}
				if state.name == "down" && what == "credentials" {
					cfg.Broker, cfg.PasswordFile = s.url(), wrong
				}
				r := startSession(t, cfg, stateMsg("gw/a", "1"), stateMsg("gw/b", "2"))
				want := map[string]string{"gw/a": "1", "gw/b": "2", "gw/status": "online", "gw/info": "{}"}
				switch state.name {
				case "connected":
					r.await(t, true)
					s.complete(want)
				case "down":
					r.await(t, false)
				default:
					for end := time.Now().Add(5 * time.Second); r.Stats().Connects == 0 && state.name == "subscribing" && time.Now().Before(end); {
						time.Sleep(time.Millisecond)
					}
				}
				next := cfg
				next.Broker, next.PasswordFile = there.url(), secret
				switch what {
				case "credentials":
					next.Username, next.PasswordFile = "bert", other
				case "status":
					next.Status.Topic = "gw2/status"
					delete(want, "gw/status")
					want["gw2/status"] = "online"
				case "client id":
					next.ClientID = "two"
				case "info topic":
					next.InfoTopic = "gw2/info"
					delete(want, "gw/info")
					want["gw2/info"] = "{}"
				case "keep alive":
					next.KeepAlive = time.Minute
				}
				begin := time.Now()
				r.Publish(stateMsg("gw/a", "2"))
				r.Session.Change(next)
				if d := time.Since(begin); d > 100*time.Millisecond {
					t.Errorf("Change took %v", d)
				}
				r.Publish(stateMsg("gw/b", "3"))
				want["gw/a"], want["gw/b"] = "2", "3"
				there.complete(want)
				if state.name == "connected" && there != s {
					s.complete(map[string]string{"gw/a": "2", "gw/b": "2", "gw/status": "stopped", "gw/info": "{}"})
				}
				if log := s.m.Log() + there.m.Log(); what == "credentials" && !strings.Contains(log, "u'bert'") || what == "client id" && !strings.Contains(log, "as two") {
					t.Errorf("the broker saw\n%s", log)
				}
				if strings.Contains(s.m.Log(), "Socket error on client one") {
					t.Error("the connection was cut")
				}
			})
		}
	}
}

// TestChangeOfAFrozenBroker: a broker that does not answer holds nothing up for long.
func TestChangeOfAFrozenBroker(t *testing.T) {
	t.Parallel()
	b, c := mqtttest.StartEmbedded(t, ""), mqtttest.StartEmbedded(t, "")
	p := mqtttest.StartProxy(t, b.Addr())
	cfg := SessionConfig{Broker: "tcp://" + p.Addr()}
	r := startSession(t, cfg)
	r.await(t, true)
	p.Frozen.Store(true)
	for range 100 { // more than may be in flight
		r.Publish(eventMsg("gw/e", "1"))
	}
	begin := time.Now()
	w := observe(t, c.Addr())
	cfg.Broker = "tcp://" + c.Addr()
	r.Session.change(cfg)
	for range 100 {
		w.until(t, "gw/e=1")
	}
	if d := time.Since(begin); d > 6*time.Second {
		t.Errorf("at the other broker after %v", d)
	}
}

// TestChangesUnderTraffic changes this and that, 100 times in a row, while messages come and go. Everything arrives, once, and in order.
func TestChangesUnderTraffic(t *testing.T) {
	brokers := []*mqtttest.Mosquitto{startOrdered(t), startOrdered(t)}
	var seen [2]*observer
	for i, b := range brokers {
		seen[i] = observe(t, b.Addr())
	}
	base, files := runtime.NumGoroutine(), descriptors(t)
	cfg := SessionConfig{Broker: "tcp://" + brokers[0].Addr(), Subscriptions: []string{"gw/+/set"}, Status: testStatus, ClientID: "one"}
	r := startSession(t, cfg)
	r.await(t, true)
	var traffic sync.WaitGroup
	done, n := make(chan struct{}), 0
	traffic.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			n++
			r.Publish(eventMsg("gw/e", fmt.Sprint(n)))
			r.Publish(stateMsg(fmt.Sprint("gw/s", n%7), fmt.Sprint(n)))
			time.Sleep(200 * time.Microsecond)
		}
	})
	for i := range 100 {
		switch i % 5 {
		case 0:
			cfg.Broker = "tcp://" + brokers[i/5%2].Addr()
		case 1:
			cfg.Subscriptions = []string{"gw/+/set", fmt.Sprintf("gw%d/+/set", i)}
		case 2:
			cfg.ClientID = fmt.Sprint("client", i)
		case 3:
			cfg.Status.Topic = fmt.Sprintf("gw/status%d", i)
		case 4:
			cfg.KeepAlive = time.Duration(i) * time.Second
		}
		r.Session.change(cfg)
		if i%3 != 0 { // else the next one follows at once
			time.Sleep(time.Duration(i%4) * time.Millisecond)
		}
		if i%4 == 3 {
			for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
				r.mu.Lock()
				used := r.wanted == nil && r.stats.Connected
				r.mu.Unlock()
				if used {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("change %d is not in use: %+v", i, r.Stats())
				}
			}
		}
	}
	close(done)
	traffic.Wait()
	r.Publish(eventMsg("gw/end", "1"))
	at := slices.IndexFunc(brokers, func(b *mqtttest.Mosquitto) bool { return cfg.Broker == "tcp://"+b.Addr() })
	lists := make([][]string, 2)
	lists[at] = seen[at].until(t, "gw/end=1")
	seen[1-at].say(t, "end", "1", false)
	lists[1-at] = seen[1-at].until(t, "end=1")
	times, last := map[int]int{}, map[string]int{}
	for i, list := range lists {
		before := 0
		for _, s := range list {
			var v, topic int
			if _, err := fmt.Sscanf(s, "gw/e=%d", &v); err == nil {
				if times[v]++; v < before {
					t.Errorf("event %d after %d", v, before)
				}
				before = v
			}
			if _, err := fmt.Sscanf(s, "gw/s%d=%d", &topic, &v); err == nil && i == at {
				last[fmt.Sprint(topic)] = v
			}
		}
	}
	for i := 1; i <= n; i++ {
		if times[i] != 1 {
			t.Errorf("event %d came %d times; dropped were %+v", i, times[i], r.Stats().Dropped)
		}
	}
	for i := range 7 {
		want := n - (n-i+7)%7
		if got := last[fmt.Sprint(i)]; got != want {
			t.Errorf("state %d is %d at last, want %d", i, got, want)
		}
	}
	t.Logf("%d events, %d connections", n, r.Stats().Connects)
	if got := r.Stats().Connects; got < 20 {
		t.Errorf("%d connections, want more", got)
	}
	var left []string
	after := observe(t, brokers[at].Addr())
	after.say(t, "gw/asked", "1", false) // what is retained comes before
	for _, s := range after.until(t, "gw/asked=1") {
		if strings.HasPrefix(s, "gw/status") && strings.HasSuffix(s, "=online!") {
			left = append(left, s)
		}
	}
	after.Disconnect(100)
	if want := []string{cfg.Status.Topic + "=online!"}; !slices.Equal(left, want) {
		t.Errorf("status %q, want %q", left, want)
	}
	r.stop()
	settled(t, base)
	if now := descriptors(t); now > files {
		t.Errorf("%d descriptors, %d before", now, files)
	}
}

// TestDrop: what was dropped is not told again.
func TestDrop(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartEmbedded(t, "")
	p := mqtttest.StartProxy(t, b.Addr())
	r := startSession(t, SessionConfig{Broker: "tcp://" + p.Addr()}, stateMsg("gw/a", "1"), stateMsg("gw/b", "1"), stateMsg("gw/c", "1"))
	r.await(t, true)
	w := observe(t, b.Addr())
	w.until(t, "gw/status=online!")
	r.Drop("gw/b", "gw/none")
	r.Publish(stateMsg("gw/c", "2"))
	w.until(t, "gw/c=2")
	p.Kill()
	r.await(t, true)
	w.until(t, "gw/status=offline")
	got := slices.DeleteFunc(w.until(t, "gw/status=online"), func(s string) bool { return strings.HasSuffix(s, "=offline") })
	if want := []string{"gw/a=1", "gw/c=2", "gw/status=online"}; !slices.Equal(got, want) {
		t.Errorf("told again %q, want %q", got, want)
	}
	r.Publish(stateMsg("gw/b", "3"))
	w.until(t, "gw/b=3")
	p.Kill()
	r.await(t, true)
	w.until(t, "gw/b=3")
}

// TestChangeClearsLater: a status topic that is ours no more is cleared, also where no connection was open to do it.
func TestChangeClearsLater(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := mqtttest.StartProxy(t, s.addr())
	cfg := SessionConfig{Broker: "tcp://" + p.Addr(), Status: testStatus, InfoTopic: "gw/info", Info: []byte("{}")}
	r := startSession(t, cfg)
	r.await(t, true)
	s.complete(map[string]string{"gw/status": "online", "gw/info": "{}"})
	p.Closed.Store(true)
	p.Kill()
	s.complete(map[string]string{"gw/status": "offline", "gw/info": "{}"}) // by the will
	cfg.Status.Topic, cfg.InfoTopic = "gw2/status", "gw2/info"
	r.Session.change(cfg)
	p.Closed.Store(false)
	s.complete(map[string]string{"gw2/status": "online", "gw2/info": "{}"})
}
