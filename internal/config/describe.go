package config

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// A section of the file is described once, as a list of keys: reading it, its defaults, printing it and what messages say of it
// all walk that list.

// key describes one key of a section whose values are held by what a T points to. (T is the pointer type, so that the compiler
// makes one code for all sections.)
type key[T any] struct {
	name   string
	doc    string   // one line for people
	want   string   // what values look like
	must   bool     // there is no default
	inner  []string // of a group: its keys
	preset func(t T)
	read   func(r *notes, n *yaml.Node, path string, t T) (ok bool) // notes what is wrong; t keeps its preset then
	node   func(t T) *yaml.Node                                     // the value to print; nil: leave the key out
}

// field describes a key with one value, or a list of values, that at finds in the section's T. Without def its zero value says
// that it was not given.
func field[T, V any](name, doc string, as value[V], at func(T) *V, def ...V) key[T] {
	return key[T]{
		name: name, doc: doc, want: as.want,
		preset: func(t T) {
			for _, v := range def {
				*at(t) = v
			}
		},
		read: func(r *notes, n *yaml.Node, path string, t T) bool {
			v, ok := as.parse(n, func(n *yaml.Node, msg string) { r.errorf(n, path, "%s", msg) })
			if ok {
				*at(t) = v
			}
			return ok
		},
		node: func(t T) *yaml.Node { return as.node(*at(t)) },
	}
}

// required makes a key one that must be given.
func (k key[T]) required() key[T] {
	k.must = true
	return k
}

// group describes a key whose value is a section of its own.
func group[T, S any](name, doc string, keys []key[S], at func(T) S) key[T] {
	return key[T]{
		name: name, doc: doc, want: "a group of keys", inner: names(keys),
		preset: func(t T) { presets(keys, at(t)) },
		read: func(r *notes, n *yaml.Node, path string, t T) bool {
			return readSection(r, n, path, keys, nil, at(t))
		},
		node: func(t T) *yaml.Node { return printSection(keys, at(t)) },
	}
}

// list describes a key whose value is a list of sections. keysOf gives the keys of one of them, from its node or, for printing,
// from its S, which made makes; add and all keep the items.
func list[T, S any](name, doc string, made func() S, keysOf func(*yaml.Node, S) (keys, elsewhere []key[S]), add func(T, S), all func(T) []S) key[T] {
	return key[T]{
		name: name, doc: doc, want: "a list",
		preset: func(T) {},
		read: func(r *notes, n *yaml.Node, path string, t T) bool {
			if refused(n) || isNull(n) { // all items commented out
				return isNull(n)
			}
			if n.Kind != yaml.SequenceNode {
				first, _ := keysOf(nil, made())
				r.errorf(n, path, "a list is wanted (%s): %s", doc, dashes(n, first[0].name))
				return false
			}
			good := true
			for i, c := range n.Content {
				s := made()
				keys, elsewhere := keysOf(c, s)
				presets(keys, s)
				if !readSection(r, c, fmt.Sprintf("%s[%d]", path, i), keys, elsewhere, s) {
					good = false
				}
				if c.Kind == yaml.MappingNode {
					add(t, s)
				}
			}
			return good
		},
		node: func(t T) *yaml.Node {
			out := &yaml.Node{Kind: yaml.SequenceNode}
			for _, s := range all(t) {
				keys, _ := keysOf(nil, s)
				out.Content = append(out.Content, printSection(keys, s))
			}
			if len(out.Content) == 0 {
				return nil
			}
			return out
		},
	}
}

// dashes says how a list is written in place of what is there.
func dashes(n *yaml.Node, first string) string {
	if n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle != 0 || len(n.Content) < 2 || n.Content[0].Kind != yaml.ScalarNode {
		return fmt.Sprintf("begin each item with a dash, as in - %s: ...", first)
	}
	k, v := n.Content[0], n.Content[1]
	if v.Kind == yaml.MappingNode {
		return fmt.Sprintf("write each item as - %s: %s, with a dash, and its other keys below %[1]s", first, clip(k.Value))
	}
	return fmt.Sprintf("put a dash before the first key of each item, as in - %s: ..., and indent its other keys as the first", clip(k.Value))
}

// always is keysOf for a list whose items all have the same keys.
func always[S any](keys []key[S]) func(*yaml.Node, S) ([]key[S], []key[S]) {
	return func(*yaml.Node, S) ([]key[S], []key[S]) { return keys, nil }
}

func presets[T any](keys []key[T], t T) {
	for _, k := range keys {
		k.preset(t)
	}
}

// place is where a section stands in the file. Every section's T embeds it, so that checks can point at a key.
type place struct {
	path    string
	node    *yaml.Node
	given   map[string]*yaml.Node // the values of the keys that are there
	bad     map[string]bool       // keys whose value was refused, or that are missing though they are required
	unknown bool                  // there are keys that the section does not have
}

func (p *place) where() *place { return p }

// has tells whether a key was given; its value may have been refused.
func (p *place) has(key string) bool { return p.given[key] != nil }

// errorf notes an error at a key's value, or at the section where the key is not given.
func (p *place) errorf(r *notes, key, format string, args ...any) {
	n, path := p.at(key)
	r.errorf(n, path, format, args...)
}

// at gives the node and the path to name for a key.
func (p *place) at(key string) (*yaml.Node, string) {
	path := key
	if p.path != "" {
		path = p.path + "." + key
	}
	if n := p.given[key]; n != nil {
		return n, path
	}
	return p.node, path
}

// readSection reads a mapping into t, which has its presets. The keys in elsewhere are known, but not those of this type of section.
func readSection[T any](r *notes, n *yaml.Node, path string, keys, elsewhere []key[T], t T) bool {
	p := any(t).(interface{ where() *place }).where()
	*p = place{path: path, node: n, given: map[string]*yaml.Node{}, bad: map[string]bool{}}
	if refused(n) {
		return false
	}
	if n.Kind != yaml.MappingNode && !isNull(n) {
		r.errorf(n, path, "keys with values are wanted here (%s), not %s", leastKeys(keys), kindName(n))
		return false
	}
	good, merged := true, false
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if isMerge(k) {
			good, merged = false, true
			continue
		}
		if refused(k) {
			good = false
			continue
		}
		if k.Kind != yaml.ScalarNode {
			r.errorf(k, path, "a key must be a word, not %s", kindName(k))
			good = false
			continue
		}
		shown, _, glued := strings.Cut(k.Value, ":")
		_, kpath := (&place{path: path}).at(clip(shown))
		same := func(d key[T]) bool { return d.name == k.Value }
		at := slices.IndexFunc(keys, same)
		switch {
		case at < 0 && slices.ContainsFunc(elsewhere, same):
			r.errorf(k, kpath, "this key does not belong to this type, which has %s", join(names(keys), "and"))
			good = false
		case at < 0 && glued: // what follows may be a password, and is not repeated
			r.errorf(k, kpath, `a blank is missing after the ":"`)
			good = false
		case at < 0:
			if !r.full() {
				r.errorf(k, kpath, "%s", misplaced(k.Value, keys))
			} else {
				r.more++
			}
			p.unknown = true
			good = false
		case p.given[k.Value] != nil:
			hint := ""
			if at == 0 && strings.HasSuffix(path, "]") && n.Style&yaml.FlowStyle == 0 {
				hint = fmt.Sprintf(": is this another item? Then it begins with a dash, - %s: ...", k.Value)
			}
			r.errorf(k, kpath, "given twice, first in line %d%s", p.given[k.Value].Line, hint)
			good = false
		default:
			p.given[k.Value] = v
			if !keys[at].read(r, v, kpath, t) {
				p.bad[k.Value] = true
				good = false
			}
		}
	}
	for _, k := range keys {
		if k.must && p.given[k.name] == nil {
			p.bad[k.name] = true
			good = false
			if !merged {
				r.errorf(n, path, "%s is missing: %s (%s)", k.name, k.doc, k.want)
			}
		}
	}
	return good
}

// leastKeys are those that a section must have, or else its first.
func leastKeys[T any](keys []key[T]) string {
	var least []string
	for _, k := range keys {
		if k.must {
			least = append(least, k.name+": ...")
		}
	}
	if len(least) == 0 {
		return keys[0].name + ": ..."
	}
	return strings.Join(least, ", ")
}

// misplaced says what is wrong with a key that a section does not have, but perhaps one of its groups.
func misplaced[T any](name string, keys []key[T]) string {
	switch known := names(keys); {
	case strings.HasSuffix(name, "id") && slices.Contains(known, "discovery"):
		return "unknown key here: the gateway's id stands beside device, not below home_assistant"
	case strings.HasSuffix(name, "id") && slices.Contains(known, "device_class"):
		return "unknown key here: a point's id stands beside its name, not below home_assistant"
	case name == "name" && slices.Contains(known, "device"):
		return `unknown key, did you mean "device"?`
	}
	for _, k := range keys {
		switch {
		case slices.Contains(k.inner, name):
			return fmt.Sprintf("unknown key here: it belongs to %s, so write it below %[1]s: and indent it with two blanks", k.name)
		case name == "room" && slices.Contains(k.inner, "area"):
			return fmt.Sprintf("unknown key: write area, below %s: and indented with two blanks", k.name)
		}
	}
	return unknownKey(name, names(keys))
}

// printSection gives the section as YAML, complete.
func printSection[T any](keys []key[T], t T) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range keys {
		if v := k.node(t); v != nil {
			out.Content = append(out.Content, word(k.name), v)
		}
	}
	return out
}

func names[T any](keys []key[T]) []string {
	var all []string
	for _, k := range keys {
		all = append(all, k.name)
	}
	return all
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	return "the single value " + quote(n.Value)
}
