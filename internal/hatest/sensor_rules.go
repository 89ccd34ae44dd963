package hatest

import (
	"fmt"
	"slices"
	"strings"
)

// checkPlatform holds a converted component against what a schema's keys alone do not say. The warnings let it live.
func checkPlatform(platform string, c map[string]any) (warnings []string, err error) {
	has := func(k string) bool { return c[k] != nil }
	category, _ := c["entity_category"].(string)
	switch platform {
	case "binary_sensor", "sensor":
		if category == "config" {
			return nil, fmt.Errorf("entity_category config cannot be added for a %s", platform)
		}
	case "light":
		if s, _ := c["schema"].(string); s != "" && s != "basic" {
			return nil, fmt.Errorf("a light with schema %s is %w", s, errUnsupported)
		}
	case "valve":
		if c["reports_position"] == true {
			return nil, fmt.Errorf("a valve that reports its position is %w", errUnsupported)
		}
	case "device_automation":
		if c["automation_type"] != "trigger" {
			return nil, fmt.Errorf("automation_type: got %v, want trigger", c["automation_type"])
		}
	}
	if platform != "sensor" {
		return nil, nil
	}
	class, _ := c["device_class"].(string)
	stateClass, _ := c["state_class"].(string)
	unit, _ := c["unit_of_measurement"].(string)
	if u, ok := schema().Ambiguous[unit]; ok {
		unit = u
		c["unit_of_measurement"] = u
	}
	if options, given := c["options"]; given {
		switch list, _ := options.([]any); {
		case class != "enum":
			return nil, fmt.Errorf("options without device_class enum")
		case stateClass != "" || unit != "":
			return nil, fmt.Errorf("options with a state_class or unit_of_measurement")
		case len(list) == 0:
			return nil, fmt.Errorf("options are empty")
		}
	}
	if has("last_reset_value_template") && stateClass != "total" {
		return nil, fmt.Errorf("last_reset_value_template without state_class total")
	}
	if units, ok := schema().StateClassOne[stateClass]; ok && !slices.Contains(units, unit) {
		return nil, fmt.Errorf("state_class %s: unit %q is not one of %s", stateClass, unit, strings.Join(units, ", "))
	}
	if units, ok := schema().Units[class]; ok {
		none := slices.Contains(units, "(none)")
		switch {
		case unit == "" && !none:
			warnings = append(warnings, fmt.Sprintf("device_class %s without unit_of_measurement", class))
		case unit != "" && !slices.Contains(units, unit):
			return nil, fmt.Errorf("device_class %s: unit %q is not one of %s", class, unit, strings.Join(units, ", "))
		}
	}
	if classes, ok := schema().StateClasses[class]; ok && stateClass != "" && !slices.Contains(classes, stateClass) {
		warnings = append(warnings, fmt.Sprintf("state_class %s is impossible for device_class %s", stateClass, class))
	}
	return warnings, nil
}

// numeric tells whether a sensor's states must be numbers.
func numeric(c map[string]any) bool {
	class, _ := c["device_class"].(string)
	if slices.Contains(schema().NonNumeric, class) {
		return false
	}
	for _, k := range []string{"device_class", "state_class", "unit_of_measurement", "suggested_display_precision"} {
		if c[k] != nil && c[k] != "" {
			return true
		}
	}
	return false
}
