package near

import (
	"slices"
	"testing"
)

func TestOf(t *testing.T) {
	names := []string{"line", "label", "debounce", "pull", "l01", "l02"}
	for _, c := range []struct{ word, want string }{
		{"lin", "line"}, {"lien", "line"}, {"Debounse", "debounce"}, {"pul", "pull"}, {"l1", "l01"}, {"L01", "l01"},
		{"banana", ""}, {"", ""}, {"x", ""},
	} {
		if got := Of(c.word, slices.Values(names)); got != c.want {
			t.Errorf("Of(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}
