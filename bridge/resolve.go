package bridge

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"github.com/pion/logging"
	"github.com/pion/mdns/v2"
	"golang.org/x/net/ipv4"
)

// resolveLimit is how long each way to find a .local name may take.
const resolveLimit = 3 * time.Second

// isLocal reports whether a name is resolved by multicast (RFC 6762). Go's own resolver, the only one in a static binary,
// asks DNS alone and never finds such a name.
func isLocal(host string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".local")
}

// resolveLocal returns the addresses of a .local name, the preferred one first. It asks the system, which knows them where
// libnss-mdns is installed, and then the network itself. It blocks for up to twice resolveLimit.
func resolveLocal(ctx context.Context, host string) ([]string, error) {
	if addrs := askSystem(ctx, host); len(addrs) > 0 {
		return addrs, nil
	}
	addr, err := askNetwork(ctx, host)
	if err != nil {
		return nil, notFound(host, err)
	}
	return []string{addr}, nil
}

// notFound says that neither way found a .local name, err being why the second did not.
func notFound(host string, err error) error {
	return &refusal{fmt.Sprintf("%s is not found on this network (%v)", host, bare(err)),
		"is that computer on? If it is, write its address instead of the name, or install libnss-mdns and avahi-daemon", err}
}

// askSystem runs getent, because only the C library reads nsswitch.conf. It returns none when there is no getent, too.
func askSystem(ctx context.Context, host string) []string {
	ctx, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "getent", "ahosts", "--", host)
	cmd.Env = []string{} // which may hold a password
	cmd.WaitDelay = 100 * time.Millisecond
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	return parseHosts(string(out))
}

// parseHosts reads the lines of getent ahosts: an address, a socket type, a name; each address comes once per type.
func parseHosts(out string) []string {
	var addrs []string
	seen := make(map[string]bool)
	for line := range strings.Lines(out) {
		field, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		a, err := netip.ParseAddr(field)
		if err != nil || seen[field] || a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" { // not reachable without a zone
			continue
		}
		seen[field] = true
		addrs = append(addrs, field)
	}
	return addrs
}

// askNetwork sends an mDNS query over IPv4.
func askNetwork(ctx context.Context, host string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	group, err := net.ResolveUDPAddr("udp4", mdns.DefaultAddressIPv4)
	if err != nil {
		return "", err
	}
	l, err := net.ListenUDP("udp4", group)
	if err != nil {
		return "", err
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	server, err := mdns.Server(ipv4.NewPacketConn(l), nil, &mdns.Config{LoggerFactory: quiet})
	if err != nil {
		l.Close()
		return "", err
	}
	defer server.Close()
	_, addr, err := server.QueryAddr(ctx, strings.TrimSuffix(host, "."))
	if err != nil {
		return "", err
	}
	return addr.String(), nil
}
