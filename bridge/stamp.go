package bridge

import (
	"strconv"
	"time"

	"gatewayd/internal/clock"
)

// stamped adds to a JSON object, which is not empty, when it was so: "at", in UTC, or, while the clock is not synchronised, "age_s", how
// many seconds ago. It gives a new payload.
func stamped(object []byte, at time.Time) []byte {
	b := append(make([]byte, 0, len(object)+40), object[:len(object)-1]...)
	if wall, ok := clock.Wall(at); ok {
		b = append(b, `,"at":"`...)
		b = wall.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
		return append(b, `"}`...)
	}
	b = append(b, `,"age_s":`...)
	b = strconv.AppendFloat(b, max(0, clock.Since(at).Seconds()), 'f', 1, 64)
	return append(b, '}')
}
