package bridge

import (
	"strings"
	"testing"
	"time"
)

// While it starts, what has not been read yet is no problem; later it is.
func TestHealthAtStart(t *testing.T) {
	s, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	for uptime, want := range map[time.Duration]string{0: `{"level":"ok","reasons":[]`, firstReads: `{"level":"degraded","reasons":["input \"all_off\": not read yet"`} {
		_, send, _ := s.step(Vitals{Uptime: uptime}, time.Now())
		if got := string(send[0].Payload); !strings.HasPrefix(got, want) {
			t.Errorf("after %v: %s\nwant %s", uptime, got, want)
		}
	}
}
