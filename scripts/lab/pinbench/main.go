//go:build linux

// Pinbench measures a daemon between GPIO and MQTT from outside, through gpio-sim's files and a broker: edge to message,
// command to pin, button to relay by a rule of the daemon's own, the losses in a burst, and its CPU and memory. It knows
// nothing of the daemon but its topics and payloads, so that any other can stand in for it.
//
// What it measures with must not slow down what it measures, on the lab's one CPU: messages are waited for asleep; a pin, which
// tells nobody that it has changed, is looked at seldom and by one system call, see watchPin.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

var (
	broker  = flag.String("broker", "tcp://127.0.0.1:1883", "broker's `URL`")
	qos     = flag.Int("qos", 0, "of the subscription and the commands; what arrives has the lower of this and the daemon's own")
	pull    = flag.String("pull", "", "gpio-sim's pull `file` of the input line")
	value   = flag.String("value", "", "gpio-sim's value `file` of the output line")
	inTopic = flag.String("in", "", "`topic` that the daemon publishes the input on: measures edge to message, and the burst")
	cmd     = flag.String("cmd", "", "command `topic` of the output: measures command to pin")
	local   = flag.Bool("local", false, "measure -pull to -value, where a rule of the daemon's makes the output follow or toggle")
	match   = flag.String("match", "", "only count messages that contain this")
	on      = flag.String("on", "ON", "payload for on; a message is on if it is this, or else contains it")
	off     = flag.String("off", "OFF", "payload for off")
	n       = flag.Int("n", 200, "round trips of each kind")
	gap     = flag.Duration("gap", 20*time.Millisecond, "pause between round trips")
	limit   = flag.Duration("limit", 2*time.Second, "a round trip that takes longer is lost")
	look    = flag.Duration("look", 100*time.Microsecond, "at least this long between two looks at a pin")
	burst   = flag.Int("burst", 2000, "edges in the burst; 0: none")
	every   = flag.Duration("every", time.Millisecond, "time between the burst's edges")
	idle    = flag.Duration("idle", 3*time.Second, "how long the daemon's idle CPU is measured; 0: not at all")
	pid     = flag.Int("pid", 0, "the daemon's process; its children count too")
	name    = flag.String("name", "", "of the daemon, for the results")
	asJSON  = flag.Bool("json", false, "one line of JSON on standard output, the text on standard error")
)

// Result is what -json prints. Times are in microseconds.
type Result struct {
	Name    string `json:"name"`
	QoS     int    `json:"qos"`
	Idle    *Idle  `json:"idle,omitempty"`
	Edge    *Times `json:"edge_to_message,omitempty"`
	Command *Times `json:"command_to_pin,omitempty"`
	Local   *Times `json:"edge_to_pin,omitempty"`
	Burst   *Burst `json:"burst,omitempty"`
}

// Idle is what the daemon takes while nothing happens.
type Idle struct {
	Seconds float64 `json:"seconds"`
	CPU     int64   `json:"cpu_us"`
	RSS     int     `json:"rss_kb"`
}

// Burst is what became of many edges.
type Burst struct {
	Edges       int     `json:"edges"`
	Rate        float64 `json:"edges_per_second"`
	Messages    int     `json:"messages"`
	Alternating int     `json:"alternating"` // messages whose state differs from the one before, as that of edges does
	Drain       int64   `json:"drain_us"`    // from the last edge to the last message
	CPU         int64   `json:"cpu_us"`
	CPUPerEdge  float64 `json:"cpu_us_per_edge"`
	RSS         int     `json:"rss_kb"`
}

var text io.Writer = os.Stdout

func say(format string, args ...any) { fmt.Fprintf(text, *name+" "+format+"\n", args...) }

func main() {
	log.SetFlags(0)
	log.SetPrefix("pinbench: ")
	flag.Parse()
	if *asJSON {
		text = os.Stderr
	}
	// More than the one that the lab's CPU would give: a goroutine in a system call must not keep the client from receiving.
	runtime.GOMAXPROCS(4)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(*broker).SetClientID(fmt.Sprintf("pinbench-%d", os.Getpid())).SetOrderMatters(true))
	if t := c.Connect(); t.Wait() && t.Error() != nil {
		return fmt.Errorf("%s: %w", *broker, t.Error())
	}
	defer c.Disconnect(100)
	r := Result{Name: *name, QoS: *qos}
	if *idle > 0 {
		before := usage(*pid)
		time.Sleep(*idle)
		u := usage(*pid)
		r.Idle = &Idle{idle.Seconds(), (u.cpu - before.cpu).Microseconds(), u.rss}
		say("idle: rss=%dKB cpu=%v in %v", u.rss, u.cpu-before.cpu, *idle)
	}
	if *inTopic != "" && *pull != "" {
		in, err := listen(c)
		if err != nil {
			return err
		}
		if r.Edge, err = edgeToMessage(in); err != nil {
			return err
		}
		say("edge->message: %v", r.Edge)
		if *burst > 0 {
			if r.Burst, err = burstOf(in); err != nil {
				return err
			}
			b := r.Burst
			say("burst: %d edges at %.0f/s, %d messages, %d of them alternating, drained after %v, cpu %.0f us/edge, rss %dKB", b.Edges, b.Rate,
				b.Messages, b.Alternating, time.Duration(b.Drain)*time.Microsecond, b.CPUPerEdge, b.RSS)
		}
		if t := c.Unsubscribe(*inTopic); t.Wait() && t.Error() != nil {
			return t.Error()
		}
	}
	if *cmd != "" && *value != "" {
		var err error
		if r.Command, err = commandToPin(c); err != nil {
			return err
		}
		say("command->pin: %v", r.Command)
	}
	if *local {
		var err error
		if r.Local, err = edgeToPin(); err != nil {
			return err
		}
		say("edge->pin: %v", r.Local)
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	return nil
}

// arrival is a message of the input.
type arrival struct {
	at time.Time
	on bool
}

func listen(c mqtt.Client) (<-chan arrival, error) {
	in := make(chan arrival, 1<<17)
	t := c.Subscribe(*inTopic, byte(*qos), func(_ mqtt.Client, m mqtt.Message) {
		now := time.Now()
		p := string(m.Payload())
		if m.Retained() || !strings.Contains(p, *match) {
			return
		}
		in <- arrival{now, p == *on || p != *off && strings.Contains(p, *on)}
	})
	if t.Wait(); t.Error() != nil {
		return nil, t.Error()
	}
	if got := t.(*mqtt.SubscribeToken).Result()[*inTopic]; got > 2 {
		return nil, fmt.Errorf("the broker refuses the subscription to %s", *inTopic)
	}
	return in, nil
}

func drain(in <-chan arrival) {
	for len(in) > 0 {
		<-in
	}
}

func edgeToMessage(in <-chan arrival) (*Times, error) {
	input, err := openInput(*pull)
	if err != nil {
		return nil, err
	}
	defer input.Close()
	if err := input.set(false); err != nil {
		return nil, err
	}
	time.Sleep(500 * time.Millisecond)
	var t times
	for i := range *n {
		drain(in)
		start := time.Now()
		if err := input.set(i%2 == 0); err != nil {
			return nil, err
		}
		late := time.NewTimer(*limit)
		select {
		case a := <-in:
			t.add(a.at.Sub(start))
		case <-late.C:
			t.lost++
		}
		late.Stop()
		time.Sleep(*gap)
	}
	return t.sum(), nil
}

func burstOf(in <-chan arrival) (*Burst, error) {
	input, err := openInput(*pull)
	if err != nil {
		return nil, err
	}
	defer input.Close()
	if err := input.set(false); err != nil {
		return nil, err
	}
	time.Sleep(500 * time.Millisecond)
	drain(in)
	before := usage(*pid)
	start := time.Now()
	for i := range *burst {
		if err := input.set(i%2 == 0); err != nil {
			return nil, err
		}
		sleep(time.Until(start.Add(time.Duration(i+1) * *every)))
	}
	end := time.Now()
	b := &Burst{Edges: *burst, Rate: float64(*burst) / end.Sub(start).Seconds()}
	last, was := end, false
	for { // until a second and a half passes without a message
		quiet := time.NewTimer(1500 * time.Millisecond)
		select {
		case a := <-in:
			b.Messages++
			if a.on != was {
				b.Alternating++
			}
			last, was = a.at, a.on
			quiet.Stop()
			continue
		case <-quiet.C:
		}
		break
	}
	u := usage(*pid)
	b.Drain = max(0, last.Sub(end).Microseconds())
	b.CPU = (u.cpu - before.cpu).Microseconds()
	b.CPUPerEdge = float64(b.CPU) / float64(*burst)
	b.RSS = u.rss
	return b, nil
}

func commandToPin(c mqtt.Client) (*Times, error) {
	pin, err := openPin(*value)
	if err != nil {
		return nil, err
	}
	defer pin.Close()
	c.Publish(*cmd, byte(*qos), false, *off).Wait()
	time.Sleep(500 * time.Millisecond)
	for i := range *n {
		payload, want := *on, true
		if i%2 == 1 {
			payload, want = *off, false
		}
		start := time.Now()
		t := c.Publish(*cmd, byte(*qos), false, payload)
		if err := pin.wait(start, func(high bool) bool { return high == want }); err != nil {
			return nil, err
		}
		if t.Wait(); t.Error() != nil {
			return nil, t.Error()
		}
		time.Sleep(*gap)
	}
	return pin.sum(), nil
}

// edgeToPin counts rising edges only: a rule that toggles knows no others, and one that follows has the time to go back.
func edgeToPin() (*Times, error) {
	input, err := openInput(*pull)
	if err != nil {
		return nil, err
	}
	defer input.Close()
	pin, err := openPin(*value)
	if err != nil {
		return nil, err
	}
	defer pin.Close()
	if err := input.set(false); err != nil {
		return nil, err
	}
	time.Sleep(500 * time.Millisecond)
	for range *n {
		was, err := pin.high()
		if err != nil {
			return nil, err
		}
		start := time.Now()
		if err := input.set(true); err != nil {
			return nil, err
		}
		if err := pin.wait(start, func(high bool) bool { return high != was }); err != nil {
			return nil, err
		}
		time.Sleep(*gap)
		if err := input.set(false); err != nil {
			return nil, err
		}
		time.Sleep(*gap)
	}
	return pin.sum(), nil
}
