package openhabtest

import (
	"fmt"
	"strings"
)

// semantic has the tags that openHAB 4 and 5 both know, as far as they are of use here (openhab-core, SemanticTags.csv).
var semantic = classes(map[string]string{
	"Location": "Indoor Apartment Building Garage House Shed SummerHouse Corridor Floor Attic Basement FirstFloor GroundFloor SecondFloor ThirdFloor " +
		"Room Bathroom Bedroom BoilerRoom Cellar DiningRoom Entry FamilyRoom GuestRoom Kitchen LaundryRoom LivingRoom Office Veranda " +
		"Outdoor Carport Driveway Garden Patio Porch Terrace",
	"Equipment": "Lightbulb Valve Lock Siren Door GarageDoor Window MotionDetector SmokeDetector PowerOutlet Sensor WallSwitch NetworkAppliance",
	"Point":     "Alarm Control Switch Measurement Setpoint Status",
	"Property": "Temperature Humidity Pressure Light Power Opening Presence Smoke CO CO2 Gas Water Vibration Noise Voltage Current Energy Frequency " +
		"Duration Wind Rain Level",
})

func classes(lists map[string]string) map[string]string {
	all := map[string]string{}
	for class, list := range lists {
		for _, tag := range strings.Fields(list) {
			all[tag] = class
		}
	}
	return all
}

// class is what the semantic model takes an Item for; empty: nothing.
func (it *Item) class() string {
	for _, tag := range it.Tags {
		if c := semantic[tag]; c != "Property" {
			return c
		}
	}
	return ""
}

// checkTags holds an Item against what SemanticsServiceImpl complains of: one tag of Location, Equipment or Point, a Property with a
// Point alone; a Point belongs to one Location or one Equipment, and so does an Equipment; a Location to no Equipment.
func checkTags(it *Item, items map[string]*Item) error {
	count := map[string]int{}
	for _, tag := range it.Tags {
		c := semantic[tag]
		if c == "" {
			return fmt.Errorf("openHAB does not know the tag %q", tag)
		}
		count[c]++
	}
	if n := count["Location"] + count["Equipment"] + count["Point"]; n != 1 || count["Property"] > count["Point"] {
		return fmt.Errorf("tags %q do not go together", it.Tags)
	}
	class := it.class()
	if (class != "Point") != (it.Type == "Group") {
		return fmt.Errorf("a %s is a %s", class, it.Type)
	}
	in := map[string]int{}
	for _, g := range it.Groups {
		in[items[g].class()]++
	}
	if in["Location"]+in["Equipment"] > 1 || in["Point"] > 0 || class == "Location" && in["Equipment"] > 0 {
		return fmt.Errorf("a %s cannot be in %q", class, it.Groups)
	}
	if class == "Point" && len(it.Groups) == 0 {
		return fmt.Errorf("a Point is nowhere")
	}
	return nil
}
