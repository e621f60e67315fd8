#!/bin/bash
# engine.sh - a private Podman service, and the configuration Podman needs on this host.
#
#   engine.sh [--user USER] COMMAND
#     configure  write the configuration that fits this host
#     start      start the service, unless it runs already; prints nothing
#     stop       stop it
#     status     say whether it answers; exit code 1 when it does not
#     socket     print the path of its socket
#     env        print `export NAME=VALUE` lines with which `podman` sees the same engine
#   --user USER  the service of another (ordinary) user; only root may ask for it
#
# Everything lies in STATE/engine, never in /etc or in the configuration of the user:
#   containers.conf, storage.conf   what differs from Podman's own defaults
#   env                             NAME=VALUE lines: the environment Podman is to be started with
#   podman.sock, podman.pid
# A CONTAINERS_STORAGE_CONF of the caller is kept.
set -euo pipefail
# shellcheck source=scripts/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

usage() { sed -n '2,14s/^# \?//p' "$0"; exit 2; }

user='' uid=$(id -u) service_log=$state/log/podman-service.log
if [ "${1:-}" = --user ]; then
  [ $# -ge 3 ] || usage
  [ "$uid" = 0 ] || die "--user: only root can start the service of another user"
  user=$2
  uid=$(id -u "$user") || die "--user: there is no user $user"
  home=$(getent passwd "$user" | cut -d: -f6)
  service_log=$state/log/podman-service-$user.log
  state=$(default_state "$uid" "$home")
  shift 2
fi
[ $# = 1 ] || usage
[ -n "$user" ] || home=${HOME:-/}
engine=$state/engine

# as_owner COMMAND... - runs it as the user the engine belongs to
as_owner() {
  [ -n "$user" ] || { "$@"; return; }
  (cd / && exec setpriv --reuid "$uid" --regid "$(id -g "$user")" --init-groups \
    env -i HOME="$home" USER="$user" LOGNAME="$user" PATH="$PATH" "$@")
}

# engine_run COMMAND... - the same with the environment of the engine
engine_run() {
  local vars=()
  [ ! -f "$engine/env" ] || mapfile -t vars < "$engine/env"
  as_owner "${not_remote[@]}" "${vars[@]}" "$@"
}

# ---------------------------------------------------------------- configuration
is_hybrid_cgroup() { [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ] && [ -e /sys/fs/cgroup/unified/cgroup.procs ]; }

has_sys_resource() {
  local caps
  caps=$(awk '/^CapEff/ { print $2 }' /proc/self/status)
  (( (16#$caps >> 24) & 1 ))
}

least_of() { if [ "$1" = unlimited ] || [ "$1" -gt "$2" ]; then echo "$2"; else echo "$1"; fi; }

has_systemd() {
  if [ "$uid" = 0 ]; then [ -d /run/systemd/system ]
  else [ -z "$user" ] && [ -S "${XDG_RUNTIME_DIR:-/nonexistent}/systemd/private" ]; fi
}

containers_conf() {
  echo '# Written by scripts/engine.sh for this host; changes are lost at the next set-up.'
  echo '[containers]'
  if ! has_sys_resource; then
    echo '# No CAP_SYS_RESOURCE here: the stock limits are above what may be asked for.'
    printf 'default_ulimits = ["nofile=%s:%s", "nproc=%s:%s"]\n' "$nofile" "$nofile" "$nproc" "$nproc"
  fi
  echo '[engine]'
  if is_hybrid_cgroup; then
    echo '# crun cannot work with cgroup v1 in hybrid mode.'
    echo 'runtime = "runc"'
  fi
  if ! has_systemd; then
    echo '# No systemd to ask for cgroups.'
    echo 'cgroup_manager = "cgroupfs"'
    echo 'events_logger = "file"'
  fi
  echo '# Seconds after which what is left of a finished exec goes away; the stock value is 300.'
  echo 'exit_command_delay = 3'
}

is_at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# Where nobody chose a driver, rootless Podman 4 takes vfs, which copies whole images; overlay needs no helper
# since kernel 5.13.
wants_overlay() {
  local config=$home/.config
  [ -n "$user" ] || config=${XDG_CONFIG_HOME:-$config}
  [ "$uid" != 0 ] && is_at_least "$(uname -r)" 5.13 &&
    [ ! -e "$config/containers/storage.conf" ] && [ ! -e /etc/containers/storage.conf ] &&
    [ ! -d "$home/.local/share/containers/storage/vfs-images" ]
}

# With the places that Podman takes by itself: where the file does not name them, a commit through the service of a
# rootless Podman 4 fails with "runroot must be set".
storage_conf() {
  local places
  places=$(as_owner "${not_remote[@]}" "$1" podman --storage-driver overlay info \
    --format $'runroot = "{{.Store.RunRoot}}"\ngraphroot = "{{.Store.GraphRoot}}"')
  printf '# Written by scripts/engine.sh for this host.\n[storage]\ndriver = "overlay"\n%s\n' "$places"
}

# put FILE - standard input into the file, whole or not at all, only when it differs
put() {
  # shellcheck disable=SC2016  # expanded by the inner shell
  as_owner bash -c 'new=$(cat) && { [ "$new" = "$(cat "$1" 2> /dev/null)" ] || { echo "$new" > "$1.new" && mv "$1.new" "$1"; }; }' put "$1"
}

configure() {
  local nofile nproc version storage='' name=CONTAINERS_CONF
  version=$("${not_remote[@]}" podman --version) || die "podman does not run: run scripts/setup.sh"
  nofile=$(least_of "$(ulimit -Hn)" 16384) nproc=$(least_of "$(ulimit -Hu)" 20000)
  as_owner mkdir -p "$engine"
  containers_conf | put "$engine/containers.conf"
  # Since 4.5 a file can be read after those of the system instead of in their place.
  ! is_at_least "${version##* }" 4.5 || name=CONTAINERS_CONF_OVERRIDE
  if [ -n "${CONTAINERS_STORAGE_CONF:-}" ] && [ -z "$user" ]; then
    storage=$CONTAINERS_STORAGE_CONF
  elif wants_overlay; then
    storage=$engine/storage.conf
    storage_conf "$name=$engine/containers.conf" | put "$storage"
  fi
  printf '%s\n' "$name=$engine/containers.conf" ${storage:+"CONTAINERS_STORAGE_CONF=$storage"} | put "$engine/env"
}

# ---------------------------------------------------------------------- service
socket=$engine/podman.sock

# A socket file may be left over and a pid used again: only the command line tells.
running_pid() {
  local pid
  pid=$(cat "$engine/podman.pid" 2> /dev/null) || return 1
  { tr '\0' ' ' < "/proc/$pid/cmdline"; } 2> /dev/null | grep -qF "system service --time=0 unix://$socket" || return 1
  echo "$pid"
}

answers() { [ -S "$socket" ] && engine_run podman --url "unix://$socket" version > /dev/null 2>&1; }

start() {
  [ -f "$engine/env" ] || configure
  [ ${#socket} -le 100 ] || die "$socket: too long for a socket; set KOJI_ADJUTANT_STATE to a shorter path"
  if running_pid > /dev/null; then answers && return 0; fi
  as_owner rm -f "$socket"
  # shellcheck disable=SC2016  # expanded by the inner shell
  # In a session of its own, so that it outlives the caller's terminal; exec keeps the pid.
  engine_run setsid bash -c 'cd / && echo $$ > "$1.pid"; exec podman system service --time=0 "unix://$1.sock"' \
    podman-service "$engine/podman" > "$service_log" 2>&1 < /dev/null &
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    ! answers || return 0
    sleep 0.1
  done
  tail -n 5 "$service_log" >&2
  die "the Podman service does not answer on $socket (its output: $service_log)"
}

stop() {
  local pid tries
  if pid=$(running_pid); then
    kill "$pid"
    for ((tries = 0; tries < 100; tries++)); do
      running_pid > /dev/null || break
      sleep 0.1
    done
    ! running_pid > /dev/null || die "the Podman service (pid $pid) does not end"
  fi
  as_owner rm -f "$socket" "$engine/podman.pid"
}

case $1 in
  configure) configure ;;
  start) start ;;
  stop) stop ;;
  socket) echo "$socket" ;;
  status)
    if answers; then say "a Podman service answers on $socket"; else say "no Podman service answers on $socket"; exit 1; fi ;;
  env)
    [ -f "$engine/env" ] || configure
    sed 's/^/export /' "$engine/env"
    echo "export CONTAINER_HOST=unix://$socket" ;;
  *) usage ;;
esac
