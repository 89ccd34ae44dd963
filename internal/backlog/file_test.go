package backlog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/internal/disk/disktest"
)

// Over clean stops, everything is sent once, in order, and in the end there is no file.
func TestRestarts(t *testing.T) {
	path := t.TempDir() + "/backlog"
	rnd := rand.New(rand.NewPCG(1, 2))
	next, want := 0, 0
	for run := range 200 {
		b := New(Config{File: path})
		after := uint64(0)
		for range rnd.IntN(5) {
			for range rnd.IntN(20) {
				b.Add(numbered(next))
				next++
			}
			if rnd.IntN(2) == 0 {
				b.write(false)
			}
			var got []int
			got, after = sent(t, b, after, rnd.IntN(25))
			if !slices.Equal(got, from(want, want+len(got)-1)) {
				t.Fatalf("run %d: got %v, want them from %d on", run, got, want)
			}
			want += len(got)
			b.Done(after)
		}
		b.write(true)
		if waits, _ := b.Counts(); waits != next-want {
			t.Fatalf("run %d: %d wait, want %d", run, waits, next-want)
		}
		if _, err := os.Stat(path); (err == nil) != (next > want) {
			t.Fatalf("run %d: %d wait, and the file: %v", run, next-want, err)
		}
	}
	if want < 1000 {
		t.Errorf("only %d were sent", want)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		t.Error(err)
	}
}

// written gives the file of some that wait, and some that are done.
func written(t *testing.T) (data []byte, b *Backlog) {
	t.Helper()
	path := t.TempDir() + "/backlog"
	b = New(Config{File: path, Boot: "one"})
	for n := range 12 {
		b.Add(numbered(n))
		b.write(false)
		if n == 5 || n == 8 {
			b.Done(uint64(n - 2))
		}
	}
	b.write(true)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data, b
}

// A file that is not whole gives what is whole in it, and nothing else: each prefix, each flipped bit, and whatever else disks make
// of files.
func TestDamaged(t *testing.T) {
	data, whole := written(t)
	all := whole.queue[whole.head:]
	lines := bytes.Count(data, []byte("\n"))
	if lines != 14 {
		t.Fatalf("%d lines, want 12 entries and 2 that some are done:\n%s", lines, data)
	}
	check := func(what string, damaged []byte, most int) *Backlog {
		t.Helper()
		b := New(Config{Boot: "one"})
		b.file = &journal{}
		b.take(damaged)
		last, lost := uint64(0), len(all)
		for _, e := range b.queue[b.head:] {
			i := slices.IndexFunc(all, func(o entry) bool { return o.n == e.n })
			switch {
			case i >= 0 && all[i] == e:
				lost--
			case e.n <= whole.done && e.body == numbered(int(e.n-1)).Body: // that it was sent is lost
			default:
				t.Fatalf("%s: gives %+v", what, e)
			}
			if e.n <= last {
				t.Fatalf("%s: %d comes after %d", what, e.n, last)
			}
			last = e.n
		}
		if lost > most {
			t.Fatalf("%s: %d entries are lost, want %d at most", what, lost, most)
		}
		return b
	}
	if b := check("whole", data, 0); b.file.rewrite || b.done != whole.done || b.last != whole.last {
		t.Errorf("the whole one is not taken for one: %+v", b.file)
	}
	for n := range data {
		rest := bytes.Count(data[n:], []byte("\n"))
		b := check(fmt.Sprintf("the first %d bytes", n), data[:n], rest)
		if torn := n > 0 && data[n-1] != '\n'; b.file.rewrite != torn {
			t.Fatalf("the first %d bytes: written anew: %v, want %v", n, b.file.rewrite, torn)
		}
		zeroed := bytes.Clone(data)
		clear(zeroed[n:])
		check(fmt.Sprintf("zeroed from byte %d on", n), zeroed, rest)
		for bit := range 8 {
			flipped := bytes.Clone(data)
			flipped[n] ^= 1 << bit
			most := 1
			if data[n] == '\n' {
				most = 2
			}
			if b := check(fmt.Sprintf("bit %d of byte %d", bit, n), flipped, most); !b.file.rewrite {
				t.Fatalf("bit %d of byte %d is not seen", bit, n)
			}
		}
	}
	for range 2000 { // any bytes in any place
		garbage := bytes.Clone(data)
		at := rand.IntN(len(garbage))
		for i := at; i < min(len(garbage), at+1+rand.IntN(200)); i++ {
			garbage[i] = byte(rand.Uint32())
		}
		check("garbage", garbage, len(all))
	}
	twice := append(bytes.Clone(data), data...)
	if b := check("twice", twice, 0); len(b.queue)-b.head != len(all) {
		t.Errorf("twice: %d entries", len(b.queue)-b.head)
	}
}

// A damaged file is told once, and mended.
func TestMended(t *testing.T) {
	data, _ := written(t)
	data[len(data)-3] ^= 1
	path := t.TempDir() + "/backlog"
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cfg := Config{File: path, Log: slog.New(slog.NewTextHandler(&log, nil))}
	b := New(cfg)
	b.Add(numbered(12))
	b.write(false)
	if n := strings.Count(log.String(), "lines=1"); n != 1 {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
	if old, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(old, data) {
		t.Errorf("the damaged one is not kept: %v", err)
	}
	log.Reset()
	b = New(cfg)
	if got, _ := sent(t, b, 0, 100); !slices.Equal(got, append(from(6, 10), 12)) {
		t.Errorf("got %v, want all but the damaged one", got)
	}
	if strings.Contains(log.String(), "damaged") {
		t.Errorf("it is not mended:\n%s", log.String())
	}
}

// A file that is none of ours is not lost, whatever the configuration says.
func TestNotOurs(t *testing.T) {
	path := t.TempDir() + "/diary"
	const text = "Dear diary,\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	New(Config{File: path}).write(true)
	if got, err := os.ReadFile(path + ".damaged"); err != nil || string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
}

// An operation that fails, once or for a while, loses nothing and holds up nothing; it is told once, and mended by the next write.
func TestFaults(t *testing.T) {
	for at := range 40 {
		for _, lasts := range []int{1, 3, 1000} {
			path := t.TempDir() + "/backlog"
			var told []string
			b := New(Config{File: path, Tell: func(text string) { told = append(told, text) }})
			n, failed, room := 0, "", false
			b.file.disk = &disktest.Faulty{Fails: func(what string) error {
				if what == "close" { // by then all that matters is synced
					return nil
				}
				n++
				if n > at && n <= at+lasts && !room {
					failed = what
					return syscall.ENOSPC
				}
				return nil
			}}
			next, want, after := 0, 0, uint64(0)
			for range 10 {
				for range 4 {
					b.Add(numbered(next))
					next++
				}
				b.write(true)
				var got []int
				got, after = sent(t, b, after, 2)
				b.Done(after)
				if !slices.Equal(got, from(want, want+1)) {
					t.Fatalf("operation %d (%s): got %v, want 2 from %d on", at, failed, got, want)
				}
				want += 2
			}
			room = true
			b.write(true)
			if b.Trouble() != "" {
				t.Errorf("operation %d (%s): there is still trouble: %s", at, failed, b.Trouble())
			}
			if failed != "" && (len(told) != 2 || !strings.Contains(told[0], "no space left") || told[1] != "") || failed == "" && len(told) > 0 {
				t.Errorf("operation %d (%s): told %q", at, failed, told)
			}
			again := New(Config{File: path})
			if got, _ := sent(t, again, 0, 100); !slices.Equal(got, from(want, next-1)) {
				t.Errorf("operation %d (%s), after a restart: got %v, want %d to %d", at, failed, got, want, next-1)
			}
			if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
				t.Errorf("operation %d (%s) leaves %v", at, failed, files)
			}
		}
	}
}

// The disk is made to write every 5 s at most, and not at all while nothing comes.
func TestWritesRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := made{boot: time.Hour, synchronised: true}
		m.use(t)
		path := t.TempDir() + "/backlog"
		b := New(Config{File: path})
		var moments []time.Time
		b.file.disk = &disktest.Faulty{Fails: func(what string) error {
			if what == "sync" && (len(moments) == 0 || !moments[len(moments)-1].Equal(time.Now())) {
				moments = append(moments, time.Now())
			}
			return nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { b.Run(ctx); close(done) }()
		spans := func(what string, most int) {
			t.Helper()
			synctest.Wait()
			for i := 1; i < len(moments); i++ {
				if d := moments[i].Sub(moments[i-1]); d < syncEvery {
					t.Errorf("%s: %v between two", what, d)
				}
			}
			if n := len(moments); n > most || most > 0 && n == 0 {
				t.Errorf("%s: made to write %d times, want %d at most", what, n, most)
			}
			moments = nil
		}
		time.Sleep(time.Hour)
		spans("nothing", 0)
		if _, err := os.Stat(path); err == nil {
			t.Error("there is a file, and nothing was ever kept")
		}
		n := 0
		for range 120 { // an hour of readings, two at a time
			b.Add(numbered(n))
			b.Add(numbered(n + 1))
			n += 2
			time.Sleep(30 * time.Second)
		}
		spans("a reading each 30 s", 121)
		for range 6000 {
			b.Add(numbered(n))
			n++
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		spans("100 a second for a minute", 14)
		time.Sleep(time.Hour)
		spans("nothing again", 0)
		after, start := uint64(0), time.Now()
		for waits := 1; waits > 0; waits, _ = b.Counts() {
			_, after = sent(t, b, after, 8)
			b.Done(after)
			time.Sleep(time.Millisecond)
			if time.Since(start) > time.Minute {
				t.Fatal("what waits cannot be sent")
			}
		}
		took := time.Since(start)
		time.Sleep(time.Minute)
		spans("all is sent", 2+int(took/syncEvery))
		if _, err := os.Stat(path); err == nil {
			t.Error("all was sent, and there still is a file")
		}
		stop()
		<-done
		t.Logf("%d sent in %v", n, took)
	})
}

// A file that grows by what nobody needs any more is written anew.
func TestSize(t *testing.T) {
	path := t.TempDir() + "/backlog"
	b := New(Config{File: path, Most: 100})
	largest := int64(0)
	for n := range 10000 {
		b.Add(numbered(n))
		if n%100 == 0 {
			b.file.synced = time.Time{} // 5 s have gone by
			b.write(false)
			if info, err := os.Stat(path); err == nil {
				largest = max(largest, info.Size())
			}
		}
	}
	if largest > 100<<10 {
		t.Errorf("%d bytes for 100 entries", largest)
	}
}

// A disk that does not come back holds up what is sent for 10 s, and no longer.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Config{File: t.TempDir() + "/backlog"})
		release := make(chan struct{})
		b.file.disk = &disktest.Faulty{Fails: func(string) error { <-release; return nil }}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { b.Run(ctx); close(done) }()
		for n := range 3000 {
			b.Add(numbered(n))
		}
		synctest.Wait()
		got, after := sent(t, b, 0, 5000)
		if len(got) != 2*portion {
			t.Errorf("%d are sent before the file knows of one, want %d", len(got), 2*portion)
		}
		time.Sleep(patience + writeEvery)
		if got, _ := sent(t, b, after, 5000); len(got) != 3000-2*portion {
			t.Errorf("%d are sent when the disk hangs", len(got))
		}
		stop()
		close(release)
		<-done
	})
}

func FuzzParseLine(f *testing.F) {
	e := entry{n: 7, topic: "shed/attic/late", body: `"value":21.5`, boot: "0123abcd", up: time.Hour, wall: 1}
	f.Add(strings.TrimSuffix(string(appendEntry(nil, &e)), "\n"))
	f.Add(strings.TrimSuffix(string(appendDone(nil, 12)), "\n"))
	f.Add("00000000 ")
	f.Fuzz(func(t *testing.T, line string) {
		e, ok := parseLine(line)
		if !ok {
			return
		}
		again := appendDone(nil, e.n)
		if e.topic != "" {
			again = appendEntry(nil, &e)
		}
		if got, ok := parseLine(strings.TrimSuffix(string(again), "\n")); !ok || got != e {
			t.Errorf("%q gives %+v, which gives %q", line, e, again)
		}
	})
}
