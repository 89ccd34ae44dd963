package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"gatewayd/gpio"
)

// docs/expanders.md has every type, with its addresses and the first and last of its lines.
func TestExpandersPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/expanders.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(string(page), "\n")
	for _, kind := range gpio.Expanders() {
		name := "`" + strings.ToLower(kind.Name) + "`"
		found := false
		for _, row := range rows {
			if cells := strings.Split(row, "|"); !found && len(cells) == 8 && strings.Contains(cells[1], name) {
				found = true
				addrs := fmt.Sprintf("0x%02x to 0x%02x", kind.First, kind.Last)
				if strings.TrimSpace(cells[3]) != addrs {
					t.Errorf("%s: %q, want %s", name, cells[3], addrs)
				}
				for _, o := range []uint32{0, 7, uint32(kind.Lines - 1)} {
					if line := kind.LineName(o); !strings.Contains(cells[2], line) {
						t.Errorf("%s: %q has no %s", name, cells[2], line)
					}
				}
				up, none := gpio.LineConfig{Pull: gpio.PullUp}, gpio.LineConfig{Pull: gpio.PullNone}
				_, noUp := kind.Refuse(&up, "")
				_, noNone := kind.Refuse(&none, "")
				want := map[[2]bool]string{{true, false}: "none", {false, true}: "always", {false, false}: "`up` or `none`"}[[2]bool{noUp != "", noNone != ""}]
				if !strings.HasPrefix(strings.TrimSpace(cells[4]), want) {
					t.Errorf("%s: pull-ups %q, want %q", name, cells[4], want)
				}
			}
		}
		if !found {
			t.Errorf("docs/expanders.md has no %s", name)
		}
	}
}
