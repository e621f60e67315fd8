#!/bin/bash
# bootstrap-from-host.sh - the bootstrap image out of the distribution of this host, without a registry.
#
#   bootstrap-from-host.sh [-c CACHE] [-4 SUITE | -5 SUITE] TARFILE
#     TARFILE  the root file system, for `podman import`
#     -c       directory where downloaded packages are kept for the next time
#     -4       (Debian only) all packages from this suite of Debian: `trixie`. For tests: how old the mirror's copy of
#              the suite is, is not looked at
#     -5       the same with dnf 5 in place of dnf 4: `forky`
#   bootstrap-from-host.sh --recipe [-4 SUITE | -5 SUITE]
#     prints a digest of all that decides what the image contains, versions of packages aside
#
# The image holds what solve and install phases run: dnf with its core plug-ins, rpm and its Python bindings, createrepo_c.
# RPM hosts: `dnf --installroot`. Hosts with apt: apt chooses and verifies the packages, they are
# unpacked, and the few things their scripts would do that matter here are done by hand; in a third
# of debootstrap's time, and nothing needs to be mounted. Works as root and as an ordinary user.
set -euo pipefail
export LC_ALL=C

die() { printf 'bootstrap-from-host.sh: %s\n' "$*" >&2; exit 1; }

deb_packages=(base-files base-passwd bash ca-certificates coreutils createrepo-c dash
  findutils gawk grep gzip libc-bin passwd python3-rpm rpm sed tar util-linux)
deb_dnf4=(dnf dnf-plugins-core)
deb_dnf5=(dnf5 python3-libdnf5-python-plugins-loader)
# Wanted by packages for things that do not happen in the image (dpkg's own work, dependency generators).
deb_skipped='^(debconf|dpkg|gnupg-l10n|libperl|media-types|perl|pinentry|sensible-utils|ucf)'
rpm_packages=(bash coreutils createrepo_c findutils gzip python3-rpm rpm shadow-utils system-release tar)

# shellcheck source=/dev/null
. /etc/os-release

# as_root COMMAND... - an ordinary user is root in a user namespace of its own. A remote podman has none to give.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else env -u CONTAINER_HOST -u CONTAINER_CONNECTION podman unshare "$@"; fi; }

# -------------------------------------------------------------- hosts with apt
# Lets apt see $suite alone, from where the host has its own packages from, signed by Debian's own keys.
use_suite() {
  local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sed -n 1p)
  [ -n "$mirror" ] || die "$suite: this host has no packages of Debian"
  [ -e $keyring ] || die "$suite: there is no $keyring; install debian-archive-keyring"
  mkdir -p "$scratch"/apt/{lists/partial,sources,preferences}
  echo "deb [signed-by=$keyring] $mirror $suite main" > "$scratch/apt/sources.list"
  apt+=(-o Dir::State::lists="$scratch/apt/lists" -o Dir::Etc::sourcelist="$scratch/apt/sources.list"
    -o Dir::Etc::sourceparts="$scratch/apt/sources" -o Dir::Etc::preferences=/dev/null
    -o Dir::Etc::preferencesparts="$scratch/apt/preferences" -o APT::Default-Release="$suite"
    -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false)
  "${apt[@]}" -o APT::Update::Error-Mode=any update
}

from_apt() {
  local tree=$scratch/root arch_dir apt
  : > "$scratch/status"
  mkdir -p "$cache/partial" "$scratch/none/partial"
  # A package database of nothing: the answer is the whole closure.
  apt=(apt-get -q -y -o Dir::State::status="$scratch/status" -o Dir::Cache::archives="$cache"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=1 -o APT::Sandbox::User=
    -o APT::Install-Recommends=0)
  if [ "$manager" = dnf5 ]; then deb_packages+=("${deb_dnf5[@]}"); else deb_packages+=("${deb_dnf4[@]}"); fi
  [ -z "$suite" ] || use_suite
  # Asked with an empty cache, it prints the file of every package.
  "${apt[@]}" -o Dir::Cache::archives="$scratch/none" --print-uris install "${deb_packages[@]}" |
    awk -F"'" -v skipped="$deb_skipped" '/^\x27/ { split($3, f, " "); if (f[1] !~ skipped) print f[1] }' > "$scratch/files"
  "${apt[@]}" --download-only install "${deb_packages[@]}"

  for arch_dir in bin sbin lib lib64; do
    mkdir -p "$tree/usr/$arch_dir"
    ln -s "usr/$arch_dir" "$tree/$arch_dir"
  done
  export cache tree
  # shellcheck disable=SC2016  # expanded by the inner shell
  xargs -P "$(nproc)" -n 1 bash -c 'set -o pipefail; dpkg-deb --fsys-tarfile "$cache/$1" |
    tar -C "$tree" -x --keep-directory-symlink --no-same-owner --exclude "./usr/share/doc" --exclude "./usr/share/info" \
      --exclude "./usr/share/locale" --exclude "./usr/share/man"' unpack < "$scratch/files"

  cp "$tree/usr/share/base-passwd/passwd.master" "$tree/etc/passwd"
  cp "$tree/usr/share/base-passwd/group.master" "$tree/etc/group"
  cp "$tree/usr/share/libc-bin/nsswitch.conf" "$tree/etc/nsswitch.conf"
  ln -sf gawk "$tree/usr/bin/awk"
  # The host's own certificates: they include those of the site.
  if [ -s /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
  else find "$tree/usr/share/ca-certificates" -name '*.crt' -exec cat {} + > "$tree/etc/ssl/certs/ca-certificates.crt"; fi
  # Debian's rpm would keep its database in $HOME, where no other rpm looks for it.
  mkdir -p "$tree/etc/rpm" "$tree/var/lib/rpm"
  echo '%_dbpath /var/lib/rpm' > "$tree/etc/rpm/macros.koji-adjutant"
  as_root chroot "$tree" ldconfig
  as_root chroot "$tree" python3 -m compileall -q /usr/lib/python3 "/usr/lib/$(readlink "$tree/usr/bin/python3")"
  tar -C "$tree" --owner=0 --group=0 --numeric-owner --sort=name -cf "$target" .
}

# ------------------------------------------------------------------- RPM hosts
from_dnf() {
  local host_config=()
  if dnf --version | grep -q dnf5; then
    rpm_packages+=(dnf5 dnf5-plugins python3-libdnf5-python-plugins-loader)
    host_config=(--use-host-config)      # dnf5 would look for its repositories in the empty tree
  else
    rpm_packages+=(dnf dnf-plugins-core)
  fi
  # One namespace for all of it: files of several owners are read and removed by who made them.
  # shellcheck disable=SC2016  # expanded by the inner shell
  as_root bash -c 'set -e
    tree=$1/root cache=$2 target=$3 release=$4
    shift 4
    trap "rm -rf \"$tree\"" EXIT
    dnf -y --installroot="$tree" --releasever="$release" --setopt=cachedir="$cache" --setopt=keepcache=1 \
      --setopt=install_weak_deps=0 --setopt=tsflags=nodocs "$@"
    rm -rf "$tree"/var/log/dnf* "$tree"/var/log/hawkey* "$tree"/var/cache/{dnf,libdnf5} "$tree"/usr/share/locale/*
    tar -C "$tree" --numeric-owner --xattrs --xattrs-include=security.capability --sort=name -cf "$target" .
  ' fill "$scratch" "$cache" "$target" "${VERSION_ID%%.*}" "${host_config[@]}" install "${rpm_packages[@]}"
}

if [ "${1:-}" = --recipe ]; then
  { cat "${BASH_SOURCE[0]}"; echo "${ID:-} ${VERSION_ID:-} ${VERSION_CODENAME:-} $(uname -m) ${*:2}"; } | sha256sum | cut -c 1-16
  exit 0
fi
cache='' suite='' manager=dnf4
while getopts c:4:5: option; do
  case $option in
    c) mkdir -p "$OPTARG"; cache=$(realpath "$OPTARG") ;;
    4) suite=$OPTARG ;;
    5) suite=$OPTARG manager=dnf5 ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || { sed -n '2,17s/^# \?//p' "$0"; exit 2; }
target=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
[ -n "$cache" ] || cache=$scratch/cache

if [ -n "$suite" ]; then from_apt
elif command -v dnf > /dev/null && rpm -qf /etc/os-release > /dev/null 2>&1; then from_dnf
elif command -v apt-get > /dev/null; then from_apt
else die "neither dnf nor apt here: build an image from images/ on another machine and load it, see docs/images.md"
fi
