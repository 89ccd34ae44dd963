package config

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/sensors"
)

// filterWords are the filters, each with an example.
var filterWords = []string{"offset", "scale", "calibrate", "median", "average", "min", "max", "round", "delta"}

const (
	filtersWanted    = "a list of filters such as [offset: -0.4, median: 5, round: 1]"
	defaultHeartbeat = 10 * time.Minute
)

// filters is a list of steps. Each is a group of one key; delta can have heartbeat beside it.
var filters = value[[]sensors.Filter]{
	want: filtersWanted,
	parse: func(n *yaml.Node, complain func(*yaml.Node, string)) (all []sensors.Filter, ok bool) {
		switch {
		case refused(n):
			return nil, false
		case n.Kind == yaml.MappingNode && len(n.Content) > 2 && n.Content[0].Value != "delta":
			complain(n, "filters have an order, so they are "+filtersWanted)
			return nil, false
		}
		ok = true
		for _, item := range elements(n) {
			f, good := filter(item, complain)
			if good && len(all) > 0 && all[len(all)-1].Delta != nil {
				complain(item, "delta decides what is told: it has to be the last filter")
				good = false
			}
			all, ok = append(all, f), ok && good
		}
		return all, ok
	},
	node: func(all []sensors.Filter) *yaml.Node {
		if len(all) == 0 {
			return nil
		}
		out := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, f := range all {
			out.Content = append(out.Content, printFilter(&f))
		}
		return out
	},
}

func filter(n *yaml.Node, complain func(*yaml.Node, string)) (f sensors.Filter, ok bool) {
	if refused(n) {
		return f, false
	}
	if n.Kind != yaml.MappingNode || len(n.Content) < 2 || refused(n.Content[0]) {
		complain(n, "a filter is wanted, such as offset: -0.4; there are "+join(filterWords, "and"))
		return f, false
	}
	word, v := n.Content[0].Value, n.Content[1]
	if len(n.Content) > 2 && !(len(n.Content) == 4 && word == "delta" && n.Content[2].Value == "heartbeat") {
		complain(n.Content[2], "each filter is an item by itself: wanted is "+filtersWanted)
		return f, false
	}
	number := func(least, most float64) (*float64, bool) {
		x, ok := decimalNumber(least, most).parse(v, complain)
		return &x, ok
	}
	count := func(least, most int) (int, bool) { return integer[int]("a number", least, most).parse(v, complain) }
	const far = 1e12
	switch word {
	case "offset":
		f.Offset, ok = number(-far, far)
	case "scale":
		if f.Scale, ok = number(-far, far); ok && *f.Scale == 0 {
			complain(v, "scale: 0 makes everything 0")
			ok = false
		}
	case "min":
		f.Min, ok = number(-far, far)
	case "max":
		f.Max, ok = number(-far, far)
	case "median":
		f.Median, ok = count(2, sensors.MaxWindow)
	case "average":
		f.Average, ok = count(2, sensors.MaxWindow)
	case "round":
		var decimals int
		decimals, ok = count(-6, 6)
		f.Round = &decimals
	case "calibrate":
		f.Calibrate, ok = calibration(v, complain)
	case "delta":
		var by *float64
		by, ok = number(0, far)
		f.Delta = &sensors.Delta{By: *by, Heartbeat: defaultHeartbeat}
		if ok && len(n.Content) == 4 {
			f.Delta.Heartbeat, ok = duration(time.Second, 24*time.Hour).parse(n.Content[3], complain)
		}
	default:
		complain(n.Content[0], fmt.Sprintf("there is no filter %s%s: there are %s", quote(word), didYouMean(word, filterWords), join(filterWords, "and")))
	}
	return f, ok
}

// calibration is a list of points, [what was measured, what is right there], in any order.
func calibration(n *yaml.Node, complain func(*yaml.Node, string)) (points [][2]float64, ok bool) {
	const wanted = "two or more points are wanted, each [what was measured, what is right], such as [[1.2, 0], [2.8, 100]]"
	if n.Kind != yaml.SequenceNode || len(n.Content) < 2 {
		complain(n, wanted)
		return nil, false
	}
	for _, c := range n.Content {
		if c.Kind != yaml.SequenceNode || len(c.Content) != 2 {
			complain(c, wanted)
			return nil, false
		}
		var p [2]float64
		for i := range p {
			if p[i], ok = decimalNumber(-1e12, 1e12).parse(c.Content[i], complain); !ok {
				return nil, false
			}
		}
		at, twice := slices.BinarySearchFunc(points, p[0], func(q [2]float64, v float64) int { return cmp.Compare(q[0], v) })
		if twice {
			complain(c, fmt.Sprintf("two points say what is right where %v was measured: one of them is wanted", p[0]))
			return nil, false
		}
		points = slices.Insert(points, at, p)
	}
	return points, true
}

// decimalNumber is a number with or without a fraction.
func decimalNumber(least, most float64) value[float64] {
	return scalar("a number", func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		switch {
		case err != nil || math.IsNaN(v):
			return 0, fmt.Errorf("%s is not a number: wanted one such as -0.4", quote(s))
		case v < least || v > most:
			return 0, fmt.Errorf("%s is out of range: wanted a number from %v to %v", quote(s), least, most)
		}
		return v, nil
	}, func(v float64) *yaml.Node { return plain(strconv.FormatFloat(v, 'f', -1, 64)) })
}

func printFilter(f *sensors.Filter) *yaml.Node {
	number := func(v float64) *yaml.Node { return plain(strconv.FormatFloat(v, 'f', -1, 64)) }
	out := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	add := func(word string, n *yaml.Node) { out.Content = append(out.Content, plain(word), n) }
	switch {
	case f.Offset != nil:
		add("offset", number(*f.Offset))
	case f.Scale != nil:
		add("scale", number(*f.Scale))
	case f.Calibrate != nil:
		points := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, p := range f.Calibrate {
			points.Content = append(points.Content, &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{number(p[0]), number(p[1])}})
		}
		add("calibrate", points)
	case f.Median > 0:
		add("median", number(float64(f.Median)))
	case f.Average > 0:
		add("average", number(float64(f.Average)))
	case f.Min != nil:
		add("min", number(*f.Min))
	case f.Max != nil:
		add("max", number(*f.Max))
	case f.Round != nil:
		add("round", number(float64(*f.Round)))
	case f.Delta != nil:
		add("delta", number(f.Delta.By))
		add("heartbeat", plain(bridge.Hours(f.Delta.Heartbeat)))
	}
	return out
}
