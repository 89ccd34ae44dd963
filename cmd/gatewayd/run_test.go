package main

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestTell(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Skipf("no sockets of systemd's kind here: %v", err)
	}
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	tell("STATUS=the broker says no\nSTOPPING=1\r\x1b[2J, für immer")
	b := make([]byte, 200)
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.Read(b)
	if want := "STATUS=the broker says no?STOPPING=1??[2J, für immer"; string(b[:n]) != want || err != nil {
		t.Errorf("got %q, %v, want %q", b[:n], err, want)
	}
}

func TestNoConfiguration(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "c.yaml")
	_, err := load(missing)
	want := "there is no configuration " + missing + ": copy config.example.yaml there and write into it what is wired, or name another file with -c"
	if err == nil || !errors.Is(err, errConfig) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if _, err = load(dir); !errors.Is(err, errConfig) {
		t.Errorf("a folder: %v", err)
	}
}
