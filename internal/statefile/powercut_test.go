package statefile

import (
	"testing"

	"gatewayd/internal/disk/disktest"
)

// A power cut at any byte leaves the old content or the new one; once Save has said that it is done, the new one.
func TestPowerCut(t *testing.T) {
	cuts := 0
	for budget := 0; ; budget++ {
		d, done := disktest.NewCut(), false
		d.Run(1<<30, func() {
			if err := save(d, "dir/state", []byte("old")); err != nil {
				t.Fatal(err)
			}
		})
		d.Run(budget, func() { done = save(d, "dir/state", []byte("new")) == nil })
		for _, data := range d.After("dir/state") {
			cuts++
			got, err := unpack(data)
			if err != nil || string(got) != "new" && (done || string(got) != "old") {
				t.Fatalf("cut after %d operations, done %v: %q: got %q, %v", budget, done, data, got, err)
			}
		}
		if done {
			t.Logf("%d cuts, %d outcomes", budget, cuts)
			return
		}
	}
}
