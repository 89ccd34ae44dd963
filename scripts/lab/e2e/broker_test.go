//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"
)

// broker is mosquitto on a port of its own, with Debian's settings but without persistence: what it retains dies with it. It keeps
// every message for an observer that is slower than the gateway.
type broker struct {
	t    testing.TB
	port int
	conf string
	log  buffer
	cmd  *exec.Cmd
}

// newBroker starts one that ends with the test.
func newBroker(t testing.TB) *broker {
	t.Helper()
	b := absentBroker(t)
	b.start()
	return b
}

// absentBroker is one that does not run yet.
func absentBroker(t testing.TB) *broker {
	t.Helper()
	program(t, "")
	b := &broker{t: t, port: freePort(t)}
	b.conf = filepath.Join(t.TempDir(), "mosquitto.conf")
	write(t, b.conf, fmt.Sprintf("user root\nmax_queued_messages 0\npersistence false\nlog_dest stderr\nlistener %d 127.0.0.1\nallow_anonymous true\n", b.port))
	t.Cleanup(func() {
		b.kill()
		if t.Failed() {
			t.Logf("mosquitto:\n%s", last(b.log.String(), 40))
		}
	})
	return b
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start runs it, and waits until it answers.
func (b *broker) start() {
	b.t.Helper()
	b.cmd = exec.Command("mosquitto", "-c", b.conf)
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "mosquitto answers", func() bool {
		c, err := net.Dial("tcp", b.addr())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill ends it as a power cut does.
func (b *broker) kill() {
	if b.cmd != nil {
		b.cmd.Process.Kill()
		b.cmd.Wait()
		b.cmd = nil
	}
}

// freeze lets it keep its connections and say nothing.
func (b *broker) freeze() { b.cmd.Process.Signal(unix.SIGSTOP) }

func (b *broker) addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// pub publishes with mosquitto's own tool.
func (b *broker) pub(args ...string) {
	b.t.Helper()
	run(b.t, "mosquitto_pub", append([]string{"-p", fmt.Sprint(b.port)}, args...)...)
}

// message is what an observer got.
type message struct {
	topic, payload string
	qos            byte
	retained       bool
}

// observer is a client that keeps every message.
type observer struct {
	t      testing.TB
	client mqtt.Client

	mu  sync.Mutex // guards the following
	got []message
}

// observe connects one, which sees first what is retained.
func (b *broker) observe() *observer {
	b.t.Helper()
	o := &observer{t: b.t}
	o.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + b.addr()).SetAutoReconnect(false).SetOrderMatters(true).
		SetProtocolVersion(4).SetWriteTimeout(5 * time.Second).SetKeepAlive(time.Hour))
	if token := o.client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		b.t.Fatal("an observer cannot connect: ", token.Error())
	}
	token := o.client.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.got = append(o.got, message{m.Topic(), string(m.Payload()), m.Qos(), m.Retained()})
	})
	if !token.WaitTimeout(patience) || token.Error() != nil {
		b.t.Fatal("an observer cannot subscribe: ", token.Error())
	}
	b.t.Cleanup(func() { o.client.Disconnect(50) })
	return o
}

// mark is a place among the messages.
func (o *observer) mark() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.got)
}

// since gives the messages of a topic from a mark on.
func (o *observer) since(mark int, topic string) []message {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []message
	for _, m := range o.got[mark:] {
		if m.topic == topic {
			list = append(list, m)
		}
	}
	return list
}

// payloads gives those of a topic from a mark on.
func (o *observer) payloads(mark int, topic string) []string {
	var list []string
	for _, m := range o.since(mark, topic) {
		list = append(list, m.payload)
	}
	return list
}

// changes gives the payloads of a topic from a mark on that are not as the one before: states may be told again, as they are when Home
// Assistant has new documents.
func (o *observer) changes(mark int, topic string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []string
	was, any := "", false
	for i, m := range o.got {
		if m.topic != topic {
			continue
		}
		if i >= mark && (!any || m.payload != was) {
			list = append(list, m.payload)
		}
		was, any = m.payload, true
	}
	return list
}

// last gives the latest message of a topic.
func (o *observer) last(topic string) (message, bool) {
	list := o.since(0, topic)
	if len(list) == 0 {
		return message{}, false
	}
	return list[len(list)-1], true
}

// shows waits until the latest message of a topic is as wanted.
func (o *observer) shows(topic, payload string) {
	o.t.Helper()
	o.showsWithin(patience, topic, payload)
}

func (o *observer) showsWithin(limit time.Duration, topic, payload string) {
	o.t.Helper()
	end := time.Now().Add(limit)
	for m, ok := o.last(topic); !ok || m.payload != payload; m, ok = o.last(topic) {
		if time.Now().After(end) {
			o.t.Fatalf("%s: %q, want %q within %v; all of it: %q", topic, m.payload, payload, limit, o.payloads(0, topic))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// hears waits for a message from a mark on that has all the parts.
func (o *observer) hears(mark int, topic string, parts ...string) {
	o.t.Helper()
	o.hearsWithin(patience, mark, topic, parts...)
}

func (o *observer) hearsWithin(limit time.Duration, mark int, topic string, parts ...string) {
	o.t.Helper()
	has := func(m message) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(m.payload, p) })
	}
	end := time.Now().Add(limit)
	for !slices.ContainsFunc(o.since(mark, topic), has) {
		if time.Now().After(end) {
			o.t.Fatalf("%s: nothing with %q; but %q", topic, parts, o.payloads(mark, topic))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// send publishes at QoS 1 and waits for the acknowledgement.
func (o *observer) send(topic, payload string) { o.publish(topic, payload, false) }

func (o *observer) publish(topic, payload string, retained bool) {
	o.t.Helper()
	if token := o.client.Publish(topic, 1, retained, payload); !token.WaitTimeout(patience) || token.Error() != nil {
		o.t.Fatalf("cannot publish on %s: %v", topic, token.Error())
	}
}

// last gives the last lines of a text.
func last(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
