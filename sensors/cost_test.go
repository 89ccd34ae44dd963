package sensors

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// transfer is how many bytes one writes, and then reads.
type transfer struct{ written, read int }

// cost is what a reading may cost a bus that works. Each driver's test enters its own.
type cost struct {
	each  []transfer // of a measurement that is not the first
	least []transfer // what the data sheet needs for the same quantities; nil: the same
	why   string     // what the rest is for
}

var costs = map[string]cost{}

// bits are START, address, bytes and STOP.
func (t transfer) bits() int {
	bits := 1
	for _, n := range []int{t.written, t.read} {
		if n > 0 {
			bits += 1 + 9 + 9*n
		}
	}
	return bits
}

// onTheWire gives bytes beside addresses, and the time at 100 kHz.
func onTheWire(all []transfer) (bytes int, at100k time.Duration) {
	for _, t := range all {
		bytes += t.written + t.read
		at100k += time.Duration(t.bits()) * 10 * time.Microsecond
	}
	return bytes, at100k
}

// meter counts transfers.
type meter struct {
	i2c.Bus
	seen []transfer
}

func (m *meter) Tx(addr uint16, w, r []byte) error {
	m.seen = append(m.seen, transfer{len(w), len(r)})
	return m.Bus.Tx(addr, w, r)
}

// TestCost counts what a reading of each driver costs, and keeps the table of docs/measured.md true: -update writes it.
func TestCost(t *testing.T) {
	rows := []string{
		"| type | transfers | bytes | at 100 kHz | least: transfers | bytes | at 100 kHz | what the rest is for |",
		"| --- | --- | --- | --- | --- | --- | --- | --- |",
	}
	for _, d := range Drivers() {
		part := parts[d.Name]
		if part == nil {
			continue // TestHostileBus complains where that is wrong
		}
		var seen []transfer
		synctest.Test(t, func(t *testing.T) {
			m := &meter{Bus: part()}
			s, err := d.Open(optionsFor(d, m, partSettings[d.Name]))
			for told, tries := 0, 0; told < 2 && err == nil && tries < 100; tries++ {
				m.seen = nil
				if _, err = s.Measure(t.Context()); err == nil {
					told++
				} else if errors.Is(err, ErrNotReady) {
					err = nil
					time.Sleep(d.Every)
				}
			}
			if err != nil {
				t.Errorf("%s: %v", d.Name, err)
			}
			seen = m.seen
		})
		want, known := costs[d.Name]
		if !known {
			t.Errorf("%s: nobody said what a reading may cost: its test must enter it in costs (seen here: %+v)", d.Name, seen)
			continue
		}
		if !slices.Equal(seen, want.each) {
			t.Errorf("%s: a reading took the transfers %+v, want %+v", d.Name, seen, want.each)
		}
		least := want.least
		if least == nil {
			least = want.each
		}
		bytes, wire := onTheWire(seen)
		leastBytes, leastWire := onTheWire(least)
		if leastWire > wire {
			t.Errorf("%s: takes less than the least", d.Name)
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %d | %d | %.2f ms | %d | %d | %.2f ms | %s |",
			d.Name, len(seen), bytes, wire.Seconds()*1000, len(least), leastBytes, leastWire.Seconds()*1000, want.why))
	}
	table := strings.Join(rows, "\n") + "\n"
	t.Log("\n" + table)
	const page = "../docs/measured.md"
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)(<!-- TestCost of sensors writes this table -->\n\n).*?\n(\n<!-- until here -->)`)
	text := part.ReplaceAllString(string(old), "${1}"+table+"${2}")
	switch {
	case !part.Match(old):
		t.Errorf("%s has no place for the table", page)
	case text == string(old):
	case *update:
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s has another table: go test ./sensors -run TestCost -update", page)
	}
}
