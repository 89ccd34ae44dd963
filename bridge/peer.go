package bridge

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// peer is one connection with its client.
type peer struct {
	client mqtt.Client
	conn   *conn
	status Status     // what it says of us, and where
	lost   chan error // one slot: the client's goroutines have ended
	flight *flight
	out    []byte // packets to be written together

	late     uint64 // the highest number of the backlog that was sent
	lateDone uint64 // and that was acknowledged

	phase    phase
	live     atomic.Bool   // the birth message has been acknowledged
	born     time.Time     // when that was; zero: it has not been
	echo     atomic.Bool   // the birth message has come back to us
	again    repeat        // of the birth message, while it has not
	heal     atomic.Bool   // our status was overwritten
	healed   time.Time     // when it was published again, until that was told
	nudge    chan struct{} // one slot: heal was set, or an info came
	asked    string        // the topic where info is looked for; or empty
	info     atomic.Pointer[[]byte]
	informed bool     // our info was sent
	qos      byte     // of the subscriptions
	heard    []string // what is subscribed to, besides
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
	p := &peer{conn: c, flight: f, status: s.cfg.Status, lost: make(chan error, 1), nudge: make(chan struct{}, 1)}
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
