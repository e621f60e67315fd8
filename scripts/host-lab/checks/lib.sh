# shellcheck shell=bash
# Sourced by the checks, which run as root in the machine, in the checkout. The last line that a check prints goes into the table.
set -euo pipefail
shopt -s inherit_errexit
state=${KOJI_ADJUTANT_STATE:-/var/lib/koji-adjutant}
distribution=/var/lib/koji-adjutant/test-distribution
ka=/opt/koji-adjutant/bin/koji-adjutant
area=${LAB_AREA:-/var/tmp/host-lab}
mkdir -p "$area"
fail() { echo "$*"; exit 1; }
srpm() { echo "$distribution/srpms/$1"-[0-9]*.src.rpm; }

# engine - the engine of the set-up, for podman and koji-adjutant
engine() { scripts/engine.sh start; . <(scripts/engine.sh env); }

# rebuild NAME RESULT [OPTION...] - builds a source package of the distribution, or a file; prints the seconds it took
rebuild() {
  local source=$1 result=$area/$2 began=$SECONDS
  shift 2
  [ -f "$source" ] || source=$(srpm "$source")
  rm -rf "$result"
  "$ka" rebuild "$source" --repo "$distribution/repo" --macro dist=.td1 --cache-dir "$area/cache" --result "$result" "$@" >&2 ||
    return 1
  echo $((SECONDS - began))
}

# cold_and_warm WHO [OPTION...]
cold_and_warm() {
  local who=$1 cold warm
  shift
  "$ka" cache trim --all --cache-dir "$area/cache" || true
  cold=$(rebuild hello "$who-cold" "$@")
  warm=$(rebuild hello "$who-warm" "$@")
  rebuild versioned-br "$who-more" "$@" > "$area/more"
  echo "$who: hello cold $cold s, warm $warm s; onto a snapshot $(cat "$area/more") s"
}

# greedy KIND - writes the source package of a build that takes more than it should, prints its path
greedy() {
  local code
  case $1 in
    memory) code='awk "BEGIN { s = \"x\"; while (1) s = s s }"' ;;
    processes) code='for i in $(seq 400); do sleep 60 & done; wait' ;;
    disk) code='dd if=/dev/zero of=big bs=1M count=20000; sleep 600' ;;
  esac
  printf 'Name: greedy-%s\nVersion: 1\nRelease: 1\nSummary: Takes\nLicense: MIT\nBuildArch: noarch\n%%description\nTakes.\n%%build\nset +x\n%s\n%%files\n' \
    "$1" "$code" > "$area/greedy-$1.spec"
  rpmbuild -bs --quiet --define "_topdir $area/top" --define "_srcrpmdir $area" "$area/greedy-$1.spec" >&2
  echo "$area/greedy-$1-1-1.src.rpm"
}

# limits WHO - each limit has to end a build, and its name has to be in build.log
limits() {
  local who=$1 kind said=()
  export KOJI_ADJUTANT_BUILD_MEMORY=256M KOJI_ADJUTANT_BUILD_PIDS=200 KOJI_ADJUTANT_BUILD_DISK=300M
  printf '[kojid]\nserver = http://127.0.0.1:1/kojihub\ntopurl = http://127.0.0.1:1/kojifiles\nuser = x\npassword = x\n' > "$area/limits.conf"
  for kind in memory processes disk; do
    ! rebuild "$(greedy $kind)" "$who-$kind" --config "$area/limits.conf" || fail "the build that takes too much ($kind) has not failed"
    said+=("$(grep -ohE '(killed|stopped) by the (memory|disk) limit of .*|stopped by the limit of .* processes.*' "$area/$who-$kind/build.log" | tail -n 1)")
    [ -n "${said[-1]}" ] || fail "no limit is named for $kind"
  done
  printf '%s; ' "$who: ${said[@]}"
  echo
}

# doctor - koji-adjutant doctor, as a builder of a development hub that runs meanwhile
doctor() {
  local hub dir=$area/doctor code=0
  rm -rf "$dir"
  mkdir -p "$dir/hub" "$dir/work"
  node_modules/.bin/node scripts/host-lab/hub.mjs "$dir/hub" 0 "$distribution" > "$dir/hub.conf" &
  hub=$!
  until grep -q topdir "$dir/hub.conf"; do kill -0 $hub || fail "the development hub has not started"; sleep 1; done
  { printf '[kojid]\nuser = builder\npassword = builder\nworkdir = %s\nminspace = 1024\n' "$dir/work"; cat "$dir/hub.conf"; } > "$dir/kojid.conf"
  "$ka" doctor -c "$dir/kojid.conf" || code=$?
  kill $hub
  wait $hub || true
  return $code
}
