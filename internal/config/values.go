package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
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
				v, good := one.parse(c, func(at *yaml.Node, msg string) {
					if c == n {
						msg += perhapsList(c.Value)
					}
					complain(at, msg)
				})
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

// checkText refuses what no text in the file needs and what breaks logs, terminals and topics.
func checkText(s string, longest int) error {
	switch {
	case s == "":
		return errors.New("is empty: remove the key, or give it a value")
	case len(s) > longest:
		return fmt.Errorf("%s is %d bytes long: at most %d are allowed", quote(s), len(s), longest)
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8 text")
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		return fmt.Errorf("%s has a control character in it", quote(s))
	}
	return nil
}

// text is free text of at most so many bytes.
func text(want string, longest int) value[string] {
	return scalar(want, func(s string) (string, error) { return s, checkText(s, longest) }, wordOrNothing)
}

// verbatim is text as it is written in the file, whatever YAML would take it for: on, 1, null.
func verbatim(want string, check func(string) error, node func(string) *yaml.Node) value[string] {
	v := scalar(want, func(s string) (string, error) { return s, check(s) }, node)
	parse := v.parse
	v.parse = func(n *yaml.Node, complain func(*yaml.Node, string)) (string, bool) {
		if isNull(n) && n.Value != "" && !refused(n) {
			return n.Value, true
		}
		return parse(n, complain)
	}
	return v
}

var payload = verbatim("a text, taken as it is written", func(s string) error {
	if err := checkText(s, 256); err != nil {
		return err
	}
	if strings.TrimSpace(s) != s {
		return fmt.Errorf("%s has blanks around it, which do not count in a payload: remove them", quote(s))
	}
	return nil
}, quotedOrNothing)

// credential is a user name or a password: MQTT has them as up to 65535 bytes.
func credential(node func(string) *yaml.Node) value[string] {
	return verbatim("a text, taken as it is written", func(s string) error {
		if len(s) > 65535 {
			return fmt.Errorf("is %d bytes long: MQTT has room for 65535", len(s))
		}
		if s == "" || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return errors.New("is empty, or has characters that MQTT does not allow")
		}
		return nil
	}, node)
}

var notName = regexp.MustCompile(`[^a-z0-9_]+`)

// name is a name of a point or a chip, and a level of its topics; pointID is what a point is recognised by.
var name, pointID = nameOr("a name"), nameOr("an id")

func nameOr(what string) value[string] {
	return scalar("small letters, digits and _", func(s string) (string, error) {
		if s == "" || notName.MatchString(s) {
			msg := quote(s) + " cannot be " + what + ": small letters a to z, digits and _ are allowed"
			if better := strings.Trim(notName.ReplaceAllString(strings.ToLower(s), "_"), "_"); better != "" && len(better) <= 64 {
				msg += ", such as " + better
			}
			return s, errors.New(msg)
		}
		return s, checkText(s, 64)
	}, wordOrNothing)
}

// reference is the name of something that is defined elsewhere in the file, which is checked when all is read.
var reference = scalar("a name from this file", func(s string) (string, error) { return s, checkText(s, 256) }, wordOrNothing)

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

// topic is where something is published, or commands come from: never a filter.
var topic = scalar("an MQTT topic", func(s string) (string, error) { return s, checkTopic(s) }, wordOrNothing)

func checkTopic(s string) error {
	switch err := checkText(s, 65535); {
	case err != nil:
		return err
	case s[0] == '$':
		return fmt.Errorf("%s: topics that begin with $ belong to the broker", quote(s))
	case strings.ContainsAny(s, "+#"):
		return fmt.Errorf("%s: + and # are wildcards, a topic cannot have them", quote(s))
	}
	return nil
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
	if strings.ContainsAny(word[:min(1, len(word))], "aeiou") {
		return "an " + word
	}
	return "a " + word
}
