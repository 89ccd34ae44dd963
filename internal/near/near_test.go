package near

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	names := []string{"line", "label", "debounce", "pull", "l01", "l02"}
	if got := Of(strings.Repeat("\xff", longest), slices.Values([]string{strings.Repeat("\xff", longest)})); got == "" {
		t.Error("the longest word is not found")
	}
	for _, c := range []struct{ word, want string }{
		{"lin", "line"}, {"lien", "line"}, {"Debounse", "debounce"}, {"pul", "pull"}, {"l1", "l01"}, {"L01", "l01"},
		{"banana", ""}, {"", ""}, {"x", ""},
	} {
		if got := Of(c.word, slices.Values(names)); got != c.want {
			t.Errorf("Of(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}

// simple is the distance by its definition, without any short cut.
func simple(a, b string) int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
		for j := range table[i] {
			switch {
			case i == 0 || j == 0:
				table[i][j] = i + j
			case a[i-1] == b[j-1]:
				table[i][j] = table[i-1][j-1]
			default:
				table[i][j] = 1 + min(table[i-1][j-1], table[i-1][j], table[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				table[i][j] = min(table[i][j], table[i-2][j-2]+1)
			}
		}
	}
	return table[len(a)][len(b)]
}

// TestDistance compares random words of few letters, so that many are close.
func TestDistance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := make([]byte, r.IntN(9))
		for i := range b {
			b[i] = "abc"[r.IntN(3)]
		}
		return string(b)
	}
	var buffer rows
	for range 200_000 {
		a, b, limit := word(), word(), r.IntN(4)
		if got, want := buffer.distance(a, b, limit), min(simple(a, b), limit+1); got != want {
			t.Fatalf("distance(%q, %q, %d) = %d, want %d", a, b, limit, got, want)
		}
	}
}

// thousand are names as a large house has them.
func thousand() []string {
	var all []string
	for i := range 1000 {
		all = append(all, fmt.Sprintf("ground_floor_living_room_light_%03d", i))
	}
	return all
}

// TestOfIsQuick counts allocations: the search runs between two commands.
func TestOfIsQuick(t *testing.T) {
	names := thousand()
	if n := testing.AllocsPerRun(10, func() { Of("ground_floor_livin_room_light_999x", slices.Values(names)) }); n > 10 {
		t.Errorf("%.0f allocations for 1000 candidates, want a few at most", n)
	}
}

func BenchmarkOf(b *testing.B) {
	names := thousand()
	for _, word := range []string{"ground_floor_livin_room_light_500", "upper_floor_sleeping_room_lght_500", "x"} {
		b.Run(word, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Of(word, slices.Values(names))
			}
		})
	}
}
