#!/bin/sh
# Measures gatewayd against the shortest possible program (floor/) in one boot of the lab, in alternating pairs, and prints the
# medians and the medians of the pairs' ratios. About 15 minutes with the default of 5 pairs of 400 round trips each (n = 2000).
# bench.sh [PAIRS [ROUND_TRIPS]]    Needs mosquitto; the machine should do nothing else.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
pairs=${1:-5} trips=${2:-400}
kernel=$("$here/kernel.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$here/../.."
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -tags nethttpomithttp2 -o "$work/" \
	./cmd/gatewayd ./scripts/lab/pinbench ./scripts/lab/floor ./scripts/lab/i2csim ./scripts/lab/benchtable
LAB_KERNEL=$kernel LAB_SECONDS=3600 "$here/boot.sh" "$here/bench_job.sh" BIN="$work" PAIRS="$pairs" TRIPS="$trips" >"$work/out"
grep -v '^{' "$work/out" >&2 || true
grep '^{' "$work/out" | "$work/benchtable"
