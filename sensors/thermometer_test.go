package sensors

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

// thermometers are all of this kind, as they power up, and as they are at 25 °C.
var thermometers = map[string]struct {
	kind  *thermometerKind
	on    map[byte][]byte // registers at power-on
	fixed map[byte][]byte // bits that cannot be written
	at25  []byte
}{
	"lm75":  {lm75Kind(9, lmQueue), lm75On, nil, []byte{0x19, 0x00}},
	"lm75b": {lm75Kind(11, lmQueue), lm75On, nil, []byte{0x19, 0x00}},
	"tmp75": {lm75Kind(12, lmQueue|tmp75Fine), lm75On, nil, []byte{0x19, 0x00}},
	"tmp102": {tmp102Kind, map[byte][]byte{0: {0, 0}, 1: {0x60, 0xA0}, 2: {0x4B, 0}, 3: {0x50, 0}},
		map[byte][]byte{1: {0x60, 0x2F}}, []byte{0x19, 0x00}},
	"tmp117": {tmp117Kind, map[byte][]byte{0: {0x80, 0}, 1: {0x02, 0x20}, 15: {0x01, 0x17}},
		map[byte][]byte{0: {0xFF, 0xFF}, 15: {0xFF, 0xFF}}, []byte{0x0C, 0x80}},
	"mcp9808": {mcp9808Kind, map[byte][]byte{1: {0, 0}, 5: {0, 0}, 6: {0, 0x54}, 7: {4, 0}, 8: {3}},
		map[byte][]byte{5: {0xFF, 0xFF}, 6: {0xFF, 0xFF}, 7: {0xFF, 0xFF}}, []byte{0xC1, 0x90}},
}

var lm75On = map[byte][]byte{0: {0, 0}, 1: {0}, 2: {0x4B, 0}, 3: {0x50, 0}}

func init() {
	for name := range thermometers {
		parts[name] = func() i2c.Bus { return newWordChip(name) }
		bytes := len(thermometers[name].kind.settings)
		costs[name] = cost{
			each:  []transfer{{1, 2}, {1, 2}, {1, bytes}},
			least: []transfer{{1, 2}},
			why:   "the value is read twice, and then the settings: a part that has lost its power says so only there",
		}
	}
}

// wordChip has registers of one byte or two, and a value some time after power-on.
type wordChip struct {
	noSpeed
	name  string
	reg   map[byte][]byte
	value []byte    // that it measures next
	at    time.Time // when
	cut   time.Time // when the power fails for a moment
}

func newWordChip(name string) *wordChip {
	c := &wordChip{name: name}
	c.powerCycle()
	return c
}

func (c *wordChip) powerCycle() {
	c.reg = map[byte][]byte{}
	p := thermometers[c.name]
	for reg, v := range p.on {
		c.reg[reg] = slices.Clone(v)
	}
	c.measure(p.at25)
}

// measure has it measure that.
func (c *wordChip) measure(v []byte) {
	c.value, c.at = v, time.Now().Add(thermometers[c.name].kind.first)
}

func (c *wordChip) Tx(_ uint16, w, r []byte) error {
	if !c.cut.IsZero() && !time.Now().Before(c.cut) {
		c.powerCycle()
		c.cut = time.Time{}
	}
	if p := thermometers[c.name]; !time.Now().Before(c.at) {
		c.reg[p.kind.value] = c.value
	}
	was := c.reg[w[0]]
	for i, b := range w[1:] {
		if i < len(was) {
			var fixed byte
			if f := thermometers[c.name].fixed[w[0]]; f != nil {
				fixed = f[i]
			}
			was[i] = was[i]&fixed | b&^fixed
		}
	}
	fill(r, 0xFF)
	copy(r, was)
	return nil
}

// The data sheets' tables: LM75A "Temperature register format", LM75B table 10, TMP75 table 4, SBOS397H table 1, SNOSD82D table 7-1, and
// DS25095A figure 5-8, which reads +25.25 °C. The alarm bits of the last are no part of the value.
func TestThermometerTables(t *testing.T) {
	for _, tt := range []struct {
		name string
		raw  uint16
		want float64
	}{
		{"lm75", 0x0FA << 7, 125}, {"lm75", 0x032 << 7, 25}, {"lm75", 0x001 << 7, 0.5}, {"lm75", 0x000, 0},
		{"lm75", 0x1FF << 7, -0.5}, {"lm75", 0x1CE << 7, -25}, {"lm75", 0x192 << 7, -55}, {"lm75", 0x0FA<<7 | 0x7F, 125},
		{"lm75b", 0x3F8 << 5, 127}, {"lm75b", 0x3F7 << 5, 126.875}, {"lm75b", 0x0C8 << 5, 25}, {"lm75b", 0x001 << 5, 0.125},
		{"lm75b", 0x7FF << 5, -0.125}, {"lm75b", 0x738 << 5, -25}, {"lm75b", 0x649 << 5, -54.875}, {"lm75b", 0x648 << 5, -55},
		{"tmp75", 0x7D0 << 4, 125}, {"tmp75", 0x004 << 4, 0.25}, {"tmp75", 0xFFC << 4, -0.25}, {"tmp75", 0xC90 << 4, -55},
		{"tmp102", 0x7FF << 4, 127.9375}, {"tmp102", 0x640 << 4, 100}, {"tmp102", 0x4B0 << 4, 75}, {"tmp102", 0x190 << 4, 25},
		{"tmp102", 0x004 << 4, 0.25}, {"tmp102", 0xFFC << 4, -0.25}, {"tmp102", 0xE70 << 4, -25}, {"tmp102", 0xC90 << 4, -55},
		{"tmp117", 0x8000, -256}, {"tmp117", 0xF380, -25}, {"tmp117", 0xFFF0, -0.125}, {"tmp117", 0xFFFF, -0.0078125}, {"tmp117", 0x0000, 0},
		{"tmp117", 0x0001, 0.0078125}, {"tmp117", 0x0C80, 25}, {"tmp117", 0x3200, 100}, {"tmp117", 0x7FFF, 255.9921875},
		{"mcp9808", 0xC194, 25.25}, {"mcp9808", 0x0194, 25.25}, {"mcp9808", 0x1FFF, -0.0625}, {"mcp9808", 0x3D80, -40}, {"mcp9808", 0x07D0, 125},
	} {
		if got := thermometers[tt.name].kind.celsius(tt.raw); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s %#04x: got %v, want %v", tt.name, tt.raw, got, tt.want)
		}
	}
}

func TestThermometerPlayback(t *testing.T) {
	twice := func(w byte, r ...byte) []i2ctest.IO { return []i2ctest.IO{{W: []byte{w}, R: r}, {W: []byte{w}, R: r}} }
	for _, tt := range []struct {
		driver string
		ops    [][]i2ctest.IO
		want   float64
	}{
		{"lm75", [][]i2ctest.IO{
			twice(2, 0x4B, 0x00), twice(3, 0x50, 0x00),
			{{W: []byte{1, 0x18}}, {W: []byte{1}, R: []byte{0x18}}},
			{{W: []byte{0}, R: []byte{0x19, 0x80}}, {W: []byte{0}, R: []byte{0x1B, 0x80}}, {W: []byte{0}, R: []byte{0x19, 0x80}}}, // one is spoilt
			{{W: []byte{0}, R: []byte{0x19, 0x80}}, {W: []byte{1}, R: []byte{0x18}}},
		}, 25.5},
		{"tmp102", [][]i2ctest.IO{
			twice(1, 0x60, 0xA0),
			{{W: []byte{1, 0x78, 0x80}}, {W: []byte{1}, R: []byte{0x78, 0xA0}}},
			twice(0, 0xE7, 0x00),
			{{W: []byte{1}, R: []byte{0x78, 0x80}}},
		}, -25},
		{"tmp117", [][]i2ctest.IO{
			twice(0x0F, 0x01, 0x17),
			{{W: []byte{1, 0x02, 0x20}}, {W: []byte{1}, R: []byte{0x02, 0x20}}},
			twice(0, 0x0C, 0x80),
			{{W: []byte{1}, R: []byte{0x22, 0x20}}},
		}, 25},
		{"mcp9808", [][]i2ctest.IO{
			twice(6, 0x00, 0x54), twice(7, 0x04, 0x00),
			{{W: []byte{8, 3}}}, twice(8, 3),
			{{W: []byte{1, 0x06, 0x00}}, {W: []byte{1}, R: []byte{0x06, 0x00}}},
			twice(5, 0xC1, 0x94),
			{{W: []byte{1}, R: []byte{0x06, 0x00}}},
		}, 25.25},
	} {
		got, err := playback(t, tt.driver, Lookup(tt.driver).Addrs[0], slices.Concat(tt.ops...))
		wantReadings(t, got, err, 1e-9, tt.want)
	}
}

// What a part says after power-on, before it has measured, is never told, whenever its power fails.
func TestThermometerPowerCycle(t *testing.T) {
	for name, p := range thermometers {
		synctest.Test(t, func(t *testing.T) {
			d := Lookup(name)
			lost := 0
			for ms := range 60 {
				c := newWordChip(name)
				h := &hostile{Bus: c, bad: func(int, []byte) error { time.Sleep(time.Millisecond); return nil }}
				s, err := d.Open(Options{Bus: h, Addr: d.Addrs[0]})
				if err != nil {
					t.Fatal(name, err)
				}
				time.Sleep(p.kind.first - 20*time.Millisecond)
				c.cut = time.Now().Add(time.Duration(ms) * time.Millisecond)
				for range 12 {
					h.call = 0
					got, err := s.Measure(t.Context())
					if err == nil {
						err = d.check(got, d.Measures)
					}
					switch {
					case err != nil:
						lost++
					case math.Abs(got[0].Value-25) > 0.001:
						t.Fatalf("%s, power cut after %d ms: told %v", name, ms, got)
					}
					time.Sleep(5 * time.Millisecond)
				}
				time.Sleep(time.Second)
				h.call = 0
				got, err := s.Measure(t.Context())
				if err != nil { // the power failed while nobody looked
					got, err = s.Measure(t.Context())
				}
				wantReadings(t, got, err, 0.001, 25)
			}
			if lost == 0 {
				t.Errorf("%s: no power cycle was noticed", name)
			}
		})
	}
}

func TestThermometerWrongChip(t *testing.T) {
	for _, tt := range []struct{ driver, chip, want string }{
		{"lm75", "tmp102", "lost its settings"},
		{"tmp102", "lm75", "no TMP102 can have"},
		{"tmp102", "tmp117", "no TMP102 can have"},
		{"tmp117", "tmp102", "the id 0xffff, want 0x0117"},
		{"mcp9808", "lm75", "it is no MCP9808"},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := Lookup(tt.driver).Open(Options{Bus: newWordChip(tt.chip), Addr: 0x48})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "0x48") {
				t.Errorf("%s with a %s: got error %v, want %q", tt.driver, tt.chip, err, tt.want)
			}
		})
	}
	// An ADS1115 at the same address is not written to.
	bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x48, W: []byte{2}, R: []byte{0x80, 0x00}}, {Addr: 0x48, W: []byte{2}, R: []byte{0x80, 0x00}},
		{Addr: 0x48, W: []byte{3}, R: []byte{0x7F, 0xFF}}, {Addr: 0x48, W: []byte{3}, R: []byte{0x7F, 0xFF}},
	}}
	if _, err := Lookup("lm75").Open(Options{Bus: bus, Addr: 0x48}); err == nil || !strings.Contains(err.Error(), "it is another part") {
		t.Errorf("lm75 with an ADS1115: got error %v", err)
	}
}
