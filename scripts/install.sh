#!/bin/sh
# Installs gatewayd as a systemd service on this machine, or upgrades it: run it again. As root.
#
# install.sh [--start] [BINARY]   BINARY: else gatewayd or gatewayd-linux-ARCH beside this script, or built into dist/, or built now if Go is here
#                                 --start: starts the service even if the configuration is the example that was just put there
# install.sh --uninstall          stops and removes the service and the program; keeps /etc/gatewayd, /var/lib/gatewayd and the user gatewayd
# install.sh --purge              removes these three as well
#
# It puts /usr/local/bin/gatewayd, /etc/systemd/system/gatewayd.service, /etc/udev/rules.d/60-gatewayd.rules and
# /etc/gatewayd/config.example.yaml there, and /etc/gatewayd/config.yaml only if there is none: yours is never touched.
# Exits with 1 if something is missing, or if the configuration has mistakes: then a service that runs goes on as it was.
# With DESTDIR everything lands below that folder, and nothing on this machine is changed or started.
set -eu
umask 022 # the service's user must be able to enter /etc/gatewayd
here=$(cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-}
program=$root/usr/local/bin/gatewayd
unit=$root/etc/systemd/system/gatewayd.service
rules=$root/etc/udev/rules.d/60-gatewayd.rules
etc=$root/etc/gatewayd
config=$etc/config.yaml
state=$root/var/lib/gatewayd # made by systemd (StateDirectory=)

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; }
die() {
	echo "install.sh: $*" >&2
	exit 1
}
# Changes this machine; with DESTDIR it only says how.
system() {
	if [ -n "$root" ]; then echo "not run, because of DESTDIR: $*"; else "$@"; fi
}
# A folder without /run/systemd/system is an image being made, or a container: nothing can be started there.
running() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

start='' remove='' purge='' binary=''
while [ $# -gt 0 ]; do
	case $1 in
	--start) start=1 ;;
	--uninstall) remove=1 ;;
	--purge) remove=1 purge=1 ;;
	-h | --help)
		usage
		exit
		;;
	-*) die "there is no option $1: see install.sh --help" ;;
	*)
		[ -z "$binary" ] || die "one program only, not \"$binary\" and \"$1\""
		binary=$1
		;;
	esac
	shift
done
[ "$(uname -s)" = Linux ] || die "gatewayd's hardware is Linux only, this is $(uname -s)"
if [ -z "$root" ]; then
	[ "$(id -u)" = 0 ] || die "this needs root: sudo $0"
	command -v systemctl >/dev/null || die "there is no systemd here (no systemctl): copy the program yourself and start 'gatewayd run -c FILE'"
fi

if [ -n "$remove" ]; then
	[ -z "$binary$start" ] || die "nothing to install or start while removing"
	if [ -e "$unit" ]; then
		if running; then system systemctl disable --now gatewayd.service; else system systemctl disable gatewayd.service; fi
	fi
	rm -f "$program" "$unit" "$rules" "$unit.new" "$program.new" "$rules.new"
	! running || systemctl daemon-reload
	if [ -n "$purge" ]; then
		rm -rf "$etc" "$state"
		if [ -n "$root" ] || getent passwd gatewayd >/dev/null; then system userdel gatewayd; fi
		echo "gatewayd is removed, with its configuration, its state and its user. The groups gpio and i2c stay."
	else
		echo "gatewayd is removed. Kept: $etc, $state and the user gatewayd (--purge removes them)."
	fi
	exit
fi

# The program.
machine=$(uname -m)
case $machine in
aarch64) arch=arm64 ;; # under a 32-bit Raspberry Pi OS with a 64-bit kernel too: the program needs no libraries
armv6l) arch=armv6 ;;
armv7l | armv8l) arch=armv7 ;;
x86_64) arch=amd64 ;;
*) arch='' ;;
esac
new=''
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	rm -f "$program.new" "$unit.new" "$rules.new" "$etc/config.example.yaml.new" "$config.new"
	[ -z "$new" ] || rm -rf "$new"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if [ -z "$binary" ]; then
	[ -n "$arch" ] || die "there is no gatewayd for this machine (uname -m says $machine): give one that you have built"
	for file in "$here/gatewayd" "$here/gatewayd-linux-$arch" "$here/../dist/gatewayd-linux-$arch" "$here/../gatewayd"; do
		if [ -f "$file" ]; then
			binary=$file
			break
		fi
	done
fi
if [ -z "$binary" ]; then
	PATH=$PATH:/usr/local/go/bin
	if ! command -v go >/dev/null || [ ! -x "$here/build.sh" ]; then
		die "no gatewayd-linux-$arch beside this script or in dist/, and no Go to build it: name the program, install.sh ./gatewayd"
	fi
	echo "Building it for $arch..."
	new=$(mktemp -d)
	"$here/build.sh" -o "$new" "$arch"
	binary=$new/gatewayd-linux-$arch
fi
[ -f "$binary" ] || die "there is no file $binary"
case $binary in /*) ;; *) binary=$PWD/$binary ;; esac
# What it was built for is in the 19th byte of an ELF file (e_machine).
built_for() {
	case $(od -An -tu1 -j18 -N1 "$binary" 2>/dev/null | tr -d ' ') in
	183) echo "64-bit ARM" ;;
	40) echo "32-bit ARM" ;;
	62) echo "a PC (x86-64)" ;;
	*) echo "something else" ;;
	esac
}

# The things beside it: flat in a release's archive, in folders in the project.
beside() {
	for file in "$here/$1" "$here/../$1" "$here/../systemd/$1"; do
		if [ -f "$file" ]; then
			echo "$file"
			return
		fi
	done
	die "there is no $1 beside this script: take the whole archive or the whole project"
}
unit_file=$(beside gatewayd.service)
rules_file=$(beside 60-gatewayd.rules)
example=$(beside config.example.yaml)

# put FILE MODE TARGET: whoever runs or reads the target sees the old or the new one, never half of it.
put() {
	mkdir -p "$(dirname "$3")"
	cp "$1" "$3.new"
	chmod "$2" "$3.new"
	mv -f "$3.new" "$3"
}
# The new program must run here, and an upgrade must like the configuration that is in use, before anything is replaced.
mkdir -p "$(dirname "$program")"
cp "$binary" "$program.new"
chmod 0755 "$program.new"
version=$("$program.new" version 2>&1) ||
	die "$binary does not run here: uname -m says $machine, the program is for $(built_for)${arch:+; this machine wants gatewayd-linux-$arch}"
# check PROGRAM: as the user that the service has, where there is one, so that a file which that one cannot read is found too.
check() {
	if [ -z "$root" ] && command -v runuser >/dev/null && getent passwd gatewayd >/dev/null; then
		runuser -u gatewayd -- "$1" check -c "$config"
	else
		"$1" check -c "$config"
	fi
}
there=''
if [ -e "$config" ] || [ -L "$config" ]; then there=1; fi
if [ -n "$there" ] && [ -e "$program" ] && ! check "$program.new"; then
	die "the new gatewayd does not take $config: nothing was changed. Correct it, then run this again"
fi

# The user and the groups.
made=''
for group in gpio i2c; do
	if [ -n "$root" ] || ! getent group "$group" >/dev/null; then
		system groupadd --system "$group"
		made=1
	fi
done
if [ -n "$root" ] || ! getent passwd gatewayd >/dev/null; then
	system useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
		--comment "GPIO and I2C to MQTT gateway" gatewayd
fi

# The files.
mv -f "$program.new" "$program"
put "$unit_file" 0644 "$unit"
put "$rules_file" 0644 "$rules"
put "$example" 0644 "$etc/config.example.yaml"
if [ -z "$there" ]; then
	cp "$example" "$config.new"
	chmod 0640 "$config.new" # what a house has and where is nobody else's business
	system chown root:gatewayd "$config.new"
	mv -f "$config.new" "$config"
fi
if [ -n "$made" ] && running && command -v udevadm >/dev/null; then # devices that are there already get their new group
	udevadm control --reload
	udevadm trigger --subsystem-match=gpio --subsystem-match=i2c-dev
fi

ok=1
check "$program" || ok=''
! running || systemctl daemon-reload
system systemctl enable gatewayd.service

echo "Installed: $version"
service=stopped
if [ -z "$ok" ]; then
	service="not started: $config has mistakes, see above"
elif [ -z "$there$start" ]; then
	service="not started yet: $config is the example, which knows nothing of your wiring"
elif running; then
	systemctl restart gatewayd.service || die "the service does not start: journalctl -u gatewayd -n 50"
	service=running
elif [ -n "$root" ]; then
	system systemctl restart gatewayd.service
else
	service="not started, systemd does not run here: it starts when this system is booted"
fi
echo "The service is $service."
[ -z "$there" ] || echo "Your $config was kept; what is new is in $etc/config.example.yaml."
if [ "$service" != running ]; then
	cat <<T
Next:
  1. sudo nano $config
  2. sudo -u gatewayd gatewayd check -c $config
  3. sudo systemctl restart gatewayd
T
fi
echo "To see what it does: journalctl -fu gatewayd"
[ -n "$ok" ]
