package sensors

import (
	"time"
)

// commandChip is a part that is told to measure and asked for what it has measured, once, and does not answer meanwhile: an SHT4x, an
// HTU21D or a Si7021 at 25 °C and 40 %. It takes as long as the data sheet allows.
type commandChip struct {
	noSpeed
	kind        string
	celsius, rh float64
	out         []byte // to be read
	ready       time.Time
	late        time.Duration // what it takes longer
	cut         time.Time     // when the power fails for a moment
	user        byte
	id          []byte
	heated      bool
	swapped     bool // measures the other quantity
}

func newCommandChip(kind string) *commandChip {
	c := &commandChip{kind: kind, celsius: 25, rh: 40, user: 0x02}
	switch kind {
	case "si7021":
		c.user, c.id = 0x3A, []byte{0x15, 0xFF, 0xB5, 0xFF, 0xFF, 0xCB}
		c.id[2], c.id[5] = crc8(0, c.id[:2]), crc8(0, c.id[:2])
	case "htu21d":
		c.id = []byte{0x32, 0x00, crc8(0, []byte{0x32, 0}), 0, 0, 0}
	}
	return c
}

// say gives out after a time, with a check sum for each word.
func (c *commandChip) say(after time.Duration, begin byte, all ...uint16) {
	c.out = nil
	for _, w := range all {
		p := []byte{byte(w >> 8), byte(w)}
		c.out = append(c.out, append(p, crc8(begin, p))...)
	}
	c.ready = time.Now().Add(after + c.late)
}

func (c *commandChip) Tx(_ uint16, w, r []byte) error {
	if !c.cut.IsZero() && time.Now().After(c.cut) {
		c.out, c.cut = nil, time.Time{}
	}
	if len(w) > 0 {
		if c.out != nil && time.Now().Before(c.ready) || !c.take(w) {
			return errNobody
		}
	}
	if len(r) == 0 {
		return nil
	}
	if c.out == nil || time.Now().Before(c.ready) {
		return errNobody
	}
	copy(r, c.out)
	c.out = nil
	return nil
}

func (c *commandChip) take(w []byte) bool {
	if c.kind == "sht4x" {
		if len(w) > 1 {
			return false
		}
		switch w[0] {
		case sht4Once:
			c.say(sht4Time, shtCRC, uint16((c.celsius+45)/175*65535+0.5), uint16((c.rh+6)/125*65535+0.5))
		case sht4ReadSerial:
			c.say(sht4Start, shtCRC, 0x1234, 0x5678)
		case sht4Reset:
			c.out = nil
		case 0x39, 0x32, 0x2F, 0x24, 0x1E, 0x15:
			c.heated = true
		default:
			return false
		}
		return true
	}
	timeT, timeH := htuTemperature, htuHumidity
	if c.kind == "si7021" {
		timeT, timeH = siTemperature, siHumidity
	}
	command := w[0]
	if c.swapped && (command == htuMeasureT || command == htuMeasureH) {
		command ^= htuMeasureT ^ htuMeasureH
	}
	switch command {
	case htuMeasureT:
		c.say(timeT, htuCRC, uint16((c.celsius+46.85)/175.72*65536+0.5)&^3)
	case htuMeasureH:
		c.say(timeH, htuCRC, uint16((c.rh+6)/125*65536+0.5)&^3|2)
	case htuReset:
		c.out, c.user = nil, c.user&^htuCoarse // the heater goes on
	case htuUser:
		c.out, c.ready = []byte{c.user}, time.Time{}
	case htuSetUser:
		c.user = w[1]
	case siID[0]:
		c.out, c.ready = c.id, time.Time{}
	default:
		return false
	}
	return true
}
