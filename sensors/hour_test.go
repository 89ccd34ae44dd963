package sensors

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"

	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/control"
)

// hour is a driver with a model of the simulated bus.
type hour struct {
	model string
	world map[string][2]float64 // what the model senses: how far it goes
	off   map[string]float64    // of each reading: how far it may be off
	// of gives a reading's quantity from the world; nil: it is the one of the same name.
	of map[string]func(world map[string]float64) float64
	// writes that are spoilt do not show, as nothing of them can be read back: none is.
	deaf bool
}

// hours has one for each driver that has a model. Each driver's test may enter its own.
var hours = map[string]hour{
	"bme280": {model: "bme280", world: map[string][2]float64{"temperature": {-20, 60}, "humidity": {10, 90}, "pressure": {900, 1050}},
		off: map[string]float64{"temperature": 0.02, "humidity": 0.1, "pressure": 0.2}},
	"bmp280": {model: "bmp280", world: map[string][2]float64{"temperature": {-20, 60}, "pressure": {900, 1050}},
		off: map[string]float64{"temperature": 0.02, "pressure": 0.2}},
	"sht3x": {model: "sht31", world: map[string][2]float64{"temperature": {-20, 60}, "humidity": {10, 90}},
		off: map[string]float64{"temperature": 0.01, "humidity": 0.01}},
	"aht20": {model: "aht20", world: map[string][2]float64{"temperature": {-20, 60}, "humidity": {10, 90}},
		off: map[string]float64{"temperature": 0.01, "humidity": 0.01}},
	"bh1750": {model: "bh1750", world: map[string][2]float64{"lux": {10, 2000}}, off: map[string]float64{"illuminance": 1},
		of: map[string]func(map[string]float64) float64{"illuminance": func(w map[string]float64) float64 { return w["lux"] }}, deaf: true},
	"lm75":   {model: "lm75", world: map[string][2]float64{"temperature": {-20, 60}}, off: map[string]float64{"temperature": 0.51}},
	"tmp102": {model: "tmp102", world: map[string][2]float64{"temperature": {-20, 60}}, off: map[string]float64{"temperature": 0.07}},
	"ads1115": {model: "ads1115", world: map[string][2]float64{"ain0": {0, 4}, "ain1": {0, 4}}, off: map[string]float64{"a0": 0.0002, "a0_a1": 0.0002},
		of: map[string]func(map[string]float64) float64{
			"a0":    func(w map[string]float64) float64 { return w["ain0"] },
			"a0_a1": func(w map[string]float64) float64 { return w["ain0"] - w["ain1"] },
		}},
	"ina219": {model: "ina219", world: map[string][2]float64{"voltage": {0, 25}, "current": {-3, 3}}, off: map[string]float64{"voltage": 0.003, "current": 0.0001, "power": 0.01},
		of: map[string]func(map[string]float64) float64{
			"power": func(w map[string]float64) float64 { return w["voltage"] * w["current"] },
		}},
}

// hourTroubles are what happens to a chip: the address stands for %s.
var hourTroubles = []string{
	"fault %s nack on", "fault %s nack 1", "fault %s nack 2", "fault %s nack 7", "fault %s corrupt 1", "noise", "noise", "noise", "fault %s errno EIO 3",
	"fault %s errno EIO on", "fault %s timeout 1", "fault %s timeout 3", "absent %s", "%s reset", "%s reset", "busy %s on", "latency 20ms",
}

// TestHour has each driver's Poller measure a simulated chip every two seconds for an hour, in a world that jumps, while the chip goes
// wrong again and again, in the midst of a measurement too. What is told is of the world as it was within the second before, or nothing is.
func TestHour(t *testing.T) {
	for name, h := range hours {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := Lookup(name)
				addr := fmt.Sprintf("%#02x", d.Addrs[0])
				b := bus.New(bus.Profiles["bcm2835"], nil)
				defer b.Close()
				do := func(line string) {
					t.Helper()
					if _, err := control.Exec(b, line); err != nil {
						t.Fatalf("%s: %v", line, err)
					}
				}
				do("chip " + h.model + "@" + addr)
				do("speed 100k")
				dice := rand.New(rand.NewPCG(7, uint64(len(name))))

				type moment struct {
					at    time.Time
					world map[string]float64
				}
				var mu sync.Mutex // guards history
				var history []moment
				jump := func() {
					mu.Lock()
					defer mu.Unlock()
					now := map[string]float64{}
					for what, span := range h.world {
						now[what] = span[0] + dice.Float64()*(span[1]-span[0])
						do(fmt.Sprintf("%s %s %v", addr, what, now[what]))
					}
					history = append(history, moment{time.Now(), now})
				}
				jump()

				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				wire := &noisy{Bus: i2csim.New(b, "sim"), deaf: h.deaf, dice: rand.New(rand.NewPCG(8, uint64(len(name))))}
				samples := make(chan Sample)
				ended := make(chan error, 1)
				poller := NewPoller(PollerConfig{
					Name: name, Driver: d, Options: optionsFor(d, wire, partSettings[name]), Every: 2 * time.Second, Misses: 1,
				}, samples)
				go func() { ended <- poller.Run(ctx) }()
				still := make(chan struct{})
				go func() {
					defer close(still)
					for sleep(ctx, time.Duration(dice.IntN(int(9*time.Second)))) {
						switch {
						case dice.IntN(2) == 0:
							jump()
						case dice.IntN(3) == 0:
							trouble := hourTroubles[dice.IntN(len(hourTroubles))]
							if trouble == "noise" {
								wire.on.Store(true)
								break
							}
							if strings.Contains(trouble, "%s") {
								trouble = fmt.Sprintf(trouble, addr)
							}
							do(trouble)
						default:
							wire.on.Store(false)
							do("fault " + addr + " off")
							do("present " + addr)
							do("busy " + addr + " off")
							do("latency off")
						}
					}
				}()

				good, failed := 0, 0
				for {
					var s Sample
					select {
					case err := <-ended:
						if err != nil {
							t.Error(err)
						}
						if good < 500 || failed < 20 || wire.n < 20 {
							t.Errorf("%d measurements, %d failures, %d bits flipped: this proves nothing", good, failed, wire.n)
						}
						<-still
						t.Logf("%d measurements, %d failures, %d bits flipped", good, failed, wire.n)
						return
					case s = <-samples:
					}
					if s.Err != nil {
						failed++
						continue
					}
					good++
					mu.Lock()
					for _, r := range s.Readings {
						ok, what := false, ""
						for i, m := range history {
							if i+1 < len(history) && s.At.Sub(history[i+1].at) > time.Second {
								continue
							}
							want := m.world[r.Quantity]
							if of := h.of[r.Quantity]; of != nil {
								want = of(m.world)
							}
							ok = ok || math.Abs(r.Value-want) <= h.off[r.Quantity]
							what += fmt.Sprintf(" %.3f since %v", want, s.At.Sub(m.at))
						}
						if !ok {
							t.Errorf("%s %v, while it was%s", r.Quantity, r.Value, what)
						}
					}
					mu.Unlock()
				}
			})
		})
	}
}

// noisy is a bus on which bits flip while it is on, never the same one twice running: two spoilt alike are rare, and cannot be told from
// right ones where there is no check sum.
type noisy struct {
	i2c.Bus
	on   atomic.Bool
	deaf bool // only what is read is spoilt
	dice *rand.Rand
	last int
	n    int // flips
}

func (n *noisy) Tx(addr uint16, w, r []byte) error {
	w = slices.Clone(w)
	if n.on.Load() && !n.deaf && len(w) > 0 && n.dice.IntN(16) == 0 {
		n.flip(w)
	}
	err := n.Bus.Tx(addr, w, r)
	if n.on.Load() && len(r) > 0 && n.dice.IntN(8) == 0 {
		n.flip(r)
	}
	return err
}

func (n *noisy) flip(p []byte) {
	bit := n.dice.IntN(8 * len(p))
	if bit == n.last {
		bit = (bit + 1) % (8 * len(p))
	}
	p[bit/8] ^= 1 << (bit % 8)
	n.last = bit
	n.n++
}
