package gpio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// pollEvery is how often a line is read whose chip has no interrupts.
const pollEvery = 10 * time.Millisecond

// Watch implements Chip, with one goroutine per input, which costs an edge one read and one wait in Go's poller.
func (c *charDev) Watch(ctx context.Context, edges chan<- Edge) error {
	parent := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	clock, err := kernelClock()
	if err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	var readers sync.WaitGroup
	start := func(l *charLine) {
		readers.Go(func() {
			if err := (&reader{ctx: ctx, edges: edges, line: l, clock: clock}).run(); err != nil {
				stop(err)
			}
		})
	}
	c.mu.Lock()
	if c.closed || c.stop != nil {
		defer c.mu.Unlock()
		return fmt.Errorf("%s: closed, or watched already", c)
	}
	c.start, c.stop = start, stop
	for _, l := range c.claimed {
		if !l.config.Output && l.index == 0 {
			start(l)
		}
	}
	c.mu.Unlock()

	<-ctx.Done()
	c.mu.Lock()
	c.start = nil // lines claimed from here on are for the next Watch
	c.setDeadlines(time.Unix(1, 0))
	c.mu.Unlock()
	readers.Wait()
	c.mu.Lock()
	c.stop = nil
	c.setDeadlines(time.Time{})
	c.mu.Unlock()
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// setDeadlines makes the readers that wait in the poller return, with a time in the past, or lets new ones wait. mu is held.
func (c *charDev) setDeadlines(t time.Time) {
	for _, l := range c.claimed {
		if l.file != nil {
			l.file.SetReadDeadline(t) // it worked when the line was requested
		}
	}
}

// reader sends one line's edges.
type reader struct {
	ctx    context.Context
	edges  chan<- Edge
	line   *charLine
	clock  clock
	events [16]uapi.LineEvent
	err    error
}

// run returns nil when the line is released or the context ends.
func (r *reader) run() error {
	l := r.line
	conn, err := l.file.SyscallConn()
	if err == nil && l.polled {
		err = r.poll(conn)
	} else if err == nil {
		// One call for the reader's life: between two calls of ready it waits in the poller, and no edge is missed that
		// came meanwhile. Calling Read for each edge would cost one more read, to see that there is nothing.
		err = conn.Read(r.ready)
	}
	err = cmp.Or(r.err, err)
	select {
	case <-l.gone:
		return nil
	case <-r.ctx.Done():
		return nil
	default:
	}
	if errors.Is(err, unix.ENODEV) {
		return l.chip.goneError(err)
	}
	return l.chip.lineError(l.offset, err)
}

// countPause is how long a line that counts is left alone after it was read: the kernel counts on, in line_seqno even what its buffer
// has no room for.
const countPause = 20 * time.Millisecond

// count is ready for a line that counts: it sends how many edges there were. Nothing but the last one's number is of interest.
func (r *reader) count(fd uintptr) (done bool) {
	l := r.line
	for {
		n := r.fill(fd)
		switch {
		case n < 0:
			return true
		case n == 0:
			return false
		}
		if n == len(r.events) || time.Since(epoch) >= time.Duration(l.young.Load()) {
			if !r.sendCount(&r.events[n-1]) {
				return true
			}
		} else {
			for i := range r.events[:n] {
				if !r.sendCount(&r.events[i]) {
					return true
				}
			}
		}
		if n == len(r.events) {
			continue // there may be more
		}
		select {
		case <-time.After(countPause):
		case <-l.gone:
			return true
		case <-r.ctx.Done():
			return true
		}
	}
}

// sendCount sends the edges up to this one.
func (r *reader) sendCount(k *uapi.LineEvent) bool {
	l := r.line
	e := Edge{Offset: l.offset, High: k.ID == uapi.LineEventRisingEdge, At: r.clock.wall(time.Duration(k.Timestamp)),
		Count: uint64(k.LineSeqno - l.seq), Settled: l.settled.Load()} // the number wraps, and so does this
	if !r.sendEdge(e) {
		return false // the next Watch counts them
	}
	l.seq, l.high = k.LineSeqno, e.High
	return true
}

// ready sends what the kernel has for the line, and tells whether the reader must end; otherwise it is called again with the
// next edge. After lost edges it reads the line, once nothing more is waiting, for the last edge sent may not be the last.
func (r *reader) ready(fd uintptr) (done bool) {
	if r.line.counts.Load() {
		return r.count(fd)
	}
	lines := r.line.both()
	var high [2]bool // the lines as read after a gap
	known := false
	for {
		n := r.fill(fd)
		if n < 0 || !r.send(n) {
			return true
		}
		switch {
		case n == len(r.events):
			known = false // there may be more
		case !lines[0].gap && !lines[len(lines)-1].gap:
			return false
		case n > 0 || !known:
			for i, l := range lines {
				if high[i], r.err = l.value(fd); r.err != nil {
					return true
				}
			}
			known = true
		default: // the lines were read, and no edge has come since
			now := time.Now()
			for i, l := range lines {
				if l.gap && high[i] != l.high && !r.sendEdge(Edge{
					Offset: l.offset, High: high[i], At: now, Settled: l.settled.Load(), Resync: true,
				}) {
					return true
				}
				l.gap, l.high = false, high[i]
			}
			return false
		}
	}
}

// fill reads as many events as there are and fit: the kernel gives fewer only when it has no more. Negative after an error.
func (r *reader) fill(fd uintptr) int {
	const size = unsafe.Sizeof(uapi.LineEvent{})
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&r.events)), size*uintptr(len(r.events)))
	for {
		n, err := unix.Read(int(fd), bytes)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0
		case err != nil:
			r.err = err
			return -1
		case n == 0:
			r.err = io.ErrUnexpectedEOF
			return -1
		}
		return n / int(size)
	}
}

// send sends the first n events, and tells whether it could.
func (r *reader) send(n int) bool {
	if n == 0 {
		return true
	}
	for i := range r.events[:n] {
		k := &r.events[i]
		l := r.line
		if l.mate != nil && uint32(k.Offset) == l.mate.offset {
			l = l.mate
		}
		e := Edge{
			Offset: l.offset, High: k.ID == uapi.LineEventRisingEdge, At: r.clock.wall(time.Duration(k.Timestamp)),
			Lost:    k.LineSeqno - l.seq - 1, // the count wraps, and so does this
			Settled: l.settled.Load(),
		}
		if !r.sendEdge(e) {
			l.gap = true // the next Watch counts this edge, and those after it, as lost
			return false
		}
		l.seq, l.high = k.LineSeqno, e.High
		l.gap = l.gap || e.Lost != 0
	}
	return true
}

func (r *reader) sendEdge(e Edge) bool {
	select {
	case r.edges <- e:
		return true
	case <-r.line.gone:
	case <-r.ctx.Done():
	}
	return false
}

// poll compares the line every pollEvery.
func (r *reader) poll(conn syscall.RawConn) error {
	lines := r.line.both()
	mask := uapi.LineBitmap(1)<<len(lines) - 1
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.line.gone:
			return nil
		case <-r.ctx.Done():
			return nil
		case <-tick.C:
		}
		values := uapi.LineValues{Mask: mask}
		err := conn.Control(func(fd uintptr) { r.err = uapi.GetLineValuesV2(fd, &values) })
		if err = cmp.Or(r.err, err); err != nil {
			return err
		}
		now := time.Now()
		changed := 0
		for i, l := range lines {
			if values.Bits>>i&1 != 0 != l.high {
				changed++
			}
		}
		for i, l := range lines {
			high := values.Bits>>i&1 != 0
			if high != l.high { // which of two came first nobody has seen
				if !r.sendEdge(Edge{Offset: l.offset, High: high, At: now, Every: pollEvery, Resync: changed > 1}) {
					return nil
				}
				l.high = high
			}
		}
	}
}

// clock relates Go's time to the kernel's CLOCK_MONOTONIC, which stamps the edges. Both run alike, so that an edge costs no look
// at a clock; the wall time alone may be set, and is looked at again from time to time.
type clock struct {
	at     time.Time
	kernel time.Duration // since boot, at that time
}

// wallEvery is how old the relation to the wall time may be.
const wallEvery = 10 * time.Second

// kernelClock looks at both clocks a few times, and takes the look that was interrupted least.
func kernelClock() (c clock, err error) {
	best := time.Hour
	for range 5 {
		var ts unix.Timespec
		before := time.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			return clock{}, fmt.Errorf("CLOCK_MONOTONIC: %w", err)
		}
		if took := time.Since(before); took < best {
			best = took
			c = clock{at: before.Add(took / 2), kernel: time.Duration(ts.Nano())}
		}
	}
	return c, nil
}

// wall gives the wall time, with its monotonic reading, of a stamp of the kernel's.
func (c *clock) wall(stamp time.Duration) time.Time {
	if stamp-c.kernel > wallEvery {
		now := time.Now()
		c.kernel += now.Sub(c.at)
		c.at = now
	}
	return c.at.Add(stamp - c.kernel)
}
