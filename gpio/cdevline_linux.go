package gpio

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// eventBuffer is how many edges the kernel keeps for a line until they are read: the most it allows. It keeps 16 unless asked.
const eventBuffer = 1024

// enotsupp is the kernel's internal ENOTSUPP, which some drivers let out to user space.
const enotsupp = unix.Errno(524)

// young is how long after its request a line that counts has each edge told as it comes: the bank has to tell what its pull has done.
const young = 250 * time.Millisecond

// charLine is one requested line.
type charLine struct {
	chip    *charDev
	offset  uint32
	index   uint          // in its request
	mate    *charLine     // of two that are together, the other one: they are one request, and the first of them has its reader; nil: it is alone
	config  LineConfig    // not for the reader
	fd      int           // for the methods of Chip, which come one at a time; they alone close it
	file    *os.File      // of an input: fd in Go's poller, for the reader; nil for an output
	gone    chan struct{} // closed when the line is released
	polled  bool          // the line has no interrupt: it is read every pollEvery
	settled atomic.Bool   // the kernel debounces the line
	counts  atomic.Bool   // it has those edges alone that count
	young   atomic.Int64  // until when its edges are told one by one; nanoseconds of time.Since(epoch)

	// The following belong to the line's reader, and outlive it: the next Watch goes on where the last one ended.
	seq  uint32 // line_seqno of the last edge
	high bool   // the level after the last edge, or when a polled line was last read
	gap  bool   // edges were lost, and the line has not been read again since
}

// request takes a line that is not claimed yet, and with it the one that belongs together with it; nil: none does.
func (c *charDev) request(config LineConfig, with *LineConfig) (*charLine, error) {
	l := &charLine{chip: c, offset: config.Offset, config: config, fd: -1, gone: make(chan struct{})}
	if with != nil {
		l.mate = &charLine{chip: c, offset: with.Offset, index: 1, mate: l, config: *with, fd: -1, gone: make(chan struct{})}
	}
	var err error
	if config.Output {
		err = l.requestOutput()
	} else {
		err = l.requestInput()
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// get asks the kernel for the line and sets fd.
func (l *charLine) get(config uapi.LineConfig) error {
	r := uapi.LineRequest{Lines: 1, Config: config}
	r.Offsets[0] = l.offset
	if l.mate != nil {
		r.Lines, r.Offsets[1] = 2, l.mate.offset
	}
	copy(r.Consumer[:len(r.Consumer)-1], "gatewayd "+l.config.Name)
	if !l.config.Output {
		r.EventBufferSize = eventBuffer
	}
	err := l.chip.getLine(uintptr(l.chip.fd), &r)
	for errors.Is(err, unix.ENOMEM) && r.EventBufferSize > 16 { // 48 KiB in one piece may be too much for a small Pi that has run for weeks
		r.EventBufferSize /= 4
		err = l.chip.getLine(uintptr(l.chip.fd), &r)
	}
	if err == nil {
		l.fd = int(r.Fd)
		return nil
	}
	if errors.Is(err, unix.EBUSY) {
		for _, of := range l.both() {
			info, infoErr := uapi.GetLineInfoV2(uintptr(l.chip.fd), int(of.offset))
			if holder := unix.ByteSliceToString(info.Consumer[:]); infoErr == nil && holder != "" {
				return fmt.Errorf("in use by %q: choose another line or free that one (%w)", holder, err)
			}
		}
		return fmt.Errorf("in use by the kernel or another program: choose another line or free that one (%w)", err)
	}
	return err
}

// both gives the lines of the request.
func (l *charLine) both() []*charLine {
	if l.mate == nil {
		return []*charLine{l}
	}
	return []*charLine{l, l.mate}
}

func (l *charLine) requestOutput() error {
	if !l.config.Initial.Keeps() {
		return l.get(outputConfig(l.config.Level(l.config.Initial.Undriven())))
	}
	// Request without a direction: nothing changes on the pin, and nobody else can change it from here on. The kernel also
	// asks the chip for the direction now (gpiod_request_commit), which before could be that of a line since released.
	if err := l.get(uapi.LineConfig{}); err != nil {
		return err
	}
	info, err := uapi.GetLineInfoV2(uintptr(l.chip.fd), int(l.offset))
	if err != nil {
		return err
	}
	high := l.config.Level(l.config.Initial.Undriven())
	if info.Flags.IsOutput() {
		if high, err = l.value(uintptr(l.fd)); err != nil {
			return err
		}
	}
	config := outputConfig(high)
	return uapi.SetLineConfigV2(uintptr(l.fd), &config)
}

func outputConfig(high bool) uapi.LineConfig {
	config := uapi.LineConfig{Flags: uapi.LineFlagV2Output}
	values := uapi.OutputValues(0)
	if high {
		values = 1
	}
	config.AddAttribute(uapi.LineConfigAttribute{Attr: values.Encode(), Mask: 1})
	return config
}

func (l *charLine) requestInput() error {
	err := l.input(true, l.get)
	if errors.Is(err, unix.ENXIO) { // the line has no interrupt: linux/drivers/gpio/gpiolib-cdev.c
		l.polled = true
		err = l.input(false, l.get)
	}
	if err != nil {
		return err
	}
	for _, of := range l.both() {
		if of.fd, of.polled = l.fd, l.polled; !of.polled {
			continue
		}
		if of.high, err = of.value(uintptr(l.fd)); err != nil {
			return err
		}
	}
	if err := unix.SetNonblock(l.fd, true); err != nil {
		return err
	}
	l.file = os.NewFile(uintptr(l.fd), l.chip.path)
	return l.file.SetReadDeadline(time.Time{}) // fails if Go's poller did not take the descriptor
}

// input applies the line's configuration as an input. Where the kernel cannot debounce, Bank settles; but a pull that is not
// there is an error.
func (l *charLine) input(edges bool, apply func(uapi.LineConfig) error) error {
	debounce := edges && l.config.Debounce > 0
	for {
		// Where the bank has to settle a line it has to see all of its edges.
		counts := edges && l.config.Count != CountNone && (debounce || l.config.Debounce == 0)
		l.young.Store(int64(time.Since(epoch) + young))
		err := apply(inputConfig(&l.config, edges, debounce, counts))
		switch {
		case err == nil:
			for _, of := range l.both() {
				of.settled.Store(debounce)
			}
			l.counts.Store(counts)
			return nil
		case !refused(err):
			return err
		case debounce:
			debounce = false
		case l.config.Pull != PullAsIs:
			bare := l.config
			bare.Pull = PullAsIs
			if other := apply(inputConfig(&bare, edges, false, counts)); other != nil {
				return other // it is not the pull that is refused
			}
			return fmt.Errorf("pull: the chip refuses it: %w: leave it out, and fit a resistor", err)
		default:
			return err
		}
	}
}

// inputConfig is an input in the kernel's words: counts says that it is to have no other edges than those that count.
func inputConfig(l *LineConfig, edges, debounce, counts bool) uapi.LineConfig {
	config := uapi.LineConfig{Flags: uapi.LineFlagV2Input}
	switch l.Pull {
	case PullUp:
		config.Flags |= uapi.LineFlagV2BiasPullUp
	case PullDown:
		config.Flags |= uapi.LineFlagV2BiasPullDown
	case PullNone:
		config.Flags |= uapi.LineFlagV2BiasDisabled
	}
	switch {
	case !edges:
	case counts && l.edges() == CountActive:
		config.Flags |= uapi.LineFlagV2EdgeRising
	case counts && l.edges() == CountInactive:
		config.Flags |= uapi.LineFlagV2EdgeFalling
	default:
		config.Flags |= uapi.LineFlagV2EdgeBoth
	}
	if debounce {
		period := max(l.Debounce, time.Microsecond) // the kernel counts microseconds
		mask := uapi.LineBitmap(1)
		if l.Together != "" {
			mask = 3
		}
		config.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.DebouncePeriod(period).Encode(), Mask: mask})
	}
	return config
}

func refused(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, enotsupp)
}

// change makes a claimed line what config says; the direction is the same. An output stays as it is: Initial is for the
// claim, and levels are Bank's. The kernel goes on showing the name that the line was requested with.
func (l *charLine) change(config LineConfig) error {
	was := l.config
	l.config = config
	if config.Output || l.mate != nil || config.Pull == was.Pull && config.Debounce == was.Debounce && config.edges() == was.edges() {
		return nil
	}
	return l.input(!l.polled, func(c uapi.LineConfig) error { return uapi.SetLineConfigV2(uintptr(l.fd), &c) })
}

// close gives the line back to the kernel, with its mate.
func (l *charLine) close() {
	for _, of := range l.both() {
		close(of.gone) // first: a reader that waits to send holds the file
	}
	if l.index != 0 {
		l = l.mate
	}
	switch {
	case l.file != nil:
		l.file.Close()
	case l.fd >= 0:
		unix.Close(l.fd)
	}
}

// value reads a requested line: debounced if the kernel debounces it, and of an output the pin itself.
func (l *charLine) value(fd uintptr) (high bool, err error) {
	values := uapi.LineValues{Mask: 1 << l.index}
	err = uapi.GetLineValuesV2(fd, &values)
	return values.Bits&(1<<l.index) != 0, err
}

// epoch is what young is counted from.
var epoch = time.Now()
