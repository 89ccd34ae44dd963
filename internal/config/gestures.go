package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
)

// gestureWords are what the event topic has for gestures.
var gestureWords = func() (all []choice[bridge.Trigger]) {
	for _, t := range []bridge.Trigger{bridge.Pressed, bridge.Released, bridge.Click, bridge.Double, bridge.Triple, bridge.Long, bridge.Hold} {
		all = append(all, choice[bridge.Trigger]{t.String(), t})
	}
	return all
}()

// gestureElsewhere is what they are called in other programs.
var gestureElsewhere = map[string]string{
	"single": "click", "single_click": "click", "short": "click", "short_press": "click", "double_click": "double", "doubleclick": "double",
	"double_press": "double", "triple_click": "triple", "triple_press": "triple", "long_press": "long", "long_click": "long",
	"held": "hold", "hold_repeat": "hold", "repeat": "hold", "single click": "click", "double click": "double", "long press": "long",
}

var gesture = calledElsewhere(calledElsewhere(oneOf(gestureWords...), gestureElsewhere),
	map[string]string{"pressed": "press", "on": "press", "released": "release", "off": "release", "false": "none", "no": "none"})

// gestureList is which gestures are told. An empty list is written as none, too.
var gestureList = value[[]bridge.Trigger]{
	want: "a list of " + gesture.want + "; or none",
	parse: func(n *yaml.Node, complain func(*yaml.Node, string)) (told []bridge.Trigger, ok bool) {
		if n.Kind == yaml.ScalarNode && strings.EqualFold(n.Value, "none") {
			return nil, true
		}
		if n.Kind == yaml.MappingNode {
			complain(n, "a list is wanted, such as [click, double], not a group of keys")
			return nil, false
		}
		ok = true
		for _, c := range elements(n) {
			t, good := gesture.parse(c, listed(n, complain))
			if good && slices.Contains(told, t) {
				complain(c, fmt.Sprintf("%q is there twice", t))
				good = false
			}
			told, ok = append(told, t), ok && good
		}
		return told, ok
	},
	node: func(told []bridge.Trigger) *yaml.Node {
		out := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, t := range told {
			out.Content = append(out.Content, plain(t.String()))
		}
		return out
	},
}

// whenUsed is a duration that is 0, and not printed, where nothing has a use for it.
func whenUsed(v value[time.Duration]) value[time.Duration] {
	node := v.node
	v.node = func(d time.Duration) *yaml.Node {
		if d == 0 {
			return nil
		}
		return node(d)
	}
	return v
}

var gestureKeys = []key[*input]{
	field("gestures", "what is told on its event topic; a push button's click and long, and what its rules wait for, unless said", gestureList,
		func(i *input) *[]bridge.Trigger { return &i.gestures.Told }),
	field("long_press", "held for that long is long, and no click", whenUsed(duration(100*time.Millisecond, 10*time.Second)),
		func(i *input) *time.Duration { return &i.gestures.Long }, bridge.DefaultLong),
	field("multi_click", "between the clicks of a double or triple one there is less than that", whenUsed(duration(50*time.Millisecond, 5*time.Second)),
		func(i *input) *time.Duration { return &i.gestures.Gap }, bridge.DefaultGap),
	field("hold_repeat", "hold is told again after that", whenUsed(duration(50*time.Millisecond, 10*time.Second)),
		func(i *input) *time.Duration { return &i.gestures.Every }, bridge.DefaultEvery),
}

// checkGestures completes what the inputs tell, and drops the times that nothing has a use for. A gesture that a rule waits for is
// told, too, unless the file says what is told; press and release are not, for the state tells them.
func (d *draft) checkGestures() {
	ruled := map[string][]bridge.Trigger{}
	for _, r := range d.rules {
		if !r.bad["when"] && !r.bad["is"] {
			ruled[r.When] = append(ruled[r.When], r.Is)
		}
	}
	for _, i := range all[*input](d) {
		if i.bad["gestures"] {
			continue
		}
		asked := ruled[i.name]
		if !i.has("gestures") {
			if made := i.bridge(); made.PushButton() {
				asked = append(asked, bridge.Click, bridge.Long)
			}
			for t := bridge.Click; t <= bridge.Hold; t++ {
				if slices.Contains(asked, t) {
					i.gestures.Told = append(i.gestures.Told, t)
				}
			}
		}
		i.checkTimes(d, append(asked, i.gestures.Told...))
	}
}

// checkTimes looks at the times of an input of which these gestures are asked.
func (i *input) checkTimes(d *draft, asked []bridge.Trigger) {
	for _, c := range []struct {
		key  string
		at   *time.Duration
		used []bridge.Trigger
	}{
		{"long_press", &i.gestures.Long, []bridge.Trigger{bridge.Long, bridge.Hold}},
		{"multi_click", &i.gestures.Gap, []bridge.Trigger{bridge.Double, bridge.Triple}},
		{"hold_repeat", &i.gestures.Every, []bridge.Trigger{bridge.Hold}},
	} {
		if slices.ContainsFunc(asked, func(t bridge.Trigger) bool { return slices.Contains(c.used, t) }) {
			continue
		}
		*c.at = 0
		if n, path := i.at(c.key); i.has(c.key) && !i.bad[c.key] {
			var words []string
			for _, t := range c.used {
				words = append(words, t.String())
			}
			d.warnf(n, path, "nothing uses this time: neither gestures nor a rule of this input has %s", join(words, "or"))
		}
	}
	if gap := i.gestures.Gap; gap > 0 && gap <= i.Debounce && !i.bad["multi_click"] && !i.bad["debounce"] {
		n, path := i.at("multi_click")
		d.warnf(n, path, "%s is not longer than debounce, %s: no second click can come in time", bridge.Hours(gap), bridge.Hours(i.Debounce))
	}
}
