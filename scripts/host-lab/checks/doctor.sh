. "$(dirname "$0")/lib.sh"
engine
doctor
