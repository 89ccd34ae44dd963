package sensors

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Measurement Specialties (TE), HTU21D(F) Datasheet HPC199_3 of October 2013 ("HTU"); Silicon Labs, Si7021-A20, Rev. 1.2 ("Si"). Both have the
// commands of Sensirion's SHT21.
func init() {
	addrs := []uint16{0x40}
	Register(Driver{
		Name:     "htu21d",
		Doc:      "TE HTU21D, and Sensirion SHT20, SHT21 and SHT25: temperature and humidity",
		Addrs:    addrs,
		Measures: []Quantity{temperature.within(-40, 125), humidity},
		Every:    2 * time.Second, // HTU: two a second of each, or it warms itself by 0.1 °C
		Time:     htuTemperature + htuHumidity,
		Open:     openHTU21D,
	})
	Register(Driver{
		Name:     "si7021",
		Doc:      "Silicon Labs Si7020 and Si7021: temperature and humidity",
		Addrs:    addrs,
		Measures: []Quantity{temperature.within(-40, 125), humidity},
		Every:    time.Second,
		Time:     siTemperature + siHumidity,
		Open:     openSi7021,
	})
}

const (
	htuMeasureT byte = 0xF3 // without holding the clock: HTU "Measurements", Si table 11
	htuMeasureH byte = 0xF5
	htuReset    byte = 0xFE
	htuUser     byte = 0xE7 // reads the user register
	htuSetUser  byte = 0xE6 // writes it

	// Of the user register: HTU "User register", Si 6.1.
	htuCoarse  byte = 1<<7 | 1<<0 // fewer bits
	htuHeater  byte = 1 << 2
	htuPowerOn byte = 1 << 1 // always reads so (HTU: OTP reload disabled; Si: reserved)

	// The low bits of a value: HTU "Conversion of signal outputs", Si 5.1.
	htuKind  uint16 = 3
	htuIsHum uint16 = 2

	htuTemperature = 50 * time.Millisecond // HTU "Sensor performance": 14 bits, the maximum
	htuHumidity    = 16 * time.Millisecond // 12 bits, the maximum
	htuStart       = 15 * time.Millisecond // HTU "Soft reset"

	siTemperature = 10800 * time.Microsecond // Si table 2: 14 bits, the maximum
	siHumidity    = 22800 * time.Microsecond // 12 + 10.8 ms: it measures the temperature too

	htuCRC byte = 0 // HTU "CRC checksum", Si 5.1: what it begins with
)

// siID reads the second half of the serial number, Si 5.5.
var siID = []byte{0xFC, 0xC9}

// siNames are the parts by its first byte, Si 5.5.
var siNames = map[byte]string{
	0x0D: "Si7013", 0x14: "Si7020", 0x15: "Si7021",
	0x00: "Si70xx, an engineering sample", 0xFF: "Si70xx, an engineering sample",
	0x32: "HTU21D: use type: htu21d",
}

type htu21 struct {
	dev         i2c.Dev
	timeT, time time.Duration // of the temperature and of the humidity
}

// openHTU21D costs 3 transfers.
func openHTU21D(o Options) (Sensor, error) {
	h := &htu21{dev: i2c.Dev{Bus: o.Bus, Addr: o.Addr}, timeT: htuTemperature, time: htuHumidity}
	return h, h.reset()
}

// openSi7021 costs 4 transfers.
func openSi7021(o Options) (Sensor, error) {
	h := &htu21{dev: i2c.Dev{Bus: o.Bus, Addr: o.Addr}, timeT: siTemperature, time: siHumidity}
	var id [6]byte
	if err := h.dev.Tx(siID, id[:]); err != nil {
		return nil, err
	}
	if _, err := words(htuCRC, id[:3]); err != nil {
		return nil, err
	}
	switch name, known := siNames[id[0]]; {
	case !known:
		return nil, fmt.Errorf("the chip at %#02x has the id %#02x, want 0x15: it is no Si7021", o.Addr, id[0])
	case name != "Si7020" && name != "Si7021":
		return nil, fmt.Errorf("the chip at %#02x has the id %#02x, want 0x15: it is an %s", o.Addr, id[0], name)
	}
	return h, h.reset()
}

// reset switches the heater off, and has it measure with all its bits. It is not sent to what has no such user register.
func (h *htu21) reset() error {
	user, err := h.user()
	if err != nil {
		return err
	}
	if user&htuPowerOn == 0 || user == 0xFF {
		return fmt.Errorf("the chip at %#02x has no user register as an HTU21D or a Si7021 (%#02x): it is another part", h.dev.Addr, user)
	}
	if err := h.dev.Tx([]byte{htuReset}, nil); err != nil {
		return err
	}
	time.Sleep(htuStart)
	if user, err = h.user(); err != nil {
		return err
	}
	if user&htuHeater != 0 { // the one bit that a reset leaves as it is (HTU "Soft reset")
		if err := h.dev.Tx([]byte{htuSetUser, user &^ htuHeater}, nil); err != nil {
			return err
		}
		if user, err = h.user(); err != nil {
			return err
		}
	}
	if user&htuPowerOn == 0 || user&(htuCoarse|htuHeater) != 0 {
		return fmt.Errorf("the chip at %#02x does not come up after a reset (user register %#02x)", h.dev.Addr, user)
	}
	return nil
}

func (h *htu21) user() (byte, error) {
	var buf [1]byte
	err := h.dev.Tx([]byte{htuUser}, buf[:])
	return buf[0], err
}

// Measure costs 4 transfers. Each begins a measurement of its own, and until that is over nothing is answered: nothing old can be read.
func (h *htu21) Measure(ctx context.Context) ([]Reading, error) {
	t, err := h.measure(ctx, htuMeasureT, h.timeT)
	if err != nil {
		return nil, err
	}
	rh, err := h.measure(ctx, htuMeasureH, h.time)
	if err != nil {
		return nil, err
	}
	humid, err := clampHumidity(htuPercent(rh), 6, 19)
	if err != nil {
		return nil, err
	}
	return []Reading{temperature.is(htuCelsius(t)), humidity.is(humid)}, nil
}

// htuCelsius and htuPercent are HTU "Conversion of signal outputs", Si 5.1.1 and 5.1.2.
func htuCelsius(raw uint16) float64 { return -46.85 + 175.72*float64(raw)/65536 }
func htuPercent(raw uint16) float64 { return -6 + 125*float64(raw)/65536 }

// measure gives a value without the low bits, which say what it is.
func (h *htu21) measure(ctx context.Context, command byte, wait time.Duration) (uint16, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := h.dev.Tx([]byte{command}, nil); err != nil {
		return 0, err
	}
	var buf [3]byte
	if err := readAfter(ctx, &h.dev, wait, buf[:]); err != nil {
		return 0, err
	}
	w, err := words(htuCRC, buf[:])
	if err != nil {
		return 0, err
	}
	if isHum := w[0]&htuIsHum != 0; isHum != (command == htuMeasureH) {
		return 0, fmt.Errorf("the chip at %#02x measured the temperature instead of the humidity, or the other way round (%#04x)", h.dev.Addr, w[0])
	}
	return w[0] &^ htuKind, nil
}
