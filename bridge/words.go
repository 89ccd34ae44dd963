package bridge

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// vocabulary maps words to what they suggest. Several words that stand side by side are one key, joined by _: garage_door.
// A key that begins with - is what longer words end in, too, as German ones do: -lampe knows Deckenlampe. Singulars know their
// English plurals, and every word its numbered ones (light2).
type vocabulary map[string]string

// words splits text for people, a name or a topic into words in lower case: at _ and -, at blanks, at levels, at anything that is
// neither a letter nor a digit.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// last gives what the last known words of a text suggest: a door button is a button, and a button light is a light. Where several
// words are known together, they count as one.
func (v vocabulary) last(text string) string {
	w := words(text)
	for end := len(w); end > 0; end-- {
		for from := max(0, end-3); from < end; from++ {
			if found := v.find(strings.Join(w[from:end], "_")); found != "" {
				return found
			}
		}
	}
	return ""
}

// first gives what the first text that has a known word suggests.
func (v vocabulary) first(texts ...string) string {
	for _, text := range texts {
		if found := v.last(text); found != "" {
			return found
		}
	}
	return ""
}

// given gives the levels of a topic that say something of its point: below the gateway's own topics, not the gateway's name.
func given(topic string) string {
	rest, own := strings.CutPrefix(topic, Prefix+"/")
	if !own {
		return topic
	}
	_, rest, _ = strings.Cut(rest, "/")
	return rest
}

// find looks a word up, without its number and in the singular if it must be.
func (v vocabulary) find(word string) string {
	bare := strings.TrimRight(strings.TrimRightFunc(word, unicode.IsDigit), "_")
	for _, w := range []string{word, bare, strings.TrimSuffix(bare, "s"), strings.TrimSuffix(bare, "es")} {
		if found, ok := v[w]; ok {
			return found
		}
	}
	if strings.Contains(bare, "_") {
		return ""
	}
	for at := range bare { // the longest end first
		if found, ok := v["-"+bare[at:]]; ok {
			return found
		}
	}
	return ""
}

// title makes a text for people of a name: l01_button becomes L01 button.
func title(name string) string {
	text := strings.TrimSpace(strings.ReplaceAll(name, "_", " "))
	if text == "" {
		return name
	}
	return capital(text)
}

// capital writes a text's first letter large.
func capital(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}

// apart gives a name without that of the device it belongs to: Home Assistant shows the device's before it. It is empty when both
// are the same.
func apart(device, name string) string {
	rest, ok := cutFold(name, device)
	if !ok || device == "" {
		return name
	}
	bare := strings.TrimLeft(rest, " :,/·–—-_")
	switch {
	case bare == "" && strings.TrimSpace(rest) == "":
		return ""
	case bare == "" || len(bare) == len(rest): // Shedding is not of the shed
		return name
	}
	switch first, _, _ := strings.Cut(bare, " "); strings.ToLower(first) {
	case "and", "und", "&", "+": // Hall and stairs are more than the hall
		return name
	}
	return capital(bare)
}

// cutFold cuts a prefix, large or small.
func cutFold(text, prefix string) (rest string, ok bool) {
	for _, p := range prefix {
		r, n := utf8.DecodeRuneInString(text)
		if n == 0 || unicode.ToLower(r) != unicode.ToLower(p) {
			return "", false
		}
		text = text[n:]
	}
	return text, true
}
