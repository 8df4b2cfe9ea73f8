#!/bin/bash
# Measures Ambit beside other sandboxes and writes docs/bench. Called by
# `make bench`, with options for test/bench. As root it installs the peers that
# are missing; otherwise it leaves them out and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. scripts/lib.sh

has() { command -v "$1" >/dev/null; }

need git:git python3:python3 make:make
need_go "$root"
! is_root || need bubblewrap:bwrap firejail:firejail runc:runc slirp4netns:slirp4netns passt:pasta mitmproxy:mitmdump qemu-system-x86:qemu-system-x86_64
make --no-print-directory -s build

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd test/bench && CGO_ENABLED=0 go build -trimpath -o "$work/bench" .)
# srt comes from npm; without it, or what it needs, it is left out.
srt=
if has npm && has bwrap && has socat && has rg && npm install --silent --no-fund --no-audit --prefix "$work/srt" @anthropic-ai/sandbox-runtime >/dev/null 2>&1; then
	srt=$work/srt/node_modules/.bin/srt
fi
# gVisor's own runtime, of the version that ambit-runsc is made of: it is compiled from the same module.
runsc=$work/runsc
CGO_ENABLED=0 go build -trimpath -o "$runsc" gvisor.dev/gvisor/runsc || runsc=
"$work/bench" --root "$root" --srt "$srt" --runsc "$runsc" "$@"
