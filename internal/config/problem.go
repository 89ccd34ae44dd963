package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Problem is one thing that is wrong with a configuration, or that looks wrong.
type Problem struct {
	File      string
	Line, Col int    // from 1, Col in characters; 0: unknown
	Path      string // such as inputs[0].line; empty: the whole file
	Msg       string // what is wrong, what was wanted, and the remedy where there is one
	Warning   bool   // the configuration can be used all the same
}

// String gives the problem in one line: config.yaml:5:7: inputs[0].lin: unknown key, did you mean "line"?
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Col > 0 {
			fmt.Fprintf(&b, ":%d", p.Col)
		}
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Msg)
	return b.String()
}

// Errors are all problems of a configuration that cannot be used, in the order of the file.
type Errors []Problem

// Error gives one line per problem.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems bounds what a broken file can cost; nobody reads more.
const maxProblems = 500

// notes collects the problems of one file.
type notes struct {
	file     string
	problems []Problem
	more     int // errors past maxProblems
	warned   int
}

// errorf notes an error at a node, which may be nil.
func (t *notes) errorf(n *yaml.Node, path, format string, args ...any) {
	if t.full() {
		t.more++
		return
	}
	t.add(n, path, false, fmt.Sprintf(format, args...))
}

// warnf notes a warning at a node, which may be nil.
func (t *notes) warnf(n *yaml.Node, path, format string, args ...any) {
	if t.warned < maxProblems {
		t.warned++
		t.add(n, path, true, fmt.Sprintf(format, args...))
	}
}

// full tells that further errors are only counted, so that an expensive hint need not be looked for.
func (t *notes) full() bool { return len(t.problems)-t.warned >= maxProblems }

func (t *notes) add(n *yaml.Node, path string, warning bool, msg string) {
	p := Problem{File: t.file, Path: path, Msg: msg, Warning: warning}
	if n != nil {
		p.Line, p.Col = n.Line, n.Column
	}
	t.problems = append(t.problems, p)
}

// result gives the warnings, and the errors as Errors or nil, both in the order of the file.
func (t *notes) result() (warnings []Problem, err error) {
	slices.SortStableFunc(t.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	var errs Errors
	for _, p := range t.problems {
		if p.Warning {
			warnings = append(warnings, p)
		} else {
			errs = append(errs, p)
		}
	}
	if t.more > 0 {
		errs = append(errs, Problem{File: t.file, Msg: fmt.Sprintf("and %d more", t.more)})
	}
	if errs == nil {
		return warnings, nil
	}
	return warnings, errs
}

// quote shows a value in a message, shortened where it is long.
func quote(s string) string {
	if r := []rune(s[:min(len(s), 400)]); len(r) > 60 {
		s = string(r[:57]) + "..."
	}
	return fmt.Sprintf("%q", s)
}
