package bridge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// A broker that crashes every few seconds, or is started again in order, is no other client with our name, and is not waited for as if it
// were: the session is back soon after it is.
func TestSessionCrashLoop(t *testing.T) {
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		m := mqtttest.StartMosquitto(t, func(dir string, port int) string {
			return fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\n", port)
		})
		crashLoop(t, m.Addr(), m.Stop, func() { m.Restart(t) })
	})
	t.Run("in order", func(t *testing.T) {
		t.Parallel()
		b := mqtttest.StartEmbedded(t, "")
		crashLoop(t, b.Addr(), func() { b.Stop() }, func() { b = mqtttest.StartEmbedded(t, b.Addr()) })
	})
}

func crashLoop(t *testing.T, addr string, stop, start func()) {
	t.Helper()
	r := startSession(t, SessionConfig{Broker: "tcp://" + addr, RetryMin: 20 * time.Millisecond, RetryMax: time.Minute})
	for i := range 6 { // twice as many as make a rival
		r.await(t, true)
		stop()
		if l := r.await(t, false); strings.Contains(l.Err.Error(), "another client") {
			t.Errorf("end %d of the broker is taken for a rival: %v", i+1, l.Err)
		}
		time.Sleep(300 * time.Millisecond) // a service manager waits, too, and a broker takes its time to begin
		start()
	}
	began := time.Now()
	r.await(t, true) // within 8 s; one that waits for a rival is 20 s late
	t.Logf("back after %v", time.Since(began).Round(time.Millisecond))
}
