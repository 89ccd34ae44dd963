// Package near finds the name that somebody probably meant.
package near

import (
	"iter"
	"strings"
)

// Of gives the candidate that is closest to word, or the empty string if none is close: one typing error per three letters,
// two at least for words of four letters and more.
func Of(word string, candidates iter.Seq[string]) (best string) {
	if len(word) > 64 {
		return ""
	}
	word = strings.ToLower(word)
	least := max(1, len(word)/3)
	if len(word) >= 4 {
		least = max(2, least)
	}
	least++
	for c := range candidates {
		d := distance(word, strings.ToLower(c))
		if d < least || d == least && best != "" && c < best {
			best, least = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that make b of a (optimal string alignment).
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
