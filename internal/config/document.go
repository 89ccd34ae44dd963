package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxSize is the largest file that is read. The largest sensible one has a few thousand points, and less than half of this.
const maxSize = 1 << 20

// parseDocument gives the file's only document, or nil where it has none or cannot be read, which is then noted. What the
// reading of sections need not care about is refused here: anchors, aliases, merge keys, tags.
func (t *notes) parseDocument(data []byte) *yaml.Node {
	if len(data) > maxSize {
		t.errorf(nil, "", "is larger than %d KiB: this is not a configuration of gatewayd", maxSize>>10)
		return nil
	}
	doc, second, err := decode(data)
	if err != nil {
		t.problems = append(t.problems, syntaxError(t.file, data, err))
		return nil
	}
	if second != nil {
		t.errorf(second, "", "a second document begins here (---): put everything into one")
	}
	if doc == nil || len(doc.Content) == 0 {
		return nil
	}
	t.refuse(doc.Content[0])
	return doc.Content[0]
}

// decode parses up to two documents. A panic of the YAML reader becomes an error: a file must not be able to end the program.
func decode(data []byte) (first, second *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: the YAML reader gives up: %v", p)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(data))
	var docs [2]yaml.Node
	if err := d.Decode(&docs[0]); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return nil, nil, err
	}
	if err := d.Decode(&docs[1]); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return &docs[0], nil, err
	}
	return &docs[0], &docs[1], nil
}

// refuse notes what this program's files do not have. Nothing is followed, so that no file can grow while it is read.
func (t *notes) refuse(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		t.errorf(n, "", "aliases (*%s) are not supported: write the value again", n.Value)
		return
	case n.Anchor != "":
		t.errorf(n, "", "anchors (&%s) are not supported: remove it", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0 && n.Tag == "!secret":
		t.errorf(n, "", "!secret is not supported: for the broker's password there is password_file")
	case n.Style&yaml.TaggedStyle != 0:
		t.errorf(n, "", "tags (%s) are not supported: remove it", n.Tag)
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 && isMerge(c) {
				t.errorf(c, "", "merge keys (<<) are not supported: write the values again")
				continue
			} else if i%2 == 1 && isMerge(n.Content[i-1]) {
				continue
			}
		}
		t.refuse(c)
	}
}

func isMerge(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!merge" }

// refused tells whether refuse has complained about the node itself, so that nothing more need be said.
func refused(n *yaml.Node) bool { return n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0 }

// searchable is how large a file the search for a faulty line is worth its time in: it parses some fifteen pieces of the file.
const searchable = 128 << 10

var yamlPlace = regexp.MustCompile(`^yaml: (line \d+: )?`)

// syntaxError says in plain words what the YAML reader complains about, and where. The line that the reader itself names is
// that of the enclosing block, often far above and off by one, so the place is looked for: the shortest piece of the file, in
// whole lines, that gives the same complaint ends with the faulty line.
func syntaxError(file string, data []byte, err error) Problem {
	said := yamlPlace.ReplaceAllString(err.Error(), "")
	lines := bytes.SplitAfter(data, []byte("\n"))
	low, high := 1, len(lines) // the faulty line, from 1, is one of these
	if len(data) > searchable {
		p := Problem{File: file, Msg: plainWords(said, "", "")}
		if m := yamlPlace.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
			p.Msg += " (near " + strings.TrimSuffix(m[1], ": ") + ")"
		}
		return p
	}
	for low < high {
		mid := (low + high) / 2
		_, _, err := decode(bytes.Join(lines[:mid], nil))
		if err != nil && yamlPlace.ReplaceAllString(err.Error(), "") == said {
			high = mid
		} else {
			low = mid + 1
		}
	}
	line := string(lines[low-1])
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	before := ""
	for i := low - 2; i >= 0 && before == ""; i-- {
		if s := strings.TrimSpace(string(lines[i])); !strings.HasPrefix(s, "#") {
			before = s
		}
	}
	p := Problem{File: file, Line: low, Col: len(indent) + 1, Msg: plainWords(said, strings.TrimSpace(line), before)}
	if i := strings.IndexByte(indent, '\t'); i >= 0 {
		p.Col, p.Msg = i+1, "a tab in the indentation: YAML wants spaces"
	} else if strings.HasPrefix(line[len(indent):], "\u00a0") {
		p.Msg = "a no-break space in the indentation, as web pages have them: YAML wants ordinary ones"
	}
	return p
}

// noBlank is a key and its value that YAML takes for one word.
var noBlank = regexp.MustCompile(`^(- *)?[A-Za-z_]+:[^ ]`)

// apostrophe is a text in single quotes that goes on behind the second of them.
var apostrophe = regexp.MustCompile(`(^|: +|- +)'[^']*'[^\s,\]}#']`)

// noBreak is a no-break space in the place of a blank that YAML needs.
var noBreak = regexp.MustCompile(`[:-] *\x{a0}`)

// plainWords translates what people see most; the rest is told as it is. before is the line above, if there is one.
func plainWords(said, line, before string) string {
	has := func(s string) bool { return strings.Contains(said, s) }
	switch {
	case noBreak.MatchString(line), noBreak.MatchString(before):
		return "a no-break space, as web pages have them, is here or in the line above: replace it by an ordinary blank"
	case has("cannot start any token"):
		for _, c := range []string{"\t", "@", "`", "%"} {
			if strings.Contains(line, c) {
				return fmt.Sprintf("a value cannot begin with %q: put it into quotes", c)
			}
		}
	case has("did not find expected key") && apostrophe.MatchString(line):
		return `a ' in a text within '...' ends it: write the text within "..."`
	case has("did not find expected key"), has("did not find expected '-' indicator"):
		return "does not fit the lines above: is it indented as they are? Keys of one block, and the dashes of one list, stand below each other"
	case has("mapping values are not allowed") && before != "" && !strings.Contains(before, ":"):
		return `the line above has no ":", "key: value" is wanted`
	case has("mapping values are not allowed") && noBlank.MatchString(before):
		return `in the line above a blank is missing after the ":"`
	case has("mapping values are not allowed") && strings.HasPrefix(before, "-") && len(before) > 1 && !strings.ContainsAny(before[1:2], " -"):
		return "in the line above a blank is missing after the dash"
	case has("mapping values are not allowed") && strings.Count(line, ": ") > 1:
		return `only one "key: value" stands in a line: put the next one on a line of its own; a text with ": " in it needs quotes`
	case has("mapping values are not allowed"):
		return `a ":" that is not expected here: is the line indented like its neighbours? A text with ": " in it needs quotes`
	case has("could not find expected ':'") && noBlank.MatchString(line):
		return `a blank is missing after the ":"`
	case has("could not find expected ':'"):
		return `"key: value" is wanted, the ":" is missing`
	case has("block sequence entries are not allowed"):
		return "a list's dash is not expected here: a list begins on a line of its own, below its key"
	case has("did not find expected ',' or"):
		return "a list [...] or a group {...} is not closed, or a comma is missing"
	case has("found unexpected end of stream"), has("unexpected document indicator"):
		return "a text in quotes is not closed"
	case has("unknown anchor"):
		return said + ": aliases (*name) are not supported, put a text that begins with * into quotes"
	case has("UTF-8"), has("control characters"):
		return said + ": save the file as UTF-8 text"
	}
	return said
}
