#!/bin/bash
# test.sh - every test there is, on a machine prepared by setup.sh, which it calls first.
#
#   test.sh
# Order: set-up, test distribution, check.sh (format, lint, types, unit and contract tests), then the vitest
# projects integration, podman and e2e. Ends with the skipped tests, the ten slowest files and, as its last line,
# `N passed, N failed, N skipped`. Exit code 1 when a test or a check failed, or a run executed no test.
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
  if scripts/setup.sh --with-dnf5-image; then export KOJI_ADJUTANT_TEST_DNF5_IMAGE=${image%:*}:dnf5-$arch
  else say "no image with dnf 5: its tests are skipped"; fi
  if scripts/setup.sh --with-dnf4-image; then export KOJI_ADJUTANT_TEST_DNF4_IMAGE=${image%:*}:dnf4-$arch
  else say "no image of Debian 13: its tests are skipped"; fi
  KOJI_ADJUTANT_TEST_DISTRO=$(scripts/ensure-test-distribution.sh)
  export KOJI_ADJUTANT_TEST_DISTRO
fi

counts=$state/log/test-counts
rm -rf "$counts"
mkdir -p "$counts"
failed=()
KOJI_ADJUTANT_TEST_COUNTS=$counts/check scripts/check.sh || failed+=(check)
for project in integration podman e2e; do
  say "vitest project $project"
  KOJI_ADJUTANT_TEST_COUNTS=$counts/$project PATH=$root/node_modules/.bin:$PATH \
    vitest run --project "$project" --reporter=default --reporter=./scripts/test-counts.mjs || failed+=("$project")
done

# Prints skipped tests and the sum; says no when a run is missing or executed nothing.
code=0
PATH=$root/node_modules/.bin:$PATH node scripts/test-summary.mjs "$counts"/{check,integration,podman,e2e} > "$counts/summary" || code=1
[ ${#failed[@]} = 0 ] || { code=1; echo "failed: ${failed[*]}"; }
cat "$counts/summary"
exit $code
