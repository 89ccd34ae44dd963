package openhab

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quote writes a STRING of openHAB's grammars.
func quote(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"', r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case r < ' ', r == 0x7f:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// labelText is a text as an Item's label can have it: openHAB takes what stands in [ ] for the format of the state.
func labelText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '[':
			return '('
		case r == ']':
			return ')'
		case unicode.IsControl(r), unicode.IsSpace(r):
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// capital writes a text's first letter large.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// comment is text that cannot end the comment that it stands in.
func comment(s string) string { return strings.Map(printable, s) }

func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// itemPrefix begins the names of all of a gateway's Items: garden-shed becomes GardenShed. Item names are of letters, digits and _,
// and do not begin with a digit.
func itemPrefix(id string) string {
	var out strings.Builder
	for word := range strings.SplitSeq(id, "-") {
		out.WriteString(capital(word))
	}
	if s := out.String(); s != "" && (s[0] < '0' || s[0] > '9') {
		return s
	}
	return "_" + out.String()
}

// part names one of several Items of a point. Names of points have no large letters, so that no other point's Item is called alike.
func part(s string) string {
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		return "N" + s
	}
	return capital(s)
}

// channelID is a point's channel. The words true and false are the grammar's own.
func channelID(id string) string {
	if id == "true" || id == "false" {
		return id + "-"
	}
	return id
}

// slug makes a text for people a part of a name.
func slug(s string) string {
	s = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss").Replace(strings.ToLower(s))
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }), "_")
}
