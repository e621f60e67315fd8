. "$(dirname "$0")/lib.sh"
engine
"$ka" doctor
