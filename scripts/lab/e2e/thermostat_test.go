//go:build linux

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// heated is a room with a heater on an expander's relay, which is regulated by a sensor on the same bus. It tells its readings in JSON.
const heated = `
chips:
  - {name: relays, type: mcp23017, bus: 1, address: 0x20}
outputs:
  - {name: heater, chip: relays, line: GPA0}
sensors:
  - {name: room, type: bme280, bus: 1, address: 0x76, every: 3s, format: json, while_offline: keep}
rules:
  - {when: room/temperature, above: 21, below: 20, do: off, otherwise: on, output: heater}
`

// The relay follows the temperature, whether the broker is there or not; it is off when the sensor is away, and right again when its
// chip has returned.
func TestThermostat(t *testing.T) {
	i2c := newBus(t, "bme280@0x76", "mcp23017@0x20")
	temperature := func(v string) { t.Helper(); i2c.do("0x76 temperature " + v) }
	heatsWithin := func(limit time.Duration, what string, on bool) {
		t.Helper()
		within(t, limit, what, func() bool { return i2c.high(relays, "a0") == on })
	}
	heats := func(on bool) { t.Helper(); heatsWithin(30*time.Second, fmt.Sprintf("the heater is on: %v", on), on) }
	stays := func(on bool, why string) {
		t.Helper()
		time.Sleep(6500 * time.Millisecond) // two measurements
		if i2c.high(relays, "a0") != on {
			t.Errorf("%s: the heater is on: %v", why, !on)
		}
	}
	temperature("20.5")
	b := newBroker(t)
	o := b.observe()
	g := newGateway(t, b, heated)
	o.showsWithin(time.Minute, root+"heater", "OFF")
	o.showsWithin(time.Minute, root+"room/availability", "online")
	eventually(t, "all readings in one message", func() bool {
		m, _ := o.last(root + "room")
		return regexp.MustCompile(`^{"temperature":20\.\d\d,"humidity":[\d.]+,"pressure":[\d.]+,("at":"20[\dTZ.:-]+"|"age_s":[\d.]+)}$`).MatchString(m.payload)
	})
	stays(false, "between the limits")

	began := time.Now()
	b.kill()
	temperature("19.5")
	heats(true)
	t.Logf("measured: %v from the cold to the heater, with the broker killed, of a sensor that measures every 3 s", time.Since(began).Round(10*time.Millisecond))
	temperature("20.5")
	stays(true, "between the limits, from below")
	temperature("21.5")
	heats(false)
	temperature("20.5")
	stays(false, "between the limits, from above")

	temperature("19")
	heats(true)
	i2c.do("absent 0x76")
	heatsWithin(time.Minute, "nobody measures: off", false)
	i2c.do("present 0x76")
	heatsWithin(2*time.Minute, "measured again: on", true)

	i2c.do("absent 0x20")
	time.Sleep(1500 * time.Millisecond) // until that is known
	temperature("22")
	time.Sleep(6500 * time.Millisecond)
	i2c.do("present 0x20")
	heatsWithin(2*time.Minute, "an OFF is kept while the chip is away", false)
	i2c.do("absent 0x20")
	time.Sleep(1500 * time.Millisecond)
	temperature("19")
	time.Sleep(6500 * time.Millisecond)
	i2c.do("present 0x20")
	heatsWithin(2*time.Minute, "an ON is wished until it succeeds", true)

	b.start()
	o = b.observe()
	o.showsWithin(time.Minute, root+"heater", "ON")
	within(t, time.Minute, "what was measured meanwhile", func() bool {
		for _, m := range o.since(0, root+"room/late") {
			if strings.HasPrefix(m.payload, `{"temperature":19.`) && strings.HasSuffix(m.payload, `"late":true}`) {
				return true
			}
		}
		return false
	})
	o.send(root+"heater/set", "OFF")
	heats(false)
	stays(false, "a person has switched it off")
	write(t, g.file, strings.ReplaceAll(read(t, g.file), "above: 21, below: 20", "above: 16, below: 15"))
	g.signal(unix.SIGHUP)
	within(t, time.Minute, "the reload is done", func() bool { return g.said("reloaded: 1 rule changed")+g.said("reloaded: 1 rule new, 1 rule gone") > 0 })
	stays(false, "with lower limits")
	temperature("14")
	heats(true)
}
