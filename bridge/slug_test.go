package bridge

import (
	"maps"
	"regexp"
	"slices"
	"testing"
)

func TestSlug(t *testing.T) {
	for _, c := range [][2]string{
		{"Kitchen", "kitchen"},
		{"  Living  Room 2 ", "living_room_2"},
		{"Wohnzimmer, Küche", "wohnzimmer_kueche"},
		{"Größe-Öl_Straße", "groesse_oel_strasse"},
		{"Café / Łódź", "cafe_lodz"},
		{"e\u0301tage", "etage"}, // the mark on its own
		{"🙂", ""},
		{"寝室 2", "2"},
		{"__a__", "a"},
	} {
		if got := slug(c[0]); got != c[1] {
			t.Errorf("%q: got %q, want %q", c[0], got, c[1])
		}
	}
}

// TestAreas sees that spellings of one area are one device, that two areas never are, and that neither order nor number of the points
// changes where an area is.
func TestAreas(t *testing.T) {
	areas := []string{"Küche", "Kueche", "KÜCHE", "Living Room", "livingroom", "living-room", "🙂", "☃", "", "Garden", "garden "}
	books := func(areas []string) map[string]string {
		cfg := &Config{Device: "shed", HomeAssistant: HomeAssistant{Area: "Garden"}}
		for i, area := range areas {
			cfg.Outputs = append(cfg.Outputs, Output{Name: "l" + string(rune('a'+i)), Entity: Entity{Area: area}})
		}
		found := map[string]string{}
		for _, b := range discover(cfg, NewTopics(cfg), &About{}) {
			if b.Device.Via != "" && b.Device.Via != "gatewayd_shed" {
				t.Errorf("%s: got via_device %q, want gatewayd_shed", b.name, b.Device.Via)
			}
			found[b.name] = sameArea(b.Device.Area)
		}
		return found
	}
	got := books(areas)
	if len(got) != 7 { // the gateway's, and six areas that are not its own
		t.Errorf("got %d books: %v, want 7", len(got), got)
	}
	for name := range got {
		if !regexp.MustCompile(`^[a-z0-9_]*$`).MatchString(name) {
			t.Errorf("book %q: want [a-z0-9_]*", name)
		}
	}
	slices.Reverse(areas)
	if again := books(areas); !maps.Equal(again, got) {
		t.Errorf("in another order: got %v, want %v", again, got)
	}
}

// TestNoHome sees that no device points to a gateway that has no entity of its own: Home Assistant would make a nameless one of it.
func TestNoHome(t *testing.T) {
	cfg := &Config{Device: "shed", Outputs: []Output{{Name: "l01", Entity: Entity{Area: "Kitchen"}}}}
	books := discover(cfg, NewTopics(cfg), &About{})
	if len(books) != 2 || len(books[0].Components) != 0 || books[1].Device.Via != "" {
		t.Errorf("got %d books, %+v", len(books), books[1].Device)
	}
}

// TestDocumentSize keeps documents small: brokers limit their size, and Home Assistant reads all of them when it starts.
func TestDocumentSize(t *testing.T) {
	cfg := &Config{Device: "shed", Outputs: []Output{{Name: "l01", Label: "Kitchen lamp", Channel: Channel{Topic: "light/l01", QoS: 1, Retain: true}}}}
	b := discover(cfg, NewTopics(cfg), &About{})[0]
	const most = 400
	if got := len(marshal(&b.Components[0])); got > most {
		t.Errorf("a light: got %d bytes, want %d at most: %s", got, most, marshal(&b.Components[0]))
	} else {
		t.Logf("a light: %d bytes, the document without it: %d", got, len(b.document(nil)))
	}
}
