#!/bin/bash
# check.sh - format, lint, types, unit and contract tests, all at the same time; what `npm run check` does.
#
#   check.sh
# Prints a line for each and the output of those that fail; exit code 1 when one fails.
# KOJI_ADJUTANT_TEST_COUNTS  file into which the counts of the tests are written (scripts/test-counts.mjs)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PWD/node_modules/.bin:$PATH
command -v vitest > /dev/null || { echo "check.sh: the node packages are not installed: run ./scripts/setup.sh" >&2; exit 1; }

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
names=() pids=()

# step NAME COMMAND...
step() {
  local name=$1
  shift
  { start=$SECONDS; code=0; "$@" > "$logs/$name" 2>&1 || code=$?; echo $((SECONDS - start)) > "$logs/$name.time"; exit "$code"; } &
  names+=("$name") pids+=($!)
}

[ -t 1 ] || { export NO_COLOR=1; unset FORCE_COLOR; }
step format-and-style biome ci --colors="$([ -t 1 ] && echo force || echo off)" .
step lint oxlint src test scripts
step types tsc --noEmit
step unit-and-contract vitest run --project unit --project contract \
  --reporter=default --reporter=./scripts/test-counts.mjs

failed=0
for i in "${!names[@]}"; do
  name=${names[i]}
  if wait "${pids[i]}"; then result=ok; else result=FAILED failed=1; fi
  printf '%-20s %-7s %3ss\n' "$name" "$result" "$(cat "$logs/$name.time")"
  if [ $result = FAILED ]; then cat "$logs/$name"; fi
done
exit $failed
