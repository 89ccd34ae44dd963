//go:build linux

package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// simulated is a driver with a chip of the simulated bus. A further driver is one more row of them.
type simulated struct {
	keys  string // type, and what it needs beside name, bus and address
	chip  string // KIND@ADDR
	world []span // what it senses
	told  map[string]told
}

// span is a quantity of the chip's surroundings, as its model calls it, and how far it goes.
type span struct {
	name      string
	low, high float64
}

// told is a reading: what of the world it is, and how far it may be off.
type told struct {
	of     func(world map[string]float64) float64
	within float64
}

// is is a reading that is one quantity of the world.
func is(name string, within float64) told {
	return told{func(world map[string]float64) float64 { return world[name] }, within}
}

var climate = map[string]told{"temperature": is("temperature", 0.02), "humidity": is("humidity", 0.1)}

var simulatedSensors = []simulated{
	{"type: bme280", "bme280@0x76", []span{{"temperature", -20, 60}, {"humidity", 10, 90}, {"pressure", 900, 1050}},
		map[string]told{"temperature": is("temperature", 0.02), "humidity": is("humidity", 0.1), "pressure": is("pressure", 0.2)}},
	{"type: bmp280", "bmp280@0x77", []span{{"temperature", -20, 60}, {"pressure", 900, 1050}},
		map[string]told{"temperature": is("temperature", 0.02), "pressure": is("pressure", 0.2)}},
	{"type: sht3x", "sht31@0x44", []span{{"temperature", -20, 60}, {"humidity", 10, 90}}, climate},
	{"type: aht20", "aht20@0x38", []span{{"temperature", -20, 60}, {"humidity", 10, 90}}, climate},
	{"type: lm75", "lm75@0x4c", []span{{"temperature", -20, 60}}, map[string]told{"temperature": is("temperature", 0.51)}},
	{"type: tmp102", "tmp102@0x48", []span{{"temperature", -20, 60}}, map[string]told{"temperature": is("temperature", 0.07)}},
	{"type: bh1750", "bh1750@0x23", []span{{"lux", 0, 2000}}, map[string]told{"illuminance": is("lux", 1)}},
	{"type: ads1115, inputs: [a0, a2-a3]", "ads1115@0x49", []span{{"ain0", 0, 4}, {"ain2", 0, 4}, {"ain3", 0, 4}}, map[string]told{
		"a0":    is("ain0", 0.0003),
		"a2_a3": {func(w map[string]float64) float64 { return w["ain2"] - w["ain3"] }, 0.0003},
	}},
	{"type: ina219, shunt: 0.1", "ina219@0x40", []span{{"voltage", 0, 25}, {"current", -3, 3}}, map[string]told{
		"voltage": is("voltage", 0.005),
		"current": is("current", 0.0002),
	}},
}

// disturbances are what happens to one chip for a while, and how it ends.
var disturbances = [][2]string{
	{"fault %s nack on", "fault %s off"},
	{"fault %s nack 1", ""},
	{"fault %s nack 3", ""},
	{"fault %s errno EIO on", "fault %s off"},
	{"fault %s corrupt 1", ""},
	{"fault %s timeout 1", ""},
	{"absent %s", "present %s"},
	{"%s reset", ""},
	{"busy %s on", "busy %s off"},
}

const (
	simulatedTime = 45 * time.Second
	simulatedJump = patience + 4*time.Second // the world stands still for that long at least: what is told for longer of the one before is stale
	simulatedHold = 2 * time.Second          // a sensor that is available again is so for a moment before its readings are told
)

// TestSimulatedSensors has each driver measure its simulated chip through /dev/i2c-1 in a world that jumps, while its chip goes wrong
// in all ways that the simulated bus has: what is told is right, and of now, or nothing is.
func TestSimulatedSensors(t *testing.T) {
	var chips []string
	var config strings.Builder
	config.WriteString("sensors:\n")
	addr := make([]string, len(simulatedSensors))
	for i, s := range simulatedSensors {
		chips = append(chips, s.chip)
		_, addr[i], _ = strings.Cut(s.chip, "@")
		fmt.Fprintf(&config, "  - {name: s%d, %s, bus: 1, address: %s, every: 2s, misses: 1}\n", i, s.keys, addr[i])
	}
	b := newBroker(t)
	o := b.observe()
	wire := newBus(t, chips...)

	type moment struct {
		at    time.Time
		world map[string]float64
	}
	history := make([][]moment, len(simulatedSensors))
	jump := func(i int) {
		now := map[string]float64{}
		for _, q := range simulatedSensors[i].world {
			v := math.Round((q.low+rand.Float64()*(q.high-q.low))*100) / 100
			now[q.name] = v
			wire.do(fmt.Sprintf("%s %s %v", addr[i], q.name, v))
		}
		history[i] = append(history[i], moment{time.Now(), now})
	}
	for i := range simulatedSensors {
		jump(i)
	}
	newGateway(t, b, config.String())

	available := func(i int) bool {
		m, ok := o.last(fmt.Sprintf("%ss%d/availability", root, i))
		return ok && m.payload == "online"
	}
	// shown tells whether what the broker has of a sensor is the world as it is now.
	shown := func(i int) (wrong string) {
		now := history[i][len(history[i])-1].world
		for quantity, reading := range simulatedSensors[i].told {
			m, _ := o.last(fmt.Sprintf("%ss%d/%s", root, i, quantity))
			if v, err := strconv.ParseFloat(m.payload, 64); err != nil || math.Abs(v-reading.of(now)) > reading.within {
				wrong = fmt.Sprintf("%s: %s %q, while it is %.2f", simulatedSensors[i].keys, quantity, m.payload, reading.of(now))
			}
		}
		return wrong
	}
	// heard looks at what was told since the mark, against the world since then. While the world jumps the several quantities of a
	// chip do not change at once, so each is looked at for itself.
	count, seen := 0, 0
	stale := make([]time.Time, len(simulatedSensors)) // since when
	heard := func() {
		now := time.Now()
		o.mu.Lock()
		fresh := o.got[seen:]
		seen = len(o.got)
		o.mu.Unlock()
		for _, m := range fresh {
			for i, s := range simulatedSensors {
				quantity, ok := strings.CutPrefix(m.topic, fmt.Sprintf("%ss%d/", root, i))
				reading, known := s.told[quantity]
				if !ok || !known {
					continue
				}
				v, err := strconv.ParseFloat(m.payload, 64)
				right := false
				var possible []string
				for n, h := range history[i] {
					if n+1 < len(history[i]) && now.Sub(history[i][n+1].at) > patience {
						continue // the world had changed before
					}
					want := reading.of(h.world)
					possible = append(possible, fmt.Sprintf("%.2f for %v", want, now.Sub(h.at).Round(time.Millisecond)))
					right = right || math.Abs(v-want) <= reading.within
				}
				if err != nil || !right {
					t.Errorf("%s: %s %q, while it was %s", s.keys, quantity, m.payload, strings.Join(possible, ", "))
				}
				count++
			}
		}
		for i := range simulatedSensors {
			since := now.Sub(history[i][len(history[i])-1].at)
			wrong := shown(i)
			if since <= patience || wrong == "" || !available(i) {
				stale[i] = time.Time{}
				continue
			}
			if stale[i].IsZero() {
				stale[i] = now
			}
			if now.Sub(stale[i]) > simulatedHold {
				t.Errorf("%s for %v", wrong, since.Round(time.Millisecond))
				stale[i] = time.Time{}
			}
		}
	}
	disturbed := make([]string, len(simulatedSensors)) // what ends it
	faults, away := 0, 0
	for end := time.Now().Add(simulatedTime); time.Now().Before(end) && !t.Failed(); {
		i := rand.IntN(len(simulatedSensors))
		switch {
		case disturbed[i] != "":
			if rand.IntN(4) == 0 {
				wire.do(disturbed[i])
				disturbed[i] = ""
			}
		case rand.IntN(3) == 0:
			d := disturbances[rand.IntN(len(disturbances))]
			wire.do(fmt.Sprintf(d[0], addr[i]))
			if d[1] != "" {
				disturbed[i] = fmt.Sprintf(d[1], addr[i])
			}
			faults++
		}
		// The world does not care whether a chip is disturbed: what was measured before is wrong then.
		for i := range simulatedSensors {
			if last := history[i][len(history[i])-1]; time.Since(last.at) > simulatedJump && rand.IntN(4) == 0 {
				jump(i)
			}
		}
		for range 8 {
			time.Sleep(50 * time.Millisecond)
			heard()
		}
		for i := range simulatedSensors {
			if !available(i) {
				away++
				break
			}
		}
	}
	for i, line := range disturbed {
		if line != "" {
			wire.do(line)
		}
		wire.do("absent " + addr[i])
		jump(i)
	}
	within(t, 3*patience, "all are unavailable when they are away", func() bool {
		for i := range simulatedSensors {
			if available(i) {
				return false
			}
		}
		return true
	})
	for i := range simulatedSensors {
		wire.do("present " + addr[i])
	}
	within(t, 90*time.Second, "all are right again", func() bool {
		heard()
		for i := range simulatedSensors {
			if !available(i) || shown(i) != "" {
				return false
			}
		}
		return true
	})
	if away == 0 || count == 0 {
		t.Errorf("%d readings, and %d looks found a sensor away: this proves nothing", count, away)
	}
	t.Logf("%d readings, %d disturbances", count, faults)
}
