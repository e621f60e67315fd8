# setup.sh does its work without a network: its packages are there
. "$(dirname "$0")/lib.sh"
CONTAINER_HOST=unix:///nonexistent.sock CONTAINER_CONNECTION=elsewhere scripts/setup.sh --with-demo-tools
scripts/setup.sh
