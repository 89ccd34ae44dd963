package config

import (
	"strings"
)

// clip shortens what is repeated in a message or a path.
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}

// join lists words for people: a, b or c.
func join(words []string, and string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + and + " " + words[last]
}

// a puts the article before a word.
func a(word string) string {
	first, second := word[:min(1, len(word))], word[min(1, len(word)):min(2, len(word))]
	spelt := strings.ContainsAny(word, "0123456789") && strings.ContainsAny(first, "fhlmnrsx") && !strings.ContainsAny(second, "aeiou") // as in sht3x
	if spelt || strings.ContainsAny(first, "aeiou") {
		return "an " + word
	}
	return "a " + word
}
