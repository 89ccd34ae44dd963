#!/bin/sh
# Builds the I2C simulator and its tests, and runs them in the lab. Half a minute. Needs, besides the lab: go, gpiod, i2c-tools.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
trap 'exit 130' INT TERM HUP
cd "$here/../../.."
CGO_ENABLED=0 go build -o "$bin/i2csim" ./scripts/lab/i2csim
CGO_ENABLED=0 go test -c -o "$bin/abi.test" ./scripts/lab/abi
scripts/lab/boot.sh scripts/lab/abi/job.sh "BIN=$bin"
