package bridge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// refusal is why there is no connection, in plain words: what was seen and what helps.
type refusal struct {
	seen, remedy string
	err          error
}

func (r *refusal) Error() string { return r.seen + ": " + r.remedy }
func (r *refusal) Unwrap() error { return r.err }

// Return codes of CONNACK (MQTT 3.1.1, 3.2.2.3).
const (
	codeProtocol     = 1
	codeIdentifier   = 2
	codeUnavailable  = 3
	codePassword     = 4
	codeUnauthorised = 5
)

// refusedConnack explains a CONNACK's return code. Mosquitto answers 5 to a wrong password too.
func refusedConnack(code byte, clientID, user string) error {
	who := "no user name is given"
	if user != "" {
		who = fmt.Sprintf("user %q", user)
	}
	err := fmt.Errorf("CONNACK code %d", code)
	switch code {
	case codeProtocol:
		return &refusal{"the broker does not speak MQTT 3.1.1", "update it, or allow protocol version 4 (3.1.1) there", err}
	case codeIdentifier:
		return &refusal{fmt.Sprintf("the broker refuses the client identifier %q", clientID), "allow it there, or choose another", err}
	case codeUnavailable:
		return &refusal{"the broker says that it is unavailable now", "look into its log; it is tried again", err}
	case codePassword:
		return &refusal{"the broker refuses the user name or password (" + who + ")", "check username and password_file", err}
	case codeUnauthorised:
		return &refusal{"the broker does not authorise us (" + who + ")",
			"check username and password_file, and what the broker allows to this user and client identifier " + clientID, err}
	}
	return &refusal{fmt.Sprintf("the broker refuses the connection with code %d", code), "look into its log", err}
}

// explain says in plain words what an error of connecting, or of a connection, means. established: CONNACK had come. The text has
// nothing in it that changes from one attempt to the next, such as our own port, so that equal errors are equal.
func explain(err error, e endpoint, established bool) error {
	var (
		done     *refusal
		name     x509.HostnameError
		issuer   x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
		dns      *net.DNSError
		status   statusError
		path     *fs.PathError
		stage    stageError
		op       *net.OpError
		alert    = tlsAlert(err)
		closed   = errors.Is(err, io.EOF) || errors.Is(err, errCut) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
		timeout  = errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
		at       = net.JoinHostPort(e.host, e.port)
		refuse   = func(seen, remedy string) error { return &refusal{seen, remedy, err} }
		expected = fmt.Sprintf("set server_name to a name in the certificate, or use that name instead of %s in the broker's URL", e.host)
	)
	if errors.As(err, &op) && op.Timeout() {
		timeout = true
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		return err

	// TLS: what we do not like, then what the broker does not like
	case errors.As(err, &name):
		names := "none"
		if len(name.Certificate.DNSNames) > 0 || len(name.Certificate.IPAddresses) > 0 {
			names = strings.Trim(fmt.Sprint(name.Certificate.DNSNames, name.Certificate.IPAddresses), " ")
			names = strings.NewReplacer("[] ", "", " []", "").Replace(names)
		}
		return refuse(fmt.Sprintf("the broker's certificate is not for %s, its names are %s", name.Host, names), expected)
	case errors.As(err, &issuer):
		return refuse("the broker's certificate is from an authority that is not known here",
			"set ca to the file with the certificate of the authority that signed it")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if now := time.Now(); now.Before(invalid.Cert.NotBefore) {
			return refuse(fmt.Sprintf("the broker's certificate is valid only from %s on, and here it is %s", day(invalid.Cert.NotBefore), day(now)),
				"check this computer's clock: a Raspberry Pi has none of its own and needs the network's time")
		}
		return refuse(fmt.Sprintf("the broker's certificate expired on %s", day(invalid.Cert.NotAfter)),
			fmt.Sprintf("renew it at the broker, or check this computer's clock, which says %s", day(time.Now())))
	case errors.As(err, &invalid):
		return refuse(fmt.Sprintf("the broker's certificate is not usable (%v)", invalid), "make a new one at the broker, and check ca")
	case strings.Contains(alert, "certificate required"), strings.Contains(alert, "bad certificate"),
		strings.Contains(alert, "unknown certificate"), strings.Contains(alert, "certificate unknown"), strings.Contains(alert, "handshake failure"),
		strings.Contains(alert, "unknown certificate authority"), strings.Contains(alert, "expired certificate"), strings.Contains(alert, "revoked certificate"):
		return refuse("the broker does not accept our certificate, or wants one ("+alert+")",
			"set cert and key to a client certificate from an authority that the broker trusts")
	case alert != "":
		return refuse("the broker ended the TLS handshake ("+alert+")", "check the TLS versions that it allows (here 1.2 and 1.3), its certificate and server_name")
	case errors.As(err, &record):
		return refuse(fmt.Sprintf("%s does not speak TLS", at), "use tcp:// or ws://, or the broker's TLS port (often 8883)")
	case errors.Is(err, errTLSPort):
		return refuse(fmt.Sprintf("%s speaks TLS", at), "use tls:// or wss://, or the broker's plain port (often 1883)")
	case errors.Is(err, errHTTPPort):
		return refuse(fmt.Sprintf("%s speaks HTTP", at), "use ws://, or the broker's MQTT port (often 1883)")

	// websockets
	case errors.As(err, &status) && (status.code == 401 || status.code == 403):
		return refuse("the web server before the broker answers "+status.Error(), "it wants its own credentials: allow this path there")
	case errors.As(err, &status) && status.code == 404:
		return refuse("the web server answers "+status.Error(), "check the path in the broker's URL (often /mqtt)")
	case errors.As(err, &status) && status.code >= 500:
		return refuse("the web server answers "+status.Error(), "the broker behind it does not answer: is it running?")
	case errors.As(err, &status):
		return refuse("the web server answers "+status.Error()+" and not with a websocket", "check port and path in the broker's URL")

	// the network
	case errors.As(err, &dns) && dns.IsNotFound:
		return refuse(fmt.Sprintf("the name %s does not exist", e.host), "check the broker's URL, or use its address")
	case errors.As(err, &dns):
		return refuse(fmt.Sprintf("the name %s cannot be looked up now (%s)", e.host, dns.Err), "is the network up? It is tried again")
	case errors.Is(err, syscall.ECONNREFUSED):
		return refuse(fmt.Sprintf("nothing listens on %s", at),
			"is the broker running, is the port right, and does it listen on the network? (mosquitto 2 needs a listener line for that)")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return refuse(fmt.Sprintf("there is no way to %s (%v)", e.host, bare(err)), "is the network up, and the address right? It is tried again")
	case errors.As(err, &path):
		return refuse(err.Error(), "check the file's name, and that gatewayd's user may read it")

	// silence and sudden ends
	case established && strings.Contains(err.Error(), "pingresp"): // paho's
		return refuse("the broker fell silent", "is it, or the network, overloaded or gone?")
	case timeout && established:
		return refuse("the broker did not answer in time", "is it, or the network, overloaded?")
	case timeout && errors.As(err, &stage) && stage.stage == "TCP":
		return refuse(fmt.Sprintf("%s does not answer", at), "is that computer on, the address right, and no firewall between?")
	case timeout && errors.As(err, &stage):
		return refuse(fmt.Sprintf("%s takes the connection, but does not answer (%s)", at, stage.stage), "is it the right port?"+hint(e))
	case timeout:
		return refuse(fmt.Sprintf("%s takes the connection, but does not answer as an MQTT broker", at), "is it the right port?"+hint(e))
	case closed && established:
		return refuse("the broker closed the connection", "its log says why, if it did not just stop")
	case closed && errors.As(err, &stage):
		return refuse(fmt.Sprintf("%s closed the connection at once (%s)", at, stage.stage), "is it the right port?"+hint(e))
	case closed:
		return refuse(fmt.Sprintf("%s closed the connection when we said CONNECT", at),
			"look into the broker's log: it may refuse the client identifier or the address, or be no MQTT port."+hint(e))
	}
	return fmt.Errorf("%s: %w", at, bare(err))
}

func hint(e endpoint) string {
	if e.secure() {
		return " It may also want a client certificate (cert and key), and a plain port (often 1883) needs tcp:// or ws://"
	}
	return " A TLS port (often 8883) needs tls:// or wss://"
}

// tlsAlert returns what the broker's TLS said, or "". The error's type is not exported by crypto/tls.
func tlsAlert(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" && op.Err != nil {
		return strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return ""
}

// bare takes the addresses out of a network error; ours has another port each time.
func bare(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
