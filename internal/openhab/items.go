package openhab

import (
	"cmp"
	"fmt"
	"strings"

	"gatewayd/bridge"
)

// Items gives the .items file: the rooms, the gateway, and an Item for each channel that has a state.
func Items(c *bridge.Config) string {
	w := &itemWriter{cfg: c, prefix: itemPrefix(identity(c)), rooms: map[string]string{}, sets: map[string]bool{}, taken: map[string]bool{}}
	all := channels(c)
	w.WriteString(header(c, "items"))
	if c.HomeAssistant.Area != "" {
		w.room(c.HomeAssistant.Area)
	}
	for i := range all {
		if all[i].item != nil && all[i].area != "" {
			w.room(all[i].area)
		}
	}
	w.group(w.gateway(), gatewayName(c), "network", w.rooms[key(c.HomeAssistant.Area)], "NetworkAppliance")
	w.WriteByte('\n')
	for i := range all {
		w.channel(&all[i])
	}
	return w.String()
}

// itemWriter writes Items.
type itemWriter struct {
	strings.Builder
	cfg    *bridge.Config
	prefix string
	rooms  map[string]string // the Items of rooms, by the room
	sets   map[string]bool   // those written, by their Item
	taken  map[string]bool   // names of rooms' Items
}

// gateway is the gateway's Item. Its name has two parts, as all have: some words by themselves are the grammar's, such as Group.
func (w *itemWriter) gateway() string { return w.prefix + "_Gateway" }

// key is by what rooms are alike.
func key(area string) string { return strings.ToLower(area) }

// room writes a room, once.
func (w *itemWriter) room(area string) {
	if w.rooms[key(area)] != "" {
		return
	}
	base := w.prefix + "_In_" + cmp.Or(slug(area), "room")
	name := base
	for n := 2; w.taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	w.taken[name] = true
	w.rooms[key(area)] = name
	tag, icon := location(area)
	w.group(name, area, icon, "", tag)
}

// group writes a Group.
func (w *itemWriter) group(name, label, icon, in, tag string) {
	fmt.Fprintf(w, "Group %s %s%s%s [%s]\n", name, quote(cmp.Or(labelText(label), name)), wrapped(" <", icon, ">"), wrapped(" (", in, ")"), quote(tag))
}

// channel writes the Item of a channel, after the equipment that it is the first of.
func (w *itemWriter) channel(ch *channel) {
	if ch.item == nil {
		return
	}
	in := w.gateway()
	if ch.area != "" {
		in = w.rooms[key(ch.area)]
	}
	if s := ch.set; s != nil {
		name := w.prefix + "_" + s.name
		if !w.sets[name] {
			w.sets[name] = true
			w.group(name, s.label, s.icon, in, s.tag)
		}
		in = name
	}
	it := ch.item
	label := cmp.Or(labelText(ch.name), it.name)
	if it.format != "" {
		label += " [" + it.format + "]"
	}
	var tags []string
	for _, t := range it.tags {
		tags = append(tags, quote(t))
	}
	metadata := append([]param{text("channel", thingUID(w.cfg)+":"+ch.id)}, it.metadata...)
	fmt.Fprintf(w, "%s %s_%s %s%s (%s) [%s] { %s }\n", it.kind, w.prefix, it.name, quote(label), wrapped(" <", it.icon, ">"), in,
		strings.Join(tags, ","), list(metadata))
}

// wrapped puts text between two others, if there is any.
func wrapped(before, s, after string) string {
	if s == "" {
		return ""
	}
	return before + s + after
}
