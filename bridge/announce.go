package bridge

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Home Assistant loads a platform when the first component of it comes; of a document that comes meanwhile it takes only the first
// change. So what is to go is given time before what takes its place.
const announceSettle = 5 * time.Second

// originName is who we are in our documents.
const originName = "gatewayd"

// announceSpread is the longest wait after Home Assistant's birth: a house of gateways must not answer all at once.
const announceSpread = 5 * time.Second

// restateAfter is when states are told again after an announcement: those that the broker does not keep, and after one that is new all
// of them. Home Assistant may have had a state while it still waited for other words, and does not ask for it again.
const restateAfter = 2 * time.Second

// lateSettle is how long documents that the broker shows only after we are connected are waited for: they are answered together.
const lateSettle = 500 * time.Millisecond

// announcer keeps at the broker what Home Assistant is to know of this gateway, and has it forget what is gone.
//
// Home Assistant identifies a component by its document's topic, its key and its platform, and removes it only by an entry that has
// the platform alone. What an older run has announced is read from the retained documents themselves: what they have and ours do
// not becomes such an entry first, and is left out a little later.
type announcer struct {
	topics *Topics
	books  []*book         // none: nothing is announced, and what was is removed
	public map[string]bool // what we publish besides: nothing of it is cleared
	birth  string          // what Home Assistant says when it comes

	known  map[string]found  // what the broker has, by topic
	full   bool              // what the broker has was too much for known, and that has been told
	sent   map[string][]byte // what we last published, by topic
	silent map[string]bool   // topics that somebody else has cleared: we do not fight
	may    map[string]bool   // topics of which the broker may have documents, as we have not seen it since a reload

	spread                 func() time.Duration
	again, finish, restate time.Time       // when that is due; zero: it is not
	late                   time.Time       // when what the broker showed after all is looked at
	news                   bool            // a document differs from what the broker had: the words of a state may, too
	partial                bool            // since a reload: what the broker has is not published again
	some                   map[string]bool // the points whose states are told again; nil: all
	held                   map[string]bool // the points of which something waits for finish
	timer                  timer
}

func newAnnouncer(cfg *Config, t *Topics, about *About) *announcer {
	a := &announcer{
		topics: t, public: t.published(cfg), birth: cmp.Or(cfg.HomeAssistant.BirthPayload, "online"),
		known: map[string]found{}, sent: map[string][]byte{}, silent: map[string]bool{}, may: map[string]bool{},
		spread: func() time.Duration { return rand.N(announceSpread) },
	}
	if cfg.HomeAssistant.Discovery {
		a.books = discover(cfg, t, about)
	}
	a.timer = newTimer(a.tick)
	return a
}

// receive takes a message that concerns Home Assistant, and tells whether it was one.
func (a *announcer) receive(s *state, m *Inbound) bool {
	switch {
	case a.topics.discovers(m.Topic):
		a.document(s, m)
	case m.Topic != a.topics.birth:
		return false
	case !m.Retained && string(m.Payload) == a.birth && a.again.IsZero():
		a.again = s.now.Add(a.spread())
		a.schedule(s)
	}
	return true
}

// document is what is, or was, on one of the topics of our documents.
func (a *announcer) document(s *state, m *Inbound) {
	switch {
	case !validTopic(m.Topic): // no broker would take it to be cleared
	case m.Retained:
		if !a.keep(m.Topic, readFound(m.Payload)) {
			s.complain(s.topics.Gateway("error"), fmt.Sprintf("%s: what is left of older announcements at the broker is more than can be tidied up at once: the rest stays until the next connection", m.Topic))
		}
		if s.linked && a.late.IsZero() { // a broker that takes its time
			a.late = s.now.Add(lateSettle)
			a.schedule(s)
		}
	case len(m.Payload) == 0 && a.sent[m.Topic] != nil && !a.silent[m.Topic]:
		a.silent[m.Topic] = true
		a.clear(s, m.Topic) // else the next connection would bring it back
		s.complain(s.topics.Gateway("error"), fmt.Sprintf("%s was cleared: the device has been deleted in Home Assistant, and is announced "+
			"again when gatewayd starts anew; home_assistant: {discovery: false} in the configuration keeps it away", m.Topic))
	}
}

// foundMost bounds what is kept of documents at the broker: anybody may have left them there, and a house of 2000 points has half of it.
const foundMost = 16_000

// keep notes what the broker has on a topic. It is false once when there is no room for it.
func (a *announcer) keep(topic string, f found) (ok bool) {
	room := foundMost - f.size()
	for other, known := range a.known {
		if other != topic {
			room -= known.size()
		}
	}
	if room >= 0 {
		a.known[topic] = f
		return true
	}
	full := a.full
	a.full = true
	return full
}

// forgetFound makes room: the next connection tells anew.
func (a *announcer) forgetFound() {
	clear(a.known)
	a.full = false
}

// link follows the connection.
func (a *announcer) link(s *state, up bool) {
	a.partial, a.some, a.held = false, nil, nil
	if up {
		clear(a.may)
		a.reconcile(s)
		return
	}
	a.forgetFound()
	a.again, a.finish, a.restate, a.late = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	a.schedule(s)
}

// reconcile publishes the documents, and whatever is needed to get there from what the broker has.
func (a *announcer) reconcile(s *state) {
	a.late = time.Time{}
	parts := split(a.books, a.topics, a.known)
	wanted := map[string]*part{}
	for i := range parts {
		wanted[parts[i].topic] = &parts[i]
	}
	// Identifiers that are in use where they are not to be: only when they are gone there can they come elsewhere.
	leaving := map[entity]bool{}
	goes := map[string][]component{}
	published := len(parts) > 0 && !a.partial
	held := map[string]bool{}
	for topic, f := range a.known {
		for _, c := range f.components {
			if p := wanted[topic]; p == nil || !p.has(&c) {
				goes[topic] = append(goes[topic], c.removal())
				leaving[c.entity()] = true
			}
		}
	}
	for i := range parts {
		p := &parts[i]
		going := goes[p.topic]
		now := slices.DeleteFunc(slices.Clone(p.components), func(c component) bool {
			waits := leaving[c.entity()] || slices.ContainsFunc(going, func(g component) bool { return g.key == c.key })
			if waits {
				held[c.point] = true
			}
			return waits
		})
		if len(going) > 0 || len(now) < len(p.components) {
			a.finish = s.now.Add(announceSettle)
		}
		document := p.book.document(append(now, going...))
		if a.partial && !a.differs(p.topic, now, document) {
			continue
		}
		published = true
		a.publish(s, p.topic, document)
	}
	for _, topic := range slices.Sorted(maps.Keys(a.known)) {
		if wanted[topic] == nil {
			a.clear(s, topic)
		}
		for _, old := range a.known[topic].topics {
			if strings.HasPrefix(old, Prefix+"/") && !a.public[old] { // a point's that is gone, or has another name
				s.send = append(s.send, Message{Topic: old, QoS: 1, Retain: true, State: true})
			}
		}
	}
	a.forgetFound()
	for i := range parts {
		a.known[parts[i].topic] = found{components: parts[i].components, text: string(a.sent[parts[i].topic])}
	}
	a.held = held
	if published {
		a.restate = s.now.Add(restateAfter)
	}
	a.schedule(s)
}

// tick does what is due.
func (a *announcer) tick(s *state) {
	if reached(a.late, s.now) {
		a.reconcile(s)
	}
	if reached(a.finish, s.now) {
		a.finish = time.Time{}
		for _, p := range split(a.books, a.topics, a.known) {
			document := p.book.document(p.components)
			if a.partial && !a.differs(p.topic, p.components, document) {
				continue
			}
			a.publish(s, p.topic, document)
		}
		a.held = nil
		a.restate = s.now.Add(restateAfter)
	}
	if reached(a.again, s.now) {
		a.again, a.some = time.Time{}, nil // what the broker keeps it tells Home Assistant itself
		for _, topic := range slices.Sorted(maps.Keys(a.sent)) {
			a.publish(s, topic, a.sent[topic])
		}
		a.restate = s.now.Add(restateAfter)
	}
	if reached(a.restate, s.now) {
		a.restate = time.Time{}
		if a.some != nil {
			a.retellSome(s)
		} else {
			s.restate(a.news)
		}
		a.news = false
	}
	a.schedule(s)
}

func (a *announcer) schedule(s *state) {
	s.timers.set(&a.timer, earliest(earliest(a.again, a.finish), earliest(a.restate, a.late)))
}

func (a *announcer) publish(s *state, topic string, payload []byte) {
	if a.silent[topic] {
		return
	}
	if f := a.known[topic]; f.text != string(payload) {
		a.news = true
		f.text = string(payload)
		a.known[topic] = f
	}
	a.sent[topic] = payload
	s.send = append(s.send, Message{Topic: topic, Payload: payload, QoS: 1, Retain: true, State: true})
}

// clear takes a document away, and so all that it had.
func (a *announcer) clear(s *state, topic string) {
	delete(a.sent, topic)
	s.send = append(s.send, Message{Topic: topic, QoS: 1, Retain: true, State: true})
}
