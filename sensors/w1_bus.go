package sensors

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

const (
	// w1Shared is how long a conversion of all serves those that are due after it: polls of one interval begin within a second.
	w1Shared = 1500 * time.Millisecond
	// w1Least is less than any conversion takes (94 ms with 9 bits), and longer than the memory is read (12 ms).
	w1Least = 60 * time.Millisecond
	// w1PollLeast is the same for a part that the kernel asks when it is ready, every 32 ms.
	w1PollLeast = 30 * time.Millisecond
	w1Pause     = 5 * time.Minute // until a bus that did not convert all at once is tried again
)

// w1Bus is a 1-Wire bus with its thermometers. Several of them measure at the same time, at the first one's wish (therm_bulk_read), and are
// then read one after the other: a reading takes 15 ms and not 750.
type w1Bus struct {
	folder string
	turn   chan struct{} // capacity 1: held while all convert and while one's memory is read after that

	mu    sync.Mutex // guards the following
	users int

	// Of whoever has the turn.
	at    time.Time       // when all had converted; zero: never
	took  time.Duration   // and how long it took
	read1 map[string]bool // who has been read since
	avoid time.Time       // the bus does not do it: not before that
}

var w1Buses = struct {
	mu  sync.Mutex // guards the following
	all map[string]*w1Bus
}{all: map[string]*w1Bus{}}

// w1BusAt gives the bus of that folder.
func w1BusAt(folder string) *w1Bus {
	w1Buses.mu.Lock()
	defer w1Buses.mu.Unlock()
	b := w1Buses.all[folder]
	if b == nil {
		b = &w1Bus{folder: folder, turn: make(chan struct{}, 1)}
		w1Buses.all[folder] = b
	}
	return b
}

// use counts a thermometer, until release is called.
func (b *w1Bus) use() (release func()) {
	b.count(1)
	return sync.OnceFunc(func() { b.count(-1) })
}

func (b *w1Bus) count(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users += n
	return b.users
}

// read gives what the kernel has in w1_slave after a conversion of now.
func (b *w1Bus) read(ctx context.Context, s *w1) (string, error) {
	if b.count(0) > 1 {
		select {
		case b.turn <- struct{}{}:
		case <-ctx.Done():
			return "", fmt.Errorf("the 1-Wire bus is busy with others: %w", ctx.Err())
		}
		text, done, err := b.together(s)
		<-b.turn
		if done {
			return text, err
		}
	}
	return b.alone(s)
}

// together reads s after a conversion of all. done is false where the bus does not do that, or we may not ask for it.
func (b *w1Bus) together(s *w1) (text string, done bool, err error) {
	least := s.conversion()
	if time.Since(b.at) > w1Shared || b.took < least || b.read1[s.id] {
		if !b.convert(s.kernel, least) {
			return "", false, nil
		}
	}
	b.read1[s.id] = true
	text, err = s.kernel.text(filepath.Join(s.folder, "w1_slave"))
	return text, true, err
}

// convert has all measure, which blocks until they have. The kernel does not say whether it did so: a signal breaks it off, and a part
// whose driver is not there makes it do nothing. Both are over too soon.
func (b *w1Bus) convert(kernel attributes, least time.Duration) bool {
	if time.Now().Before(b.avoid) {
		return false
	}
	for range 2 {
		start := time.Now()
		err := kernel.write(filepath.Join(b.folder, "therm_bulk_read"), "trigger\n")
		b.at, b.read1 = time.Now(), map[string]bool{}
		b.took = b.at.Sub(start)
		if err != nil {
			break
		}
		if b.took >= least {
			return true
		}
	}
	b.at, b.avoid = time.Time{}, time.Now().Add(w1Pause)
	return false
}

// alone has s convert for itself, and reads it. Parts that have a supply wire do so side by side.
func (b *w1Bus) alone(s *w1) (string, error) {
	least := s.conversion()
	for range 2 {
		start := time.Now()
		text, err := s.kernel.text(filepath.Join(s.folder, "w1_slave"))
		if err != nil || time.Since(start) >= least {
			return text, err
		}
		// It comes from the part's memory: somebody had all convert, at whatever time, and did not read this one.
	}
	return "", errors.New("the kernel gives old measurements only")
}

// conversion gives what a conversion takes at least, without asking the part. Kernels before 5.8 have nothing to share, and those before
// 5.10 do not say how long it takes.
func (s *w1) conversion() time.Duration {
	if _, err := s.kernel.text(filepath.Join(s.bus.folder, "therm_bulk_read")); err != nil {
		return 0
	}
	if features, err := s.kernel.number(filepath.Join(s.folder, "features")); err == nil && int(features)&2 != 0 {
		return w1PollLeast
	}
	milli, err := s.kernel.number(filepath.Join(s.folder, "conv_time"))
	if err != nil || milli < 0 || milli > 10_000 {
		return w1Least
	}
	return time.Duration(milli) * time.Millisecond
}
