package hatest

import (
	"fmt"
	"strconv"
	"strings"
)

// piece is a part of a template: text as it is, {{ an expression }} or {% a statement %}.
type piece struct {
	kind byte // 't', 'e', 's'
	text string
}

// pieces cuts a template up. A dash inside the braces takes the white space beside it away, as Jinja does.
func pieces(src string) ([]piece, error) {
	var all []piece
	trim := false
	for src != "" {
		at := strings.Index(src, "{")
		for at >= 0 && (at+1 == len(src) || !strings.ContainsRune("{%#", rune(src[at+1]))) {
			next := strings.Index(src[at+1:], "{")
			if next < 0 {
				at = -1
				break
			}
			at += 1 + next
		}
		text := src
		if at >= 0 {
			text = src[:at]
		}
		if trim {
			text = strings.TrimLeft(text, " \t\r\n")
		}
		if at < 0 {
			return append(all, piece{'t', text}), nil
		}
		end, kind := "}}", byte('e')
		switch src[at+1] {
		case '%':
			end, kind = "%}", 's'
		case '#':
			return nil, fmt.Errorf("comments are %w", errUnsupported)
		}
		stop := strings.Index(src[at+2:], end)
		if stop < 0 {
			return nil, fmt.Errorf("%q has no %q", src[at:], end)
		}
		inner := src[at+2 : at+2+stop]
		if strings.HasPrefix(inner, "-") {
			text, inner = strings.TrimRight(text, " \t\r\n"), inner[1:]
		}
		trim = strings.HasSuffix(inner, "-")
		inner = strings.TrimSuffix(inner, "-")
		all = append(all, piece{'t', text}, piece{kind, inner})
		src = src[at+2+stop+2:]
	}
	return all, nil
}

// token is a word of an expression.
type token struct {
	kind byte // 'n' name, 's' string, 'd' number, 'o' operator, 0 the end
	text string
}

var operators = []string{"==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", "+", "-", "*", "/", "~", "%", "="}

// tokens cuts an expression into words.
func tokens(src string) ([]token, error) {
	var all []token
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'' || c == '"':
			var text strings.Builder
			j := i + 1
			for ; j < len(src) && src[j] != c; j++ {
				if src[j] != '\\' {
					text.WriteByte(src[j])
					continue
				}
				r, _, rest, err := strconv.UnquoteChar(src[j:], c) // Python's \\, \', \n and \x41 are Go's, too
				if err != nil {
					return nil, fmt.Errorf("the escape in %q is %w", src[j:], errUnsupported)
				}
				text.WriteRune(r)
				j = len(src) - len(rest) - 1
			}
			if j == len(src) {
				return nil, fmt.Errorf("%q has no end", src[i:])
			}
			all = append(all, token{'s', text.String()})
			i = j + 1
		case c >= '0' && c <= '9':
			j := i
			for j < len(src) && (src[j] >= '0' && src[j] <= '9' || src[j] == '.') {
				j++
			}
			all = append(all, token{'d', src[i:j]})
			i = j
		case letter(c):
			j := i
			for j < len(src) && (letter(src[j]) || src[j] >= '0' && src[j] <= '9') {
				j++
			}
			all = append(all, token{'n', src[i:j]})
			i = j
		default:
			op := ""
			for _, o := range operators {
				if strings.HasPrefix(src[i:], o) {
					op = o
					break
				}
			}
			if op == "" {
				return nil, fmt.Errorf("%q is not of an expression", src[i:])
			}
			all = append(all, token{'o', op})
			i += len(op)
		}
	}
	return append(all, token{}), nil
}

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
