# shellcheck shell=bash
# Sourced by the scripts beside it: where things are, and how they speak.
#
# KOJI_ADJUTANT_STATE  the state directory: engine configuration, caches, logs, the test distribution.
#                      Default: /var/lib/koji-adjutant for root, else ~/.local/state/koji-adjutant.

# shellcheck disable=SC2034  # what is set here is used by the scripts that source it
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
quiet=${quiet:-0}

# default_state UID HOME - the state directory of a user when nothing else is said
default_state() {
  if [ "$1" = 0 ]; then echo /var/lib/koji-adjutant; else echo "$2/.local/state/koji-adjutant"; fi
}

state=${KOJI_ADJUTANT_STATE:-}
if [ -z "$state" ] && [ "$(id -u)" != 0 ] && [ -n "${XDG_STATE_HOME:-}" ]; then state=$XDG_STATE_HOME/koji-adjutant; fi
[ -n "$state" ] || state=$(default_state "$(id -u)" "${HOME:-/}")
mkdir -p "$state/log"
state=$(cd "$state" && pwd)

# Before commands that are for the podman of this host: with one of these set it would talk to another.
readonly not_remote=(env -u CONTAINER_HOST -u CONTAINER_CONNECTION)

arch=$(uname -m)
image=localhost/koji-adjutant-bootstrap:$arch

# One line of progress, with the seconds since the script started.
say() { [ "$quiet" = 1 ] || printf '[%s +%ss] %s\n' "$(basename "$0" .sh)" "$SECONDS" "$*"; }

complain() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { complain "$*"; exit 1; }

have() { command -v "$1" > /dev/null 2>&1; }

# run_logged NAME COMMAND... - runs a long command with its output in a log file; shows the end of it on failure
run_logged() {
  local log=$state/log/$1.log
  shift
  "$@" > "$log" 2>&1 < /dev/null && return 0
  tail -n 30 "$log" >&2
  die "failed: $* (all of its output: $log)"
}
