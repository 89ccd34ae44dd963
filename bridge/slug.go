package bridge

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// sameArea gives one text for all spellings that are one area to Home Assistant: it looks neither at case nor at blanks.
func sameArea(area string) string {
	return strings.Join(strings.Fields(strings.ToLower(area)), "")
}

// areaSlugs gives each area of the points its place in topics and identifiers. Two areas never share one: of those that would, the
// first by name has it, and the others have a number of their own after it that does not depend on the rest.
func (c *catalogue) areaSlugs() map[string]string {
	areas := map[string]string{}
	note := func(e *Entity) { areas[sameArea(e.Area)] = "" }
	for i := range c.cfg.Inputs {
		note(&c.cfg.Inputs[i].Entity)
	}
	for i := range c.cfg.Outputs {
		note(&c.cfg.Outputs[i].Entity)
	}
	for i := range c.cfg.Groups {
		note(&c.cfg.Groups[i].Entity)
	}
	for i := range c.cfg.Sensors {
		note(&c.cfg.Sensors[i].Entity)
	}
	for i := range c.cfg.Counters {
		note(&c.cfg.Counters[i].Entity)
	}
	for i := range c.cfg.Encoders {
		note(&c.cfg.Encoders[i].Entity)
	}
	taken := map[string]bool{"": true}
	for _, area := range slices.Sorted(maps.Keys(areas)) {
		s := slug(area)
		for taken[s] {
			hash := fnv.New32a()
			hash.Write([]byte(area + s))
			s = strings.Trim(fmt.Sprintf("%s_%08x", slug(area), hash.Sum32()), "_")
		}
		areas[area], taken[s] = s, true
	}
	return areas
}

// slug writes text as [a-z0-9_]+, as far as it can, for a topic level or an entity id: Wohnzimmer, Küche becomes wohnzimmer_kueche.
// It has no hyphen: that joins the number of a document's part to it.
func slug(text string) string {
	var out strings.Builder
	gap := false
	for _, r := range strings.ToLower(text) {
		s, known := latin[r]
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			s = string(r)
		case !known:
			gap = gap || !unicode.IsMark(r)
			continue
		}
		if gap && out.Len() > 0 {
			out.WriteByte('_')
		}
		gap = false
		out.WriteString(s)
	}
	return out.String()
}

// latin are the letters of Europe's west and north that have a usual spelling without their marks.
var latin = func() map[rune]string {
	m := map[rune]string{'ä': "ae", 'ö': "oe", 'ü': "ue", 'ß': "ss", 'æ': "ae", 'ø': "oe", 'å': "aa", 'œ': "oe", 'þ': "th"}
	for plain, marked := range map[string]string{"a": "àáâãāăą", "c": "çćč", "d": "ðď", "e": "èéêëēęě", "g": "ğģ", "i": "ìíîïīįı", "l": "łľ",
		"n": "ñńň", "o": "òóôõōő", "r": "řŕ", "s": "śšş", "t": "ťţ", "u": "ùúûūůűų", "y": "ýÿ", "z": "źżž"} {
		for _, r := range marked {
			m[r] = plain
		}
	}
	return m
}()
