// Package cluster proves what gatewayd promises with several brokers that are one: a cluster of three NATS servers, which speak MQTT
// and keep its retained messages together. It is a module of its own, so that the product does not carry the broker:
//
//	cd scripts/cluster && go test ./...
package cluster

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
)

var (
	many  = flag.Int("gateways", 200, "how many gateways")
	often = flag.Duration("every", 20*time.Millisecond, "how often an input changes, at any of them")
)

// within is how soon all is to be right after the cluster can work again: it has a leader for itself and for each stream. What a gateway
// has told a stream without a leader is noticed after 10 s, as no acknowledgement comes; and a subscription at QoS 1 is in vain for 5 s
// more. The rest is for machines that are slow.
const within = 30 * time.Second

// estate is all gateways, and the brokers.
type estate struct {
	t        *testing.T
	brokers  *brokers
	gateways []*gateway
	people   map[*node]*listener // one at each node, as Home Assistant would be
	log      *lines
}

// lines is a log that can be shown when the test fails.
type lines struct {
	mu sync.Mutex // guards the following
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// want is what each node is to have retained.
func (e *estate) want() map[string]string {
	all := map[string]string{}
	for _, g := range e.gateways {
		g.mu.Lock()
		maps.Copy(all, g.want)
		g.mu.Unlock()
	}
	return all
}

// connected counts the gateways at each broker.
func (e *estate) connected() map[string]int {
	n := map[string]int{}
	for _, g := range e.gateways {
		if s := g.session.Stats(); s.Connected {
			n[s.Broker]++
		}
	}
	return n
}

func (e *estate) complete(what string, limit time.Duration) {
	e.t.Helper()
	if err := complete(e.brokers.running(), e.want(), limit); err != nil {
		e.t.Errorf("%s: not complete within %v: %v", what, limit, err)
	}
}

// busy has inputs change until the function is called that it gives, which tells how often they did.
func (e *estate) busy() (stop func() int) {
	quit, changes := make(chan struct{}), 0
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(*often)
		defer tick.Stop()
		for ; ; changes++ {
			select {
			case <-tick.C:
				e.gateways[rand.N(len(e.gateways))].press()
			case <-quit:
				return
			}
		}
	})
	return func() int {
		close(quit)
		running.Wait()
		return changes
	}
}

// lose kills a node while states change, and waits until all is right at the others.
func (e *estate) lose(n *node) {
	t := e.t
	t.Helper()
	there := e.connected()[n.broker()]
	stop := e.busy()
	time.Sleep(2 * time.Second)
	n.kill()
	e.people[n].Disconnect(0)
	delete(e.people, n)
	begin := time.Now()
	err := e.brokers.led(time.Minute)
	led := time.Now()
	changes := stop()
	if err != nil {
		t.Fatal(err)
	}
	e.gather(90 * time.Second)
	e.complete(n.Name+" was killed", 90*time.Second)
	took := time.Since(led)
	t.Logf("%s was killed, with %d of %d gateways, after %d changes: led again after %v, complete %v later", n.Name, there, len(e.gateways), changes,
		led.Sub(begin).Round(time.Millisecond), took.Round(time.Millisecond))
	if took > within {
		t.Errorf("complete after %v, want %v", took, within)
	}
	e.stale()
	e.obey()
}

// stale tells what listeners at each node have. That may be old, and is not the gateways' doing. Each node is told of new retained
// messages by a consumer that one node alone carries; when that one is killed, the node gives to who begins to listen what it knew
// before, each message for two minutes, or until the other is back. And what a gateway said over a connection that it has left since is
// passed on late, behind what it said over the next one.
func (e *estate) stale() {
	e.t.Helper()
	want := e.want()
	for _, n := range e.brokers.running() {
		got, err := retained(n)
		if err != nil {
			e.t.Error(err)
			continue
		}
		e.t.Logf("%s: of %d retained states a new listener is given %d that are old, and an old one has heard %d last that are",
			n.Name, len(want), len(differ(got, want)), len(differ(e.people[n].heard(), want)))
	}
}

// join has somebody listen at a node.
func (e *estate) join(n *node) {
	e.t.Helper()
	l, err := listen(n)
	if err != nil {
		e.t.Fatal(err)
	}
	e.people[n] = l
}

// gather waits until every gateway is connected: a node that was killed told nobody that its gateways are offline.
func (e *estate) gather(limit time.Duration) {
	e.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		there := 0
		for _, n := range e.connected() {
			there += n
		}
		if there == len(e.gateways) {
			return
		}
		if time.Now().After(end) {
			e.t.Errorf("%d of %d gateways are connected within %v", there, len(e.gateways), limit)
			return
		}
	}
}

// obey sends each gateway a command, at a node that may be another than its own.
func (e *estate) obey() {
	e.t.Helper()
	begin := time.Now()
	nodes := e.brokers.running()
	for i, n := range nodes {
		c, err := person(n)
		if err != nil {
			e.t.Error(err)
			return
		}
		for k, g := range e.gateways {
			if k%len(nodes) != i {
				continue
			}
			line := g.cfg.Outputs[1+rand.N(outputs-1)].Name // no rule switches those
			payload := []string{"ON", "OFF"}[rand.N(2)]
			g.expect(g.topics.State(line), payload)
			if token := c.Publish(g.topics.Command(line), 1, false, payload); !token.WaitTimeout(20*time.Second) || token.Error() != nil {
				e.t.Errorf("%s: a command is not taken: %v", n.Name, token.Error())
			}
		}
		c.Disconnect(250)
	}
	e.complete("commands", 30*time.Second)
	e.t.Logf("each gateway obeys: after %v", time.Since(begin).Round(time.Millisecond))
}

// TestNodeKilled kills one node and then another, each time with all gateways at work.
func TestNodeKilled(t *testing.T) {
	base := runtime.NumGoroutine()
	e := &estate{t: t, brokers: startBrokers(t), people: map[*node]*listener{}, log: new(lines)}
	defer func() {
		if t.Failed() {
			e.brokers.tell(t)
			text := e.log.String()
			t.Logf("gateways:\n%s", text[max(0, len(text)-30000):])
		}
	}()
	for _, n := range e.brokers {
		e.join(n)
	}
	begin := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all sync.WaitGroup
	handler := slog.NewTextHandler(e.log, nil)
	for i := range *many {
		var urls []string
		for k := range e.brokers {
			urls = append(urls, e.brokers[(i+k)%len(e.brokers)].broker())
		}
		g, err := newGateway(i, urls, handler)
		if err != nil {
			t.Fatal(err)
		}
		e.gateways = append(e.gateways, g)
		all.Go(func() { g.run(ctx) })
	}
	e.complete("start", 2*time.Minute)
	t.Logf("%d gateways with %d retained states: complete after %v, at %v", *many, len(e.want()), time.Since(begin).Round(time.Millisecond), e.connected())
	e.obey()
	if t.Failed() {
		return
	}
	e.lose(e.brokers[0])
	if t.Failed() {
		return
	}
	begin = time.Now()
	if err := e.brokers[0].start(); err != nil {
		t.Fatal(err)
	}
	if err := e.brokers.await(time.Minute, "healthy", func(c *condition) bool { return c.Health == "ok" }); err != nil {
		t.Fatal(err)
	}
	e.join(e.brokers[0])
	t.Logf("%s is back: healthy after %v", e.brokers[0].Name, time.Since(begin).Round(time.Millisecond))
	e.lose(e.brokers[1])
	cancel()
	all.Wait()
	e.complete("stop", 20*time.Second)
	for _, l := range e.people {
		l.Disconnect(100)
	}
	for _, n := range e.brokers {
		n.kill()
	}
	ended(t, base)
}

// ended waits until no goroutine is left but those that were before.
func ended(t *testing.T, base int) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > base {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), base, buf[:runtime.Stack(buf, true)])
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("no goroutine left: %s", fmt.Sprint(base))
}
