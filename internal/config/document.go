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
		p := Problem{File: file, Msg: plainWords(said, "")}
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
	p := Problem{File: file, Line: low, Col: len(indent) + 1, Msg: plainWords(said, strings.TrimSpace(line))}
	if i := strings.IndexByte(indent, '\t'); i >= 0 {
		p.Col, p.Msg = i+1, "a tab in the indentation: YAML wants spaces"
	}
	return p
}

// plainWords translates what people see most; the rest is told as it is.
func plainWords(said, line string) string {
	has := func(s string) bool { return strings.Contains(said, s) }
	switch {
	case has("cannot start any token"):
		for _, c := range []string{"\t", "@", "`", "%"} {
			if strings.Contains(line, c) {
				return fmt.Sprintf("a value cannot begin with %q: put it into quotes", c)
			}
		}
	case has("did not find expected key"), has("did not find expected '-' indicator"):
		return "does not fit the lines above: is it indented as they are? Keys of one block, and the dashes of one list, stand below each other"
	case has("mapping values are not allowed"):
		return `a ":" that is not expected here: is the line indented like its neighbours? A text with ": " in it needs quotes`
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
