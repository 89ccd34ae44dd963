package config

import (
	"slices"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
)

// outputGroup is several outputs that take commands together.
type outputGroup struct {
	base
	switched
	outputs []string
	members []*output // those of them that are there
}

var outputGroupKeys = slices.Concat(
	baseKeys(func(g *outputGroup) *base { return &g.base }),
	[]key[*outputGroup]{
		field("outputs", "the outputs that its commands go to", several(reference), func(g *outputGroup) *[]string { return &g.outputs }).required(),
	},
	switchedKeys(func(g *outputGroup) *switched { return &g.switched }),
)

var groupList = shortly(pointList("groups", "group", "outputs that take commands together", func() *outputGroup { return new(outputGroup) }, outputGroupKeys))

// shortly lets groups also be written as all_lights: [l01, l02], below each other or each with a dash. What looks like a group without
// its dash is left for the list to complain about.
func shortly(k key[*draft]) key[*draft] {
	read := k.read
	k.read = func(r *notes, n *yaml.Node, path string, d *draft) bool {
		switch n.Kind {
		case yaml.MappingNode:
			if groups := longGroups(n); groups != nil {
				n.Kind, n.Content = yaml.SequenceNode, groups
			}
		case yaml.SequenceNode:
			for i, c := range n.Content {
				if groups := longGroups(c); len(groups) == 1 {
					n.Content[i] = groups[0]
				}
			}
		}
		return read(r, n, path, d)
	}
	return k
}

// longGroups writes out groups of the form name: [output, ...]; nil: it is not that form.
func longGroups(n *yaml.Node) (groups []*yaml.Node) {
	if n.Kind != yaml.MappingNode || refused(n) {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, outputs := n.Content[i], n.Content[i+1]
		if outputs.Kind != yaml.SequenceNode || slices.Contains(names(outputGroupKeys), name.Value) {
			return nil
		}
		groups = append(groups, &yaml.Node{Kind: yaml.MappingNode, Line: name.Line, Column: name.Column,
			Content: []*yaml.Node{word("name"), name, word("outputs"), outputs}})
	}
	return groups
}

func (g *outputGroup) connect(d *draft) { g.checkCommands(&d.notes, &g.base, "") }

// checkGroups finds the members, once the interlocks are known.
func (d *draft) checkGroups() {
	for _, g := range all[*outputGroup](d) {
		if g.bad["outputs"] {
			continue
		}
		locked := map[*interlock]*output{}
		there := map[*output]bool{}
		n, path := g.at("outputs")
		for i, name := range g.outputs {
			at := elements(n)[i]
			o, other := find[*output](d, at, path, name)
			if inner, ok := other.(*outputGroup); ok {
				d.errorf(at, path, "%q is a group (line %d), which cannot be in a group: write its outputs here", name, inner.node.Line)
				continue
			}
			if other != nil {
				d.errorf(at, path, "an output is wanted: %q is the %s in line %d", name, other.self().kind, other.self().node.Line)
			}
			if o == nil {
				continue
			}
			if there[o] {
				d.errorf(at, path, "%q is there twice", name)
				continue
			}
			if other := locked[o.group]; o.group != nil && other != nil {
				d.errorf(at, path, "%q and %q are in interlock %q, of which one at most can be on: no ON would succeed for both", other.name, name, o.group.Name)
			}
			locked[o.group], there[o] = o, true
			g.members = append(g.members, o)
		}
	}
}

func (g *outputGroup) drives() []*output { return g.members }

func (g *outputGroup) bridge() bridge.Group {
	return bridge.Group{Name: g.name, Label: g.label, Outputs: g.outputs, CommandTopic: g.command, Channel: g.Channel, Entity: g.home.Entity}
}

func (g *outputGroup) join(c *bridge.Config) { c.Groups = append(c.Groups, g.bridge()) }

func (g *outputGroup) shown(c *bridge.Config) (bridge.Entity, []string) {
	made := g.bridge()
	return made.Shown(c.Outputs), bridge.OutputComponents
}

func (g *outputGroup) topics(t *bridge.Topics) []string { return g.complete(t, g.name) }

// install adds nothing: a group is no hardware.
func (g *outputGroup) install(*Config) {}
