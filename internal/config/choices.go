package config

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

var boolean = scalar("true or false", func(s string) (bool, error) {
	b, ok := yesNo(s)
	if !ok {
		return false, fmt.Errorf("%s is neither true nor false", quote(s))
	}
	return b, nil
}, func(b bool) *yaml.Node { return plain(strconv.FormatBool(b)) })

// yesNo reads all that YAML 1.1 calls a boolean: tools that follow it write off as false, and on as true.
func yesNo(s string) (yes, ok bool) {
	switch strings.ToLower(s) {
	case "true", "on", "yes":
		return true, true
	case "false", "off", "no":
		return false, true
	}
	return false, false
}

// choice is one of the words of an enumeration.
type choice[V comparable] struct {
	word string
	v    V
}

// oneOf is a value that is one of some words; of several words for the same, the first is printed. Where on or off is among them,
// what YAML 1.1 writes for it is, too.
func oneOf[V comparable](choices ...choice[V]) value[V] {
	var words []string
	for _, c := range choices {
		words = append(words, c.word)
	}
	want := join(words, "or")
	return scalar(want, func(s string) (none V, err error) {
		for _, c := range choices {
			if strings.EqualFold(s, c.word) {
				return c.v, nil
			}
		}
		if yes, ok := yesNo(s); ok {
			for _, c := range choices {
				if w, ok := yesNo(c.word); ok && w == yes {
					return c.v, nil
				}
			}
		}
		return none, fmt.Errorf("%s is not %s%s", quote(s), want, didYouMean(s, words))
	}, func(v V) *yaml.Node {
		for _, c := range choices {
			if c.v == v {
				return plain(c.word)
			}
		}
		return nil
	})
}

// calledElsewhere makes words of an enumeration known that other programs have for the same.
func calledElsewhere[V any](v value[V], words map[string]string) value[V] {
	parse := v.parse
	v.parse = func(n *yaml.Node, complain func(*yaml.Node, string)) (V, bool) {
		return parse(n, func(at *yaml.Node, msg string) {
			if better := words[strings.ToLower(n.Value)]; better != "" && n.Kind == yaml.ScalarNode {
				msg = fmt.Sprintf("%s is not %s: write %s", quote(n.Value), v.want, better)
			}
			complain(at, msg)
		})
	}
	return v
}
