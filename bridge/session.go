package bridge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Session is the connection to the broker. It is made again whenever it ends, for ever. See outbox for the order of messages.
//
// The MQTT client connects, subscribes, receives and keeps the connection alive. What we publish is written past it, by one
// goroutine, and the acknowledgements are taken out of the stream before it sees them (see conn and flight): its own way costs
// three changes of goroutine, a timer and twenty allocations for each message, and cannot be interrupted while it waits.
type Session struct {
	cfg     SessionConfig
	receive func(Inbound)
	link    func(Link)
	log     *slog.Logger

	out       *outbox
	oversized atomic.Uint64
	alive     atomic.Int64 // Unix nanoseconds

	turn   rotation
	liking preference
	tries  backoff
	rival  rivalry
	told   notice
	heals  healing

	mu     sync.Mutex // guards the following
	stats  Stats      // without what outbox, flight and the atomics count
	flight *flight    // of the connection that is open; or nil
}

// NewSession makes a session; Run connects. receive gets what the subscriptions bring, its payload at most MaxPayload long, in
// order; link gets each change of the connection, and each new reason while it is down. Both are called from the session's
// goroutines and must not block.
func NewSession(cfg SessionConfig, receive func(Inbound), link func(Link), log *slog.Logger) *Session {
	def := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	def(&cfg.KeepAlive, KeepAlive)
	def(&cfg.RetryMin, time.Second)
	def(&cfg.RetryMax, time.Minute)
	def(&cfg.Timeout, 5*time.Second)
	def(&cfg.AckTimeout, 10*time.Second)
	def(&cfg.ProbeEvery, probeEvery)
	s := &Session{cfg: cfg, receive: receive, link: link, log: log, out: newOutbox()}
	s.tries = backoff{low: cfg.RetryMin, high: cfg.RetryMax}
	s.turn, s.liking = newRotation(&cfg), preference{every: cfg.ProbeEvery, calm: 2 * cfg.ProbeEvery}
	s.stats.Broker = s.turn.now().name
	s.beat()
	return s
}

// Publish queues m; the payload must not be changed afterwards. It never blocks and may be called from any goroutine, before
// Run, too.
func (s *Session) Publish(m Message) {
	var now time.Time
	if !m.State { // of a state the age does not matter
		now = time.Now()
	}
	if !s.out.put(m, now) && s.told.first("topic "+m.Topic) {
		s.log.Error("message dropped: no broker takes its topic", "topic", m.Topic)
	}
}

// Stats returns a snapshot. It does not block for long and may be called from any goroutine.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	st := s.stats
	st.Refused = append([]string(nil), s.stats.Refused...)
	if s.flight != nil {
		flying, acked := s.flight.counts()
		st.InFlight, st.Sent = flying, st.Sent+acked
	}
	s.mu.Unlock()
	st.Queued, st.Dropped, st.Superseded = s.out.counts()
	st.Oversized = s.oversized.Load()
	st.Alive = time.Unix(0, s.alive.Load())
	return st
}

func (s *Session) note(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

func (s *Session) beat() { s.alive.Store(time.Now().UnixNano()) }

// Run connects, and connects again, until ctx ends. Then it sends what is queued, for at most 2 s, publishes Status.Stopped,
// waits for its acknowledgement for at most 1 s more, and disconnects. It returns nil.
func (s *Session) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		s.beat()
		start := time.Now()
		p, err := s.connect(ctx)
		switch {
		case err == nil:
			up := time.Now()
			s.note(func(st *Stats) { st.Connects++ })
			err = s.serve(ctx, p, start)
			if err == errBack {
				s.turn.first()
				continue
			}
			err = s.over(p, err, up, time.Now())
		case ctx.Err() != nil:
			return nil
		default:
			s.missed(err)
			if s.turn.failed(err) {
				continue
			}
			err = s.turn.reason()
			s.turn.again()
			s.rival = rivalry{} // with a rival a broker always answers: all were away
		}
		if ctx.Err() != nil {
			return nil
		}
		s.down(p, err)
		wait := s.tries.next(time.Now())
		if s.rival.found {
			wait = max(wait, min(rivalWait, s.cfg.RetryMax))
		}
		s.pause(ctx, wait)
	}
	return nil
}

// over notes that a connection has ended because of err, and says more where more is known.
func (s *Session) over(p *peer, err error, up, down time.Time) error {
	lasted := down.Sub(up)
	if s.turn.prefer && s.turn.at == 0 {
		s.liking.lost(lasted)
	}
	s.tries.lost(up, down)
	if err != nil && !p.byUs() && s.rival.lost(up, down) {
		err = &refusal{
			fmt.Sprintf("the broker closes each connection soon: another client with the identifier %q seems to be connected", s.cfg.ClientID),
			"give each gateway a device name, or client_id, of its own; if there is only one, the broker's log says why it closes", err,
		}
	}
	s.turn.lost(lasted, p.byUs())
	return err
}

// peer is one connection with its client.
type peer struct {
	client mqtt.Client
	conn   *conn
	lost   chan error // one slot: the client's goroutines have ended
	flight *flight
	out    []byte // packets to be written together
	phase  phase
	live   atomic.Bool   // the birth message has been acknowledged
	born   time.Time     // when that was; zero: it has not been
	echo   atomic.Bool   // the birth message has come back to us
	heal   atomic.Bool   // our status was overwritten
	healed time.Time     // when it was published again, until that was told
	nudge  chan struct{} // one slot: heal was set, or an info came
	info   atomic.Pointer[[]byte]
}

// connect makes one attempt, with the broker whose turn it is.
func (s *Session) connect(ctx context.Context) (*peer, error) {
	to := s.turn.now()
	s.note(func(st *Stats) { st.Broker, st.Insecure = to.name, s.cfg.Insecure && to.end.secure() })
	p, err := s.open(ctx, to, s.cfg.ClientID, &s.cfg.Status)
	s.beat()
	return p, err
}

// open connects to a broker, with a last will where the connection speaks for the gateway. It may be called from any goroutine.
func (s *Session) open(ctx context.Context, to *candidate, id string, will *Status) (*peer, error) {
	if to.bad != nil {
		return nil, to.bad
	}
	pass, err := s.cfg.password(to.pass)
	if err != nil {
		return nil, explain(err, to.end, false)
	}
	secure, err := secureConfig(&s.cfg, to.end.host)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, explain(err, to.end, false)
	}
	if err != nil {
		return nil, err
	}
	if s.cfg.Insecure && to.end.secure() && s.told.first("insecure") {
		s.log.Error("INSECURE: THE BROKER'S CERTIFICATE IS NOT CHECKED: whoever is between can read everything, the password too, and switch "+
			"every output: remove insecure, and set ca to the certificate of the authority that signed the broker's", "broker", to.name)
	}
	stream, raw, err := dial(ctx, to.end, secure, s.cfg.Timeout)
	if err != nil {
		return nil, explain(err, to.end, false)
	}
	f := newFlight()
	c := newConn(stream, raw, s.cfg.Timeout, f.ack, &s.oversized)
	p := &peer{conn: c, flight: f, lost: make(chan error, 1), nudge: make(chan struct{}, 1)}
	o := mqtt.NewClientOptions().AddBroker("tcp://broker"). // a name only: the connection is given
								SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return c, nil }).
								SetClientID(id).SetUsername(to.user).SetPassword(pass).
								SetProtocolVersion(4). // else every refusal is tried again as 3.1
								SetCleanSession(true). // an ON that is an hour old must not run
								SetAutoReconnect(false).SetConnectRetry(false).
								SetOrderMatters(true).
								SetKeepAlive(s.cfg.KeepAlive).SetPingTimeout(s.cfg.Timeout).
								SetConnectTimeout(s.cfg.Timeout).
								SetWriteTimeout(s.cfg.Timeout).
								SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { s.incoming(p, m) }).
								SetConnectionLostHandler(func(_ mqtt.Client, err error) { p.lost <- err })
	if will != nil {
		o.SetBinaryWill(will.Topic, []byte(will.Offline), 1, true)
	}
	p.client = mqtt.NewClient(o)

	stop := context.AfterFunc(ctx, func() { c.fail(context.Canceled) })
	token := p.client.Connect().(*mqtt.ConnectToken)
	<-token.Done() // within Timeout: reading CONNACK has a deadline
	if !stop() && token.Error() == nil {
		p.close()
		return nil, ctx.Err()
	}
	if code := c.connack(); code != 0 {
		if token.Error() == nil { // the client takes a code that it does not know for success, on a connection that it has closed
			p.client.Disconnect(100)
		}
		return nil, refusedConnack(code, id, to.user)
	}
	if err := token.Error(); err != nil {
		return nil, explain(err, to.end, false)
	}
	return p, nil
}

// close says DISCONNECT, so that the broker does not publish the will, and waits until the client has ended.
func (p *peer) close() {
	p.client.Disconnect(250)
	if p.client.IsConnectionOpen() || !p.conn.gone() {
		p.conn.fail(context.Canceled) // it could not say it in time
	}
	p.client.Disconnect(1000) // waits for the first one
}

// subscribe subscribes to everything and looks at what the broker granted.
func (s *Session) subscribe(p *peer) error {
	filters := append([]string{s.cfg.Status.Topic}, s.cfg.Subscriptions...)
	if s.asksInfo() {
		filters = append(filters, s.cfg.InfoTopic)
	}
	var tokens []*mqtt.SubscribeToken
	for len(filters) > 0 {
		n := min(len(filters), 8) // AWS IoT takes no more in one packet
		batch := make(map[string]byte, n)
		for _, f := range filters[:n] {
			batch[f] = 1
		}
		filters = filters[n:]
		tokens = append(tokens, p.client.SubscribeMultiple(batch, nil).(*mqtt.SubscribeToken))
	}
	var refused []string
	limit := time.NewTimer(s.cfg.Timeout)
	defer limit.Stop()
	for _, t := range tokens {
		select {
		case <-t.Done():
		case <-limit.C:
			return fmt.Errorf("the broker did not answer a subscription: %w", os.ErrDeadlineExceeded)
		}
		if t.Error() != nil {
			return errCut
		}
		for filter, code := range t.Result() {
			if code == 0x80 {
				refused = append(refused, filter)
			}
		}
	}
	s.note(func(st *Stats) { st.Refused = refused })
	for _, filter := range refused {
		if s.told.first("refused " + filter) {
			s.log.Error("the broker refuses a subscription: allow it there; it is tried again with the next connection", "filter", filter,
				"client_id", s.cfg.ClientID, "username", s.turn.now().user)
		}
	}
	return nil
}

// incoming takes a message from the client, in its goroutine.
func (s *Session) incoming(p *peer, m mqtt.Message) {
	switch topic := m.Topic(); {
	case topic == s.cfg.Status.Topic:
		// Mosquitto publishes the will of a session that is taken over by our new one, and so can say that we are offline.
		// What was retained came before our birth message.
		if !m.Retained() && string(m.Payload()) == s.cfg.Status.Online {
			p.echo.Store(true)
		}
		if m.Retained() || !p.live.Load() || string(m.Payload()) == s.cfg.Status.Online {
			return
		}
		p.heal.Store(true)
	case topic == s.cfg.InfoTopic:
		if !m.Retained() {
			return
		}
		b := m.Payload()
		p.info.CompareAndSwap(nil, &b)
	default:
		s.receive(Inbound{Topic: topic, Payload: m.Payload(), Retained: m.Retained()})
		return
	}
	select {
	case p.nudge <- struct{}{}:
	default:
	}
}

// infoWait is how long a retained info may take to come; it comes right behind the answer to the subscription.
const infoWait = 300 * time.Millisecond

// asksInfo reports whether we look who wrote the retained info before we write ours.
func (s *Session) asksInfo() bool {
	return s.cfg.InfoTopic != "" && s.cfg.Info != nil && s.cfg.Identity != ""
}

// inform looks at the info that was found, and publishes ours.
func (s *Session) inform(p *peer) error {
	if s.cfg.InfoTopic == "" || s.cfg.Info == nil {
		return nil
	}
	if s.asksInfo() {
		p.client.Unsubscribe(s.cfg.InfoTopic) // its answer changes nothing
		if found := p.info.Load(); found != nil {
			if other := serialOf(*found); other != "" && other != s.cfg.Identity {
				s.note(func(st *Stats) { st.OtherBoard = other })
				if s.told.first("serial " + other) {
					s.log.Error("another board uses our name: give each gateway a device name of its own, or ignore this once after "+
						"a board was replaced", "topic", s.cfg.InfoTopic, "its_serial", other, "our_serial", s.cfg.Identity)
				}
			}
		}
	}
	now := time.Now()
	return s.send(p, item{Message: Message{Topic: s.cfg.InfoTopic, Payload: s.cfg.Info, QoS: 1, Retain: true, State: true}, at: now}, now)
}
