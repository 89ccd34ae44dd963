package openhab

// locations are the semantic tags of rooms, by what people call them in English and in German, with an icon of the classic set.
var locations = map[string][2]string{
	"attic": {"Attic", "attic"}, "loft": {"Attic", "attic"}, "dachboden": {"Attic", "attic"}, "speicher": {"Attic", "attic"},
	"basement": {"Basement", "cellar"}, "cellar": {"Cellar", "cellar"}, "keller": {"Cellar", "cellar"},
	"bathroom": {"Bathroom", "bath"}, "bath": {"Bathroom", "bath"}, "bad": {"Bathroom", "bath"}, "badezimmer": {"Bathroom", "bath"},
	"bedroom": {"Bedroom", "bedroom"}, "schlafzimmer": {"Bedroom", "bedroom"},
	"boiler_room": {"BoilerRoom", "heating"}, "heizraum": {"BoilerRoom", "heating"}, "heizungskeller": {"BoilerRoom", "heating"},
	"carport": {"Carport", "garage"}, "garage": {"Garage", "garage"},
	"corridor": {"Corridor", "corridor"}, "hall": {"Corridor", "corridor"}, "hallway": {"Corridor", "corridor"}, "stairs": {"Corridor", "corridor"},
	"flur": {"Corridor", "corridor"}, "diele": {"Corridor", "corridor"}, "treppenhaus": {"Corridor", "corridor"},
	"dining_room": {"DiningRoom", ""}, "esszimmer": {"DiningRoom", ""},
	"driveway": {"Driveway", ""}, "einfahrt": {"Driveway", ""},
	"entry": {"Entry", "frontdoor"}, "entrance": {"Entry", "frontdoor"}, "eingang": {"Entry", "frontdoor"},
	"first_floor": {"FirstFloor", "firstfloor"}, "ground_floor": {"GroundFloor", "groundfloor"}, "erdgeschoss": {"GroundFloor", "groundfloor"},
	"garden": {"Garden", "garden"}, "garten": {"Garden", "garden"},
	"guest_room": {"GuestRoom", ""}, "gaestezimmer": {"GuestRoom", ""},
	"house": {"House", "house"}, "haus": {"House", "house"},
	"kitchen": {"Kitchen", "kitchen"}, "kueche": {"Kitchen", "kitchen"},
	"laundry_room": {"LaundryRoom", "washingmachine"}, "laundry": {"LaundryRoom", "washingmachine"}, "waschkueche": {"LaundryRoom", "washingmachine"},
	"living_room": {"LivingRoom", "sofa"}, "wohnzimmer": {"LivingRoom", "sofa"},
	"office": {"Office", "office"}, "buero": {"Office", "office"}, "arbeitszimmer": {"Office", "office"},
	"outdoor": {"Outdoor", ""}, "outside": {"Outdoor", ""}, "draussen": {"Outdoor", ""}, "aussen": {"Outdoor", ""},
	"patio": {"Patio", "terrace"}, "porch": {"Porch", "terrace"}, "terrace": {"Terrace", "terrace"}, "terrasse": {"Terrace", "terrace"},
	"veranda": {"Veranda", "terrace"},
	"shed":    {"Shed", ""}, "schuppen": {"Shed", ""}, "gartenhaus": {"SummerHouse", ""},
}

// location gives a room's semantic tag and icon: Room for one that openHAB has no word for.
func location(area string) (tag, icon string) {
	if l, ok := locations[slug(area)]; ok {
		return l[0], l[1]
	}
	return "Room", ""
}
