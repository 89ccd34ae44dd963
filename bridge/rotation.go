package bridge

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
)

// candidate is a broker that a session can use.
type candidate struct {
	name       string // its URL, without credentials
	end        endpoint
	user, pass string
	bad        error // in its URL
	err        error // why it could not be reached in this round
}

// newCandidate reads a broker's URL. A user in it counts where the configuration has none.
func newCandidate(broker, user string) candidate {
	var inURL *url.Userinfo
	c := candidate{user: user}
	c.end, inURL, c.bad = parseBroker(broker)
	c.name = c.end.String()
	if c.bad != nil {
		c.name = redact(broker)
	}
	if c.user == "" && inURL != nil {
		c.user = inURL.Username()
		c.pass, _ = inURL.Password()
	}
	return c
}

// rotation says which of the brokers is next. A round tries each of them once, without a pause between two; it begins with the one
// that was good last, or with the first where that is preferred. With one broker every attempt is a round.
type rotation struct {
	all    []candidate
	prefer bool // the first is better than the others
	at     int  // is tried, or in use
	begin  int  // of this round
	good   int  // had the last connection
}

func newRotation(cfg *SessionConfig) rotation {
	urls := cfg.Brokers
	if len(urls) == 0 {
		urls = []string{cfg.Broker}
	}
	r := rotation{prefer: cfg.PreferFirst && len(urls) > 1}
	for _, u := range urls {
		r.all = append(r.all, newCandidate(u, cfg.Username))
	}
	return r
}

func (r *rotation) now() *candidate { return &r.all[r.at] }

// find gives the place of a broker; -1: it is none of these.
func (r *rotation) find(name string) int {
	return slices.IndexFunc(r.all, func(c candidate) bool { return c.name == name })
}

// begins has the first round begin with a broker that was good before, if it is one of these and the first is not preferred.
func (r *rotation) begins(name string) {
	if i := r.find(name); i > 0 && !r.prefer {
		r.at, r.begin, r.good = i, i, i
	}
}

// chooses reports whether it matters which broker was good last.
func (r *rotation) chooses() bool { return len(r.all) > 1 && !r.prefer }

// remember has the broker remembered that has been good for a while.
func (s *Session) remember(p *peer, now time.Time) {
	name := s.turn.now().name
	if s.cfg.Good == nil || name == s.remembered || !s.turn.chooses() || p.born.IsZero() || now.Sub(p.born) < s.cfg.GoodAfter {
		return
	}
	s.remembered = name
	s.cfg.Good(name)
}

// failed notes an attempt that made no connection, and reports whether another broker is left in this round.
func (r *rotation) failed(err error) (more bool) {
	r.now().err = err
	r.at = (r.at + 1) % len(r.all)
	return r.at != r.begin
}

// reason is why a round made no connection.
func (r *rotation) reason() error {
	if len(r.all) == 1 {
		return r.all[0].err
	}
	var none noBroker
	for i := range r.all {
		none.said = append(none.said, r.all[i].name+": "+r.all[i].err.Error())
		none.errs = append(none.errs, r.all[i].err)
	}
	return &none
}

// again begins the next round after one that failed.
func (r *rotation) again() {
	r.at = r.good
	if r.prefer {
		r.at = 0
	}
	r.begin = r.at
}

// lost begins a round after the end of a connection. One that was silent, or did not last, has the next broker be tried first:
// what is frozen would take the time of an attempt, and what ends each connection at once would be chosen for ever.
func (r *rotation) lost(lasted time.Duration, silent bool) {
	r.good = r.at
	lost := r.at
	r.again()
	if r.at == lost && (silent || lasted < shortLife) {
		r.at = (r.at + 1) % len(r.all)
		r.begin = r.at
	}
}

// first begins a round with the first broker.
func (r *rotation) first() { r.at, r.begin = 0, 0 }

// away reports whether the broker in use is not the one that is preferred.
func (r *rotation) away() bool { return r.prefer && r.at != 0 }

// noBroker is why none of several brokers could be reached.
type noBroker struct {
	said []string
	errs []error
}

func (n *noBroker) Error() string   { return "no broker can be used: " + strings.Join(n.said, "; ") }
func (n *noBroker) Unwrap() []error { return n.errs }

// errBack ends a connection: the preferred broker answers again.
var errBack = errors.New("the first broker answers again")
