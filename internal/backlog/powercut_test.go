package backlog

import (
	"bytes"
	"testing"
	"time"

	"gatewayd/internal/disk/disktest"
)

// history drives a backlog over a few outages, and says what must be found after a power cut.
type history struct {
	b     *Backlog
	bodys map[uint64]string
	kept  uint64 // all up to it came before the disk was made to write
	done  uint64 // all up to it were done then
}

func (h *history) add(n int) {
	for range n {
		m := numbered(len(h.bodys))
		h.b.Add(m)
		h.bodys[uint64(len(h.bodys)+1)] = m.Body
	}
}

// write has the file written; where the disk may be made to write, all that came is sure then.
func (h *history) write(later time.Duration) {
	h.b.file.synced = h.b.file.synced.Add(-later)
	came, done, may := h.b.last, h.b.done, time.Since(h.b.file.synced) >= syncEvery
	h.b.write(false)
	if may {
		h.kept, h.done = came, done
	}
}

func (h *history) run() {
	for outage := range 3 {
		h.add(3)
		h.write(time.Hour)
		h.add(2)
		h.write(0) // too soon
		h.add(4)
		h.write(syncEvery)
		h.b.Done(h.b.done + 3)
		h.write(0)
		h.b.file.rewrite = outage > 0 // as when it has grown
		h.write(syncEvery)
		h.b.Done(h.b.done + 2)
		h.write(syncEvery)
		h.add(2)
		h.b.Done(h.b.last)
		h.write(syncEvery)
	}
}

// A power cut at any operation leaves all that was there when the disk was last made to write, and nothing that never was; what was done
// by then is not sent again.
func TestPowerCut(t *testing.T) {
	outcomes := 0
	for budget := 0; ; budget++ {
		d := disktest.NewCut()
		b := New(Config{})
		b.file = &journal{path: "dir/backlog", disk: d, synced: time.Now()}
		h := history{b: b, bodys: map[uint64]string{}}
		finished := d.Run(budget, h.run)
		for _, data := range d.After("dir/backlog") {
			outcomes++
			again := New(Config{})
			again.file = &journal{}
			again.take(data)
			found := map[uint64]bool{}
			for _, e := range again.queue[again.head:] {
				found[e.n] = true
				if e.body != h.bodys[e.n] || e.n <= h.done {
					t.Fatalf("cut after %d operations, %d sure and %d done: %q gives %+v", budget, h.kept, h.done, data, e)
				}
			}
			for n := b.done + 1; n <= h.kept; n++ {
				if !found[n] {
					t.Fatalf("cut after %d operations, %d sure and %d done: %q has lost %d", budget, h.kept, h.done, data, n)
				}
			}
			if again.done > b.done {
				t.Fatalf("cut after %d operations: %q says that %d are done, %d were", budget, data, again.done, b.done)
			}
		}
		if finished {
			if !bytes.Equal(nil, d.After("dir/backlog")[0]) {
				t.Error("all is done, and there still is a file")
			}
			t.Logf("%d cuts, %d outcomes", budget, outcomes)
			return
		}
	}
}
