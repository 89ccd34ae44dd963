package main

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/chip"
)

// Tx is a transfer, with what befalls it.
func (w *wire) Tx(addr uint16, out, in []byte) error {
	now := time.Now()
	w.mu.Lock()
	if s := now.Unix(); s != w.second {
		w.second = s
		clear(w.counts)
	}
	w.counts[addr]++
	w.most = max(w.most, w.counts[addr])
	w.serial[addr]++
	befalls, ok := mishap(0), false
	if r := w.regime; r != nil && r.addrs[addr] && w.dice.Float64() < r.share {
		befalls, ok = r.kinds[w.dice.IntN(len(r.kinds))], true
	}
	var p plan
	if ok {
		p, ok = w.plan(befalls, addr, out, in)
	}
	if ok {
		w.struck[befalls]++
		w.n++
		if befalls.spoilsWrites() && in == nil {
			w.spoilt[addr], w.dirty[addr] = now, true
			if befalls == stray {
				w.spoilt[p.addr], w.dirty[p.addr] = now, true
			}
		}
	}
	w.mu.Unlock()
	err := w.carry(addr, out, in, befalls, ok, p)
	if in == nil || ok {
		w.look(addr)
		if befalls == stray && ok {
			w.look(p.addr)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	if ok {
		text = fmt.Sprintf(" %s %+v", mishapNames[befalls], p)
	}
	w.trail = append(w.trail, fmt.Sprintf("%s %02x w[% x] r[% x]%s %v", now.Format("15:04:05.000000"), addr, out, in, text, err))
	if len(w.trail) > 4000 {
		w.trail = append([]string(nil), w.trail[2000:]...)
	}
	return err
}

// plan is how a mishap strikes.
type plan struct {
	byte, bit int
	addr      uint16
	fill      byte
}

// apart is how many transfers lie between two flipped bits of one line, more than a comparison of all registers has where each reading is
// spoilt in another way, which none of its readings decides: I2C has no check sum, so that what is spoilt alike in all
// readings that decide is believed.
const apart = 40

// plan rolls the dice for a mishap, and tells whether it can happen to that transfer.
func (w *wire) plan(m mishap, addr uint16, out, in []byte) (p plan, ok bool) {
	switch m {
	case flipRead:
		if len(in) == 0 {
			return p, false
		}
		p.byte, p.bit = w.dice.IntN(len(in)+1)-1, w.dice.IntN(8) // -1: of the register's number
		line := -1
		if p.byte >= 0 {
			line = (int(out[0])+p.byte)%2*8 + p.bit
		}
		return p, w.alone(addr, line)
	case flipWrite:
		p.byte, p.bit = w.dice.IntN(len(out)), w.dice.IntN(8)
		return p, len(in) == 0 && w.alone(addr, -1)
	case stray:
		p.addr = addr ^ 1<<w.dice.IntN(7)
		return p, w.alone(addr, -1)
	case short, brownOut:
		p.byte = w.dice.IntN(len(in) + len(out)*btoi(len(in) == 0))
		if m == brownOut || w.dice.IntN(2) == 0 {
			p.fill = 0xff
		}
		return p, m == brownOut || len(in) > 0
	case lostWrite:
		return p, len(in) == 0
	}
	return p, true
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// alone tells whether a line's bit was not flipped lately, and notes that it is now. -1: of all lines.
func (w *wire) alone(addr uint16, line int) bool {
	if w.hit[addr] == nil {
		w.hit[addr] = map[int]int{}
	}
	h, n := w.hit[addr], w.serial[addr]
	for l, at := range h {
		if (l == line || l == -1 || line == -1) && n-at < apart {
			return false
		}
	}
	h[line] = n
	return true
}

// alike tells whether a reading of the BME280 broke off and read the same lately: its rows have no end that shows, as an MCP23017's have, so
// that what is spoilt alike in all readings that decide is believed, as two bits that flip alike are.
func (w *wire) alike(addr uint16, out, in []byte) bool {
	if addr != 0x76 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = map[string]int{}
	}
	k, n := fmt.Sprintf("% x, % x", out, in), w.serial[addr]
	at, was := w.broken[k]
	w.broken[k] = n
	return was && n-at < apart
}

var errGoneBus = fmt.Errorf("there is no such bus: %w", syscall.ENOENT)

// carry carries a transfer out, well or badly.
func (w *wire) carry(addr uint16, out, in []byte, befalls mishap, ok bool, p plan) error {
	tx := func(addr uint16, out, in []byte) error { return i2csim.New(w.bus, w.name).Tx(addr, out, in) }
	if !ok {
		return tx(addr, out, in)
	}
	fill := func(p []byte, v byte) {
		for i := range p {
			p[i] = v
		}
	}
	switch befalls {
	case noAnswer:
		return fmt.Errorf("nobody answers at %#02x: %w", addr, bus.EREMOTEIO)
	case timeout:
		return fmt.Errorf("the bus is stuck at %#02x: %w", addr, syscall.ETIMEDOUT)
	case broken:
		return syscall.EIO
	case goneBus:
		return errGoneBus
	case unheard:
		return errors.Join(syscall.EIO, tx(addr, out, make([]byte, len(in))))
	case flipRead:
		if p.byte < 0 {
			return tx(addr, append([]byte{out[0] ^ 1<<p.bit}, out[1:]...), in)
		}
		err := tx(addr, out, in)
		in[p.byte] ^= 1 << p.bit
		return err
	case flipWrite:
		spoilt := append([]byte(nil), out...)
		spoilt[p.byte] ^= 1 << p.bit
		return tx(addr, spoilt, nil)
	case zeros:
		fill(in, 0)
		return nil
	case ones:
		fill(in, 0xff)
		return nil
	case short:
		err := tx(addr, out, in)
		whole := slices.Clone(in)
		fill(in[p.byte:], p.fill)
		if w.alike(addr, out, in) {
			copy(in, whole)
		}
		return err
	case lostWrite:
		return nil
	case stray:
		return tx(p.addr, out, in)
	case resetAfter:
		err := tx(addr, out, in)
		w.reset(addr)
		return err
	case brownOut:
		var err error
		if len(in) == 0 {
			if p.byte > 0 {
				err = tx(addr, out[:p.byte], nil)
			}
		} else if err = tx(addr, out, in[:max(p.byte, 1)]); err == nil {
			fill(in[p.byte:], 0xff)
		}
		w.reset(addr)
		return err
	}
	panic("unknown mishap")
}

// reset resets a chip. Between two writes that set it up it may drive for a moment what a chip drives after a reset.
func (w *wire) reset(addr uint16) {
	w.mu.Lock()
	w.spoilt[addr] = time.Now()
	w.mu.Unlock()
	w.bus.Do(addr, func(c chip.Chip) error { c.Reset(); return nil })
}
