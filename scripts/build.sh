#!/bin/sh
# Builds gatewayd for every machine it runs on, as one static file each: dist/gatewayd-linux-{arm64,armv6,armv7,amd64}.
# build.sh [-o DIR] [TARGET ...]   only these targets (arm64, armv6, armv7, amd64), into DIR instead of dist
# build.sh --check                 all of them into a folder that is thrown away, with limits for size and contents;
#                                  then proves that everything compiles on macOS and Windows too
# arm64: 64-bit Raspberry Pi OS. armv6: Pi Zero and Pi 1. armv7: 32-bit on a Pi 2 to 4. amd64: a PC.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
PATH=$PATH:/usr/local/go/bin # where go.dev's archive puts it, which root's path may lack
limit=10485760               # bytes, for arm64: 10 MiB

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }
out=dist check=''
while [ $# -gt 0 ]; do
	case $1 in
	-o)
		[ $# -gt 1 ] || { usage >&2; exit 64; }
		out=$2
		shift
		;;
	--check) check=1 ;;
	-h | --help)
		usage
		exit
		;;
	-*)
		usage >&2
		exit 64
		;;
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || set -- arm64 armv6 armv7 amd64
command -v go >/dev/null || { echo "build.sh: there is no Go here: https://go.dev/dl" >&2; exit 1; }

# A copy without .git has no version, nor has one that git does not trust (another user's).
version='' commit=''
if [ -e .git ]; then
	version=$(git describe --tags --always --dirty 2>/dev/null) || true
	commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || true
fi
version=${version:-dev}
commit=${commit:-unknown}

if [ -n "$check" ]; then
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
fi
mkdir -p "$out"

failed=0
bad() {
	echo "build.sh: $*" >&2
	failed=1
}
# inside TARGET FILE NAME=VALUE ...: what the file says about itself.
inside() {
	target=$1 file=$2
	shift 2
	about=$(go version -m "$file")
	for setting in "$@" CGO_ENABLED=0 -trimpath=true; do
		printf '%s\n' "$about" | grep -qF -- "$setting" || bad "$target was built without $setting"
	done
	grep -qaF -- "$version" "$file" || bad "$target does not know its version, $version: main.version is not used"
	grep -qaF -- "$commit" "$file" || bad "$target does not know its commit, $commit: main.commit is not used"
}

echo "gatewayd $version ($commit)"
for target; do
	case $target in
	arm64 | amd64) set -- "GOARCH=$target" ;;
	armv6 | armv7) set -- GOARCH=arm "GOARM=${target#armv}" ;;
	*)
		echo "build.sh: $target is no target: arm64, armv6, armv7 or amd64" >&2
		exit 64
		;;
	esac
	file=$out/gatewayd-linux-$target
	# HTTP/2 is for web servers: nothing here speaks it (net/http's own tag, 0.4 MB).
	# What runs once, or on a person's word, need not be inlined (0.4 MB).
	env CGO_ENABLED=0 GOOS=linux "$@" go build -trimpath -buildvcs=false -tags nethttpomithttp2 \
		-gcflags=gatewayd/cmd/...=-l -gcflags=gatewayd/internal/config=-l -gcflags=gatewayd/internal/i2csim/...=-l \
		-gcflags=gatewayd/internal/openhab=-l -gcflags=github.com/mochi-mqtt/server/v2/...=-l -gcflags=gopkg.in/yaml.v3=-l \
		-ldflags "-s -w -X main.version=$version -X main.commit=$commit" -o "$file" ./cmd/gatewayd
	size=$(wc -c <"$file")
	echo "$file $size bytes ($(awk "BEGIN { printf \"%.1f\", $size / 1048576 }") MiB)"
	if [ -n "$check" ]; then
		inside "$target" "$file" GOOS=linux "$@"
		[ "$target" != arm64 ] || [ "$size" -le $limit ] || bad "arm64 is larger than $limit bytes"
	fi
done

if [ -n "$check" ]; then
	for os in darwin/arm64 windows/amd64; do
		echo "$os: build and vet"
		for verb in build vet; do
			CGO_ENABLED=0 GOOS=${os%/*} GOARCH=${os#*/} go $verb ./... || bad "go $verb does not pass on $os"
		done
	done
fi
exit $failed
