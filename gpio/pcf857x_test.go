package gpio

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"
)

func pcfBubble(t *testing.T, f func(t *testing.T, rig *expanderRig)) {
	t.Helper()
	for _, kind := range []*ExpanderType{pcf8574, pcf8575} {
		t.Run(kind.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, newRigOf(t, kind)) })
		})
	}
}

// The bytes on the wire, as the data sheets have them: PCF8574 rev. 5, 8.1, and PCF8575 rev. 6, 8.1: no command, and port 0 before port 1.
func TestPCF857xWire(t *testing.T) {
	for _, kind := range []*ExpanderType{pcf8574, pcf8575} {
		long := make([]byte, 16*kind.Lines/8)
		fillWith(long, 0xff)
		b := func(v ...byte) []byte { return v[:kind.Lines/8] }
		p := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x20, R: long},          // nothing but pins
			{Addr: 0x20, R: b(0xff, 0xff)}, // after power-on all is high
			{Addr: 0x20, R: b(0xff, 0xff)},
			// Claim: the same again, twice before the latch is ours and twice after.
			{Addr: 0x20, R: long},
			{Addr: 0x20, R: b(0xff, 0xff)},
			{Addr: 0x20, R: b(0xff, 0xff)},
			{Addr: 0x20, R: b(0xff, 0xff)},
			{Addr: 0x20, R: b(0xff, 0xff)},
			{Addr: 0x20, W: b(0xff, 0xff)}, // the latch, of lines that are no outputs yet
			{Addr: 0x20, R: b(0xff, 0xff)},
			{Addr: 0x20, W: b(0xfe, 0xff)}, // and now line 0 is one
			{Addr: 0x20, R: b(0xfe, 0xff)},
			// Write, and Read.
			{Addr: 0x20, W: b(0xff, 0xff)},
			{Addr: 0x20, R: b(0xff, 0xff)}, // the pins alone say that it was heard: twice
			{Addr: 0x20, R: b(0xff, 0xff)},
			{Addr: 0x20, R: b(0xff, 0xff)}, // read again
		}}
		c, err := kind.Open(ExpanderConfig{Bus: p, Addr: 0x20})
		if err != nil {
			t.Fatal(err)
		}
		if errs := c.Claim([]LineConfig{{Offset: 0, Output: true, Initial: Off}, {Offset: 3, Output: true, ActiveLow: true}}); errs != nil {
			t.Error(errs)
		}
		if err := c.Write(LinesOf(0), LinesOf(0)); err != nil {
			t.Error(err)
		}
		for range 2 {
			if v, err := c.Read(LinesOf(0, 3)); err != nil || v != (Levels{Valid: LinesOf(0, 3), High: LinesOf(0, 3)}) {
				t.Errorf("%s: Read: %v, %v", kind.Name, v, err)
			}
		}
		if err := p.Close(); err != nil {
			t.Errorf("%s: %v", kind.Name, err)
		}
	}
}

// Whatever is written, an input's bit is 1: a 0 would drive what is wired to it, and read as pressed for ever.
func TestPCF857xInputsAreWrittenHigh(t *testing.T) {
	pcfBubble(t, func(t *testing.T, rig *expanderRig) {
		for _, o := range []int{1, 6} {
			rig.input(o, false) // pressed from the start
		}
		b, events := rig.bank(famRelay, famLamp, famButton, famDoor)
		for i := range 20 {
			b.Set("relay", i%2 == 0)
			b.Set("lamp", i%3 == 0)
			time.Sleep(300 * time.Millisecond)
			rig.input(1, i%4 == 0)
			if i == 10 {
				rig.play("0x20 reset")
			}
		}
		for _, s := range rig.taken() {
			var low byte
			if n, _ := fmt.Sscanf(s, "w[%x", &low); n == 1 && low&0x42 != 0x42 {
				t.Errorf("wrote %s: the inputs' bits 1 and 6 are not both 1", s)
			}
		}
		if got := taken(events); !slices.Contains(got, "button on") || !slices.Contains(got, "button off edge") {
			t.Errorf("told %q", got)
		}
	})
}

// What a running chip shows: a line that is low stays so as an output, and an input is let go at once.
func TestPCF857xKeep(t *testing.T) {
	for _, test := range []struct {
		name  string
		line  LineConfig
		found byte // the latch
		want  bool // line 0 is high
	}{
		{"low is driven", LineConfig{Output: true}, 0xfe, false},
		{"low is on where active is low", LineConfig{Output: true, ActiveLow: true}, 0xfe, false},
		{"high is not driven, and becomes off", LineConfig{Output: true}, 0xff, false},
		{"high is off where active is low", LineConfig{Output: true, ActiveLow: true}, 0xff, true},
		{"high was on before", LineConfig{Output: true, Initial: KeepOrOn}, 0xff, true},
		{"told to be off", LineConfig{Output: true, ActiveLow: true, Initial: Off}, 0xfe, true},
		{"an input is let go", LineConfig{}, 0xfe, true},
	} {
		pcfBubble(t, func(t *testing.T, rig *expanderRig) {
			rig.poke([]byte{test.found & 0x7f, 0xff}[:rig.kind.Lines/8]...) // line 7 is low, and nobody's
			pins := rig.watchPins()
			c := rig.open()
			if got := pins(); got != nil {
				t.Errorf("%s: open changes %q", test.name, got)
			}
			rig.claim(c, test.line)
			_, stop := rig.start(c)
			time.Sleep(5 * time.Second)
			if err := stop(); err != nil {
				t.Error(err)
			}
			if got := rig.level(0); got != test.want {
				t.Errorf("%s: high: %v, want %v", test.name, got, test.want)
			}
			if rig.level(7) {
				t.Errorf("%s: a line that is nobody's was let go", test.name)
			}
			if got := pins(); len(got) > 1 {
				t.Errorf("%s: pins change %q", test.name, got)
			}
			if c.Repairs() != 0 {
				t.Errorf("%s: %d repairs\n%s", test.name, c.Repairs(), &rig.log)
			}
		})
	}
}

// An output that was written low and reads high, however often, is not confirmed; the others are. One that was written high and reads
// low is a fault, as of any chip.
func TestPCF857xPinsSayOtherwise(t *testing.T) {
	pcfBubble(t, func(t *testing.T, rig *expanderRig) {
		c := rig.open()
		rig.claim(c, with(LineConfig{Offset: 0, Output: true}, Off), LineConfig{Offset: 3, Output: true, ActiveLow: true}, LineConfig{Offset: 4, Output: true, Initial: Off})
		rig.play("0x20 short 0 high")
		rig.wantLevels(c, LinesOf(0, 3, 4), LinesOf(3, 4), LinesOf(3), Lines{})
		if got := rig.log.count("repaired"); got != 1 {
			t.Errorf("told %d times, want once:\n%s", got, &rig.log)
		}
		edges, stop := rig.start(c)
		time.Sleep(10 * time.Second)
		wantEdges(t, edges)
		if c.Repairs() != 1 {
			t.Errorf("%d repairs, want 1", c.Repairs())
		}
		rig.play("0x20 short 0 open")
		rig.wantLevels(c, LinesOf(0, 3, 4), LinesOf(0, 3, 4), LinesOf(3), Lines{})
		rig.play("0x20 short 3 low")
		rig.wantLevels(c, LinesOf(0, 3, 4), LinesOf(0, 3, 4), LinesOf(3), LinesOf(3))
		rig.play("0x20 short 3 open")
		rig.wantLevels(c, LinesOf(0, 3, 4), LinesOf(0, 3, 4), LinesOf(3), Lines{})
		// Where no line obeys, it is the chip that does not.
		rig.play("0x20 short 0 high", "0x20 short 4 high")
		if v, err := c.Read(LinesOf(0, 3, 4)); !errors.Is(err, errExpanderForgets) {
			t.Errorf("Read: %v, %v, want %v", v, err, errExpanderForgets)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// The latch cannot be read, so it is written again every Verify, and before a line that fell is believed.
func TestPCF857xWritesAgain(t *testing.T) {
	pcfBubble(t, func(t *testing.T, rig *expanderRig) {
		c := rig.open()
		rig.claim(c, famRelay, with(famLamp, Off), famButton)
		edges, stop := rig.start(c)
		time.Sleep(time.Second)
		damage := func(v byte) { rig.poke([]byte{v, 0xff}[:rig.kind.Lines/8]...) }
		damage(0xfc) // as if it was the next address that was meant: the button's line is low
		time.Sleep(3 * time.Second)
		wantEdges(t, edges)
		damage(0xde) // the lamp is on
		time.Sleep(20 * time.Millisecond)
		if !rig.level(5) {
			t.Error("the lamp is still on, want off by the next scan")
		}
		rig.input(1, false)
		time.Sleep(30 * time.Millisecond)
		wantEdges(t, edges, "1 low")
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// All relays on is all zeros: the one address that nobody has is asked, twice.
func TestPCF857xAllLow(t *testing.T) {
	pcfBubble(t, func(t *testing.T, rig *expanderRig) {
		var lines []LineConfig
		var all Lines
		for o := range uint32(rig.kind.Lines) {
			lines = append(lines, LineConfig{Name: fmt.Sprint(o), Offset: o, Output: true, ActiveLow: true})
			all.Set(o, true)
		}
		c := rig.open()
		rig.claim(c, lines...)
		_, stop := rig.start(c)
		time.Sleep(time.Second)
		if err := c.Write(all, Lines{}); err != nil {
			t.Fatal(err)
		}
		rig.wantLevels(c, all, all, Lines{}, Lines{})
		time.Sleep(time.Minute)
		rig.wantLevels(c, all, all, Lines{}, Lines{})
		asked := 0
		for _, l := range rig.bus.TakeStats() {
			if strings.HasPrefix(l, "0x03 ") {
				fmt.Sscanf(l, "0x03 transfers=%d", &asked)
			}
		}
		if asked != 2 {
			t.Errorf("address 0x03 was asked %d times, want twice", asked)
		}
		again := rig.open()
		pins := rig.watchPins()
		rig.claim(again, lines...)
		if got := pins(); got != nil {
			t.Errorf("a new start changes %q", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
