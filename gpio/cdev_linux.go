package gpio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// charDev is one chip of the kernel's GPIO character device, version 2 of its interface (Linux 5.10).
// Each line is a request of its own: a shared one takes at most ten attributes, and one busy line would fail all. But for two lines that
// are together, as the order of edges is kept within a request only.
type charDev struct {
	path  string
	label string
	size  uint32 // how many lines the chip has
	fd    int

	getLine func(fd uintptr, r *uapi.LineRequest) error // uapi.GetLine

	mu      sync.Mutex // guards the following; Watch's readers never take it
	closed  bool
	claimed map[uint32]*charLine
	stop    context.CancelCauseFunc // ends Watch with a cause; nil while none runs
	start   func(*charLine)         // starts a line's reader for Watch; nil while none runs, or while it ends
}

// OpenCharDev opens a chip of this machine. It blocks no longer than the look at each /dev/gpiochip* takes; the caller closes
// the Chip. The error names the remedy.
func OpenCharDev(which CharDev) (Chip, error) {
	if which.Device != "" {
		c, err := openChip(which.Device)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	if len(which.Labels) == 0 {
		return nil, errors.New("no GPIO chip is named: give its label or its device (gpiodetect lists them)")
	}
	// A chip's number moves between kernels; its label does not.
	paths, err := filepath.Glob("/dev/gpiochip*")
	if err != nil {
		return nil, fmt.Errorf("/dev/gpiochip*: %w", err)
	}
	if len(paths) == 0 {
		return nil, errors.New("no /dev/gpiochip* here: this is not a Raspberry Pi, or its kernel has no GPIO character device")
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	var best *charDev
	var found []string
	var failed error
	seen := map[uint64]bool{} // a Pi 5 has /dev/gpiochip4 as a second name of gpiochip0
	for _, path := range paths {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err == nil {
			if seen[uint64(st.Rdev)] {
				continue
			}
			seen[uint64(st.Rdev)] = true
		}
		c, err := openChip(path)
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		found = append(found, fmt.Sprintf("%s %q", path, c.label))
		if rank := slices.Index(which.Labels, c.label); rank < 0 {
			unix.Close(c.fd)
		} else if best == nil {
			best = c
		} else if r := slices.Index(which.Labels, best.label); rank < r || rank == r && c.size > best.size {
			unix.Close(best.fd)
			best = c
		} else {
			unix.Close(c.fd)
		}
	}
	switch {
	case best != nil:
		return best, nil
	case failed != nil:
		return nil, failed
	}
	return nil, fmt.Errorf("no GPIO chip has the label %s: here are %s: give one of these labels, or the device",
		strings.Join(which.Labels, " or "), strings.Join(found, ", "))
}

func openChip(path string) (*charDev, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EACCES):
		return nil, fmt.Errorf("%s: %w: the user must be in the group gpio (usermod -aG gpio USER, then log in again)", path, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w: is the chip there? (gpiodetect lists them)", path, err)
	}
	info, err := uapi.GetChipInfo(uintptr(fd))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w: not a GPIO chip", path, err)
	}
	if _, err := uapi.GetLineInfoV2(uintptr(fd), 0); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTTY) {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w: the kernel is too old, 5.10 or newer is needed", path, err)
	}
	return &charDev{path: path, label: unix.ByteSliceToString(info.Label[:]), size: info.Lines, fd: fd,
		getLine: uapi.GetLine, claimed: map[uint32]*charLine{}}, nil
}

// String names the chip, for the log.
func (c *charDev) String() string { return c.path + " " + strconv.Quote(c.label) }

// Claim implements Chip. A line that stays in its direction stays requested, whatever else changes of it: giving a line
// back and taking it again is a glitch, or lets another process take it. The errors do not say which line it is: Bank does.
func (c *charDev) Claim(lines []LineConfig) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := make([]error, len(lines))
	want := map[uint32]int{}
	for i := range lines {
		l := &lines[i]
		switch first, twice := want[l.Offset]; {
		case c.closed:
			errs[i] = os.ErrClosed
		case twice:
			errs[i] = fmt.Errorf("%q has this line already: choose another", lines[first].Name)
		case l.Offset >= c.size || l.Offset >= MaxLines:
			errs[i] = fmt.Errorf("the chip has only lines 0 to %d: choose another line", min(c.size, MaxLines)-1)
		default:
			want[l.Offset] = i
		}
	}
	for o, l := range c.claimed {
		if i, ok := want[o]; !ok || lines[i].Output != l.config.Output || l.apart(&lines[i]) {
			c.release(l)
		}
	}
	for i := range lines {
		if errs[i] != nil {
			continue
		}
		l := c.claimed[lines[i].Offset]
		if l != nil {
			if err := l.change(lines[i]); err != nil {
				c.isGone(err)
				c.release(l)
				errs[i] = err
			}
			continue
		}
		var with *LineConfig
		second := -1
		if lines[i].Together != "" {
			second = slices.IndexFunc(lines[i+1:], func(o LineConfig) bool { return o.Together == lines[i].Together })
		}
		if second >= 0 {
			if second += i + 1; errs[second] != nil {
				errs[i] = errs[second]
				continue
			}
			with = &lines[second]
		}
		l, err := c.request(lines[i], with)
		if err != nil {
			c.isGone(err)
			errs[i] = err
			if with != nil {
				errs[second] = err
			}
			continue
		}
		for _, of := range l.both() {
			c.claimed[of.offset] = of
		}
		if c.start != nil && !l.config.Output {
			c.start(l)
		}
	}
	if !slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return nil
	}
	return errs
}

// release gives the line back, with its mate. It waits for the line's reader to let go of the descriptor, which is at once.
func (c *charDev) release(l *charLine) {
	if c.claimed[l.offset] != l {
		return // with its mate
	}
	for _, of := range l.both() {
		delete(c.claimed, of.offset)
	}
	l.close()
}

// lineError says which of the chip's lines it is.
func (c *charDev) lineError(offset uint32, err error) error {
	return fmt.Errorf("%s line %d: %w", c.label, offset, err)
}

// isGone tells whether err says that the whole chip is gone. Watch has to hear of it here: a Linux 6.1 wakes nobody who waits
// for edges when a chip is taken away.
func (c *charDev) isGone(err error) bool {
	gone := errors.Is(err, unix.ENODEV)
	if gone && c.stop != nil {
		c.stop(c.goneError(err))
	}
	return gone
}

func (c *charDev) goneError(err error) error { return fmt.Errorf("%s: the chip is gone: %w", c, err) }

// Read implements Chip, with one call of the kernel per line. A line that alone cannot be read is not valid.
func (c *charDev) Read(mask Lines) (levels Levels, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return Levels{}, fmt.Errorf("%s: %w", c, os.ErrClosed)
	}
	var failed error
	for o := range mask.All() {
		l := c.claimed[o]
		if l == nil {
			continue
		}
		high, err := l.value(uintptr(l.fd))
		if c.isGone(err) {
			return Levels{}, c.goneError(err)
		}
		if err != nil {
			failed = cmp.Or(failed, c.lineError(o, err))
			continue
		}
		levels.Valid.Set(o, true)
		levels.High.Set(o, high)
	}
	if levels.Valid.Empty() && failed != nil {
		return Levels{}, failed // all of them: the chip does not answer
	}
	return levels, nil
}

// Write implements Chip, with one call of the kernel per line. The error joins those of the lines.
func (c *charDev) Write(mask, levels Lines) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fmt.Errorf("%s: %w", c, os.ErrClosed)
	}
	var failed []error
	for o := range mask.All() {
		l := c.claimed[o]
		if l == nil || !l.config.Output {
			continue
		}
		values := uapi.LineValues{Mask: 1}
		if levels.Has(o) {
			values.Bits = 1
		}
		err := uapi.SetLineValuesV2(uintptr(l.fd), values)
		if c.isGone(err) {
			return c.goneError(err)
		}
		if err != nil {
			failed = append(failed, c.lineError(o, err))
		}
	}
	return errors.Join(failed...)
}

// Close implements Chip. A released output keeps its level on Raspberry Pi OS; with dtparam=strict_gpiod, and on other
// kernels, it becomes an input. A Watch that still runs ends with os.ErrClosed.
func (c *charDev) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.stop != nil {
		c.stop(fmt.Errorf("%s: %w", c, os.ErrClosed))
	}
	for _, l := range c.claimed {
		c.release(l)
	}
	return os.NewSyscallError("close", unix.Close(c.fd))
}

// apart tells that a line is not together with the same one any more, or has to be asked for anew together with it.
func (l *charLine) apart(is *LineConfig) bool {
	was := &l.config
	return was.Together != is.Together || l.mate != nil && (was.Pull != is.Pull || was.Debounce != is.Debounce)
}
