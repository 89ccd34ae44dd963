package mqtttest

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// Embedded is a broker inside the test's process.
type Embedded struct {
	*mochi.Server // for Publish, Subscribe and Topics
	addr, ws      string
	once          sync.Once
}

// StartEmbedded runs a broker for anybody. addr is host and port, "" for a free one. Further hooks come before the one that
// allows everything.
func StartEmbedded(tb testing.TB, addr string, hooks ...mochi.Hook) *Embedded {
	tb.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	e := &Embedded{Server: mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})}
	if len(hooks) == 0 {
		hooks = []mochi.Hook{new(auth.AllowHook)}
	}
	for _, h := range hooks {
		if err := e.AddHook(h, nil); err != nil {
			tb.Fatal(err)
		}
	}
	l := listeners.NewTCP(listeners.Config{ID: "tcp", Address: addr})
	if err := e.AddListener(l); err != nil {
		tb.Fatal(err)
	}
	ws := listeners.NewWebsocket(listeners.Config{ID: "ws", Address: fmt.Sprintf("127.0.0.1:%d", FreePort(tb))})
	if err := e.AddListener(ws); err != nil {
		tb.Fatal(err)
	}
	if err := e.Serve(); err != nil {
		tb.Fatal(err)
	}
	e.addr, e.ws = l.Address(), ws.Address()
	tb.Cleanup(e.Stop)
	return e
}

// Addr is host and port.
func (e *Embedded) Addr() string { return e.addr }

// Websocket is host and port for websockets.
func (e *Embedded) Websocket() string { return e.ws }

// Stop ends the broker and its connections, once: closing it twice panics.
func (e *Embedded) Stop() { e.once.Do(func() { e.Close() }) }
