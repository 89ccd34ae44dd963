package hatest

import (
	"strings"
	"unicode"
)

// defaultNames are those of entities without a name and a device class.
var defaultNames = map[string]string{
	"binary_sensor": "MQTT Binary sensor", "button": "MQTT Button", "event": "MQTT Event", "light": "MQTT LightEntity", "lock": "MQTT Lock",
	"sensor": "MQTT Sensor", "siren": "MQTT Siren", "switch": "MQTT Switch", "valve": "MQTT Valve",
}

// classNames are those of device classes that are not just their words.
var classNames = map[string]string{
	"aqi": "Air quality index", "pm1": "PM1", "pm25": "PM2.5", "pm10": "PM10", "pm4": "PM4", "ph": "pH", "battery_charging": "Charging",
}

// entityName is an entity's own name; "" for a device's main feature.
func entityName(platform string, c map[string]any) string {
	if name, given := c["name"]; given {
		s, _ := name.(string)
		return s
	}
	if class, _ := c["device_class"].(string); class != "" {
		if name, ok := classNames[class]; ok {
			return name
		}
		return strings.ToUpper(class[:1]) + strings.ReplaceAll(class[1:], "_", " ")
	}
	return defaultNames[platform]
}

// friendlyName is what people read: the device's name and the entity's.
func friendlyName(device, entity string) string {
	return strings.TrimSpace(device + " " + entity)
}

var umlauts = strings.NewReplacer("ä", "a", "ö", "o", "ü", "u", "ß", "ss", "Ä", "a", "Ö", "o", "Ü", "u", "é", "e", "è", "e", "°", "deg", "'", "", "’", "")

// slug makes an entity id's second part of a name.
func slug(name string) string {
	var out strings.Builder
	gap := false
	for _, r := range strings.ToLower(umlauts.Replace(name)) {
		if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			if gap && out.Len() > 0 {
				out.WriteByte('_')
			}
			gap = false
			out.WriteRune(r)
			continue
		}
		gap = true
	}
	if out.Len() == 0 {
		return "unknown"
	}
	return out.String()
}
