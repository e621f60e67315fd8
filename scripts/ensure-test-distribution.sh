#!/bin/bash
# ensure-test-distribution.sh - makes the test distribution in the state directory, once, and prints its path.
#
#   ensure-test-distribution.sh
# Made again when one of the scripts it comes from has changed. Needs what `setup.sh --with-demo-tools` installs.
# Progress goes to standard error; standard output has the path alone.
set -euo pipefail
# shellcheck source=scripts/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"

out=$state/test-distribution
recipe=$(cat scripts/test-distribution.sh scripts/test-distribution/* | sha256sum | cut -c 1-16)
exec 9> "$state/setup.lock"
flock -n 9 || { say "waiting for another script" >&2; flock 9; }
if [ "$(cat "$out/recipe" 2> /dev/null)" != "$recipe" ]; then
  have apt-get || die "the test distribution is made of Debian packages, and there is no apt-get here"
  say "test distribution: RPMs from Debian packages" >&2
  rm -f "$out/recipe"
  run_logged test-distribution scripts/test-distribution.sh -o "$out" -w "$state/cache/test-distribution" \
    -a "$state/cache/packages" 9>&-
  echo "$recipe" > "$out/recipe"
  say "test distribution: $(tail -n 1 "$state/log/test-distribution.log" | cut -d ' ' -f 2-)" >&2
fi
echo "$out"
