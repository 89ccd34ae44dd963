// Package backlog keeps what could not be told while the broker was away, until it can be: readings and gestures, each with the time
// when it was. It is bounded in number and in age, and lies in memory; with a file it outlives a restart, a crash and a power cut, too.
//
// Everything waits in memory, and is sent from there, so that nobody ever waits for a disk and all goes on without one. The file is a
// copy, which one goroutine writes and nothing but a start reads: lines with a checksum each, appended to. What was sent is noted in it
// in the same way; when all was, the file goes. Nothing is written while the broker takes everything.
//
// What a crash or a kill may lose is what came in the last 0.1 s, or while the disk was writing, and a power cut, what came in the last
// 5 s: a card is made to write no more often than that. After either, what was sent last may be sent again: after a crash, at most 2 portions of 256.
//
// Why a file of our own: of the libraries for that, tidwall/wal (1.2.1) and nsqio/go-diskqueue have no checksums. Of 60 files of the
// first with one flipped bit, 59 gave a wrong entry without a word, and none that was cut short by a torn write could be opened; the
// second throws away the rest of a file with a wrong length, and takes for done what was read, not what was acknowledged. bbolt
// (1.5.0) has checksums on its first two pages alone (7 of 60 flipped bits gave wrong values, and one ended the program, as 13 of 20
// truncated files did), and writes 36 KiB to the card for each entry of 100 bytes that is made sure, where appending writes 4.
// hashicorp/raft-wal stands on bbolt and takes 64 MiB for a segment. tidwall/wal and bbolt make the program larger by 0.2 MB each; this is
// 20 KB of code.
package backlog

import (
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"gatewayd/internal/clock"
	"gatewayd/internal/disk"
)

// Bounds, unless a configuration says otherwise.
const (
	Most   = 10000
	MaxAge = 7 * 24 * time.Hour
)

// portion is how many are sent until the file is to know that they were.
const portion = 256

// Message is something that is told later when it cannot be told in time.
type Message struct {
	Topic string
	Body  string    // members of a JSON object, without its braces
	At    time.Time // of clock.Now
}

// Config is how much is kept, and where.
type Config struct {
	Most   int           // of what waits; 0: the constant Most
	MaxAge time.Duration // of what is sent; 0: the constant MaxAge
	File   string        // its path; empty: what waits is lost when the program ends
	Boot   string        // what tells this start of the machine from all others; empty: not known, and every start of the program is one
	Log    *slog.Logger  // may be nil
	// Tell has people told, also in the log, that the file cannot be written; an empty text says that it can again. It does not block.
	// nil: nobody is told.
	Tell func(text string)
}

// Backlog is what waits. Its methods do not block, but for New and Run, and may be called from any goroutine.
type Backlog struct {
	cfg  Config
	boot string
	room chan struct{} // one slot: there may be more for Next
	work chan struct{} // one slot: there is something to write

	mu      sync.Mutex // guards the following
	queue   []entry    // queue[head:] waits, its numbers rise
	head    int
	last    uint64 // the highest number ever given
	done    uint64 // all up to it are sent, or dropped
	bytes   int    // of the lines of what waits
	vague   int    // of what came in this boot and has no time on the wall yet
	dropped uint64
	full    bool // that was told
	noted   uint64
	busy    time.Time // since when the disk is at work; zero: it is not
	err     error     // why the file cannot be written

	file *journal // of Run's goroutine; nil: there is none
}

// entry is one message that waits.
type entry struct {
	n           uint64
	topic, body string
	boot        string        // 8 digits
	up          time.Duration // since that boot
	wall        int64         // milliseconds since 1970; 0: not known
}

// size is about how long its line is.
func (e *entry) size() int { return len(e.topic) + len(e.body) + 60 }

// New makes a backlog with what the file holds, if there is one. Whatever is wrong with that is logged, and is no reason not to go on.
// It starts nothing; without Run nothing is written. It blocks as long as the disk does.
func New(cfg Config) *Backlog {
	if cfg.Most == 0 {
		cfg.Most = Most
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = MaxAge
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Tell == nil {
		cfg.Tell = func(string) {}
	}
	b := &Backlog{cfg: cfg, room: make(chan struct{}, 1), work: make(chan struct{}, 1)}
	if cfg.Boot == "" {
		cfg.Boot = strconv.FormatUint(rand.Uint64(), 16)
	}
	b.boot = fmt.Sprintf("%08x", crc32.Checksum([]byte(cfg.Boot), castagnoli))
	if cfg.File != "" {
		b.file = &journal{path: cfg.File, disk: disk.Real{}}
		b.load()
	}
	return b
}

// Add takes what could not be told.
func (b *Backlog) Add(m Message) {
	e := entry{topic: m.Topic, body: m.Body, boot: b.boot, up: max(0, clock.SinceBoot(m.At)).Truncate(time.Millisecond)}
	if at, ok := clock.Wall(m.At); ok {
		e.wall = max(0, at.UnixMilli())
	}
	b.mu.Lock()
	b.last++
	e.n = b.last
	if e.wall == 0 {
		b.vague++
	}
	b.push(e)
	b.mu.Unlock()
	nudge(b.room)
	nudge(b.work)
}

// Limit changes the bounds.
func (b *Backlog) Limit(most int, maxAge time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cfg.Most, b.cfg.MaxAge = most, maxAge
	for len(b.queue)-b.head > most {
		b.drop()
	}
	nudge(b.work)
}

// push puts an entry at the end, and drops what is too much.
func (b *Backlog) push(e entry) {
	if len(b.queue) == cap(b.queue) && b.head > len(b.queue)/2 {
		n := copy(b.queue, b.queue[b.head:])
		clear(b.queue[n:])
		b.queue, b.head = b.queue[:n], 0
	}
	b.queue = append(b.queue, e)
	b.bytes += e.size()
	for len(b.queue)-b.head > b.cfg.Most {
		b.drop()
		if !b.full {
			b.full = true
			b.cfg.Log.Warn("the backlog is full: the oldest is dropped for each that comes", "most", b.cfg.Most)
		}
	}
	b.expire()
}

// drop gives up the oldest.
func (b *Backlog) drop() {
	b.dropped++
	b.pop()
}

func (b *Backlog) pop() {
	e := &b.queue[b.head]
	b.done = max(b.done, e.n)
	b.bytes -= e.size()
	if e.wall == 0 && e.boot == b.boot {
		b.vague--
	}
	*e = entry{}
	b.head++
	if b.head == len(b.queue) {
		b.queue, b.head, b.full = nil, 0, false
	}
}

// expire drops what is too old. What has no age known is kept.
func (b *Backlog) expire() {
	for b.head < len(b.queue) {
		if age, ok := b.age(&b.queue[b.head]); !ok || age <= b.cfg.MaxAge {
			return
		}
		b.drop()
	}
}

// age tells how old an entry is; false: nobody knows.
func (b *Backlog) age(e *entry) (time.Duration, bool) {
	if e.boot == b.boot {
		return clock.SinceBoot(clock.Now()) - e.up, true
	}
	now, ok := clock.Wall(clock.Now())
	return now.Sub(time.UnixMilli(e.wall)), ok && e.wall != 0
}

// Next gives the first that waits with a number above after, as a topic and a payload. It gives none, too, while the file is behind with
// noting what was sent: Room gets a token when it is not any more.
func (b *Backlog) Next(after uint64) (n uint64, topic string, payload []byte, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	after = max(after, b.done)
	if b.file != nil && after >= b.noted+2*portion && b.err == nil && (b.busy.IsZero() || time.Since(b.busy) < patience) {
		return 0, "", nil, false
	}
	i := b.head
	if i < len(b.queue) && b.queue[i].n <= after { // numbers that were dropped by damage make it more than that many
		low, high := i, min(len(b.queue), i+1+int(after-b.queue[i].n))
		for low < high {
			if mid := (low + high) / 2; b.queue[mid].n <= after {
				low = mid + 1
			} else {
				high = mid
			}
		}
		i = low
	}
	if i >= len(b.queue) {
		return 0, "", nil, false
	}
	e := &b.queue[i]
	return e.n, e.topic, b.payload(e), true
}

// patience is how long a disk that does not come back holds up what is sent.
const patience = 10 * time.Second

// payload is what is sent: {"value":21.5,"unit":"°C","at":"2026-01-02T03:04:05.678Z","late":true}. While the time is not known, age_s
// stands in its place; of another boot neither may be known.
func (b *Backlog) payload(e *entry) []byte {
	p := append(append([]byte{'{'}, e.body...), ',')
	at, known := time.UnixMilli(e.wall), e.wall != 0
	if !known && e.boot == b.boot {
		at, known = clock.Wall(clock.FromBoot(e.up))
	}
	if known {
		p = append(p, `"at":"`...)
		p = at.UTC().AppendFormat(p, "2006-01-02T15:04:05.000Z")
		p = append(p, `",`...)
	} else if age, ok := b.age(e); ok {
		p = append(p, `"age_s":`...)
		p = strconv.AppendFloat(p, age.Seconds(), 'f', 1, 64)
		p = append(p, ',')
	}
	return append(p, `"late":true}`...)
}

// Done says that all up to n were sent, and acknowledged.
func (b *Backlog) Done(n uint64) {
	b.mu.Lock()
	for b.head < len(b.queue) && b.queue[b.head].n <= n {
		b.pop()
	}
	b.mu.Unlock()
	nudge(b.work)
}

// Room gets a token when there may be more for Next.
func (b *Backlog) Room() <-chan struct{} { return b.room }

// Counts gives how many wait, and how many were dropped because there were too many, or they were too old.
func (b *Backlog) Counts() (waiting int, dropped uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) - b.head, b.dropped
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
