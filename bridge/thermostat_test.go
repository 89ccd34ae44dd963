package bridge

import (
	"strings"
	"testing"
	"time"
)

// withThermostats has a fan (l02), a heater whose ON ends after ten minutes (pump), a bell for damp air, and lights for the cold while
// the broker is away.
func withThermostats(c *Config) {
	withGroups(c)
	c.Rules = nil
	c.Thermostats = []Thermostat{
		{When: "attic/temperature", Above: 24, Below: 22, High: VerbOn, Low: VerbOff, Outputs: []string{"l02"}},
		{When: "attic/temperature", Above: 20, Below: 18, High: VerbOff, Low: VerbOn, Outputs: []string{"pump"}},
		{When: "attic/humidity", Above: 70, Below: 60, High: VerbPulse, For: time.Second, Low: VerbNone, Unavailable: VerbNone, Outputs: []string{"bell"}},
	}
}

// withBlind has a reading move a blind both ways, which is locked and takes its time, and a group.
func withBlind(c *Config) {
	withThermostats(c)
	c.HomeAssistant.Identify = "l02"
	c.Outputs[4].MinInterval = 10 * time.Second
	c.Thermostats = []Thermostat{
		{When: "attic/temperature", Above: 24, Below: 24, High: VerbOn, Low: VerbNone, Unavailable: VerbOn, Outputs: []string{"up"}},
		{When: "attic/temperature", Above: 24, Below: 24, High: VerbNone, Low: VerbOn, Unavailable: VerbNone, Outputs: []string{"down"}},
		{When: "attic/humidity", Above: 70, Below: 60, High: VerbOn, Low: VerbOff, Outputs: []string{"all_lights", "bell"}},
		{When: "attic/humidity", Above: 90, Below: 90, High: VerbOn, Low: VerbNone, Unavailable: VerbNone, Outputs: []string{"up"}},
	}
}

// withCompressor has a heater that must not be switched often.
func withCompressor(c *Config) {
	withThermostats(c)
	c.Thermostats = c.Thermostats[1:2]
	for i := range c.Outputs {
		if c.Outputs[i].Name == "pump" {
			c.Outputs[i].MinInterval, c.Outputs[i].MaxOn = 5*time.Minute, 0
		}
	}
}

// withFallback has the gateway heat only while the broker is away.
func withFallback(c *Config) {
	withThermostats(c)
	c.Thermostats = c.Thermostats[1:2]
	c.Thermostats[0].Only = Offline
}

func init() {
	otherHouses["thermostat"] = withThermostats
	otherHouses["thermostat_lost"] = withThermostats
	otherHouses["thermostat_chip"] = withThermostats
	otherHouses["thermostat_guards"] = withBlind
	otherHouses["thermostat_offline"] = withFallback
	otherHouses["thermostat_held"] = withCompressor
	otherHouses["thermostat_reload"] = withThermostats
	renovations["warmer"] = func(c *Config) { c.Thermostats[0].Above, c.Thermostats[0].Below = 26, 23 }
	renovations["more_fans"] = func(c *Config) { c.Thermostats[0].Outputs = []string{"l02", "l01"} }
	renovations["group_fan"] = func(c *Config) { c.Thermostats[0].Outputs = []string{"all_lights"} }
	renovations["no_thermostats"] = func(c *Config) { c.Thermostats = nil }
}

// Mistakes that the configuration's check has told already.
func TestThermostatNeeds(t *testing.T) {
	for want, r := range map[string]Thermostat{
		`rule on "cellar/temperature": no such reading`:            {When: "cellar/temperature", Outputs: []string{"l01"}},
		`rule on "attic": no such reading`:                         {When: "attic", Outputs: []string{"l01"}},
		`rule on "attic/temperature": no output or group "door"`:   {When: "attic/temperature", Outputs: []string{"door"}},
		`rule on "attic/temperature": no output or group "nobody"`: {When: "attic/temperature", Outputs: []string{"l01", "nobody"}},
	} {
		c := house()
		c.Thermostats = []Thermostat{r}
		if _, err := newState(c, About{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
