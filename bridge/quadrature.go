package bridge

// quadrature follows the two contacts of a rotary encoder. It knows no clock.
//
// Turned clockwise they go through rest, a, both, b, and rest again, one contact at a time. A contact that bounces goes to and fro between
// two of these, and leads nowhere. What is not such a path is no step: the way that was not seen may have been either.
type quadrature struct {
	perStep int     // 4: a step is the whole round, 2: half of it, 1: each change
	active  [2]bool // a and b
	known   [2]bool
	moved   int  // changes since the last rest, clockwise ones less the others
	lost    bool // the way since the last rest is not known
}

// quadrants are how the contacts stand, in the order of turning clockwise.
var quadrants = map[[2]bool]int{{false, false}: 0, {true, false}: 1, {true, true}: 2, {false, true}: 3}

// edge takes a change of a contact (0 is a, 1 is b) that was seen. It gives 1 for a step clockwise, -1 for one the other way, or 0.
func (q *quadrature) edge(contact int, active bool) (step int) {
	if !q.known[0] || !q.known[1] {
		q.active[contact], q.known[contact] = active, true
		q.lost = true
		return 0
	}
	if q.active[contact] == active {
		return 0 // away and back between two looks
	}
	before := quadrants[q.active]
	q.active[contact] = active
	now := quadrants[q.active]
	if (now-before+4)%4 == 1 {
		q.moved++
	} else {
		q.moved--
	}
	if now%q.perStep != 0 {
		return 0
	}
	step = q.moved / q.perStep // from where the way was not known on, it is less
	q.moved, q.lost = 0, false
	return step
}

// read takes how a contact stands where it is not known how it came to that, and tells whether a step may have been missed by it.
func (q *quadrature) read(contact int, active bool) (missed bool) {
	first := !q.known[contact]
	if !first && q.active[contact] == active {
		return false
	}
	missed = !first && !q.lost
	q.active[contact], q.known[contact] = active, true
	q.begin()
	return missed
}

// begin begins anew: between two detents nobody knows how it came there.
func (q *quadrature) begin() {
	q.moved, q.lost = 0, !q.known[0] || !q.known[1] || quadrants[q.active]%q.perStep != 0
}

// forget is for when the contacts are not available.
func (q *quadrature) forget(contact int) { q.known[contact], q.moved, q.lost = false, 0, true }
