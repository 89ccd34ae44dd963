// Benchtable reads what bench.sh measured, a line of JSON each, and prints it as a table: medians over all pairs, and the medians
// of the ratios within the pairs.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
)

type times struct{ N, Lost, P50, P99 float64 }

type measurement struct {
	Name    string
	Edge    *times `json:"edge_to_message"`
	Command *times `json:"command_to_pin"`
	Local   *times `json:"edge_to_pin"`
	Burst   *struct {
		Edges, Messages, Alternating float64
		Drain                        float64 `json:"drain_us"`
		CPU                          float64 `json:"cpu_us"`
		RSS                          float64 `json:"rss_kb"`
	}
	Start float64 `json:"start_us"`
	RSS   float64 `json:"rss_kb"`
	CPU   float64 `json:"idle_cpu_percent"`
}

func main() {
	log.SetFlags(0)
	runs := map[string][]measurement{}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var m measurement
		if err := json.Unmarshal(in.Bytes(), &m); err != nil {
			log.Fatalf("benchtable: %s: %v", in.Text(), err)
		}
		runs[m.Name] = append(runs[m.Name], m)
	}
	if len(runs["floor"]) == 0 || len(runs["big"]) == 0 {
		log.Fatal("benchtable: nothing was measured")
	}
	fmt.Println("| | QoS | p50 | p99 | of the shortest program's p50 | p99 |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	edge := func(m measurement) *times { return m.Edge }
	command := func(m measurement) *times { return m.Command }
	local := func(m measurement) *times { return m.Local }
	row := func(what, qos, name, rival string, get, of func(measurement) *times) {
		p50 := func(m measurement, get func(measurement) *times) float64 { return get(m).P50 }
		p99 := func(m measurement, get func(measurement) *times) float64 { return get(m).P99 }
		fmt.Printf("| %s | %s | %.2f ms | %.2f ms | %.2f | %.2f |\n", what, qos,
			over(runs[name], func(m measurement) float64 { return p50(m, get) })/1000,
			over(runs[name], func(m measurement) float64 { return p99(m, get) })/1000,
			ratio(runs[name], runs[rival], func(m measurement) float64 { return p50(m, get) }, func(m measurement) float64 { return p50(m, of) }),
			ratio(runs[name], runs[rival], func(m measurement) float64 { return p99(m, get) }, func(m measurement) float64 { return p99(m, of) }))
	}
	row("edge to message: the shortest program", "0", "floor", "floor", edge, edge)
	row("edge to message", "0", "qos0", "floor", edge, edge)
	row("edge to message", "1", "qos1", "floor", edge, edge)
	row("edge to message, broker with set_tcp_nodelay", "1", "qos1_nodelay", "floor_nodelay", edge, edge)
	row("command to pin: the shortest program", "0", "floor", "floor", command, command)
	row("command to pin", "0", "qos0", "floor", command, command)
	row("command to pin", "1", "qos1", "floor", command, command)
	row("command to pin, broker with set_tcp_nodelay", "1", "qos1_nodelay", "floor_nodelay", command, command)
	row("button to relay: the shortest program for that", "-", "floor_local", "floor_local", local, local)
	row("button to relay, by a rule", "-", "local", "floor_local", local, local)
	row("the same, of gatewayd's own edge to message", "1", "local", "qos1", local, edge)

	fmt.Println("\n| a burst of 2000 edges | QoS | messages | in order | drained in | CPU per message | of the shortest program's |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- |")
	perMessage := func(m measurement) float64 { return m.Burst.CPU / m.Burst.Messages }
	for _, c := range []struct{ what, qos, name, rival string }{
		{"the shortest program", "0", "floor", "floor"}, {"gatewayd", "0", "qos0", "floor"}, {"gatewayd", "1", "qos1", "floor"},
		{"gatewayd, broker with set_tcp_nodelay", "1", "qos1_nodelay", "floor_nodelay"},
	} {
		least := func(get func(measurement) float64) float64 {
			return get(slices.MinFunc(runs[c.name], func(a, b measurement) int { return int(get(a) - get(b)) }))
		}
		fmt.Printf("| %s | %s | %.0f at least | %.0f | %.0f ms | %.0f us | %.2f |\n", c.what, c.qos,
			least(func(m measurement) float64 { return m.Burst.Messages }), least(func(m measurement) float64 { return m.Burst.Alternating }),
			over(runs[c.name], func(m measurement) float64 { return m.Burst.Drain })/1000,
			over(runs[c.name], perMessage), ratio(runs[c.name], runs[c.rival], perMessage, perMessage))
	}
	big := runs["big"]
	fmt.Printf("\n54 lines and two polled expanders: %.1f MB resident, %.0f %% CPU idle, online %.0f ms after the start.\n",
		over(big, func(m measurement) float64 { return m.RSS })/1024,
		over(big, func(m measurement) float64 { return m.CPU }), over(big, func(m measurement) float64 { return m.Start })/1000)
	n, lost := 0.0, 0.0
	for _, all := range runs {
		for _, m := range all {
			for _, t := range []*times{m.Edge, m.Command, m.Local} {
				if t != nil {
					n, lost = n+t.N, lost+t.Lost
				}
			}
		}
	}
	fmt.Printf("%.0f round trips, %.0f lost; %d pairs.\n", n, lost, len(runs["floor"]))
}

// over is the median of a figure over all runs.
func over(runs []measurement, figure func(measurement) float64) float64 {
	var all []float64
	for _, m := range runs {
		all = append(all, figure(m))
	}
	return median(all)
}

// ratio is the median of the ratios of runs that were made in turn.
func ratio(a, b []measurement, of, to func(measurement) float64) float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, of(a[i])/to(b[i]))
	}
	return median(all)
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}
