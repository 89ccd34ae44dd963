package bridge

import (
	"encoding/json"
	"slices"
	"testing"

	"gatewayd/sensors"
)

func init() {
	otherHouses["flag"] = func(c *Config) {
		withLate(c)
		c.Sensors[0].Quantities = append(slices.Clone(c.Sensors[0].Quantities), underVoltage)
		box := c.Sensors[0]
		box.Name, box.JSON = "box", true
		c.Sensors = append(c.Sensors, box)
	}
}

var underVoltage = sensors.Quantity{Name: "under_voltage", Class: "problem", Flag: true}

// A flag is a binary sensor, with a class of its own beside the other readings; where it is told in JSON, too.
func TestFlagDiscovery(t *testing.T) {
	c := house()
	otherHouses["flag"](c)
	var found int
	for _, book := range discover(c, NewTopics(c), &About{}) {
		for _, e := range book.Components {
			if e.point != "attic" && e.point != "box" {
				continue
			}
			flag := e.key == "attic-under_voltage" || e.key == "box-under_voltage"
			if !flag {
				if e.Platform != "sensor" || e.Precision == nil {
					t.Errorf("%s: %+v", e.key, e)
				}
				continue
			}
			found++
			template := ""
			topic := "gatewayd/shed/attic/under_voltage"
			if e.point == "box" {
				template, topic = "{{ value_json.under_voltage }}", "gatewayd/shed/box"
			}
			if e.Platform != "binary_sensor" || e.Class != "problem" || e.Unit != "" || e.StateClass != "" || e.Precision != nil || e.StateTopic != topic ||
				e.ValueTemplate != template || e.PayloadOn != "" || e.EntityID != "binary_sensor.shed_"+e.point+"_under_voltage" {
				text, _ := json.Marshal(e)
				t.Errorf("%s: %s, %s", e.key, e.EntityID, text)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d flags", found)
	}
}
