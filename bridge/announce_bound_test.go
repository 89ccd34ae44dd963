package bridge

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// However much somebody has left for Home Assistant, little of it is kept; that there is more is told once for each connection.
func TestAnnouncementsBounded(t *testing.T) {
	cfg := &Config{Device: "shed", ID: "shed"}
	cfg.HomeAssistant.Discovery = true
	s, err := newState(cfg, About{})
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for i := range 1500 {
		parts = append(parts, fmt.Sprintf(`"c%d":{"platform":"p"}`, i))
	}
	garbage := []byte(`{"origin":{"name":"gatewayd"},"components":{` + strings.Join(parts, ",") + `}}`)
	now := time.Now()
	for range 2 {
		told := 0
		for i := range 200 {
			_, send, _ := s.step(Inbound{Topic: fmt.Sprintf("homeassistant/device/gatewayd_shed/%d/config", i), Payload: garbage, Retained: true}, now)
			told += len(send)
		}
		n := 0
		for _, f := range s.announcer.known {
			n += f.size()
		}
		if n > foundMost || n < foundMost-3000 {
			t.Errorf("%d are kept, want nearly %d", n, foundMost)
		}
		if told != 1 {
			t.Errorf("told %d times, want once", told)
		}
		s.step(Link{Up: true}, now)
		s.step(Link{}, now)
	}
	if size := unsafe.Sizeof(component{}); size*foundMost > 32<<20 {
		t.Errorf("a component takes %d bytes: %d of them are too many", size, foundMost)
	}
}
