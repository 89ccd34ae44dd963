package control

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"gatewayd/internal/i2csim/bus"
)

// Listen opens the control socket, in place of one that nobody serves.
func Listen(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s is served already", path)
	}
	os.Remove(path)
	return net.Listen("unix", path)
}

// Serve answers lines on the control socket. The answer to a line ends with a
// line "ok", or "error" and the reason.
func Serve(l net.Listener, b *bus.Bus) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serve(c, b)
	}
}

func serve(c net.Conn, b *bus.Bus) {
	defer c.Close()
	in := bufio.NewScanner(c)
	for in.Scan() {
		if strings.TrimSpace(in.Text()) == "watch" {
			watch(c, b)
			return
		}
		lines, err := Exec(b, in.Text())
		end := "ok"
		if err != nil {
			end = "error " + err.Error()
		}
		if _, err := io.WriteString(c, strings.Join(append(lines, end), "\n")+"\n"); err != nil {
			return
		}
	}
}

// watch sends the level of every pin, a line "watching", and then every change, until the other side closes.
func watch(c net.Conn, b *bus.Bus) {
	ch := make(chan bus.Change, 4096)
	stop := b.Watch(ch)
	defer stop()
	closed := make(chan struct{})
	go func() {
		io.Copy(io.Discard, c)
		close(closed)
	}()
	for _, p := range b.Pins() {
		if err := show(c, p); err != nil {
			return
		}
	}
	if _, err := fmt.Fprintln(c, "watching"); err != nil {
		return
	}
	for {
		select {
		case <-closed:
			return
		case p := <-ch:
			if err := show(c, p); err != nil {
				return
			}
		}
	}
}

func show(c net.Conn, p bus.Change) error {
	if p.Lost > 0 {
		if _, err := fmt.Fprintf(c, "lost %d\n", p.Lost); err != nil {
			return err
		}
	}
	level := "low"
	if p.High {
		level = "high"
	}
	_, err := fmt.Fprintf(c, "%d.%06d %s %s %s\n", p.Time.Unix(), p.Time.Nanosecond()/1000, p.Chip, p.Pin, level)
	return err
}

// Client sends lines to a control socket and writes the answers to w, each as
// it comes. It waits for the socket to appear as long as wait tells. A line
// "watch" is the last; it ends when the simulator does.
func Client(path string, wait time.Duration, lines []string, w io.Writer) error {
	c, err := dial(path, wait)
	if err != nil {
		return err
	}
	defer c.Close()
	in := bufio.NewScanner(c)
	for _, line := range lines {
		if _, err := fmt.Fprintln(c, line); err != nil {
			return err
		}
		for {
			if !in.Scan() {
				if line == "watch" {
					return in.Err()
				}
				return errors.Join(in.Err(), io.ErrUnexpectedEOF)
			}
			s := in.Text()
			if s == "ok" {
				break
			}
			if reason, ok := strings.CutPrefix(s, "error "); ok {
				return fmt.Errorf("%s: %s", line, reason)
			}
			fmt.Fprintln(w, s)
		}
	}
	return nil
}

func dial(path string, wait time.Duration) (net.Conn, error) {
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("unix", path)
		if err == nil || time.Now().After(end) {
			return c, err
		}
	}
}
