#!/bin/bash
# build.sh - builds a bootstrap image from images/Containerfile.NAME.
#
#   build.sh NAME [OPTION...]
#     NAME    el8, el9, el10 or fedora
#     OPTION  for `podman build`, such as --build-arg BASE=IMAGE
# The result is localhost/koji-adjutant-bootstrap:NAME-<arch>, in the storage of the engine that setup.sh
# configured.
set -euo pipefail
# shellcheck source=scripts/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
cd "$root"

if [ $# = 0 ] || [ ! -f "images/Containerfile.$1" ]; then
  sed -n '2,8s/^# \?//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
name=$1
shift
[ -f "$state/engine/env" ] || die "the engine is not configured: run scripts/setup.sh"
mapfile -t vars < "$state/engine/env"
say "build ${image%:*}:$name-$arch"
"${not_remote[@]}" "${vars[@]}" podman build --network host --pull=newer --file "images/Containerfile.$name" \
  --tag "${image%:*}:$name-$arch" "$@" images
