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
	var r rows
	least := limit + 1
	for c := range candidates {
		if len(c) > longest {
			continue
		}
		if d := r.distance(word, plain(c), min(least, limit)); d < least || d == least && best != "" && c < best {
			best, least = c, d
		}
	}
	return best
}

// longest is how long words may be, since comparing takes as many steps as the product of their lengths.
const longest = 64

func plain(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// rows are the current line of the table that distance fills, and the two before it. Small letters can take three bytes for one.
type rows [3][3*longest + 1]int

// distance counts the insertions, deletions, replacements and swaps of neighbours that make b of a (optimal string alignment).
// Where they are more than limit it stops as soon as that is certain, and gives limit+1.
func (r *rows) distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit { // each letter more or less is an error of its own
		return limit + 1
	}
	before, last, row := r[0][:len(b)+1], r[1][:len(b)+1], r[2][:len(b)+1]
	for j := range last {
		last[j] = j
	}
	lastLeast := 0
	for i := range len(a) {
		low, high := max(0, i-limit), min(len(b), i+limit+1) // elsewhere the lengths alone differ by more
		row[low] = limit + 1
		if low == 0 {
			row[0] = i + 1
		}
		least := row[low]
		for j := low; j < high; j++ {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			row[j+1] = d
			least = min(least, d)
		}
		if high < len(b) {
			row[high+1] = limit + 1
		}
		if least > limit && lastLeast >= limit { // a swap reaches back two rows, and costs one
			return limit + 1
		}
		lastLeast = least
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit+1)
}
