#!/bin/bash
# test.sh - every test there is, on a machine prepared by setup.sh, which it calls first.
#
#   test.sh          all tests, in at most 20 minutes on a machine with two processors that is prepared
#   test.sh quick    a part of podman and e2e only (see below), in at most 8 minutes: for each push, not for a merge
# Order: set-up, test distribution, check.sh (format, lint, types, unit and contract tests), then the vitest projects
# integration, podman beside e2e, and e2e-alone (vitest.config.ts). Ends with the skipped tests, the ten slowest files and,
# as its last line, `N passed, N failed, N skipped`. Exit code 1 when a test or a check failed, or a project executed none.
#
# The tests find their surroundings in these variables:
#   KOJI_ADJUTANT_STATE                 state directory of the set-up (may be given; see environment.sh)
#   KOJI_ADJUTANT_TEST_ENGINE_CONF      containers.conf for this host; engine/env beside it says how to pass it
#   KOJI_ADJUTANT_TEST_ENGINE_SOCKET    socket of a running Podman service of this user
#   KOJI_ADJUTANT_TEST_IMAGE            bootstrap image, present in that engine
#   KOJI_ADJUTANT_TEST_DNF4_IMAGE       another one, with dnf 4 and rpm of Debian 13; unset where it cannot be made
#   KOJI_ADJUTANT_TEST_DNF5_IMAGE       another one, with dnf 5; unset where it cannot be made
#   KOJI_ADJUTANT_TEST_DISTRO           the test distribution: repo/ and srpms/; unset where it cannot be made
#   KOJI_ADJUTANT_TEST_USER             (root only) an ordinary user with subordinate ids ...
#   KOJI_ADJUTANT_TEST_USER_SOCKET      ... the socket of a rootless Podman service of that user, which has the image too
#   KOJI_TEST_HUB                       env.sh of a running real hub, if the caller gives one
set -euo pipefail
# shellcheck source=scripts/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
case "$#:${1:-}" in
  0:) part=all ;;
  1:quick) part=quick ;;
  *) echo "usage: test.sh [quick]" >&2; exit 2 ;;
esac
export KOJI_ADJUTANT_STATE=$state
[ -t 1 ] || { export NO_COLOR=1; unset FORCE_COLOR; }

was_running() { scripts/engine.sh "$@" status > /dev/null 2>&1; }
# shellcheck disable=SC2317  # called by the trap
stop_engines() {
  [ "$keep_engine" = 1 ] || scripts/engine.sh stop
  [ -z "${KOJI_ADJUTANT_TEST_USER:-}" ] || [ "$keep_user_engine" = 1 ] ||
    scripts/engine.sh --user "$KOJI_ADJUTANT_TEST_USER" stop
}

# Services that are not ours to stop were there before.
keep_engine=0 keep_user_engine=0 options=(--with-test-tools)
! was_running || keep_engine=1
if [ "$(id -u)" = 0 ]; then
  options+=(--with-test-user)
  ! was_running --user kojiadj || keep_user_engine=1
fi
trap stop_engines EXIT
scripts/setup.sh "${options[@]}"

KOJI_ADJUTANT_TEST_ENGINE_CONF=$state/engine/containers.conf
KOJI_ADJUTANT_TEST_ENGINE_SOCKET=$(scripts/engine.sh socket)
KOJI_ADJUTANT_TEST_IMAGE=$image
export KOJI_ADJUTANT_TEST_ENGINE_CONF KOJI_ADJUTANT_TEST_ENGINE_SOCKET KOJI_ADJUTANT_TEST_IMAGE
if [ "$(id -u)" = 0 ]; then
  KOJI_ADJUTANT_TEST_USER=kojiadj
  KOJI_ADJUTANT_TEST_USER_SOCKET=$(scripts/engine.sh --user kojiadj socket)
  export KOJI_ADJUTANT_TEST_USER KOJI_ADJUTANT_TEST_USER_SOCKET
fi
if have apt-get; then
  # From a release that the mirror of this host, not being Debian's or of another day, may lack.
  if [ $part = quick ]; then say "no images with dnf 5 or of Debian 13: a quick run needs none"
  elif scripts/setup.sh --with-dnf5-image; then export KOJI_ADJUTANT_TEST_DNF5_IMAGE=${image%:*}:dnf5-$arch
  else say "no image with dnf 5: its tests are skipped"; fi
  if [ $part = quick ]; then :
  elif scripts/setup.sh --with-dnf4-image; then export KOJI_ADJUTANT_TEST_DNF4_IMAGE=${image%:*}:dnf4-$arch
  else say "no image of Debian 13: its tests are skipped"; fi
  KOJI_ADJUTANT_TEST_DISTRO=$(scripts/ensure-test-distribution.sh)
  export KOJI_ADJUTANT_TEST_DISTRO
fi

# What a quick run has of podman and e2e: the container contract, a build of each kind and end, restarts in the middle of a
# build, what is kept for later ones, bad input, attacks from inside, and the command for one package.
files=()
[ $part = all ] || files=(
  test/integration/ test/podman/container.test.ts
  test/e2e/{adoption,attacks,bad-input,builds,cache,inside,rebuild,tagged-build}.test.ts
)
projects=(integration podman e2e e2e-alone)

export PATH=$root/node_modules/.bin:$PATH
export KOJI_ADJUTANT_TEST_COUNTS=$state/log/test-counts
rm -rf "$KOJI_ADJUTANT_TEST_COUNTS" "$KOJI_ADJUTANT_TEST_COUNTS-summary"
failed=()
began=$SECONDS
scripts/check.sh || failed+=(check)
checked=$((SECONDS - began))
say "vitest projects ${projects[*]}"
vitest run "${projects[@]/#/--project=}" --reporter=default --reporter=./scripts/test-counts.mjs "${files[@]}" || failed+=(tests)

# Prints skipped tests, the slowest files and the sum; says no when a project is missing or executed nothing.
code=0
node scripts/test-summary.mjs "$KOJI_ADJUTANT_TEST_COUNTS" unit contract "${projects[@]}" \
  > "$KOJI_ADJUTANT_TEST_COUNTS-summary" || code=1
say "$checked s for the checks, $((SECONDS - began - checked)) s for these projects"
[ ${#failed[@]} = 0 ] || { code=1; echo "failed: ${failed[*]}"; }
cat "$KOJI_ADJUTANT_TEST_COUNTS-summary"
exit $code
