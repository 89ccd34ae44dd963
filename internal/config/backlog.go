package config

import (
	"os"
	"path/filepath"
	"time"

	"gatewayd/internal/backlog"
)

// Backlog is how much of what could not be told waits to be told late, and where.
type Backlog struct {
	Most   int
	MaxAge time.Duration
	Disk   bool   // it outlives a restart
	File   string // its path; empty: where the service has its files; path as StateFile
}

// kept is the section backlog.
type kept struct {
	place
	Backlog
	readings, gestures offline // of points that do not say otherwise
}

// offline is what becomes of what a point tells while the broker is away.
type offline uint8

const (
	offlineUnsaid offline = iota
	offlineLatest         // of readings the latest is told afterwards, of gestures none
	offlineKeep           // each is told late
)

var whileOffline = calledElsewhere(oneOf(choice[offline]{"latest", offlineLatest}, choice[offline]{"keep", offlineKeep}), map[string]string{
	"all": "keep", "store": "keep", "queue": "keep", "buffer": "keep", "true": "keep", "yes": "keep", "on": "keep",
	"last": "latest", "drop": "latest", "none": "latest", "forget": "latest", "false": "latest", "no": "latest", "off": "latest",
})

func offlineKey[T any](doc string, at func(T) *offline) key[T] {
	return field("while_offline", doc+"; as backlog has it unless said", whileOffline, at)
}

var backlogKeys = []key[*kept]{
	field("readings", "sensors' readings while the broker is away: the latest is told afterwards, or each is kept and told late", whileOffline,
		func(k *kept) *offline { return &k.readings }, offlineLatest),
	field("gestures", "the same of inputs' gestures, of which otherwise none is told afterwards", whileOffline,
		func(k *kept) *offline { return &k.gestures }, offlineLatest),
	field("most", "how many wait; of more, the oldest are dropped", integer[int]("a number", 1, 200000), func(k *kept) *int { return &k.Most }, backlog.Most),
	field("max_age", "what has waited longer is dropped", duration(time.Minute, 8760*time.Hour), func(k *kept) *time.Duration { return &k.MaxAge }, backlog.MaxAge),
	field("store", "where they wait; what waits on disk outlives a restart and a power cut", oneOf(choice[bool]{"memory", false}, choice[bool]{"disk", true}),
		func(k *kept) *bool { return &k.Disk }, false),
	field("file", "the file on disk; the service's /var/lib/gatewayd/backlog unless said", path, func(k *kept) *string { return &k.File }),
}

// checkBacklog completes what the points keep, once their gestures are known.
func (d *draft) checkBacklog() {
	k, any := &d.kept, false
	decide := func(b *base, o *offline, as offline, qos byte) {
		if *o == offlineUnsaid {
			*o = as
		}
		if *o != offlineKeep || b.bad["while_offline"] {
			return
		}
		any = true
		if qos == 0 && !b.bad["qos"] {
			key := "qos"
			if !b.has(key) {
				key = "while_offline"
			}
			n, path := b.at(key)
			d.warnf(n, path, "with qos 0 what was on its way when the connection broke is lost, and not kept: make it 1")
		}
	}
	for _, s := range all[*sensor](d) {
		decide(&s.base, &s.offline, k.readings, s.qos)
	}
	for _, c := range all[*counter](d) {
		decide(&c.base, &c.offline, k.readings, c.qos)
	}
	for _, i := range all[*input](d) {
		if len(i.gestures.Told) > 0 || i.bad["gestures"] {
			decide(&i.base, &i.offline, k.gestures, i.QoS)
			continue
		}
		i.offline = offlineUnsaid
		if n, path := i.at("while_offline"); i.has("while_offline") {
			d.warnf(n, path, "no gestures of this input are told, so there is nothing to keep: its state is always told afterwards")
		}
	}
	switch {
	case k.has("file") && k.has("store") && !k.Disk && !k.bad["store"]:
		k.errorf(&d.notes, "file", "nothing is written to it with store: memory: make that disk, or remove this")
	case k.has("file") && !k.bad["store"]:
		k.Disk = true
	}
	if !any && k.Disk {
		key := "store"
		if !k.has(key) {
			key = "file"
		}
		n, path := k.at(key)
		d.warnf(n, path, "nothing is kept here: that takes a sensor, or an input with gestures, and readings: keep or gestures: keep, or its own while_offline: keep")
	}
}

// checkBacklogFile makes its path absolute.
func (d *draft) checkBacklogFile(dir string) {
	k := &d.kept
	if k.File == "" {
		return
	}
	if !filepath.IsAbs(k.File) {
		k.File = filepath.Join(dir, k.File)
	}
	switch info, err := os.Stat(k.File); {
	case err == nil && info.IsDir():
		k.errorf(&d.notes, "file", "%s is a folder, a file is wanted, such as %s", k.File, filepath.Join(k.File, "backlog"))
	case k.File == d.stateFile:
		k.errorf(&d.notes, "file", "this is the state_file: each needs a file of its own")
	}
}
