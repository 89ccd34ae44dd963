package backlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/internal/clock"
)

// made is what the clock says in a test.
type made struct {
	boot         time.Duration
	synchronised bool
}

func (m *made) use(t *testing.T) {
	start := time.Now()
	undo := clock.Use(clock.Source{
		Slept:        func() (time.Duration, bool) { return 0, true },
		Boot:         func() time.Duration { return m.boot + time.Since(start) },
		Synchronised: func() bool { return m.synchronised },
	})
	t.Cleanup(undo)
}

func numbered(n int) Message {
	return Message{Topic: fmt.Sprintf("shed/attic/%d/late", n%3), Body: fmt.Sprintf(`"value":%d,"unit":"°C"`, n), At: clock.Now()}
}

// sent takes up to most by Next, and gives the numbers in their values.
func sent(t *testing.T, b *Backlog, after uint64, most int) (values []int, last uint64) {
	t.Helper()
	for range most {
		n, topic, payload, ok := b.Next(after)
		if !ok {
			break
		}
		var v int
		if _, err := fmt.Sscanf(string(payload), `{"value":%d,`, &v); err != nil || topic != numbered(v).Topic {
			t.Fatalf("got %s %s", topic, payload)
		}
		values, after = append(values, v), n
	}
	return values, after
}

func from(first, last int) (all []int) {
	for n := first; n <= last; n++ {
		all = append(all, n)
	}
	return all
}

func TestOrder(t *testing.T) {
	b := New(Config{Most: 1000})
	for n := range 100 {
		b.Add(numbered(n))
	}
	got, at := sent(t, b, 0, 10)
	if !slices.Equal(got, from(0, 9)) {
		t.Errorf("got %v", got)
	}
	b.Done(at - 5)
	if got, _ := sent(t, b, at, 3); !slices.Equal(got, from(10, 12)) {
		t.Errorf("behind those in flight: %v", got)
	}
	if got, _ := sent(t, b, 0, 3); !slices.Equal(got, from(5, 7)) {
		t.Errorf("from the start again: %v, want what is not acknowledged", got)
	}
	got, at = sent(t, b, at, 1000)
	if !slices.Equal(got, from(10, 99)) {
		t.Errorf("the rest: %v", got)
	}
	b.Done(at)
	if waiting, dropped := b.Counts(); waiting != 0 || dropped != 0 {
		t.Errorf("%d wait, %d dropped", waiting, dropped)
	}
	b.Add(numbered(100))
	if got, _ := sent(t, b, at, 5); !slices.Equal(got, from(100, 100)) {
		t.Errorf("what came then: %v", got)
	}
}

// Of too many the oldest are dropped, also while they are being sent.
func TestMost(t *testing.T) {
	var log bytes.Buffer
	b := New(Config{Most: 50, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for n := range 200 {
		b.Add(numbered(n))
	}
	got, at := sent(t, b, 0, 10)
	if !slices.Equal(got, from(150, 159)) {
		t.Errorf("got %v", got)
	}
	for n := range 20 {
		b.Add(numbered(200 + n))
	}
	if got, _ := sent(t, b, at, 1000); !slices.Equal(got, from(170, 219)) {
		t.Errorf("got %v", got)
	}
	if waiting, dropped := b.Counts(); waiting != 50 || dropped != 170 {
		t.Errorf("%d wait, %d dropped, want 50 and 170", waiting, dropped)
	}
	b.Limit(5, time.Hour)
	if got, _ := sent(t, b, 0, 1000); !slices.Equal(got, from(215, 219)) {
		t.Errorf("with other bounds: got %v", got)
	}
	if n := strings.Count(log.String(), "full"); n != 1 {
		t.Errorf("told %d times, want once:\n%s", n, log.String())
	}
}

func TestMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := made{boot: time.Hour}
		m.use(t)
		b := New(Config{MaxAge: time.Minute})
		b.Add(numbered(0))
		time.Sleep(30 * time.Second)
		b.Add(numbered(1))
		time.Sleep(31 * time.Second)
		if got, _ := sent(t, b, 0, 10); !slices.Equal(got, []int{1}) {
			t.Errorf("got %v, want what is younger than a minute", got)
		}
		if _, dropped := b.Counts(); dropped != 1 {
			t.Errorf("%d dropped", dropped)
		}
	})
}

// Each has the time when it was: also what was measured before the clock was right, in this run or in another of the same boot.
// Of another boot that never had the time nobody knows.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := made{boot: time.Hour}
		m.use(t)
		path := t.TempDir() + "/backlog"
		b := New(Config{File: path, Boot: "one"})
		check := func(what, want string) {
			t.Helper()
			_, _, payload, _ := b.Next(0)
			if string(payload) != want {
				t.Errorf("%s: got %s, want %s", what, payload, want)
			}
		}
		restart := func(boot string) {
			b.write(true)
			b = New(Config{File: path, Boot: boot})
		}
		b.Add(numbered(1)) // in a bubble it is 2000-01-01 at first
		time.Sleep(90 * time.Second)
		check("no time yet", `{"value":1,"unit":"°C","age_s":90.0,"late":true}`)
		restart("one")
		check("no time yet, after a restart", `{"value":1,"unit":"°C","age_s":90.0,"late":true}`)
		restart("two")
		check("after a boot", `{"value":1,"unit":"°C","late":true}`)
		restart("one")
		m.synchronised = true
		time.Sleep(2 * time.Second)
		check("the time is known now", `{"value":1,"unit":"°C","at":"2000-01-01T00:00:00.000Z","late":true}`)
		restart("two")
		check("after a boot, with the time noted", `{"value":1,"unit":"°C","at":"2000-01-01T00:00:00.000Z","late":true}`)
		m.synchronised = false
		time.Sleep(2 * time.Second)
		restart("three")
		check("without time, but it was known then", `{"value":1,"unit":"°C","at":"2000-01-01T00:00:00.000Z","late":true}`)
	})
}

// What is full or too old in the file is not more than what may wait.
func TestLoadBounds(t *testing.T) {
	path := t.TempDir() + "/backlog"
	b := New(Config{File: path})
	for n := range 100 {
		b.Add(numbered(n))
	}
	b.write(true)
	b = New(Config{File: path, Most: 10})
	if got, _ := sent(t, b, 0, 100); !slices.Equal(got, from(90, 99)) {
		t.Errorf("got %v", got)
	}
}
