# What rootless.sh has its user do.
. "$(dirname "$0")/lib.sh"
scripts/setup.sh
engine
doctor
limits rootless | tee "$area/limits.txt"
cold_and_warm rootless | tee "$area/times.txt"
echo "$(tail -n 1 "$area/times.txt"); $(tail -n 1 "$area/limits.txt")"
