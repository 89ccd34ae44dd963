package config

import (
	"fmt"
	"gopkg.in/yaml.v3"
	"strings"
	"unicode/utf8"
)

// value is how values of one type are written in the file. Scalars are read from their text as it stands there, never by the
// YAML library, which makes 15 of 017 and 17 of 17.5.
type value[V any] struct {
	want  string // what values look like, for people
	parse func(n *yaml.Node, complain func(*yaml.Node, string)) (v V, ok bool)
	node  func(V) *yaml.Node // nil: nothing to print
}

// scalar is a value that is one word or text.
func scalar[V any](want string, parse func(string) (V, error), node func(V) *yaml.Node) value[V] {
	return value[V]{want: want, node: node, parse: func(n *yaml.Node, complain func(*yaml.Node, string)) (v V, ok bool) {
		switch {
		case refused(n):
			return v, false
		case n.Kind != yaml.ScalarNode:
			complain(n, fmt.Sprintf("one value is wanted (%s), not %s", want, kindName(n)))
			return v, false
		case isNull(n):
			complain(n, fmt.Sprintf("has no value: remove the key, or give it one (%s)", want))
			return v, false
		case n.Style == 0 && typographic(n.Value):
			complain(n, fmt.Sprintf("%s has typographic quotes around it, which YAML takes for a part of the text: write \" or ', or no quotes", quote(n.Value)))
			return v, false
		}
		v, err := parse(n.Value)
		if err != nil {
			complain(n, err.Error())
		}
		return v, err == nil
	}}
}

// typographic tells whether a text begins and ends with quotes that a word processor, or a web page, has made of plain ones.
func typographic(s string) bool {
	const quotes = "“”„‟‘’‚‛«»‹›"
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(quotes, first) && strings.ContainsRune(quotes, last)
}

// several is one value, or a list of them.
func several[V any](one value[V]) value[[]V] {
	return value[[]V]{
		want: one.want + ", or a list of such",
		parse: func(n *yaml.Node, complain func(*yaml.Node, string)) (all []V, ok bool) {
			ok = true
			for _, c := range elements(n) {
				v, good := one.parse(c, listed(n, complain))
				all, ok = append(all, v), ok && good
			}
			if ok && len(all) == 0 {
				complain(n, "the list is empty: "+one.want+" is wanted")
				ok = false
			}
			return all, ok
		},
		node: func(all []V) *yaml.Node {
			switch len(all) {
			case 0:
				return nil
			case 1:
				return one.node(all[0])
			}
			out := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
			for _, v := range all {
				out.Content = append(out.Content, one.node(v))
			}
			return out
		},
	}
}

// listed complains about an element of n, with a hint where n seems to be several but is not a list.
func listed(n *yaml.Node, complain func(*yaml.Node, string)) func(*yaml.Node, string) {
	return func(at *yaml.Node, msg string) {
		if at == n {
			msg += perhapsList(n.Value)
		}
		complain(at, msg)
	}
}

// perhapsList is a hint for a value that seems to be several.
func perhapsList(s string) string {
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
	if len(words) < 2 || len(s) > 200 {
		return ""
	}
	return fmt.Sprintf("; several are a list: [%s]", strings.Join(words, ", "))
}

// elements gives the nodes of a value that may be a list.
func elements(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// word is a scalar without quotes, unless it would be taken for something else.
func word(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// plain is a scalar that stands as it is.
func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

func wordOrNothing(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	return word(s)
}

func quotedOrNothing(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
}
