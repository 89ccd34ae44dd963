// Package near finds the name that somebody probably meant.
package near

import (
	"iter"
	"strings"
)

// Of gives the candidate that word was most likely meant to be, or the empty string if none is close: one typing error per three
// letters, three at most. Case, and whether words are joined by - or _, do not matter.
func Of(word string, candidates iter.Seq[string]) (best string) {
	if len(word) > longest {
		return ""
	}
	word = plain(strings.TrimSpace(word))
	limit := min(max(1, len(word)/3), 3)
	if len(word) < 2 {
		limit = 0
	}
	least := limit + 1
	for c := range candidates {
		if len(c) > longest {
			continue
		}
		if d := distance(word, plain(c)); d < least || d == least && best != "" && c < best {
			best, least = c, d
		}
	}
	return best
}

// longest is how long words may be, since comparing takes as many steps as the product of their lengths.
const longest = 64

func plain(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

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
