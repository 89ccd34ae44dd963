package i2csim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/physic"

	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/control"
)

// open gives a bus with chips, set up by control lines, and an adapter on it. Waits are real, or those of synctest.
func open(t *testing.T, lines ...string) (*bus.Bus, *Adapter) {
	t.Helper()
	b := bus.New(bus.Profiles["bcm2835"], nil)
	t.Cleanup(func() { b.Close() })
	play(t, b, lines...)
	return b, New(b, "i2c-1")
}

func play(t *testing.T, b *bus.Bus, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if _, err := control.Exec(b, l); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
	}
}

func TestTx(t *testing.T) {
	_, a := open(t, "chip mcp23017@0x20")
	if err := a.Tx(0x20, []byte{0x0c, 0x12, 0x34}, nil); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2)
	if err := a.Tx(0x20, []byte{0x0c}, got); err != nil || !bytes.Equal(got, []byte{0x12, 0x34}) {
		t.Errorf("got % x, %v, want 12 34", got, err)
	}
	if err := a.Tx(0x20, nil, got[:1]); err != nil || got[0] != 0 { // the pointer has gone on to INTFA
		t.Errorf("got % x, %v, want 00", got[:1], err)
	}
	if got, want := a.String(), "i2c-1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrors(t *testing.T) {
	b, a := open(t, "chip mcp23017@0x20")
	b.SetTimeout(time.Millisecond)
	for _, c := range []struct {
		line string
		addr uint16
		w    []byte
		want error
	}{
		{"list", 0x21, []byte{0}, bus.EREMOTEIO},
		{"absent 0x20", 0x20, []byte{0}, bus.EREMOTEIO},
		{"present 0x20", 0x20, []byte{0}, nil},
		{"fault 0x20 timeout", 0x20, []byte{0}, syscall.ETIMEDOUT},
		{"fault 0x20 errno EIO", 0x20, []byte{0}, syscall.EIO},
		{"fault 0x20 errno EREMOTEIO", 0x20, []byte{0}, bus.EREMOTEIO},
		{"busy 0x20 on", 0x20, []byte{0}, syscall.EBUSY},
		{"busy 0x20 off", 0x20, nil, nil},
		{"list", 0x21, nil, bus.EREMOTEIO},
		{"list", 0x80, []byte{0}, syscall.EINVAL},
		{"list", 0x20, make([]byte, 8193), syscall.EINVAL},
	} {
		play(t, b, c.line)
		if err := a.Tx(c.addr, c.w, nil); !errors.Is(err, c.want) {
			t.Errorf("%s, address %#x: got %v, want %v", c.line, c.addr, err, c.want)
		}
	}
	if err := a.SetSpeed(0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a speed of 0: got %v", err)
	}
	other := New(b, "other")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Tx(0x20, []byte{0}, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: got %v, want %v", err, os.ErrClosed)
	}
	if err := other.Tx(0x20, []byte{0}, nil); err != nil {
		t.Errorf("another adapter after it: %v", err)
	}
}

// The interrupt of two expanders on one line, as IOCON.ODR and MIRROR have it: down with the first, up with the last.
func TestSharedInterrupt(t *testing.T) {
	b, a := open(t, "chip mcp23017@0x20", "chip mcp23017@0x21")
	var got []string
	stop, err := b.OnLine(func(high bool) {
		pin, err := control.Exec(b, "get 0x20 intf") // looking is allowed
		got = append(got, fmt.Sprint(high, pin, err))
	}, bus.Pin{Addr: 0x20, Name: "inta"}, bus.Pin{Addr: 0x21, Name: "intb"})
	if err != nil {
		t.Fatal(err)
	}
	want := func(step string, lines ...string) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(lines) {
			t.Errorf("%s: got %q, want %q", step, got, lines)
		}
		got = nil
	}
	want("at first", "true [0x0000] <nil>")
	for _, addr := range []uint16{0x20, 0x21} {
		for _, w := range [][]byte{{0x0a, 0x44}, {0x0c, 0xff, 0xff}, {0x04, 0xff, 0xff}} { // IOCON, GPPU, GPINTEN
			if err := a.Tx(addr, w, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	want("set up")
	play(t, b, "0x20 input a3 low")
	want("first button", "false [0x0008] <nil>")
	play(t, b, "0x21 input a1 low")
	want("second button")
	r := make([]byte, 6)
	a.Tx(0x20, []byte{0x0e}, r)
	want("first served")
	a.Tx(0x21, []byte{0x0e}, r)
	want("second served", "true [0x0000] <nil>")
	play(t, b, "0x21 input a1 high")
	want("released", "false [0x0000] <nil>")
	play(t, b, "remove 0x21")
	want("taken off", "true [0x0000] <nil>")
	stop()
	play(t, b, "0x20 input a3 high")
	want("stopped")
	if _, err := b.OnPin(0x20, "intc", func(bool) {}); err == nil {
		t.Error("a pin that is not there was accepted")
	}
	if _, err := b.OnPin(0x33, "inta", func(bool) {}); err == nil {
		t.Error("a chip that is not there was accepted")
	}
}

// Followers hear every change in order, whoever causes it, one at a time, and before the call returns that did.
func TestFollowersInOrder(t *testing.T) {
	b, _ := open(t, "chip pcf8574@0x20", "chip pcf8574@0x21")
	var mu sync.Mutex
	var inside atomic.Int32
	seen := map[uint16][]bool{}
	for _, addr := range []uint16{0x20, 0x21} {
		if _, err := b.OnPin(addr, "p0", func(high bool) {
			if n := inside.Add(1); n > 1 {
				t.Errorf("%d followers are told at once", n)
			}
			defer inside.Add(-1)
			for range 10 {
				runtime.Gosched() // lets another change come
			}
			mu.Lock()
			defer mu.Unlock()
			seen[addr] = append(seen[addr], high)
		}); err != nil {
			t.Fatal(err)
		}
	}
	const n = 500
	var wg sync.WaitGroup
	for _, addr := range []uint16{0x20, 0x21} {
		wg.Go(func() {
			for i := range n {
				var err error
				if addr == 0x20 { // what the program does
					err = New(b, "").Tx(addr, []byte{byte(i) & 1}, nil)
				} else { // and what the world does
					_, err = control.Exec(b, fmt.Sprintf("0x21 input 0 %d", i&1))
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				got := len(seen[addr])
				mu.Unlock()
				if got != i+2 {
					t.Errorf("0x%02x, write %d: %d levels seen, want %d", addr, i, got, i+2)
					return
				}
			}
		})
	}
	wg.Wait()
	for addr, levels := range seen {
		for i, high := range levels {
			if high != (i%2 == 0) {
				t.Fatalf("0x%02x: level %d is %v", addr, i, high)
			}
		}
	}
}

// Time is that of the bubble: a hung bus, a caller that waits for it, and a sensor that measures.
func TestSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := open(t, "chip regs@0x50", "chip bh1750@0x23", "chip bme280@0x76", "0x23 lux 500")
		start := time.Now()
		play(t, b, "fault 0x50 timeout")
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := a.Tx(0x50, []byte{0}, nil); !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("got %v, want %v", err, syscall.ETIMEDOUT)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := a.Tx(0x50, []byte{0}, nil); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if got := time.Since(start); got != time.Second {
			t.Errorf("took %v, want 1s", got)
		}

		if err := a.Tx(0x76, []byte{0xf4, 0x27}, nil); err != nil { // normal mode: measures again and again
			t.Fatal(err)
		}
		if err := a.Tx(0x23, []byte{0x10}, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(120*time.Millisecond - 1)
		r := make([]byte, 2)
		if err := a.Tx(0x23, nil, r); err != nil || !bytes.Equal(r, []byte{0, 0}) {
			t.Errorf("too soon: got % x, %v, want 00 00", r, err)
		}
		time.Sleep(1 * time.Nanosecond)
		synctest.Wait()
		if err := a.Tx(0x23, nil, r); err != nil || !bytes.Equal(r, []byte{0x02, 0x58}) {
			t.Errorf("got % x, %v, want 02 58", r, err)
		}

		if err := a.SetSpeed(100 * physic.KiloHertz); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		if err := a.Tx(0x50, []byte{0}, r[:1]); err != nil { // 39 bits
			t.Fatal(err)
		}
		if got, want := time.Since(start), 390*time.Microsecond; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}
