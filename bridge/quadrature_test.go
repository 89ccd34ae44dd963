package bridge

import (
	"math/rand/v2"
	"testing"
)

// knob is an encoder that somebody turns, with contacts that bounce.
type knob struct {
	*rand.Rand
	at      int // quarters of a turn, clockwise
	contact [2]bool
	bounces int
}

// quarter turns it on by one change of a contact, and tells each edge.
func (k *knob) quarter(way int, tell func(contact int, active bool)) {
	k.at += way
	want := [4][2]bool{{false, false}, {true, false}, {true, true}, {false, true}}[(k.at%4+4)%4]
	for c := range want {
		if want[c] == k.contact[c] {
			continue
		}
		for n := 1 + 2*k.IntN(1+k.bounces); n > 0; n-- {
			k.contact[c] = !k.contact[c]
			tell(c, k.contact[c])
		}
	}
}

// Whoever turns it how he likes, to and fro within a detent too: the steps are where it ends. With edges that go missing there is no step
// too many: each one told is a way that was seen.
func TestQuadrature(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		perStep := []int{4, 2, 1}[r.IntN(3)]
		k := &knob{Rand: r, bounces: r.IntN(6)}
		q := quadrature{perStep: perStep}
		q.read(0, false)
		q.read(1, false)
		position, way := 0, 1
		for n := range 500 {
			if r.IntN(5) == 0 {
				way = -way
			}
			k.quarter(way, func(c int, active bool) { position += q.edge(c, active) })
			if k.at%perStep == 0 && position*perStep != k.at {
				t.Fatalf("seed %d: after %d changes %d steps of %d, want %d", seed, n+1, position, perStep, k.at/perStep)
			}
		}
	}
}

// Both contacts are seen to have changed, and not in which order: the step is left out, and told as missed; what follows is right.
func TestQuadratureMissed(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		k := &knob{Rand: r, bounces: 2}
		q := quadrature{perStep: 4}
		q.read(0, false)
		q.read(1, false)
		position, missed, skipped := 0, 0, 0
		for range 300 {
			if r.IntN(20) > 0 {
				k.quarter(1, func(c int, active bool) { position += q.edge(c, active) })
				continue
			}
			skipped++
			k.quarter(1, func(int, bool) {})
			k.quarter(1, func(int, bool) {})
			for c, active := range k.contact {
				if q.read(c, active) {
					missed++
				}
			}
		}
		if all := k.at / 4; position > all || position < all-2*skipped || // one that jumps over a detent spoils the steps on both sides
			skipped > 0 && missed == 0 {
			t.Fatalf("seed %d: %d steps of %d detents, %d jumps, of which %d were told", seed, position, all, skipped, missed)
		}
		for k.at%4 != 0 {
			k.quarter(1, func(c int, active bool) { q.edge(c, active) })
		}
		steps := 0
		for range 40 {
			k.quarter(-1, func(c int, active bool) { steps += q.edge(c, active) })
		}
		if steps != -10 {
			t.Errorf("seed %d: %d steps afterwards, want -10", seed, steps)
		}
	}
}
