#!/bin/bash
# Tests on kernels of Debian in an emulated machine: `scripts/guest.sh` runs
# everything, on the stock kernel of Debian 12 and on that of its backports;
# `scripts/guest.sh prepare` only fetches what the part of `make test` needs.
# Called by `make test-guest` and by scripts/test.sh. As root only: it installs
# packages, and the root file system of the guest has files of root's.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. scripts/lib.sh
kernels=$root/.tools/kernels

# fetch_kernel NAME PACKAGE [APT-OPTION...] unpacks the newest kernel that the
# package stands for into .tools/kernels/NAME. It is not installed.
fetch_kernel() {
	local name=$1 meta=$2 package version
	shift 2
	package=$(apt-cache "$@" depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n1)
	version=$(apt-cache "$@" show --no-all-versions "${package:-none}" 2>/dev/null | sed -n 's/^Version: //p' | head -n1)
	[ -n "$version" ] || return 1
	[ "$(cat "$kernels/$name/package" 2>/dev/null)" != "$package $version" ] || return 0
	say "Fetching $package"
	local new=$kernels/.$name
	rm -rf "$new" && mkdir -p "$new"
	(cd "$new" && apt-get -qq "$@" -o APT::Sandbox::User=root download "$package") >"$new/log" 2>&1 || return 1
	dpkg -x "$new"/*.deb "$new"
	rm -f "$new"/*.deb "$new/log"
	printf '%s %s\n' "$package" "$version" >"$new/package"
	rm -rf "${kernels:?}/$name"
	mv "$new" "$kernels/$name"
}

# backports_options are those of an apt that knows the backports alone, with
# lists of its own: the host's sources stay as they are, and say where they are.
backports_options() {
	local dir=$kernels/backports.apt uri
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep '/debian/\?$' | head -n1)
	[ -n "$uri" ] || return 1
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s bookworm-backports main\n' "$uri" >"$dir/sources.list"
	options=(-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache")
}

is_root || die "Guests are made by root only: sudo make test-guest."
need qemu-system-x86:qemu-system-x86_64 e2fsprogs:mke2fs kmod:depmod git:git python3:python3 curl:curl procps:pgrep \
	iproute2:ip
need_go "$root"
fetch_kernel stock linux-image-cloud-amd64 || { apt-get -qq update && fetch_kernel stock linux-image-cloud-amd64; } >/dev/null 2>&1 ||
	die "Could not fetch the kernel: linux-image-cloud-amd64"
[ "${1:-}" != prepare ] || exit 0

{ backports_options && apt-get -qq "${options[@]}" update && fetch_kernel backports linux-image-cloud-amd64 "${options[@]}"; } >/dev/null 2>&1 ||
	say "The kernel of bookworm-backports cannot be had here; its part is skipped."
cd test/guest
exec go test -count=1 -timeout=3h -v -run '^TestGuest$' . -args -whole "$@"
