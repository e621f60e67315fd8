#!/bin/bash
# test-distribution.sh - makes a small, working RPM distribution out of Debian packages.
#
# For the tests and the demo, on machines that reach a Debian mirror (plain apt) but no RPM
# distribution. Each .deb of a dependency closure is unpacked, usr-merged and packed again as an RPM
# under a Fedora-like name; a few RPMs are written by hand (filesystem, setup, release, macros, leaf
# packages to be used as BuildRequires); then come source packages that behave well and badly.
#
#   test-distribution.sh [-o OUTDIR] [-w WORKDIR] [-a ARCHIVES] [-j JOBS] [-D]
#     -o  result: OUTDIR/repo (RPMs, repodata, comps groups build, srpm-build, bootstrap), OUTDIR/srpms
#     -w  cache of finished conversions (kept; the next run is fast)
#     -a  cache of downloaded .debs (default: WORKDIR/archives)
#     -j  parallel jobs (default: number of processors)
#     -D  leave out dnf, createrepo_c and what they need (group "bootstrap")
#
# Needs apt-get, dpkg-deb, awk, rpmbuild, createrepo_c (Debian: apt, dpkg, gawk or mawk, rpm,
# createrepo-c), not root. Same input, same RPMs, bit by bit: metadata of an earlier run stays true.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C SOURCE_DATE_EPOCH=1600000000

parts=$(cd "$(dirname "${BASH_SOURCE[0]}")/test-distribution" && pwd)
out=$PWD/test-distribution work=${TMPDIR:-/tmp}/test-distribution.work archives='' jobs=$(nproc) dnf=1
while getopts o:w:a:j:Dh option; do
  case $option in
    o) out=$OPTARG ;; w) work=$OPTARG ;; a) archives=$OPTARG ;; j) jobs=$OPTARG ;; D) dnf=0 ;;
    *) sed -n '2,19s/^# \?//p' "$0"; exit 2 ;;
  esac
done
for tool in apt-get dpkg-deb awk rpmbuild createrepo_c; do
  command -v $tool > /dev/null || { echo "test-distribution.sh: $tool is missing" >&2; exit 1; }
done
archives=${archives:-$work/archives}
mkdir -p "$out"/{repo,srpms} "$work"/{specs/extra,roots,done,rpms,top,home} "$archives/partial"
out=$(cd "$out" && pwd) work=$(cd "$work" && pwd) archives=$(cd "$archives" && pwd)
repo=$out/repo srpms=$out/srpms dist=.td1
export work archives
printf '%%%s\n' '_buildhost testdistro' 'use_source_date_epoch_as_buildtime 1' \
  'clamp_mtime_to_source_date_epoch 1' > "$work/home/.rpmmacros"
say() { printf '%(%H:%M:%S)T %s\n' -1 "$*" >&2; }

# ---------------------------------------------------------------- package sets
debs=(bash coreutils tar gzip bzip2 xz-utils zstd unzip diffutils findutils gawk grep sed cpio file util-linux
  mount debianutils passwd login hostname ncurses-bin ncurses-base libc-bin info
  gcc g++ make binutils patch pkgconf rpm rpm-common rpm2cpio debugedit elfutils)
[ $dnf = 0 ] || debs+=(dnf createrepo-c dnf-plugins-core)
# Dependencies that make no sense here, or whose work a hand-written RPM does.
skipped="dpkg debconf debconf-2.0 cdebconf install-info libdebconfclient0 dash
  base-files base-passwd usr-is-merged libpam-runtime libpam-modules-bin
  init-system-helpers lsb-base perl-openssl-defaults media-types gpgv
  gnupg gnupg2 dirmngr tzdata ucf sensible-utils"

# -------------------------------------------------------------------- download
: > "$work/empty"
apt=(apt-get -q -y -o Dir::State::status="$work/empty" -o Dir::Cache::archives="$archives"
  -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=1
  -o APT::Sandbox::User= -o APT::Install-Recommends=0 -o APT::Get::AllowUnauthenticated=0)
say "download"
mkdir -p "$work/none/partial"      # an empty cache, so that every URI is printed
"${apt[@]}" -o Dir::Cache::archives="$work/none" --print-uris install "${debs[@]}" |
  awk -F"'" '/^\x27/ { split($3, f, " "); print f[1] }' > "$work/files"
"${apt[@]}" --download-only install "${debs[@]}" > "$work/apt.log" 2>&1 ||
  { tail -5 "$work/apt.log" >&2; exit 1; }

# ----------------------------------------------------- control files -> specs
say "specs for $(wc -l < "$work/files") debs"
while read -r file; do
  printf 'File: %s\n' "$file"
  dpkg-deb -f "$archives/$file" Package Version Architecture Depends Pre-Depends Provides
  echo
done < "$work/files" > "$work/control"
awk -v dir="$work/specs" -v skip="$skipped" -v namefile="$parts/names" -v dist="$dist" \
  -f "$parts/specs.awk" "$work/control" > "$work/todo"

# Further header lines for a converted package.
while read -r name _; do : > "$work/specs/extra/$name"; done < "$work/todo"
extra() { printf '%s\n' "${@:2}" > "$work/specs/extra/$1"; }
extra bash 'Provides: /bin/sh' 'Provides: /bin/bash' 'Provides: /usr/bin/sh'
extra util-linux 'Requires: mount'
extra glibc 'Requires: glibc-common' 'Provides: glibc-minimal-langpack' 'Provides: rtld(GNU_HASH)'
extra glibc-common 'Provides: /sbin/ldconfig'
extra coreutils 'Provides: /bin/cp' 'Provides: /bin/mkdir'
extra rpm-build 'Requires: redhat-rpm-config tar gzip bzip2 xz unzip cpio patch file binutils debugedit elfutils diffutils findutils gawk grep sed' \
  'Provides: rpmbuild'
extra shadow-utils 'Requires: login' 'Provides: /usr/sbin/useradd' 'Provides: /usr/sbin/groupadd'
extra gcc 'Requires: glibc-devel' 'Provides: /usr/bin/cc'
extra gcc-c++ 'Provides: gcc-g++'
extra pkgconf-pkg-config 'Provides: pkgconfig' 'Provides: /usr/bin/pkg-config'

say "convert $(wc -l < "$work/todo") packages"
xargs -P "$jobs" -L 1 "$parts/convert-deb.sh" < "$work/todo"

# ------------------------------------------------------- hand-written packages
hand=$work/hand
rm -rf "$hand"
mkdir -p "$hand"
spec() {
  local name=$1 version=$2 release=${3:-1}
  { printf 'Name: %s\nVersion: %s\nRelease: %s%s\nSummary: Test package %s\nLicense: MIT\nGroup: Test/Leaf\n' \
      "$name" "$version" "$release" "$dist" "$name"
    cat; } > "$hand/$name-$version.spec"
  grep -q '^%description' "$hand/$name-$version.spec" || { echo "$name: no %description" >&2; exit 1; }
}
# shellcheck source=scripts/test-distribution/binary-packages.sh
. "$parts/binary-packages.sh"
hand_specs=("$hand"/*.spec)
say "${#hand_specs[@]} hand-written packages"
printf '%s\n' "${hand_specs[@]}" | xargs -P "$jobs" -n 1 "$parts/build-spec.sh"

# ------------------------------------------------------------------ repository
say "repository"
rm -rf "$repo"
mkdir -p "$repo/Packages"
{ while read -r name _; do echo "$name"; done < "$work/todo"
  for file in "${hand_specs[@]}"; do echo "hand-$(basename "$file" .spec)"; done; } |
  while read -r name; do tail -1 "$work/done/$name"; done |
  while read -r file; do ln -f "$work/rpms/$file" "$repo/Packages/" 2> /dev/null || cp "$work/rpms/$file" "$repo/Packages/"; done

group() { # id, packages...
  printf ' <group>\n  <id>%s</id>\n  <name>%s</name>\n  <description/>\n  <default>false</default>\n  <uservisible>true</uservisible>\n  <packagelist>\n' "$1" "$1"
  printf '   <packagereq type="mandatory">%s</packagereq>\n' "${@:2}"
  printf '  </packagelist>\n </group>\n'
}
{ printf '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">\n<comps>\n'
  group build bash bzip2 coreutils cpio diffutils filesystem findutils gawk gcc gcc-c++ grep gzip info \
    make patch redhat-rpm-config rpm-build sed setup shadow-utils tar testdistro-release unzip util-linux which xz
  group srpm-build bash coreutils make redhat-rpm-config rpm-build setup shadow-utils testdistro-release
  [ $dnf = 1 ] && group bootstrap bash coreutils createrepo_c dnf dnf-plugins-core findutils gzip rpm-build shadow-utils tar testdistro-release
  echo '</comps>'; } > "$repo/comps.xml"
createrepo_c -q --workers "$jobs" --no-database -g comps.xml "$repo"

# ------------------------------------------------------------- source packages
say "source packages"
src=$work/src
rm -rf "$src" "$srpms"/*.src.rpm
mkdir -p "$src"
srpm() {
  local name=$1
  mkdir -p "$src/$name"
  { printf 'Name: %s\nVersion: 1.0\nRelease: 1%%{?dist}\nSummary: Test source package %s\nLicense: MIT\n' "$name" "$name"
    cat; } > "$src/$name/$name.spec"
}
# shellcheck source=scripts/test-distribution/source-packages.sh
. "$parts/source-packages.sh"
# A source package holds its expanded spec: no path of this machine may be in it.
for file in "$src"/*/*.spec; do
  name=$(basename "$file" .spec)
  HOME=$work/home rpmbuild -bs --quiet --define "_topdir $work/top" --define "_sourcedir $src/$name" \
    --define "_srcrpmdir $srpms" --define "_buildrootdir /buildroot" --define "dist $dist" "$file" > "$work/done/src-$name.log" 2>&1 ||
    { echo "$name FAILED" >&2; cat "$work/done/src-$name.log" >&2; exit 1; }
done

packages=("$repo"/Packages/*.rpm) sources=("$srpms"/*.src.rpm)
say "done: ${#packages[@]} packages ($(du -sh "$repo" | cut -f1)) in $repo, ${#sources[@]} in $srpms"
