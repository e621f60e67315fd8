#!/bin/bash
# demo.sh - builds a source package as a Koji builder does, with all the parts on this machine, and shows the progress.
#
#   demo.sh [SRPM]
#     SRPM  the source package; without one, the test distribution's `hello`
#
# Prepares the machine first (setup.sh, the test distribution: a few minutes the first time, seconds after that). Then
# a development hub and the daemon start, the hub gets a repository, and the package is built in Podman containers. The
# packages and logs stay in STATE/demo/<number> (scripts/environment.sh); everything else is stopped and removed at the
# end, also after Ctrl-C. Exit code 1 when the build has failed.
set -euo pipefail
case ${1:-} in
  -*) sed -n '2,10s/^# \?//p' "$0"; exit 2 ;;
esac
[ $# -le 1 ] || { sed -n '2,10s/^# \?//p' "$0"; exit 2; }
srpm=${1:+$(realpath -- "$1")}
# shellcheck source=scripts/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
export KOJI_ADJUTANT_STATE=$state
[ -z "$srpm" ] || [ -f "$srpm" ] || die "there is no file $srpm"

# One at a time: two would take each other's containers for leftovers.
mkdir -p "$state/demo"
exec 8> "$state/demo/lock"
flock -n 8 || die "another demo is running"

# A service that runs already is not ours to stop.
keep_engine=0
! scripts/engine.sh status > /dev/null 2>&1 || keep_engine=1
# shellcheck disable=SC2317  # called by the trap
stop_engine() { [ "$keep_engine" = 1 ] || scripts/engine.sh stop; }
trap stop_engine EXIT
trap 'exit 130' INT TERM HUP

scripts/setup.sh --with-demo-tools 8>&-
distribution=$(scripts/ensure-test-distribution.sh 8>&-)
[ -n "$srpm" ] || srpm=$(echo "$distribution"/srpms/hello-*.src.rpm)
. <(scripts/engine.sh env)

say "build of $(basename "$srpm")"
echo
code=0
PATH=$root/node_modules/.bin:$PATH node dist/demo/main.js "$state" "$distribution" "$srpm" "$root/bin/koji-adjutant" 8>&- || code=$?
exit $code
