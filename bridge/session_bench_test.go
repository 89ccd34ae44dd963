//go:build unix

package bridge

import (
	"context"
	"log/slog"
	"strconv"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/internal/mqtttest"
)

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPublish compares a session at QoS 1 with the shortest possible program, which publishes at QoS 0 and waits for nothing,
// in a burst and with a millisecond between messages. cpu-ns/op is the processor time of this process alone.
func BenchmarkPublish(b *testing.B) {
	for _, gap := range []time.Duration{0, time.Millisecond} {
		for _, qos := range []byte{0, 1} {
			b.Run("session/qos="+strconv.Itoa(int(qos))+"/gap="+gap.String(), func(b *testing.B) {
				m := mqtttest.StartMosquitto(b, nil)
				up := make(chan Link, 8)
				s := NewSession(SessionConfig{Broker: "tcp://" + m.Addr(), ClientID: "bench", Status: testStatus}, func(Inbound) {},
					func(l Link) { up <- l }, slog.New(slog.DiscardHandler))
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan struct{})
				go func() { defer close(done); s.Run(ctx) }()
				<-up
				start, base := cpu(), s.Stats().Sent
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					s.Publish(Message{Topic: "bench/a", Payload: []byte("ON"), QoS: qos, State: true, Retain: true})
					if gap > 0 {
						time.Sleep(gap)
					} else if i%1024 == 1023 { // else the outbox collapses states
						for s.Stats().Queued > 512 {
							time.Sleep(time.Millisecond)
						}
					}
				}
				for st := s.Stats(); st.Sent-base < uint64(b.N)-st.Superseded; st = s.Stats() {
					time.Sleep(time.Millisecond)
				}
				b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(s.Stats().Superseded), "superseded")
				cancel()
				<-done
			})
		}
		b.Run("paho/qos=0/gap="+gap.String(), func(b *testing.B) {
			m := mqtttest.StartMosquitto(b, nil)
			c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + m.Addr()).SetClientID("naive"))
			if t := c.Connect(); t.Wait() && t.Error() != nil {
				b.Fatal(t.Error())
			}
			start := cpu()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				c.Publish("bench/a", 0, true, "ON")
				if gap > 0 {
					time.Sleep(gap)
				}
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
			c.Disconnect(250)
		})
	}
}
