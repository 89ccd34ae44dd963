package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"periph.io/x/conn/v3/i2c"

	"gatewayd/internal/config"
	"gatewayd/internal/i2cdev"
	"gatewayd/sensors"
)

// seenChip is what was seen at an address.
type seenChip struct {
	addr   uint16
	kernel string   // the kernel's driver that has it
	part   string   // what the kernel takes it for
	user   string   // who has it in the configuration
	parts  []string // what it can be: types of sensors and chips, the likeliest first
	sure   bool     // it said so: there is one part
	fickle bool     // it did not answer a second time
}

const firstAddr, lastAddr = 0x08, 0x77 // as i2cdetect has it: what is outside has meanings of its own

// looker looks at one bus.
type looker struct {
	*scan
	bus  i2c.Bus
	seen seenBus

	deaf     bool // the adapter cannot send an address alone
	timeouts int
}

// stuckAfter is how many transfers run out of time before a bus is stuck.
const stuckAfter = 3

// sweep looks at every address, twice at those that answer, and then asks what may be asked.
func (l *looker) sweep(ctx context.Context) {
	for addr := uint16(firstAddr); addr <= lastAddr; addr++ {
		if ctx.Err() != nil {
			l.seen.err = fmt.Errorf("it is too slow: after %v only the addresses below 0x%02x were looked at", l.limit, addr)
			return
		}
		c := &seenChip{addr: addr, user: l.used[l.seen.number][addr]}
		if l.owner(c); c.kernel == "" {
			there, err := l.answers(addr)
			if err != nil {
				l.seen.err = err
				return
			}
			if !there {
				continue
			}
		}
		l.seen.chips = append(l.seen.chips, c)
	}
	if len(l.seen.chips) > lastAddr-firstAddr-8 {
		l.seen.chips, l.seen.err = nil, errors.New("every address answers: something holds SDA low, or the pull-ups are missing")
		return
	}
	for _, c := range l.seen.chips {
		if c.kernel != "" || ctx.Err() != nil {
			continue
		}
		if there, err := l.answers(c.addr); err == nil && !there {
			c.fickle = true
		}
		if c.user == "" && !c.fickle {
			l.identify(c)
		}
	}
}

// owner finds the kernel's driver at an address, without the bus.
func (l *looker) owner(c *seenChip) {
	dir := filepath.Join(l.root, "sys/bus/i2c/devices", fmt.Sprintf("%d-%04x", l.seen.number, c.addr))
	if link, err := os.Readlink(filepath.Join(dir, "driver")); err == nil {
		c.kernel = filepath.Base(link)
	}
	name, _ := os.ReadFile(filepath.Join(dir, "name"))
	c.part = strings.TrimSpace(string(name))
}

// answers tells whether a chip acknowledges its address. Nothing is written into it: the address alone is sent, for writing (SMBus
// quick), which no part takes for anything; where that is risky, or cannot be done, a byte is read.
//
//   - 0x30 to 0x37: an address there, for writing, can write-protect the memories of memory modules for good.
//   - 0x50 to 0x57: it corrupts one old memory (AT24RF08), as i2cdetect says.
//
// Reading is not harmless elsewhere: of a PCF8574, PCA9555 or MCP23017 it can end an interrupt that a running gateway waits for.
func (l *looker) answers(addr uint16) (bool, error) {
	var err error
	quick := !(addr >= 0x30 && addr <= 0x37 || addr >= 0x50 && addr <= 0x57)
	if quick && !l.deaf {
		err = l.bus.Tx(addr, nil, nil)
		if l.deaf = errors.Is(err, syscall.EOPNOTSUPP); l.deaf {
			l.note("its controller cannot send an address alone: a byte was read, but of chips that are in the configuration")
		}
	}
	if !quick || l.deaf {
		if l.used[l.seen.number][addr] != "" && l.deaf {
			return true, nil
		}
		err = l.bus.Tx(addr, nil, make([]byte, 1))
	}
	switch {
	case err == nil:
		return true, nil
	case i2cdev.NoAnswer(err), errors.Is(err, syscall.EIO): // some adapters say EIO
		return false, nil
	case errors.Is(err, syscall.EBUSY):
		l.note(err.Error())
		return false, nil
	case errors.Is(err, syscall.ETIMEDOUT):
		if l.timeouts++; l.timeouts < stuckAfter {
			return false, nil
		}
	}
	return false, err
}

func (l *looker) note(text string) {
	if !slices.Contains(l.seen.notes, text) {
		l.seen.notes = append(l.seen.notes, text)
	}
}

// identify finds out what a chip can be.
func (l *looker) identify(c *seenChip) {
	type candidate struct {
		name   string
		common int // how many addresses it can have: the fewer, the likelier it is here
	}
	var can []candidate
	for _, d := range sensors.Drivers() {
		if !slices.Contains(d.Addrs, c.addr) {
			continue
		}
		if mayAsk(l.bus, d, c.addr) {
			if is, _ := d.Is(l.bus, c.addr); is {
				c.parts, c.sure = []string{d.Name}, true
				return
			}
			continue
		}
		can = append(can, candidate{d.Name, len(d.Addrs)})
	}
	for _, t := range config.ChipTypes() {
		if slices.Contains(t.Addrs, c.addr) && !t.Board {
			can = append(can, candidate{t.Type, len(t.Addrs)})
		}
	}
	slices.SortStableFunc(can, func(a, b candidate) int { return a.common - b.common })
	for _, p := range can {
		c.parts = append(c.parts, p.name)
	}
}

// asking are the registers that may be asked for, and where. One byte is written for it, which has to be harmless to everything that can
// be at these addresses. That is why there is none from 0x20 to 0x27 and from 0x38 to 0x3f, where it would switch the outputs of a
// PCF8574; at 0x23 and 0x5c, where a BH1750 takes it for a command; from 0x48 to 0x4f, where it sets a PCF8591's output; from 0x60 to 0x67,
// where converters (MCP4725) take it for a value; and none for Sensirion's parts, whose serial number is asked for with two bytes, which
// a PCA9685 (0x40 to 0x7f) would take for a register and its value.
var asking = []struct {
	first, last uint16
	regs        []byte
}{
	{0x10, 0x10, []byte{0x07}},
	{0x18, 0x1f, []byte{0x06, 0x07}}, // no command of a DS2482
	{0x40, 0x47, []byte{0xff}},       // no command of an HTU21D: 0xfe would reset it; PCA9685: a register that is only read
	{0x76, 0x77, []byte{0xd0}},       // no command of an MS5611; a multiplexer is recognised first
}

// mayAsk tells whether a part at an address can be asked whether it is the driver's.
func mayAsk(bus i2c.Bus, d *sensors.Driver, addr uint16) bool {
	if len(d.IDs) == 0 {
		return false
	}
	for _, a := range asking {
		if addr < a.first || addr > a.last {
			continue
		}
		for _, id := range d.IDs {
			if !slices.Contains(a.regs, id.Reg) {
				return false
			}
		}
		return addr < 0x70 || !perhapsMux(bus, addr)
	}
	return false
}

// perhapsMux tells a PCA9548, for which each byte that is written switches its channels, from parts with registers: whatever is read of
// it is one and the same byte. Parts with registers read on, and through all of them they are not the same.
func perhapsMux(bus i2c.Bus, addr uint16) bool {
	for _, n := range []int{16, 256} {
		buf := make([]byte, n)
		if bus.Tx(addr, nil, buf) != nil {
			return true
		}
		if slices.ContainsFunc(buf, func(b byte) bool { return b != buf[0] }) {
			return false
		}
	}
	return true
}
