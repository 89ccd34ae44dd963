package bridge

import (
	"slices"
	"testing"
)

func TestJinja(t *testing.T) {
	for _, c := range [][2]string{
		{"online", `'online'`},
		{"o'n", `'o\'n'`},
		{`o"n`, `'o"n'`},
		{`\`, `'\\'`},
		{`\'`, `'\\\''`},
		{"a\nb\x7f", `'a\x0ab\x7f'`},
		{"an–aus 🙂", `'an–aus 🙂'`},
		{"}}", `'}}'`},
	} {
		got := jinja(c[0])
		if got != c[1] {
			t.Errorf("%q: got %s, want %s", c[0], got, c[1])
		}
		if read, err := lexTemplate("{{ " + got + " }}"); err != nil || !slices.Equal(read, []string{c[0]}) {
			t.Errorf("%q: got %q back, %v", c[0], read, err)
		}
	}
}
