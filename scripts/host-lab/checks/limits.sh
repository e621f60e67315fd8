. "$(dirname "$0")/lib.sh"
engine
limits rootful
