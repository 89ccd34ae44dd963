// Package openhabtest reads openHAB's .things and .items files as openHAB does, for tests: the two grammars, the parameters that the
// MQTT binding knows, what its channels make of messages and commands, and the rules of the semantic model. It is strict: what openHAB
// would drop, or complain of, is an error here.
package openhabtest

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// token is a word, a STRING without its quotes, or a punctuation mark.
type token struct {
	text   string
	string bool
	line   int
}

// scanner takes a file's tokens one by one. The first error ends it: all tokens after it are empty.
type scanner struct {
	tokens []token
	err    error
	line   int // of the token taken last
}

// errorf keeps the first error.
func (s *scanner) errorf(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("line %d: %s", s.line, fmt.Sprintf(format, args...))
	}
	s.tokens = nil
}

// scan cuts a text into tokens (Thing.xtext, Items.xtext: the terminals are the same).
func scan(text string) *scanner {
	s := &scanner{line: 1}
	var tokens []token
	for text != "" && s.err == nil {
		switch r, n := utf8.DecodeRuneInString(text); {
		case r == '\n':
			s.line++
			text = text[n:]
		case r == ' ' || r == '\t' || r == '\r':
			text = text[n:]
		case strings.HasPrefix(text, "//"):
			_, text, _ = strings.Cut(text, "\n")
			s.line++
		case strings.HasPrefix(text, "/*"):
			comment, rest, ended := strings.Cut(text, "*/")
			if !ended {
				s.errorf("a comment without an end")
			}
			s.line += strings.Count(comment, "\n")
			text = rest
		case r == '"' || r == '\'':
			value, rest, err := stringToken(text)
			if err != nil {
				s.errorf("%v", err)
			}
			tokens = append(tokens, token{value, true, s.line})
			s.line += strings.Count(text[:len(text)-len(rest)], "\n")
			text = rest
		case idRune(r):
			n := strings.IndexFunc(text, func(r rune) bool { return !idRune(r) })
			if n < 0 {
				n = len(text)
			}
			tokens = append(tokens, token{text[:n], false, s.line})
			text = text[n:]
		case strings.ContainsRune(":,=.@()[]{}<>", r):
			tokens = append(tokens, token{text[:n], false, s.line})
			text = text[n:]
		default:
			s.errorf("%q is in neither grammar", r)
		}
	}
	s.tokens = tokens
	s.line = 1
	return s
}

func idRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

// stringToken reads a STRING with its escapes, which are Java's.
func stringToken(text string) (value, rest string, err error) {
	end := text[0]
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == end:
			return out.String(), text[i+1:], nil
		case c != '\\':
			out.WriteByte(c)
		case i+1 == len(text):
			return "", "", fmt.Errorf("a string without an end")
		default:
			i++
			if text[i] == 'u' {
				var r rune
				if i+4 >= len(text) {
					return "", "", fmt.Errorf(`a \u without four digits`)
				}
				if _, err := fmt.Sscanf(text[i+1:i+5], "%04x", &r); err != nil {
					return "", "", fmt.Errorf(`\u%s: four hexadecimal digits wanted`, text[i+1:i+5])
				}
				out.WriteRune(r)
				i += 4
				continue
			}
			at := strings.IndexByte(`btnfr"'\`, text[i])
			if at < 0 {
				return "", "", fmt.Errorf(`\%c is no escape`, text[i])
			}
			out.WriteByte("\b\t\n\f\r\"'\\"[at])
		}
	}
	return "", "", fmt.Errorf("a string without an end")
}

// peek tells whether the next token is this mark or word.
func (s *scanner) peek(text string) bool {
	return len(s.tokens) > 0 && !s.tokens[0].string && s.tokens[0].text == text
}

// is takes the next token if it is this mark or word.
func (s *scanner) is(text string) bool {
	if !s.peek(text) {
		return false
	}
	s.line = s.tokens[0].line
	s.tokens = s.tokens[1:]
	return true
}

// want takes the next token, which must be this mark or word.
func (s *scanner) want(text string) {
	if s.is(text) {
		return
	}
	next := "the end"
	if len(s.tokens) > 0 {
		next = fmt.Sprintf("%q", s.tokens[0].text)
		s.line = s.tokens[0].line
	}
	s.errorf("%s: wanted %q", next, text)
}

// id takes an ID. The words of the grammars are none.
func (s *scanner) id() string {
	if len(s.tokens) == 0 || s.tokens[0].string || !idRune(rune(s.tokens[0].text[0])) {
		s.want("a name")
		return ""
	}
	t := s.tokens[0]
	s.line = t.line
	switch t.text {
	case "true", "false", "Bridge", "Thing", "Type", "State", "Trigger":
		s.errorf("%q is a word of the grammar and no name", t.text)
		return ""
	}
	s.tokens = s.tokens[1:]
	return t.text
}

// isString tells whether the next token is a STRING.
func (s *scanner) isString() bool { return len(s.tokens) > 0 && s.tokens[0].string }

// string takes a STRING.
func (s *scanner) string() string {
	if !s.isString() {
		s.want("a string")
		return ""
	}
	t := s.tokens[0]
	s.line = t.line
	s.tokens = s.tokens[1:]
	return t.text
}

// Value is a parameter's: text, a number or a boolean.
type Value struct {
	Text string
	Bare bool // not a STRING: a number or a boolean
}

// properties takes [ key=value, ... ], if there are any.
func (s *scanner) properties() map[string]Value {
	all := map[string]Value{}
	if !s.is("[") {
		return all
	}
	for s.err == nil && !s.is("]") {
		if len(all) > 0 {
			s.want(",")
		}
		key := s.id()
		s.want("=")
		v := Value{}
		if s.isString() {
			v.Text = s.string()
		} else if len(s.tokens) > 0 {
			s.line = s.tokens[0].line
			v = Value{s.tokens[0].text, true}
			s.tokens = s.tokens[1:]
			if s.is(".") {
				v.Text += "." + s.id()
			}
		}
		if _, twice := all[key]; twice {
			s.errorf("%s twice", key)
		}
		all[key] = v
	}
	return all
}
