package backlog

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lives is a gateway's life as a child process: readings come, the broker takes some of them, the file is written. Each step is told
// before or after it is taken, so that whoever reads it knows what must be so.
func lives(path string, first int) {
	b := New(Config{File: path})
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", args...) // unbuffered
	}
	go func() {
		for last := uint64(0); ; time.Sleep(time.Millisecond) {
			b.write(false)
			if n := b.file.written; n > last {
				last = n
				say("written %d", n)
			}
		}
	}()
	go func() {
		after, open := uint64(0), 0
		for {
			n, _, payload, ok := b.Next(after)
			if !ok || open == 20 || rand.IntN(20) == 0 { // acknowledged, or the connection was lost
				if rand.IntN(3) > 0 {
					b.Done(after)
				}
				after, open = 0, 0
				continue
			}
			var v int
			fmt.Sscanf(string(payload), `{"value":%d,`, &v)
			say("sent %d", v)
			after, open = n, open+1
		}
	}()
	for v := first; ; v++ {
		say("measured %d", v)
		b.mu.Lock()
		n := b.last + 1
		b.mu.Unlock()
		say("number %d is %d", n, v)
		b.Add(numbered(v))
		time.Sleep(50 * time.Microsecond)
	}
}

// A process that is killed at any moment, 50 times in a row, has all that was in the file sent: what is lost came after the last
// write of that run. What was sent before is not sent again but for the last portions.
func TestKilled(t *testing.T) {
	if path := os.Getenv("BACKLOG_TEST_LIVES"); path != "" {
		var first int
		fmt.Sscan(os.Getenv("BACKLOG_TEST_FIRST"), &first)
		lives(path, first)
	}
	kills := 50
	if testing.Short() {
		kills = 10
	}
	path := filepath.Join(t.TempDir(), "backlog")
	next, lost, again := 0, 0, 0
	times := map[int]int{} // how often each was sent
	promised := map[int]bool{}
	for range kills {
		child := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		child.Env = append(os.Environ(), "BACKLOG_TEST_LIVES="+path, fmt.Sprintf("BACKLOG_TEST_FIRST=%d", next))
		pipe, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var once sync.Once
		value := map[uint64]int{}
		sentNow := map[int]bool{}
		for in := bufio.NewReader(pipe); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				break
			}
			once.Do(func() { // it is at work; its start takes longer than it may live
				time.AfterFunc(time.Duration(rand.IntN(150000))*time.Microsecond, func() { child.Process.Kill() })
			})
			var n uint64
			var v int
			switch line = strings.TrimSpace(line); {
			case scan(line, "measured %d", &v):
				next = v + 1
			case scan(line, "number %d is %d", &n, &v):
				value[n] = v
			case scan(line, "sent %d", &v):
				if times[v] > 0 && !sentNow[v] {
					again++
				}
				times[v]++
				sentNow[v] = true
			case scan(line, "written %d", &n):
				for at := range value {
					if at <= n {
						promised[value[at]] = true
						delete(value, at)
					}
				}
			}
		}
		child.Wait()
		lost += len(value)
	}
	b := New(Config{File: path})
	for {
		values, after := sent(t, b, 0, 100)
		if len(values) == 0 {
			break
		}
		for _, v := range values {
			if times[v] > 0 {
				again++
			}
			times[v]++
		}
		b.Done(after)
		b.write(true)
	}
	for v := range promised {
		if times[v] == 0 {
			t.Errorf("%d was in the file, and is lost", v)
		}
	}
	for v := range times {
		if v >= next {
			t.Errorf("%d was sent, and never measured", v)
		}
	}
	if most := (kills + 1) * (2*portion + 20); again > most {
		t.Errorf("%d were sent again, want %d at most", again, most)
	}
	t.Logf("%d kills, %d measured, %d of them in the last moment before one, %d sent again", kills, next, lost, again)
}

func scan(line, format string, args ...any) bool {
	n, err := fmt.Sscanf(line, format, args...)
	return err == nil && n == len(args)
}
