#!/bin/bash
# Tests on kernels of Debian in an emulated machine: `scripts/guest.sh` runs
# everything, on the stock kernel of Debian 12, on that of its backports and on
# that of the backports of Debian 13;
# `scripts/guest.sh prepare` only fetches what the part of `make test` needs, and
# `scripts/guest.sh fetch` only fetches what everything needs.
# Called by `make test-guest` and by scripts/test.sh. As root only: it installs
# packages, and the root file system of the guest has files of root's. Anybody may
# call `scripts/guest.sh kernel`, which fetches the kernel that tests of machines boot.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. scripts/lib.sh
kernels=$root/.tools/kernels

# fetch_kernel NAME PACKAGE [APT-OPTION...] unpacks the newest kernel that the
# package stands for into .tools/kernels/NAME. It is not installed. Newer ones
# come in parts, which their package names with their version.
fetch_kernel() {
	local name=$1 meta=$2 package version parts part
	shift 2
	package=$(apt-cache "$@" depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n1)
	version=$(apt-cache "$@" show --no-all-versions "${package:-none}" 2>/dev/null | sed -n 's/^Version: //p' | head -n1)
	[ -n "$version" ] || return 1
	[ "$(cat "$kernels/$name/package" 2>/dev/null)" != "$package $version" ] || return 0
	say "Fetching $package"
	local new=$kernels/.$name
	rm -rf "$new" && mkdir -p "$new"
	parts=$(apt-cache "$@" show --no-all-versions "$package" | sed -n 's/^Depends: //p' | tr , '\n' | sed -n 's/^ *\(linux-[^ ]*\) (= .*/\1/p')
	(cd "$new" && apt-get -qq "$@" -o APT::Sandbox::User=root download "$package" $parts) >"$new/log" 2>&1 || return 1
	for part in "$new"/*.deb; do dpkg -x "$part" "$new"; done
	rm -f "$new"/*.deb "$new/log"
	if [ ! -e "$new/lib" ]; then # all of it lies beneath /usr then
		ln -s usr/lib "$new/lib"
		mkdir "$new/boot"
		mv "$new"/usr/lib/modules/*/vmlinuz "$new/boot/vmlinuz-$(ls "$new/usr/lib/modules")"
	fi
	printf '%s %s\n' "$package" "$version" >"$new/package"
	rm -rf "${kernels:?}/$name"
	mv "$new" "$kernels/$name"
}

# private_apt NAME SUITE [APT-OPTION...] makes an apt that knows this suite alone,
# with lists of its own, and puts its options into `options`: the host's sources
# stay as they are, and say where they are.
private_apt() {
	local dir=$kernels/$1.apt uri suite=$2
	shift 2
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep '/debian/\?$' | head -n1)
	[ -n "$uri" ] || return 1
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$uri" "$suite" >"$dir/sources.list"
	options=(-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache"
		-o "Dir::State::status=$dir/status" -o Acquire::Languages=none -o APT::Sandbox::User=root "$@")
	apt-get -qq "${options[@]}" update
}

# fetch_backport NAME SUITE fetches the kernel of some suite.
fetch_backport() {
	private_apt "$1" "$2" && fetch_kernel "$1" linux-image-cloud-amd64 "${options[@]}"
}

# compile_apparmor compiles test/guest/apparmor.profiles with the parser of Debian
# 13, which runs with its own libraries: that of Debian 12 knows no user namespaces.
compile_apparmor() {
	local new=$kernels/.apparmor package
	rm -rf "$new" && mkdir -p "$new"
	private_apt trixie trixie || return 1
	(cd "$new" && apt-get -qq "${options[@]}" download apparmor libapparmor1 libc6 libstdc++6 libgcc-s1) || return 1
	for package in "$new"/*.deb; do dpkg -x "$package" "$new"; done
	"$new/usr/lib64/ld-linux-x86-64.so.2" --library-path "$new/usr/lib/x86_64-linux-gnu" "$(find "$new" -name apparmor_parser)" -K -Q --base "$new/etc/apparmor.d" \
		--policy-features "$new/etc/apparmor.d/abi/4.0" --kernel-features "$new/etc/apparmor.d/abi/4.0" -S test/guest/apparmor.profiles >"$kernels/apparmor.compiled" || return 1
	rm -rf "$new"
}

# fetch_arm64 fetches the kernel of Debian 12 for arm64, and the packages of a
# root file system: all of test/guest/packages.txt and what they depend on.
fetch_arm64() {
	private_apt arm64 bookworm -o APT::Architecture=arm64 -o APT::Architectures=arm64 && fetch_kernel arm64 linux-image-cloud-arm64 "${options[@]}" || return 1
	local new=$kernels/.arm64.packages
	rm -rf "$new" && mkdir -p "$new"
	xargs apt-get -qq "${options[@]}" install -y --no-install-recommends --download-only <test/guest/packages.txt || return 1
	cp -l "$kernels"/arm64.apt/cache/archives/*.deb "$new"
	rm -rf "$kernels/arm64.packages" && mv "$new" "$kernels/arm64.packages"
}

if [ "${1:-}" = kernel ]; then # which anybody may fetch
	need qemu-system-x86:qemu-system-x86_64
	fetch_kernel stock linux-image-cloud-amd64 ||
		die "Could not fetch the kernel: linux-image-cloud-amd64. Have the lists of packages brought up to date: sudo apt-get update"
	exit 0
fi
is_root || die "Guests are made by root only: sudo make test-guest."
need qemu-system-x86:qemu-system-x86_64 e2fsprogs:mke2fs kmod:depmod git:git python3:python3 curl:curl procps:pgrep \
	iproute2:ip busybox-static:busybox musl-tools:musl-gcc
need_go "$root"
fetch_kernel stock linux-image-cloud-amd64 || { apt-get -qq update && fetch_kernel stock linux-image-cloud-amd64; } >/dev/null 2>&1 ||
	die "Could not fetch the kernel: linux-image-cloud-amd64"
[ "${1:-}" != prepare ] || exit 0

for kernel in backports:bookworm newest:trixie; do
	fetch_backport "${kernel%:*}" "${kernel#*:}-backports" >/dev/null 2>&1 ||
		say "The kernel of ${kernel#*:}-backports cannot be had here; its part is skipped."
done
compile_apparmor >/dev/null 2>&1 || die "Could not compile test/guest/apparmor.profiles: the parser of Debian 13 cannot be had here."
need qemu-system-arm:qemu-system-aarch64
fetch_arm64 >/dev/null 2>&1 || say "Debian for arm64 cannot be had here; its part is skipped."
[ "${1:-}" != fetch ] || exit 0
cd test/guest
exec go test -count=1 -timeout=3h -v -run '^TestGuest$' . -args -whole "$@"
