package gpio

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"
)

// The bytes on the wire, as the data sheet has them: PCA9555 rev. 10, 6.2 and 7: a command, and a pair of registers that go on by turns.
func TestPCA9555Wire(t *testing.T) {
	row := func(out, in, config []byte) []i2ctest.IO {
		twice := func(b []byte) []byte { return append(append([]byte(nil), b...), b...) }
		return []i2ctest.IO{
			{Addr: 0x20, W: []byte{2}, R: twice(out)}, {Addr: 0x20, W: []byte{0}, R: in},
			{Addr: 0x20, W: []byte{4}, R: []byte{0, 0, 0, 0}}, {Addr: 0x20, W: []byte{6}, R: twice(config)},
		}
	}
	ones := []byte{0xff, 0xff}
	off, set := []byte{0xfe, 0xff}, []byte{0xfe, 0xfd}
	var ops []i2ctest.IO
	add := func(more ...i2ctest.IO) { ops = append(ops, more...) }
	for range 2 { // Open, and Claim
		add(i2ctest.IO{Addr: 0x20, W: []byte{0}, R: []byte{0xff, 0xff, 0xff, 0xff}}) // the input registers come again
		add(row(ones, ones, ones)...)
		add(row(ones, ones, ones)...)
	}
	add(i2ctest.IO{Addr: 0x20, W: []byte{2, 0xfe, 0xff}}) // the latch
	add(row(off, ones, ones)...)                          // before the lines drive
	add(i2ctest.IO{Addr: 0x20, W: []byte{6, 0xfe, 0xfd}}) // the directions
	add(row(off, off, set)...)
	// Write, and what the first Read after it compares.
	add(i2ctest.IO{Addr: 0x20, W: []byte{2, 0xff, 0xfd}})
	add(row([]byte{0xff, 0xfd}, []byte{0xff, 0xfd}, set)...)
	// A later Read.
	add(i2ctest.IO{Addr: 0x20, W: []byte{0}, R: []byte{0xff, 0xfd}}, i2ctest.IO{Addr: 0x20, W: []byte{2}, R: []byte{0xff, 0xfd}},
		i2ctest.IO{Addr: 0x20, W: []byte{6}, R: []byte{0xfe, 0xfd}})
	b := &i2ctest.Playback{DontPanic: true, Ops: ops}
	c, err := pca9555.Open(ExpanderConfig{Bus: b, Addr: 0x20})
	if err != nil {
		t.Fatal(err)
	}
	if errs := c.Claim([]LineConfig{{Offset: 0, Output: true, Initial: Off}, {Offset: 9, Output: true, Initial: On}}); errs != nil {
		t.Error(errs)
	}
	if err := c.Write(LinesOf(0, 9), LinesOf(0)); err != nil {
		t.Error(err)
	}
	for range 2 {
		if v, err := c.Read(LinesOf(0, 9)); err != nil || v != (Levels{Valid: LinesOf(0, 9), High: LinesOf(0)}) {
			t.Errorf("Read: %v, %v", v, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// PCA9534 (as PCA9554 rev. 9, 6.1): four registers, whose address stays where it is.
func TestPCA9534Wire(t *testing.T) {
	row := func(out, in, config byte) []i2ctest.IO {
		return []i2ctest.IO{
			{Addr: 0x38, W: []byte{1}, R: []byte{out, out}}, {Addr: 0x38, W: []byte{0}, R: []byte{in}},
			{Addr: 0x38, W: []byte{2}, R: []byte{0, 0}}, {Addr: 0x38, W: []byte{3}, R: []byte{config, config}},
		}
	}
	var ops []i2ctest.IO
	add := func(more ...i2ctest.IO) { ops = append(ops, more...) }
	for range 2 {
		add(i2ctest.IO{Addr: 0x38, W: []byte{0}, R: []byte{0, 0}})
		add(row(0xff, 0, 0xff)...)
		add(row(0xff, 0, 0xff)...)
	}
	add(i2ctest.IO{Addr: 0x38, W: []byte{1, 0xfd}})
	add(row(0xfd, 0, 0xff)...)
	add(i2ctest.IO{Addr: 0x38, W: []byte{3, 0xfd}})
	add(row(0xfd, 0, 0xfd)...)
	b := &i2ctest.Playback{DontPanic: true, Ops: ops}
	c, err := Expander("pca9534a").Open(ExpanderConfig{Bus: b, Addr: 0x38})
	if err != nil {
		t.Fatal(err)
	}
	if errs := c.Claim([]LineConfig{{Offset: 1, Output: true, Initial: Off}}); errs != nil {
		t.Error(errs)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// MCP23008 (DS20001919): one byte a register, and all of them in one reading, from IOCON to IOCON.
func TestMCP23008Wire(t *testing.T) {
	row := func(iocon, gpio, olat, iodir byte) i2ctest.IO {
		return i2ctest.IO{Addr: 0x20, W: []byte{5}, R: []byte{iocon, 0, 0, 0, gpio, olat, iodir, 0, 0, 0, 0, iocon}}
	}
	one := func(v byte) i2ctest.IO { return i2ctest.IO{Addr: 0x20, W: []byte{5}, R: []byte{v}} }
	reset, odr := row(0, 0, 0, 0xff), row(4, 0, 0, 0xff)
	b := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		one(0), reset, reset, reset, // not all zero, and twice to be sure
		one(0), reset, reset, reset,
		{Addr: 0x20, W: []byte{5, 4}}, odr, odr,
		{Addr: 0x20, W: []byte{10, 2}}, row(4, 0, 2, 0xff),
		{Addr: 0x20, W: []byte{0, 0xfd}}, row(4, 2, 2, 0xfd),
		{Addr: 0x20, W: []byte{10, 0}}, row(4, 0, 0, 0xfd),
		{Addr: 0x20, W: []byte{9}, R: []byte{0, 0}}, row(4, 0, 0, 0xfd), // zeros are looked at more closely
	}}
	c, err := mcp23008.Open(ExpanderConfig{Bus: b, Addr: 0x20})
	if err != nil {
		t.Fatal(err)
	}
	if errs := c.Claim([]LineConfig{{Offset: 1, Output: true, Initial: On}}); errs != nil {
		t.Error(errs)
	}
	if err := c.Write(LinesOf(1), Lines{}); err != nil {
		t.Error(err)
	}
	for range 2 {
		if v, err := c.Read(LinesOf(1)); err != nil || v != (Levels{Valid: LinesOf(1)}) {
			t.Errorf("Read: %v, %v", v, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// An output that floats after a reset shows at the next scan where something pulls it; a level is what its latch drives, not what is read.
func TestPCA95xxFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newRigOf(t, pca9555)
		c := rig.open()
		rig.claim(c, famRelay, with(famLamp, On), famButton)
		_, stop := rig.start(c)
		time.Sleep(time.Second)
		rig.play("0x20 reset")
		time.Sleep(11 * time.Millisecond)
		if rig.level(0) || rig.level(5) {
			t.Error("not repaired by the next scan")
		}
		rig.play("0x20 short 5 high")
		rig.wantLevels(c, LinesOf(0, 5), LinesOf(0, 1, 5), LinesOf(1), LinesOf(5))
		if err := stop(); err != nil {
			t.Error(err)
		}
		if c.Repairs() != 1 {
			t.Errorf("%d repairs, want 1\n%s", c.Repairs(), &rig.log)
		}
	})
}

// Registers that were found wrong and could not be set right yet: what a scan reads meanwhile is not believed.
func TestPCA95xxUnsound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newRigOf(t, pca9534)
		rig.rest()
		c := rig.open()
		rig.claim(c, famRelay, famButton, famDoor)
		edges, stop := rig.start(c)
		time.Sleep(1001 * time.Millisecond)
		var lost atomic.Bool
		lost.Store(true)
		rig.mu.Lock()
		rig.spoil = func(_ int, w, rd []byte, do func() error) error {
			if lost.Load() && rd == nil {
				return nil
			}
			return do()
		}
		rig.mu.Unlock()
		rig.poke(1, 0xbe) // the door's latch is low
		rig.poke(3, 0xbf) // and drives, where the relay's does no more
		if v, err := c.Read(LinesOf(0)); err == nil {
			t.Errorf("Read: %v, want an error", v)
		}
		time.Sleep(100 * time.Millisecond)
		wantEdges(t, edges)
		lost.Store(false)
		time.Sleep(3 * time.Second)
		wantEdges(t, edges)
		rig.wantReg("config", 0xfe)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Two repairs that get lost, and a third that does not, are no reason to give the chip up: each of them is a failure, and no repair that did
// not last.
func TestPCA95xxLostRepairs(t *testing.T) {
	bubble(t, func(t *testing.T, _ *expanderRig) {
		rig := newRigOf(t, pca9534)
		rig.rest()
		_, events := rig.bank(famRelay, famDoor)
		time.Sleep(time.Second)
		taken(events)
		lost := 0
		rig.mu.Lock()
		rig.spoil = func(_ int, _, rd []byte, do func() error) error {
			if rd == nil && lost < 2 {
				lost++
				return nil
			}
			return do()
		}
		rig.mu.Unlock()
		rig.poke(pcaOutput, 0xff)
		time.Sleep(10 * time.Second)
		if got := taken(events); len(got) > 0 || lost != 2 || rig.level(0) {
			t.Errorf("%d writes were lost, told %q, and the relay is high: %v", lost, got, rig.level(0))
		}
	})
}

// A scan while SDA is held low, and a bit that flips in the comparison that follows, are no press.
func TestPCA95xxHeldAndFlipped(t *testing.T) {
	bubble(t, func(t *testing.T, _ *expanderRig) {
		rig := newRigOf(t, pca9534)
		rig.rest()
		_, events := rig.bank(famRelay, famButton, famDoor)
		time.Sleep(1100 * time.Millisecond)
		taken(events)
		n := 0
		rig.mu.Lock()
		rig.spoil = func(_ int, w, rd []byte, do func() error) error {
			err := do()
			if rd == nil || w[0] != pcaInput {
				return err
			}
			switch n++; n {
			case 1:
				clear(rd)
			case 2:
				rd[0] &^= 1 << famButton.Offset
			}
			return err
		}
		rig.mu.Unlock()
		time.Sleep(time.Second)
		if got := taken(events); len(got) > 0 || n < 3 {
			t.Errorf("told %q after %d readings, and nothing happened", got, n)
		}
	})
}
