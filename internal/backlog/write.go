package backlog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"gatewayd/internal/clock"
)

const (
	writeEvery = 100 * time.Millisecond // what comes meanwhile is written together; that is no work for the card
	syncEvery  = 5 * time.Second        // this is
	retryEvery = 30 * time.Second       // after an error
	lookEvery  = 10 * time.Second       // whether the clock is right by now
	slack      = 64 << 10               // bytes in the file that nobody needs any more, besides as many as somebody does
	mostRead   = 256 << 20              // a file that is larger is none of ours
)

// load reads what an earlier run has left. A file that is not whole stays beside the new one: perhaps it is none of ours.
func (b *Backlog) load() {
	path := b.file.path
	data, err := read(path)
	switch {
	case err == nil:
		b.take(data)
	case !errors.Is(err, fs.ErrNotExist):
		b.cfg.Log.Error("the backlog's file cannot be read: what waits in it is not sent", "error", err)
		b.file.rewrite = true
	}
	if b.file.rewrite {
		os.Remove(path + ".damaged")
		os.Link(path, path+".damaged") // a disk that cannot do that is no reason not to go on
	}
	nudge(b.work)
}

// take takes what the file holds.
func (b *Backlog) take(data []byte) {
	j := b.file
	j.exists, j.size = true, len(data)
	topics := map[string]string{} // each is held once
	once := func(s string) string {
		if _, ok := topics[s]; !ok {
			topics[s] = s
		}
		return topics[s]
	}
	damaged := 0
	for line := range bytes.Lines(data) {
		text, whole := bytes.CutSuffix(line, []byte("\n"))
		e, ok := parseLine(string(text))
		switch {
		case !ok || !whole:
			damaged++
		case e.topic == "":
			b.last = max(b.last, e.n)
			for b.head < len(b.queue) && b.queue[b.head].n <= e.n {
				b.pop()
			}
			b.done = max(b.done, e.n)
		case e.n > b.last && e.n > b.done:
			b.last = e.n
			e.topic, e.boot = once(e.topic), once(e.boot)
			if e.wall == 0 && e.boot == b.boot {
				b.vague++
			}
			b.push(e)
		}
	}
	b.noted = b.done
	j.written, b.dropped = b.last, 0
	if damaged > 0 {
		b.cfg.Log.Error("the backlog's file is damaged: what was in the lines that are is not sent, the rest is; it is kept beside the new one",
			"file", j.path+".damaged", "lines", damaged, "waiting", len(b.queue)-b.head)
		j.rewrite = true
	} else if n := len(b.queue) - b.head; n > 0 {
		b.cfg.Log.Info("messages of an earlier run wait to be sent late", "waiting", n)
	}
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostRead+1))
	if err == nil && len(data) > mostRead {
		err = fmt.Errorf("%s is far too large", path)
	}
	return data, err
}

// Run writes the file until ctx ends, and then makes it sure. It blocks as long as the disk does, and returns nil.
func (b *Backlog) Run(ctx context.Context) error {
	if b.file == nil {
		<-ctx.Done()
		return nil
	}
	for {
		timer := time.NewTimer(b.due())
		select {
		case <-ctx.Done():
			timer.Stop()
			b.write(true)
			b.file.close()
			return nil
		case <-b.work:
			pause(ctx, writeEvery)
		case <-timer.C:
		}
		timer.Stop()
		b.write(false)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// due gives how long nothing is to be done though nobody asks.
func (b *Backlog) due() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return retryEvery
	case b.file.unsure(b.head == len(b.queue)):
		return max(0, syncEvery-time.Since(b.file.synced))
	case b.vague > 0:
		return lookEvery
	}
	return time.Hour
}

// write brings the file up to what waits. No time is too soon for the last one.
func (b *Backlog) write(last bool) {
	j, now := b.file, time.Now()
	next := batch{may: last || now.Sub(j.synced) >= syncEvery}
	b.mu.Lock()
	if b.err != nil && !last && now.Sub(j.tried) < retryEvery {
		b.mu.Unlock()
		return
	}
	if b.vague > 0 && clock.Synchronised() {
		b.settle()
		j.rewrite = true
	}
	next.waits, next.done, next.news, next.empty = b.queue[b.head:], b.done, b.done > b.noted, b.head == len(b.queue)
	next.anew = next.may && (j.rewrite || j.size > 2*b.bytes+slack)
	if !next.anew {
		from, _ := slices.BinarySearchFunc(next.waits, j.written+1, func(e entry, n uint64) int { return cmp.Compare(e.n, n) })
		next.waits = next.waits[from:]
	}
	next.waits = slices.Clone(next.waits)
	b.busy = now
	b.mu.Unlock()

	err := j.bring(&next, now)

	b.mu.Lock()
	was := b.err
	b.err, b.busy = err, time.Time{}
	if err == nil {
		b.noted = max(b.noted, next.done)
	}
	b.mu.Unlock()
	nudge(b.room)
	switch {
	case err != nil && was == nil:
		b.cfg.Tell(b.Trouble())
	case err == nil && was != nil:
		b.cfg.Log.Info("the backlog's file is written again", "file", j.path)
		b.cfg.Tell("")
	}
}

// settle gives all of this boot their time on the wall, which is known now.
func (b *Backlog) settle() {
	for i := b.head; i < len(b.queue); i++ {
		if e := &b.queue[i]; e.wall == 0 && e.boot == b.boot {
			if at, ok := clock.Wall(clock.FromBoot(e.up)); ok {
				e.wall = at.UnixMilli()
				b.vague--
			}
		}
	}
}

// Trouble says what is wrong, for people; empty: nothing.
func (b *Backlog) Trouble() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		return ""
	}
	return fmt.Sprintf("the backlog's file cannot be written, and what waits there would be lost with a restart: %v", b.err)
}
