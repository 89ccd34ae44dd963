package near

import (
	"slices"
	"strings"
	"testing"
)

// FuzzOf compares anything: what is found is one of those that there are, and a name finds itself.
func FuzzOf(f *testing.F) {
	f.Add("l01_buton", "l01_button", "l02")
	f.Add("İ", "i", "\xff")
	f.Fuzz(func(t *testing.T, word, a, b string) {
		known := []string{a, b}
		got := Of(word, slices.Values(known))
		if got != "" && !slices.Contains(known, got) {
			t.Errorf("Of(%q) of %q: %q", word, known, got)
		}
		if strings.TrimSpace(a) == a && 2 <= len(a) && len(a) <= longest && Of(a, slices.Values(known)) == "" {
			t.Errorf("%q is not near itself", a)
		}
	})
}
