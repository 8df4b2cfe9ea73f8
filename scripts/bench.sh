#!/bin/bash
# Measures Ambit beside other sandboxes and writes docs/bench. Called by
# `make bench`, with options for test/bench. As root it installs the peers that
# are missing; otherwise it leaves them out and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. scripts/lib.sh

need git:git python3:python3 make:make
need_go "$root"
! is_root || need bubblewrap:bwrap firejail:firejail runc:runc
make --no-print-directory -s build

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd test/bench && CGO_ENABLED=0 go build -trimpath -o "$work/bench" .)
"$work/bench" --root "$root" "$@"
