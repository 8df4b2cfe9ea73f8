#!/bin/bash
# Makes a package for Debian and Ubuntu of programs that are built already, by dpkg-deb
# alone. Called by `make deb`; test/deb calls it too.
#
#     scripts/deb.sh BIN OUT [xz|gzip|none]
#     scripts/deb.sh --version    # how it spells AMBIT_VERSION
#
# BIN has ambit and what lies beside it. OUT is the file, or the folder that it is put
# into. The same programs, version and SOURCE_DATE_EPOCH make the same bytes: every file
# has that time and belongs to root, and what is compressed says nothing of when.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

version=${AMBIT_VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1767225600)}
maintainer=${AMBIT_MAINTAINER:-Ambit <root@localhost>}

# debian_version spells a version so that dpkg orders it: v1.2.0-rc.1-3-g0123abc is
# 1.2.0~rc.1+3.g0123abc, and without a release yet 0123abc is 0~git20260101.0123abc.
debian_version() {
	local v=$1 dirty= after=
	case $v in *-dirty) v=${v%-dirty} dirty=+dirty ;; esac
	if [[ $v =~ ^(v[0-9].*)-([0-9]+)-(g[0-9a-f]+)$ ]]; then
		v=${BASH_REMATCH[1]} after=+${BASH_REMATCH[2]}.${BASH_REMATCH[3]}
	fi
	if [[ $v =~ ^v([0-9][A-Za-z0-9.-]*)$ ]]; then
		v=${BASH_REMATCH[1]}
		printf '%s%s%s\n' "${v//-/\~}" "$after" "$dirty"
	else
		printf '0~git%s.%s%s\n' "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d)" "${v//[^A-Za-z0-9.]/}" "$dirty"
	fi
}
version=$(debian_version "$version")
if [ "${1:-}" = --version ]; then
	say "$version"
	exit
fi

bin=$(realpath "${1:?the folder with the programs}")
out=${2:?the file to write, or its folder}
compress=${3:-xz}
need dpkg:dpkg-deb gzip:gzip
umask 022
arch=$(GOFLAGS='' go env GOARCH) # amd64 and arm64 are called the same by Debian
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
share=$root/usr/share

# put MODE FILE TO installs one file; packed FILE TO the same, compressed.
put() { install -D -m "$1" "$2" "$root/$3"; }
packed() {
	mkdir -p "$(dirname "$root/$2")"
	gzip -9n <"$1" >"$root/$2.gz"
}

shopt -s nullglob
for program in "$bin"/ambit "$bin"/ambit-*; do
	put 755 "$program" "usr/libexec/ambit/$(basename "$program")"
done
# ambit looks for what it starts beside itself, wherever a link to it stands.
mkdir -p "$root/usr/bin"
ln -s ../libexec/ambit/ambit "$root/usr/bin/ambit"

for page in docs/man/*.1; do packed "$page" "usr/share/man/man1/$(basename "$page")"; done
mkdir -p "$share"/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
AMBIT_STATE_DIR=$root/none "$bin/ambit" completion bash >"$share/bash-completion/completions/ambit"
AMBIT_STATE_DIR=$root/none "$bin/ambit" completion zsh >"$share/zsh/vendor-completions/_ambit"
AMBIT_STATE_DIR=$root/none "$bin/ambit" completion fish >"$share/fish/vendor_completions.d/ambit.fish"
[ ! -e "$root/none" ] || die "completions made a state folder"

put 644 packaging/apparmor/ambit etc/apparmor.d/ambit
put 644 packaging/systemd/ambit.user.service usr/lib/systemd/user/ambit.service
put 644 packaging/systemd/ambit@.service usr/lib/systemd/system/ambit@.service
put 644 packaging/deb/overrides usr/share/lintian/overrides/ambit

# What Debian wants to know, and what the licences of what is linked in want to be said.
packed CHANGELOG.md usr/share/doc/ambit/CHANGELOG.md
printf 'ambit (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n' \
	"$version" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$root/changelog"
packed "$root/changelog" usr/share/doc/ambit/changelog
rm "$root/changelog"
# Names alone: how often a folder is listed depends on who linked what.
copyright() {
	printf 'Ambit, by its authors. Its source states no licence.\n\nThese are the licences of what is linked into it.\n'
	local module dir file
	{
		printf 'Go\t%s\n' "$(go env GOROOT)"
		CGO_ENABLED=0 go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}' ./cmd/... | LC_ALL=C sort -u
	} | while IFS=$'\t' read -r module dir; do
		for file in "$dir"/LICEN[SC]E* "$dir"/COPYING* "$dir"/NOTICE*; do
			[ ! -f "$file" ] || { printf '\n---- %s: %s\n\n' "$module" "$(basename "$file")" && cat "$file"; }
		done
	done
}
copyright >"$share/doc/ambit/copyright"

mkdir "$root/DEBIAN"
size=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f 1)
sed -e "s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@MAINTAINER@|$maintainer|; s|@SIZE@|$size|" packaging/deb/control >"$root/DEBIAN/control"
install -m 644 packaging/deb/conffiles "$root/DEBIAN/conffiles"
install -m 755 -t "$root/DEBIAN" packaging/deb/{postinst,prerm,postrm}
(cd "$root" && find . -type f -not -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

[ ! -d "$out" ] || out=$out/ambit_${version}_$arch.deb
# One thread: how many there are shows in what xz writes.
dpkg-deb --root-owner-group -Z"$compress" --threads-max=1 --build "$root" "$out" >/dev/null
say "$out"
