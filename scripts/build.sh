#!/bin/bash
# build.sh - builds dist/ from src/, unless it was built from just these sources.
#
#   build.sh [--is-current]
#     --is-current  builds nothing; exit code 1 when dist/ is not what the sources would be built to
# A failed build leaves the old one as it is. The digest of the sources lies in dist/.source-digest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# By content: after a checkout, a copy or an unpacked archive times say nothing.
digest=$(find src tsconfig.json tsconfig.build.json package-lock.json -type f ! -name '*.test.ts' -print0 |
  LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
is_current() { [ -f dist/cli.js ] && [ "$(cat dist/.source-digest 2> /dev/null)" = "$digest" ]; }

case ${1:-} in
  '') ;;
  --is-current) is_current; exit ;;
  *) sed -n '2,6s/^# \?//p' "$0"; exit 2 ;;
esac

# Two builds at once would write to the same place.
exec 8< tsconfig.build.json
flock 8
! is_current || exit 0
trap 'rm -rf dist.new' EXIT
rm -rf dist.new
node_modules/.bin/tsc -p tsconfig.build.json --outDir dist.new
echo "$digest" > dist.new/.source-digest
rm -rf dist
mv dist.new dist
