# The other runtime, in an engine of its own over the same storage.
. "$(dirname "$0")/lib.sh"
engine
sed 's/^\[engine\]$/[engine]\nruntime = "runc"/' "$state/engine/containers.conf" > "$area/runc.conf"
systemd-run -q --unit host-lab-runc --property Delegate=yes --property KillMode=process \
  --setenv CONTAINERS_CONF_OVERRIDE="$area/runc.conf" podman system service --time=0 "unix://$area/runc.sock"
trap 'systemctl stop host-lab-runc' EXIT
until [ -S "$area/runc.sock" ]; do sleep 0.2; done
export CONTAINER_HOST=unix://$area/runc.sock
[ "$(podman info --format '{{ .Host.OCIRuntime.Name }}')" = runc ] || fail "the engine does not use runc"
cold_and_warm runc
