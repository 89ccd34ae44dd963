package bus

import (
	"io"
	"time"
)

// SetAbsent disconnects a chip, which keeps its state, or connects it again.
func (b *Bus) SetAbsent(addr uint16, absent bool) error {
	return b.with(addr, func(s *slot) error {
		s.absent = absent
		return nil
	})
}

// SetBusy makes an address look claimed by a kernel driver.
func (b *Bus) SetBusy(addr uint16, busy bool) error {
	return b.with(addr, func(s *slot) error {
		s.busy = busy
		return nil
	})
}

// Busy tells whether an address looks claimed by a kernel driver.
func (b *Bus) Busy(addr uint16) bool {
	b.mu.Lock()
	defer b.unlock()
	s := b.slots[addr]
	return s != nil && s.busy
}

// SetLatency makes every transaction take d longer.
func (b *Bus) SetLatency(d time.Duration) {
	b.mu.Lock()
	defer b.unlock()
	b.latency = d
}

// SetSpeed makes transactions take their time on the wire; 0 ends that.
func (b *Bus) SetSpeed(bitsPerSecond int) {
	b.mu.Lock()
	defer b.unlock()
	b.speed = bitsPerSecond
}

// SetTimeout is I2C_TIMEOUT.
func (b *Bus) SetTimeout(d time.Duration) {
	b.mu.Lock()
	defer b.unlock()
	b.timeout = d
}

// SetRetries is I2C_RETRIES.
func (b *Bus) SetRetries(n int) {
	b.mu.Lock()
	defer b.unlock()
	b.retries = n
}

// SetTrace writes every transaction to w; nil ends that.
func (b *Bus) SetTrace(w io.Writer) {
	b.mu.Lock()
	defer b.unlock()
	b.trace = w
}
