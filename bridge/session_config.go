package bridge

import (
	"time"

	"gatewayd/internal/backlog"
)

// KeepAlive is how often an idle connection shows that it lives, unless said otherwise.
const KeepAlive = 15 * time.Second

// SessionConfig is how to reach the broker and what to say there. Files are read at every attempt to connect.
type SessionConfig struct {
	Broker      string   // tcp://, mqtt://, tls://, ssl://, mqtts://, ws:// or wss://; a port and path have defaults; see BrokerURL
	Brokers     []string // several, instead of Broker: the others are tried when one is lost, the last good one first
	PreferFirst bool     // go back to the first of Brokers when it answers again

	// LastGood is what Good was told last in an earlier run: if it is one of Brokers, it is tried first. Good is told a broker, without
	// credentials, that has been in use for a while, if the next run would begin with another one; it must not block. Not where the
	// first is preferred; nil: nobody remembers.
	LastGood string
	Good     func(broker string)

	ClientID     string
	Username     string // empty: the one in the broker's URL
	PasswordFile string // its password, read at every attempt; a line's end is cut off
	PasswordEnv  string // the environment's variable with it, where there is no file

	CA         string // file of certificates that are trusted; empty: the system's
	Cert, Key  string // files of the client certificate; empty: none
	ServerName string // expected in the broker's certificate; empty: the host in the URL
	Insecure   bool   // the broker's certificate is not looked at; said in the log with the first connection

	KeepAlive     time.Duration // 0: the constant KeepAlive
	Status        Status        // with all its fields given
	Subscriptions []string      // filters, besides the status topic
	InfoTopic     string        // where Info is published, retained, with every connection
	Info          []byte        // JSON with "serial"; nil: none
	Identity      string        // our serial; when the retained info has another one, another board uses our name. Empty: not compared

	// Backlog takes what is to be told late, and gives it back while there is a connection and nothing else to send; nil: there is none.
	Backlog *backlog.Backlog

	// Forget is asked when Run ends whether to leave nothing behind: everything retained that was published is cleared then, the
	// status too. nil: no.
	Forget func() bool
	// ForgetFirst are filters for what is cleared before all else: what announces the others to somebody who would stumble over empty ones.
	ForgetFirst []string

	// For tests; 0: the default.
	RetryMin, RetryMax time.Duration // between attempts: 1 s, 60 s; in the first minutes of an outage no more than 4 s
	Timeout            time.Duration // of connecting, of a write, of a subscription: 5 s
	AckTimeout         time.Duration // until a message is acknowledged: 10 s
	ProbeEvery         time.Duration // between two questions whether the first broker answers: 15 s
	GoodAfter          time.Duration // until a broker that is in use is worth remembering: 1 min
}

// complete fills in the defaults.
func (c *SessionConfig) complete() {
	def := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	def(&c.KeepAlive, KeepAlive)
	def(&c.RetryMin, time.Second)
	def(&c.RetryMax, time.Minute)
	def(&c.Timeout, 5*time.Second)
	def(&c.AckTimeout, 10*time.Second)
	def(&c.ProbeEvery, probeEvery)
	def(&c.GoodAfter, time.Minute)
}

// Stats is a snapshot of a session.
type Stats struct {
	Connected  bool
	Broker     string // the URL of the one that is in use, or was tried last, without credentials
	Connects   uint64 // connections made, ever
	Sent       uint64 // messages acknowledged; at QoS 0: written
	Queued     int    // messages waiting for their turn
	InFlight   int    // messages waiting for their acknowledgement
	Dropped    Dropped
	Superseded uint64    // states that gave way to a newer one before they were sent
	Oversized  uint64    // messages received that were cut to MaxPayload
	Healed     uint64    // times that our status had been overwritten, and was published again
	Refused    []string  // subscriptions that the broker refused
	Unheard    bool      // our own status did not come back: the broker forbids something, and does not say so
	Insecure   bool      // the certificate of Broker is not checked
	OtherBoard string    // serial of another board that uses our name; empty: none seen
	LastError  error     // why it is down now, or was last; nil: never
	Alive      time.Time // when the session's goroutine last came by; while Run runs, with the default timeouts, never older than 20 s
}
