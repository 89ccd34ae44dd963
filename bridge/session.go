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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// SessionConfig is how to reach the broker and what to say there. Files are read at every attempt to connect.
type SessionConfig struct {
	Broker       string // tcp://, mqtt://, tls://, ssl://, mqtts://, ws:// or wss://; a port and path have defaults; see CheckBroker
	ClientID     string
	Username     string // empty: the one in the broker's URL
	Password     string
	PasswordFile string // read instead of Password; a line's end is cut off

	CA         string // file of certificates that are trusted; empty: the system's
	Cert, Key  string // files of the client certificate; empty: none
	ServerName string // expected in the broker's certificate; empty: the host in the URL

	KeepAlive     time.Duration // 0: 15 s
	Status        Status        // with all its fields given
	Subscriptions []string      // filters, besides the status topic
	InfoTopic     string        // where Info is published, retained, with every connection
	Info          []byte        // JSON with "serial"; nil: none
	Identity      string        // our serial; when the retained info has another one, another board uses our name. Empty: not compared

	// For tests; 0: the default.
	RetryMin, RetryMax time.Duration // between attempts: 1 s, 60 s
	Timeout            time.Duration // of connecting, of a write, of a subscription: 5 s
	AckTimeout         time.Duration // until a message is acknowledged: 10 s
}

// Stats is a snapshot of a session.
type Stats struct {
	Connected  bool
	Broker     string    // its URL, without credentials
	Since      time.Time // when Connected became what it is
	Connects   uint64    // connections made, ever
	Sent       uint64    // messages acknowledged; at QoS 0: written
	Queued     int       // messages waiting for their turn
	InFlight   int       // messages waiting for their acknowledgement
	Dropped    Dropped
	Superseded uint64    // states that gave way to a newer one before they were sent
	Oversized  uint64    // messages received that were cut to MaxPayload
	Healed     uint64    // times that our status had been overwritten, and was published again
	Refused    []string  // subscriptions that the broker refused
	OtherBoard string    // serial of another board that uses our name; empty: none seen
	LastError  error     // why it is down now, or was last; nil: never
	LastFailed time.Time // when LastError was seen
	Alive      time.Time // when the session's goroutine last came by; while Run runs never older than the longest timeout and a second
}

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

	end   endpoint
	user  string
	pass  string
	bad   error // in the broker's URL
	tries backoff
	rival rivalry
	told  notice
	heals healing

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
	def(&cfg.KeepAlive, 15*time.Second)
	def(&cfg.RetryMin, time.Second)
	def(&cfg.RetryMax, time.Minute)
	def(&cfg.Timeout, 5*time.Second)
	def(&cfg.AckTimeout, 10*time.Second)
	s := &Session{cfg: cfg, receive: receive, link: link, log: log, out: newOutbox()}
	s.tries = backoff{low: cfg.RetryMin, high: cfg.RetryMax}
	var inURL *url.Userinfo
	s.end, inURL, s.bad = parseBroker(cfg.Broker)
	s.user, s.pass = cfg.Username, cfg.Password
	if s.user == "" && inURL != nil {
		s.user = inURL.Username()
		if p, ok := inURL.Password(); ok && s.pass == "" {
			s.pass = p
		}
	}
	s.stats.Broker, s.stats.Since = s.end.String(), time.Now()
	if s.bad != nil {
		s.stats.Broker = redact(cfg.Broker)
	}
	s.beat()
	return s
}

// Publish queues m; the payload must not be changed afterwards. It never blocks and may be called from any goroutine, before
// Run, too.
func (s *Session) Publish(m Message) {
	if !s.out.put(m, time.Now()) && s.told.first("topic "+m.Topic) {
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
		if err == nil {
			up := time.Now()
			s.note(func(st *Stats) { st.Connects++ })
			err = s.serve(ctx, p, start)
			if err != nil && time.Since(up) >= 30*time.Second {
				s.tries.reset()
			}
			if err != nil && !p.byUs() && s.rival.lost(up, time.Now()) {
				err = &refusal{fmt.Sprintf("the broker closes each connection soon: another client with the identifier %q seems to be connected", s.cfg.ClientID),
					"give each gateway a device name, or client_id, of its own; if there is only one, the broker's log says why it closes", err}
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		s.down(err)
		wait := s.tries.next()
		if s.rival.found {
			wait = max(wait, min(rivalWait, s.cfg.RetryMax))
		}
		s.pause(ctx, wait)
	}
	return nil
}

// pause waits for d, or until ctx ends, and shows that the session is alive.
func (s *Session) pause(ctx context.Context, d time.Duration) {
	done := time.NewTimer(d)
	defer done.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done.C:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			s.beat()
		}
	}
}

// down tells that there is no connection, and why: once for each reason.
func (s *Session) down(err error) {
	now := time.Now()
	var changed, was bool
	s.note(func(st *Stats) {
		was = st.Connected
		changed = was || st.LastError == nil || st.LastError.Error() != err.Error()
		if was {
			st.Since = now
		}
		st.Connected, st.LastError, st.LastFailed = false, err, now
	})
	switch {
	case s.rival.found: // connected and lost in turn
		if s.told.again("rival "+err.Error(), "", now) {
			s.log.Error("connection to the broker lost", "broker", s.end.String(), "reason", err)
		}
	case was:
		s.log.Warn("connection to the broker lost", "broker", s.end.String(), "reason", err)
		s.told.again("down", err.Error(), now)
	case s.told.again("down", err.Error(), now):
		s.log.Warn("no connection to the broker", "broker", s.Stats().Broker, "reason", err)
	}
	if changed {
		s.link(Link{Broker: s.Stats().Broker, Err: err, At: now})
	}
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
	heal   atomic.Bool   // our status was overwritten
	nudge  chan struct{} // one slot: heal was set, or an info came
	info   atomic.Pointer[[]byte]
}

// byUs reports whether we ended the connection because the broker was silent.
func (p *peer) byUs() bool {
	cause := p.conn.failure()
	return errors.Is(cause, errNoAck) || errors.Is(cause, os.ErrDeadlineExceeded)
}

// phase is how far a connection has come.
type phase uint8

const (
	dumping   phase = iota // all states are sent
	settling               // waits for their acknowledgements
	greeting               // waits for that of the birth message
	attending              // live
)

// connect makes one attempt.
func (s *Session) connect(ctx context.Context) (*peer, error) {
	if s.bad != nil {
		return nil, s.bad
	}
	pass := s.pass
	if s.cfg.PasswordFile != "" {
		b, err := os.ReadFile(s.cfg.PasswordFile)
		if err != nil {
			return nil, explain(fmt.Errorf("password_file: %w", err), s.end, false)
		}
		pass = strings.TrimRight(string(b), "\r\n")
	}
	secure, err := secureConfig(s.cfg.CA, s.cfg.Cert, s.cfg.Key, s.cfg.ServerName, s.end.host)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, explain(err, s.end, false)
	}
	if err != nil {
		return nil, err
	}
	stream, raw, err := dial(ctx, s.end, secure, s.cfg.Timeout)
	if err != nil {
		return nil, explain(err, s.end, false)
	}
	s.beat()

	f := newFlight()
	c := newConn(stream, raw, s.cfg.Timeout, f.ack, &s.oversized)
	p := &peer{conn: c, flight: f, lost: make(chan error, 1), nudge: make(chan struct{}, 1)}
	o := mqtt.NewClientOptions().AddBroker("tcp://"+net.JoinHostPort(s.end.host, s.end.port)).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return c, nil }).
		SetClientID(s.cfg.ClientID).SetUsername(s.user).SetPassword(pass).
		SetProtocolVersion(4). // else every refusal is tried again as 3.1
		SetCleanSession(true). // an ON that is an hour old must not run
		SetAutoReconnect(false).SetConnectRetry(false).
		SetOrderMatters(true).
		SetKeepAlive(s.cfg.KeepAlive).SetPingTimeout(s.cfg.Timeout).
		SetConnectTimeout(s.cfg.Timeout).
		SetWriteTimeout(s.cfg.Timeout).
		SetBinaryWill(s.cfg.Status.Topic, []byte(s.cfg.Status.Offline), 1, true).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { s.incoming(p, m) }).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { p.lost <- err })
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
		return nil, refusedConnack(code, s.cfg.ClientID, s.user)
	}
	if err := token.Error(); err != nil {
		return nil, explain(err, s.end, false)
	}
	return p, nil
}

// serve uses the connection until it ends, or ctx does. It returns why it ended; nil: we stopped.
func (s *Session) serve(ctx context.Context, p *peer, start time.Time) error {
	if err := s.subscribe(p); err != nil {
		p.conn.fail(err)
		return s.ended(p)
	}
	s.mu.Lock()
	s.flight = p.flight
	s.mu.Unlock()
	s.out.begin(time.Now())
	var infoDue <-chan time.Time
	if s.asksInfo() {
		infoDue = time.After(infoWait)
	} else if err := s.inform(p); err != nil {
		p.conn.fail(err)
		return s.ended(p)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		err := s.work(p, start)
		if err == nil && infoDue != nil && p.info.Load() != nil {
			infoDue = nil
			err = s.inform(p)
		}
		if err == nil {
			err = p.flush()
		}
		if err != nil {
			p.conn.fail(err)
			return s.ended(p)
		}
		select {
		case <-s.out.wake:
		case <-p.flight.room:
		case <-p.nudge:
		case <-infoDue: // nobody has written one
			p.info.CompareAndSwap(nil, new([]byte))
		case <-tick.C:
			s.beat()
		case err := <-p.lost:
			return s.lost(p, err)
		case <-ctx.Done():
			s.stop(p)
			return nil
		}
	}
}

// work puts together what may be sent now.
func (s *Session) work(p *peer, start time.Time) error {
	now := time.Now()
	if p.flight.overdue(now.Add(-s.cfg.AckTimeout)) {
		return errNoAck
	}
	for {
		switch p.phase {
		case settling:
			if !p.flight.free(0) {
				return nil
			}
			p.phase = greeting
			if err := s.send(p, s.status(s.cfg.Status.Online), now); err != nil {
				return err
			}
			continue
		case greeting:
			if !p.flight.free(0) {
				return nil
			}
			p.phase = attending
			p.live.Store(true)
			s.up(start)
		case attending:
			if p.heal.Load() && s.heals.due(now) {
				p.heal.Store(false)
				s.note(func(st *Stats) { st.Healed++ })
				if s.told.again("heal", "", now) {
					s.log.Warn("our status was overwritten; published again", "topic", s.cfg.Status.Topic)
				}
				if err := s.send(p, s.status(s.cfg.Status.Online), now); err != nil {
					return err
				}
			}
		}
		if !p.flight.free(inFlight - 1) {
			if p.flight.free(inFlight / 2) { // wait for half of them, so that the next write carries many
				continue
			}
			return nil
		}
		it, ok := s.out.next()
		if !ok {
			return nil
		}
		if it.online {
			p.phase = settling
			continue
		}
		if err := s.send(p, it, now); err != nil {
			return err
		}
	}
}

func (s *Session) status(payload string) item {
	return item{Message: Message{Topic: s.cfg.Status.Topic, Payload: []byte(payload), QoS: 1, Retain: true, State: true}, at: time.Now()}
}

// up tells that the connection is live.
func (s *Session) up(start time.Time) {
	now := time.Now()
	s.note(func(st *Stats) { st.Connected, st.Since = true, now })
	s.told.forget("down")
	if !s.rival.found {
		s.log.Info("connected to the broker", "broker", s.end.String(), "ms", now.Sub(start).Milliseconds())
	}
	s.link(Link{Up: true, Broker: s.end.String(), At: now})
}

var (
	errNoAck = errors.New("the broker did not acknowledge a message in time")
	errCut   = errors.New("the connection ended")
)

// send appends it to what is to be written, and notes that it is in flight. It blocks only when that is much.
func (s *Session) send(p *peer, it item, now time.Time) error {
	var id uint16
	if it.QoS > 0 {
		id = p.flight.add(it, now)
	} else {
		s.note(func(st *Stats) { st.Sent++ })
	}
	p.out = appendPublish(p.out, &it.Message, id)
	if len(p.out) >= writeBuffer {
		return p.flush()
	}
	return nil
}

// flush writes what was put together. It blocks while the connection takes nothing, until its timeout.
func (p *peer) flush() error {
	if len(p.out) == 0 {
		return nil
	}
	_, err := p.conn.Write(p.out)
	p.out = p.out[:0]
	if cap(p.out) > 4*writeBuffer {
		p.out = nil
	}
	return err
}

// writeBuffer is how many bytes of packets are written at once, or a little more.
const writeBuffer = 4 << 10

// ended waits until the client has noticed the end of the connection.
func (s *Session) ended(p *peer) error {
	patience := time.NewTimer(2 * s.cfg.Timeout)
	defer patience.Stop()
	select {
	case err := <-p.lost:
		return s.lost(p, err)
	case <-patience.C: // has not been seen; a client that hangs must not keep us from connecting
		s.log.Error("the MQTT client does not end; left behind")
		return s.lost(p, errCut)
	}
}

// lost puts back what was not acknowledged, and explains err.
func (s *Session) lost(p *peer, err error) error {
	p.live.Store(false)
	s.out.end(p.flight.unacked())
	s.settle(p)
	if cause := p.conn.failure(); cause != nil && !errors.Is(cause, errCut) {
		err = cause
	}
	if errors.Is(err, errNoAck) {
		err = &refusal{errNoAck.Error(), "is it, or the network, overloaded?", err}
	}
	return explain(err, s.end, true)
}

// settle adds what a connection has sent to the sum of all.
func (s *Session) settle(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, acked := p.flight.counts()
	s.stats.Sent += acked
	s.flight = nil
}

// stop sends what is left, says that we stopped, and disconnects. What the broker has not taken in time is lost.
func (s *Session) stop(p *peer) {
	limit := time.Now().Add(2 * time.Second)
	ok := true
	for ok && time.Now().Before(limit) {
		if !p.flight.free(inFlight - 1) {
			ok = s.await(p, inFlight-1, limit)
			continue
		}
		it, more := s.out.next()
		if !more {
			break
		}
		if !it.online {
			ok = s.send(p, it, time.Now()) == nil
		}
	}
	if ok {
		s.await(p, 0, limit)
	}
	p.live.Store(false) // from here on our status is not online
	if !p.conn.gone() {
		left, _ := p.flight.counts() // what is overdue by now is given up
		if s.send(p, s.status(s.cfg.Status.Stopped), time.Now()) == nil && s.await(p, left, time.Now().Add(time.Second)) {
			s.log.Info("disconnected from the broker", "broker", s.end.String())
		} else {
			s.log.Warn("the broker did not acknowledge that we stop", "broker", s.end.String())
		}
	}
	p.close()
	s.out.end(nil)
	s.settle(p)
	now := time.Now()
	s.note(func(st *Stats) { st.Connected, st.Since = false, now })
	s.link(Link{Broker: s.end.String(), At: now})
}

// await writes what was put together and waits until at most n messages are in flight. It returns false at limit, or when the
// connection ends.
func (s *Session) await(p *peer, n int, limit time.Time) bool {
	if p.flush() != nil {
		return false
	}
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	for !p.flight.free(n) {
		select {
		case <-p.flight.room:
		case err := <-p.lost:
			p.conn.fail(err)
			return false
		case <-timer.C:
			return false
		}
	}
	return true
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
				"client_id", s.cfg.ClientID, "username", s.user)
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
