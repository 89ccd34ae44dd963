package gpio

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// A small Pi that has run for weeks may have no 48 KiB in one piece: fewer edges are kept then. An output needs no buffer.
func TestCharLineBuffer(t *testing.T) {
	for _, test := range []struct {
		name   string
		output bool
		room   uint32 // the largest buffer that there is memory for
		want   []uint32
		err    error
	}{
		{"plenty", false, 1024, []uint32{1024}, nil},
		{"little", false, 100, []uint32{1024, 256, 64}, nil},
		{"none", false, 0, []uint32{1024, 256, 64, 16}, unix.ENOMEM},
		{"output", true, 1024, []uint32{0}, nil},
	} {
		var got []uint32
		c := &charDev{getLine: func(_ uintptr, r *uapi.LineRequest) error {
			if got = append(got, r.EventBufferSize); r.EventBufferSize > test.room || test.room == 0 {
				return unix.ENOMEM
			}
			return nil
		}}
		l := &charLine{chip: c, config: LineConfig{Output: test.output}}
		if err := l.get(uapi.LineConfig{}); !errors.Is(err, test.err) || err != nil && test.err == nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: asked for %v, %v, want %v, %v", test.name, got, err, test.want, test.err)
		}
	}
}

// A chip that refuses an input does so for debounce, for the pull, or for something else: the pull is blamed only if it works without.
func TestCharLineInputRefused(t *testing.T) {
	debounce := func(c *uapi.LineConfig) bool { return c.NumAttrs > 0 }
	pull := func(c *uapi.LineConfig) bool { return c.Flags&uapi.LineFlagV2BiasMask != 0 }
	for _, test := range []struct {
		name    string
		refuses func(*uapi.LineConfig) bool
		blamed  bool
		err     error
	}{
		{"nothing", func(*uapi.LineConfig) bool { return false }, false, nil},
		{"debounce", debounce, false, nil},
		{"the pull", pull, true, unix.EINVAL},
		{"everything", func(*uapi.LineConfig) bool { return true }, false, unix.EINVAL},
	} {
		l := &charLine{config: LineConfig{Pull: PullUp, Debounce: time.Millisecond}}
		err := l.input(true, func(c uapi.LineConfig) error {
			if test.refuses(&c) {
				return unix.EINVAL
			}
			return nil
		})
		if blamed := err != nil && strings.Contains(err.Error(), "pull:"); !errors.Is(err, test.err) || (err == nil) != (test.err == nil) || blamed != test.blamed {
			t.Errorf("refuses %s: %v, want %v, the pull blamed: %v", test.name, err, test.err, test.blamed)
		}
	}
}
