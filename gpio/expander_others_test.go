package gpio

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// otherRegs are the registers of families with directions as the tests of others' lines write them, and how these tests name them.
var otherRegs = map[string]struct {
	direction, latch byte
	name             string
}{
	"MCP23017": {mcpIODIR, mcpOLAT, "iodir"},
	"MCP23008": {mcpIODIR, mcpOLAT / 2, "iodir"},
	"PCA9534":  {pcaConfig, pcaOutput, "config"},
	"PCA9535":  {2 * pcaConfig, 2 * pcaOutput, "config"},
}

// others is a chip on which another program drives line 3 high, and of which we have an output and an input.
func others(t *testing.T, kind *ExpanderType) (rig *expanderRig, c *expander, driven func() uint16) {
	rig = newRigOf(t, kind)
	regs := otherRegs[kind.Name]
	rig.poke(regs.latch, 1<<3)
	rig.poke(regs.direction, 0xff&^(1<<3))
	c = rig.open()
	rig.claim(c, othersLines(kind)...)
	return rig, c, func() uint16 { return ^rig.reg(regs.name) & kind.all() }
}

func othersLines(kind *ExpanderType) []LineConfig {
	door := LineConfig{Name: "door", Offset: 1, Debounce: 10 * time.Millisecond}
	if kind.captures {
		door.Pull = PullUp
	}
	return []LineConfig{{Name: "relay", Offset: 0, Output: true, Initial: On}, door}
}

func eachOthers(t *testing.T, test func(t *testing.T, kind *ExpanderType)) {
	for name := range otherRegs {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, _ *expanderRig) { test(t, Expander(name)) })
		})
	}
}

// A write that was spoilt makes outputs of lines that are nobody's, and an input of another program's output: both are repaired to what was
// known at the first Claim. Only a reset makes inputs of both.
func TestExpanderOthersRepaired(t *testing.T) {
	eachOthers(t, func(t *testing.T, kind *ExpanderType) {
		rig, c, driven := others(t, kind)
		_, stop := rig.start(c)
		for _, spoilt := range []byte{0x06, 0xf7, 0xff &^ (1 | 1<<3 | 1<<5), 0xff &^ 1} {
			rig.poke(otherRegs[kind.Name].direction, spoilt)
			time.Sleep(3 * time.Second)
			if got := driven(); got != 1|1<<3 {
				t.Errorf("%04x are driven 3 s after the directions became %02x, want 0009", got, spoilt)
			}
		}
		if !rig.level(3) || !rig.level(0) {
			t.Errorf("pins are %04x, want 0 and 3 high", rig.reg("pins"))
		}
		rig.play(fmt.Sprintf("0x%02x reset", kind.First))
		time.Sleep(3 * time.Second)
		if got := driven(); got != 1 {
			t.Errorf("%04x are driven 3 s after a reset, want ours alone", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// The directions and pull-ups are spoilt, and the chip is reset before any of the transfers that follow: then nothing is driven but what is
// ours, at no time; or what was another program's, where the reset came between two transfers of the repair. A second reset changes nothing.
func TestExpanderOthersReset(t *testing.T) {
	for _, name := range []string{"MCP23017", "PCA9535"} {
		for first := range 24 {
			for _, second := range []int{first + 1, first + 2, first + 7, 100} {
				bubble(t, func(t *testing.T, _ *expanderRig) { othersReset(t, Expander(name), first, second) })
			}
		}
	}
}

func othersReset(t *testing.T, kind *ExpanderType, first, second int) {
	rig, c, driven := others(t, kind)
	_, stop := rig.start(c)
	time.Sleep(1999 * time.Millisecond) // just before the registers are compared
	rig.mu.Lock()
	n := 0
	rig.spoil = func(_ int, _, _ []byte, do func() error) error {
		if n == first || n == second {
			rig.play(fmt.Sprintf("0x%02x reset", kind.First))
		}
		err := do()
		if got := driven(); n >= first && got&^(1|1<<3) != 0 {
			t.Errorf("%s: %04x are driven after transfer %d, with resets before %d and %d", kind.Name, got, n, first, second)
		}
		n++
		return err
	}
	rig.mu.Unlock()
	if kind.captures {
		rig.poke(mcpGPPU, 0)
	}
	rig.poke(otherRegs[kind.Name].direction, 0x06)
	time.Sleep(10 * time.Second)
	if got := driven(); got&^(1<<3) != 1 {
		t.Errorf("%s: %04x are driven in the end, want ours, with resets before %d and %d\n%s", kind.Name, got, first, second, &rig.log)
	}
	if err := stop(); err != nil {
		t.Log(err) // it may be given up: a Bank opens it again
	}
}

// After a reset some registers may have been written, and into the directions what was meant for others: what was known to be driven and
// is not is an input from then on, however that is found.
func TestExpanderOthersHalfReset(t *testing.T) {
	for _, test := range []struct {
		chip   string
		writes [][]byte
	}{
		{"MCP23017", [][]byte{{mcpGPPU, 0x42, 0}}},
		{"MCP23017", [][]byte{{mcpGPPU, 0x42, 0}, {mcpIODIR, 0xef, 0xff}}},
		{"MCP23017", [][]byte{{mcpIOCON, mcpODR}}},
		{"PCA9535", [][]byte{{2 * pcaOutput, 0x0b, 0}}},
	} {
		for _, claims := range []bool{false, true} {
			bubble(t, func(t *testing.T, _ *expanderRig) {
				kind := Expander(test.chip)
				rig, c, driven := others(t, kind)
				rig.play("0x20 reset")
				for _, w := range test.writes {
					rig.poke(w...)
				}
				if claims {
					rig.claim(c, append(othersLines(kind), LineConfig{Name: "lamp", Offset: 7, Output: true})...)
				} else {
					_, stop := rig.start(c)
					time.Sleep(3 * time.Second)
					defer stop()
				}
				if got := driven() &^ (1 << 7); got != 1 {
					t.Errorf("%s after % x, claims: %v: %04x are driven, want ours alone", test.chip, test.writes, claims, got)
				}
				if kind.captures {
					rig.wantReg("gppu", 1<<1)
				}
			})
		}
	}
}

// A Claim that failed half way, the first or a later one, has not made another program's of what it wrote: the next one does as it should
// have, and what the first has switched off is not switched on again meanwhile.
func TestExpanderOthersFailedClaim(t *testing.T) {
	fan := LineConfig{Name: "fan", Offset: 4, Output: true, ActiveLow: true}
	lamp := LineConfig{Name: "lamp", Offset: 5, Output: true, Initial: Off}
	for _, later := range []bool{false, true} {
		for n, more := 0, true; more; n++ {
			bubble(t, func(t *testing.T, rig *expanderRig) {
				rig.poke(mcpOLAT, 1<<5, 0)
				rig.poke(mcpIODIR, 0xff&^(1<<5), 0xff) // the lamp is on
				c := rig.open()
				var lines []LineConfig
				if later {
					lines = append(lines, othersLines(MCP23017)...)
					rig.claim(c, lines...)
				}
				first := -1
				rig.mu.Lock()
				more = false
				rig.spoil = func(at int, _, _ []byte, do func() error) error {
					if first < 0 {
						first = at
					}
					if at < first+n {
						return do()
					}
					more = true
					return fmt.Errorf("the bus fails")
				}
				rig.mu.Unlock()
				lines = append(lines, fan, lamp)
				errs := c.Claim(lines)
				if more == (errs == nil) {
					t.Fatalf("transfer %d fails: Claim says %v", n, errs)
				}
				rig.mu.Lock()
				rig.spoil = nil
				rig.mu.Unlock()
				if wasOff := !rig.level(5); !later {
					_, stop := rig.start(c)
					time.Sleep(3 * time.Second)
					if err := stop(); err != nil {
						t.Error(err)
					}
					if wasOff && rig.level(5) {
						t.Errorf("the first Claim fails at transfer %d, and the lamp that it switched off is on again", n)
					}
				}
				rig.claim(c, lines...)
				if driven, latch := ^rig.reg("iodir")&(1<<4|1<<5), rig.reg("olat")&(1<<4|1<<5); driven != 1<<4|1<<5 || latch != 1<<4 {
					t.Errorf("later: %v, transfer %d fails: then %04x are driven, and the latch is %04x", later, n, driven, latch)
				}
			})
		}
	}
}

// Another program that switches its lines again and again has them set back, and does not make ours unavailable.
func TestExpanderOthersAgainAndAgain(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		b, events := rig.bank(othersLines(MCP23017)...)
		time.Sleep(time.Second)
		taken(events)
		for range 1000 {
			rig.poke(mcpIODIR, 0xf6) // 0 and 3
			time.Sleep(3 * time.Millisecond)
		}
		b.Set("relay", false)
		time.Sleep(3 * time.Second)
		if got := taken(events); !slices.Equal(got, []string{"relay off"}) {
			t.Errorf("told %q, want the relay alone", got)
		}
		rig.wantReg("iodir", 0xfffe)
		if got := strings.Count(rig.log.String(), "lines that are not configured were changed, set back"); got == 0 || got > 2 {
			t.Errorf("the log told %d times that lines were set back, want once for each state of the relay\n%s", got, &rig.log)
		}
	})
}
