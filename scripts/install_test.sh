#!/bin/sh
# Tests install.sh in a folder of its own, with DESTDIR: nothing on this machine is changed or started. install_test.sh PROGRAM
# PROGRAM is a gatewayd that runs here. The project's config.example.yaml must pass its check.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# = 1 ] || { echo "usage: install_test.sh PROGRAM" >&2; exit 64; }
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
export DESTDIR="$dir/a root"
etc=$DESTDIR/etc/gatewayd
failed=0
ok() { # WHAT WANT GOT
	if [ "$2" = "$3" ]; then
		echo "ok    $1"
	else
		echo "FAIL  $1: got '$3', want '$2'"
		failed=1
	fi
}
# says WHAT TEXT: the last install's output has it. silent: it has not.
says() {
	case $out in *"$2"*) echo "ok    $1" ;; *) ok "$1: it says" "$2" "$out" ;; esac
}
silent() {
	case $out in *"$2"*) ok "$1: it does not say" "" "$out" ;; *) echo "ok    $1" ;; esac
}
# install ARGUMENT ...: sets out and code
install() {
	code=0
	out=$("$here/install.sh" "$@" 2>&1) || code=$?
}
mode() { stat -c %a "$1"; }
exists() { if [ -e "$1" ] || [ -L "$1" ]; then echo yes; else echo no; fi; }
tree() { (cd "$DESTDIR" && find . -type f | sort | xargs); }

echo "--- first"
(
	umask 077
	"$here/install.sh" "$program" >"$dir/first" 2>&1
) || { cat "$dir/first"; exit 1; }
out=$(cat "$dir/first")
ok "files" "./etc/gatewayd/config.example.yaml ./etc/gatewayd/config.yaml ./etc/systemd/system/gatewayd.service ./etc/udev/rules.d/60-gatewayd.rules ./usr/local/bin/gatewayd" "$(tree)"
ok "program" 755 "$(mode "$DESTDIR/usr/local/bin/gatewayd")"
ok "unit" 644 "$(mode "$DESTDIR/etc/systemd/system/gatewayd.service")"
ok "folder, in spite of root's umask" 755 "$(mode "$etc")"
ok "configuration" 640 "$(mode "$etc/config.yaml")"
ok "which is the example" "" "$(cmp "$here/../config.example.yaml" "$etc/config.yaml")"
says "configuration belongs to" "chown root:gatewayd"
says "user" "useradd --system"
says "group" "groupadd --system i2c"
says "enabled" "systemctl enable gatewayd.service"
silent "an example is not started" "DESTDIR: systemctl restart"
says "what next" "sudo nano"

echo "--- again, with a configuration of a person's own"
printf '\n# mine\n' >>"$etc/config.yaml"
chmod 0600 "$etc/config.yaml"
cp "$etc/config.yaml" "$dir/mine"
echo old >"$DESTDIR/etc/systemd/system/gatewayd.service"
echo old >"$etc/config.example.yaml"
before=$(stat -c %i "$DESTDIR/usr/local/bin/gatewayd")
install "$program"
ok "exit" 0 "$code"
ok "configuration kept" "" "$(cmp "$dir/mine" "$etc/config.yaml")"
ok "and its mode" 600 "$(mode "$etc/config.yaml")"
ok "unit replaced" "" "$(cmp "$here/../systemd/gatewayd.service" "$DESTDIR/etc/systemd/system/gatewayd.service")"
ok "example replaced" "" "$(cmp "$here/../config.example.yaml" "$etc/config.example.yaml")"
ok "program replaced by a rename" different "$([ "$before" = "$(stat -c %i "$DESTDIR/usr/local/bin/gatewayd")" ] || echo different)"
says "restarted" "DESTDIR: systemctl restart gatewayd.service"

echo "--- with a configuration that has mistakes"
echo 'nonsense: [' >"$etc/config.yaml"
echo old >"$etc/config.example.yaml"
install "$program"
ok "exit" 1 "$code"
says "nothing was changed" "nothing was changed"
ok "nothing was" old "$(cat "$etc/config.example.yaml")"
silent "not restarted" "systemctl"
rm "$DESTDIR/usr/local/bin/gatewayd"
install "$program"
ok "exit, no program yet" 1 "$code"
says "not started" "not started"
silent "not restarted, no program yet" "DESTDIR: systemctl restart"
ok "configuration kept" "nonsense: [" "$(cat "$etc/config.yaml")"

echo "--- a program for another machine"
printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000' >"$dir/foreign"
[ "$(uname -m)" != aarch64 ] || printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\076\000' >"$dir/foreign"
kept=$(cksum <"$DESTDIR/usr/local/bin/gatewayd")
install "$dir/foreign"
ok "exit" 1 "$code"
says "this machine" "uname -m says $(uname -m)"
ok "program kept" "$kept" "$(cksum <"$DESTDIR/usr/local/bin/gatewayd")"
ok "nothing half done" "" "$(find "$DESTDIR" -name '*.new')"

echo "--- mistakes"
install --strat
ok "unknown option" 1 "$code"
install "$dir/absent"
ok "no such program" 1 "$code"
says "its name" "$dir/absent"
install --help
ok "help" 0 "$code"
says "help" "--uninstall"
silent "help shows no code" "umask"

echo "--- --start, and a broken link where the configuration should be"
rm "$etc/config.yaml"
install --start "$program"
ok "exit" 0 "$code"
says "started" "DESTDIR: systemctl restart gatewayd.service"
rm "$etc/config.yaml"
ln -s /nowhere/gatewayd.yaml "$etc/config.yaml"
install "$program"
ok "link kept" /nowhere/gatewayd.yaml "$(readlink "$etc/config.yaml")"
cp --remove-destination "$dir/mine" "$etc/config.yaml"

echo "--- away with it"
mkdir -p "$DESTDIR/var/lib/gatewayd" # as systemd does
echo state >"$DESTDIR/var/lib/gatewayd/state"
install --uninstall
ok "exit" 0 "$code"
ok "files" "./etc/gatewayd/config.example.yaml ./etc/gatewayd/config.yaml ./var/lib/gatewayd/state" "$(tree)"
says "stopped" "systemctl disable"
says "what is kept" "Kept: $etc"
silent "the user stays" userdel
install --uninstall
ok "twice" 0 "$code"
install --purge
ok "exit" 0 "$code"
ok "configuration" no "$(exists "$etc")"
ok "state" no "$(exists "$DESTDIR/var/lib/gatewayd")"
ok "files" "" "$(tree)"
says "the user goes" "userdel gatewayd"

if [ "$(id -u)" != 0 ]; then
	echo "--- not root"
	DESTDIR=''
	install "$program"
	ok "exit" 1 "$code"
	says "root" "this needs root"
fi
exit $failed
