package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// lexTemplate reads a template as Jinja does, so far as to see that its blocks and strings end where they should, and gives its strings.
func lexTemplate(text string) (literals []string, err error) {
	for rest := text; ; {
		_, block, found := strings.Cut(rest, "{")
		if !found {
			return literals, nil
		}
		var end string
		switch {
		case strings.HasPrefix(block, "{"):
			end = "}}"
		case strings.HasPrefix(block, "%"):
			end = "%}"
		case strings.HasPrefix(block, "#"):
			return nil, fmt.Errorf("template %q: a comment", text)
		default:
			rest = block
			continue
		}
		depth := 0
		for rest = block[1:]; ; {
			if rest == "" {
				return nil, fmt.Errorf("template %q: a block without an end", text)
			}
			if depth == 0 && strings.HasPrefix(rest, end) {
				rest = rest[2:]
				break
			}
			switch rest[0] {
			case '{', '(', '[':
				depth++
			case '}', ')', ']':
				depth--
			case '\'', '"':
				m := jinjaString.FindString(rest)
				if m == "" {
					return nil, fmt.Errorf("template %q: a string without an end", text)
				}
				literals = append(literals, unescape(m[1:len(m)-1]))
				rest = rest[len(m)-1:]
			}
			rest = rest[1:]
		}
	}
}

// jinjaString is string_re of Jinja's lexer.
var jinjaString = regexp.MustCompile(`(?s)^(?:'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")`)

func unescape(s string) string {
	return regexp.MustCompile(`(?s)\\(x..|.)`).ReplaceAllStringFunc(s, func(m string) string {
		var b byte
		if n, _ := fmt.Sscanf(m, `\x%02x`, &b); n == 1 {
			return string(rune(b))
		}
		return m[1:]
	})
}

// decodeStrictly reads one JSON value in which no object has a key twice.
func decodeStrictly(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decodeValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more after the document")
	}
	return v, nil
}

func decodeValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			if _, twice := object[key.(string)]; twice {
				return nil, fmt.Errorf("key %q: twice", key)
			}
			if object[key.(string)], err = decodeValue(d); err != nil {
				return nil, err
			}
		}
		_, err = d.Token()
		return object, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decodeValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return token, nil
}
