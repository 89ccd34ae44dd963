package i2cmux

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"periph.io/x/conn/v3/i2c"

	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/chip"
	"gatewayd/internal/i2csim/control"
)

// The parts of the tests: registers at one and the same address, each with another value, on two multiplexers.
var places = []struct {
	mux     uint16
	channel int
}{{0x70, 0}, {0x70, 3}, {0x71, 3}, {0x71, 7}}

const part = 0x50

// rig is a bus with multiplexers, at every transfer of which no more than one channel is open.
type rig struct {
	*testing.T
	i2c.Bus
	wires *bus.Bus
	fail  func(addr uint16, w []byte) (before, after error) // the transfer is not made, or fails once it was made; may be nil
	n     int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, wires: bus.New(bus.Profiles["bcm2835"], nil)}
	t.Cleanup(func() { r.wires.Close() })
	r.Bus = i2csim.New(r.wires, "/dev/i2c-1")
	r.do("chip pca9548@0x70", "chip pca9548@0x71")
	for i, p := range places {
		at := fmt.Sprintf("0x%02x/%d/0x%02x", p.mux, p.channel, part)
		r.do("chip regs@"+at, fmt.Sprintf("%s reg 0 %d", at, i+1))
	}
	return r
}

func (r *rig) do(lines ...string) {
	r.Helper()
	for _, l := range lines {
		if _, err := control.Exec(r.wires, l); err != nil {
			r.Fatalf("%s: %v", l, err)
		}
	}
}

func (r *rig) String() string { return r.Bus.String() }

func (r *rig) Tx(addr uint16, w, in []byte) error {
	r.n++
	var before, after error
	if r.fail != nil {
		before, after = r.fail(addr, w)
	}
	if before != nil {
		return before
	}
	err := r.Bus.Tx(addr, w, in)
	if open := r.open(); open > 1 {
		r.Errorf("transfer %d, with 0x%02x: %d channels are open", r.n, addr, open)
	}
	return errors.Join(err, after)
}

// open gives how many channels are.
func (r *rig) open() (n int) {
	for _, mux := range []uint16{0x70, 0x71} {
		r.wires.Do(mux, func(c chip.Chip) error {
			n += bits.OnesCount8(c.(chip.Mux).Channels())
			return nil
		})
	}
	return n
}

// branches gives the parts' buses, in the order of places.
func (r *rig) branches() (all []i2c.Bus) {
	var muxes Muxes
	for _, p := range places {
		all = append(all, muxes.Channel(r, p.mux, p.channel))
	}
	return all
}

// read reads the part that is i of places, which answers with its number or not at all.
func (r *rig) read(b i2c.Bus, i int) error {
	var got [1]byte
	err := b.Tx(part, []byte{0}, got[:])
	if err == nil && got[0] != byte(i+1) {
		r.Errorf("%s: got the value of part %d", b, got[0])
	}
	return err
}

func TestOneAddress(t *testing.T) {
	r := newRig(t)
	for i, b := range r.branches() {
		if err := r.read(b, i); err != nil {
			t.Error(err)
		}
		if n := r.open(); n != 0 {
			t.Errorf("%s: %d channels are open afterwards", b, n)
		}
	}
	if err := r.branches()[0].Tx(0x51, nil, make([]byte, 1)); err == nil {
		t.Error("nobody answers there, and there is no error")
	}
	if got, want := r.branches()[1].String(), "/dev/i2c-1, channel 3 of the mux 0x70"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := r.wires.Clashes(); n != 0 {
		t.Errorf("%d times two parts heard the same", n)
	}
}

// A transfer costs two more, of two bytes each; only the first one on a bus has more to do.
func TestTransfers(t *testing.T) {
	r := newRig(t)
	b := r.branches()
	for i, want := range []int{4, 3, 3} {
		before := r.n
		r.read(b[0], 0)
		if got := r.n - before; got != want {
			t.Errorf("transfer %d: got %d on the bus, want %d", i+1, got, want)
		}
	}
}

// What a program has left open that was killed between two transfers is closed before anything is read.
func TestLeftOpen(t *testing.T) {
	r := newRig(t)
	r.do("0x71 channels 0x08")
	if err := r.read(r.branches()[1], 1); err != nil {
		t.Error(err)
	}
	if n := r.wires.Clashes(); n != 0 {
		t.Errorf("%d times two parts heard the same", n)
	}
}

// A multiplexer that is not there makes its own parts unavailable, and no others.
func TestMuxGone(t *testing.T) {
	r := newRig(t)
	b := r.branches()
	r.do("absent 0x70")
	if err := r.read(b[0], 0); err == nil || !strings.Contains(err.Error(), "the mux 0x70 does not open its channel") {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := r.read(b[2], 2); err != nil {
			t.Error(err)
		}
	}
	r.do("present 0x70")
	for i := range b {
		if err := r.read(b[i], i); err != nil {
			t.Error(err)
		}
	}
}

// One that does not say that it has closed its channel is closed before the next transfer, and nothing else is done until it is.
func TestNotClosed(t *testing.T) {
	r := newRig(t)
	b := r.branches()
	for i := range b {
		if err := r.read(b[i], i); err != nil {
			t.Fatal(err)
		}
	}
	broken := true
	r.fail = func(addr uint16, w []byte) (before, after error) {
		if broken && addr == 0x70 && bytes.Equal(w, []byte{0}) {
			return syscall.ETIMEDOUT, nil
		}
		return nil, nil
	}
	if err := r.read(b[1], 1); !errors.Is(err, syscall.ETIMEDOUT) || !strings.Contains(err.Error(), "the mux 0x70 does not close its channel") {
		t.Errorf("got %v", err)
	}
	if err := r.read(b[2], 2); !errors.Is(err, syscall.ETIMEDOUT) || !strings.Contains(err.Error(), "a channel of the mux 0x70 may still be open") {
		t.Errorf("got %v", err)
	}
	broken = false
	if err := r.read(b[2], 2); err != nil {
		t.Error(err)
	}
	if n := r.wires.Clashes(); n != 0 || r.open() != 0 {
		t.Errorf("%d times two parts heard the same, %d channels are open", n, r.open())
	}
}

// Whatever fails, for several who read at the same time: no two channels are ever open, and what is read is that part's own.
func TestNeverTwoOpen(t *testing.T) {
	r := newRig(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex // guards rng
	r.fail = func(addr uint16, w []byte) (before, after error) {
		mu.Lock()
		defer mu.Unlock()
		failure := []error{syscall.EIO, syscall.ETIMEDOUT}[rng.IntN(2)]
		switch rng.IntN(20) {
		case 0:
			return failure, nil
		case 1: // it was heard, but not acknowledged in time
			return nil, failure
		}
		return nil, nil
	}
	var wg sync.WaitGroup
	good := make([]int, len(places))
	for i, b := range r.branches() {
		wg.Go(func() {
			for range 2000 {
				if r.read(b, i) == nil {
					good[i]++
				}
			}
		})
	}
	wg.Wait()
	for i, n := range good {
		if n < 1000 {
			t.Errorf("part %d was read %d times of 2000", i, n)
		}
	}
	if n := r.wires.Clashes(); n != 0 {
		t.Errorf("%d times two parts heard the same", n)
	}
}

// loner is a bus that several programs have.
type loner struct {
	*rig
	turn *sync.Mutex
}

func (l loner) Alone() (done func(), err error) {
	l.turn.Lock()
	return l.turn.Unlock, nil
}

// Two programs, such as the gateway and `gatewayd read`, know nothing of each other's transfers.
func TestTwoPrograms(t *testing.T) {
	r := newRig(t)
	var wires, turn sync.Mutex
	r.fail = func(uint16, []byte) (before, after error) {
		runtime.Gosched() // there the other one would come in
		return nil, nil
	}
	r.Bus = serial{r.Bus, &wires}
	var wg sync.WaitGroup
	for range 2 {
		var muxes Muxes
		for i, p := range places {
			b := muxes.Channel(loner{r, &turn}, p.mux, p.channel)
			wg.Go(func() {
				for range 300 {
					if err := r.read(b, i); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}

// serial makes one transfer at a time, as the kernel does.
type serial struct {
	i2c.Bus
	mu *sync.Mutex
}

func (s serial) Tx(addr uint16, w, r []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Bus.Tx(addr, w, r)
}
