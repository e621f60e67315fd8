. "$(dirname "$0")/lib.sh"
engine
cold_and_warm "$(podman info --format '{{ .Host.OCIRuntime.Name }}')"
