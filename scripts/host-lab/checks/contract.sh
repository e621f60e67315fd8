# The contract of container back ends and what Podman has to do beyond it. Times are for a machine that is ten times slower.
. "$(dirname "$0")/lib.sh"
PATH=$PWD/node_modules/.bin:$PATH NO_COLOR=1 vitest run --project contract --project podman --testTimeout 1800000 --hookTimeout 1800000 \
  test/contract/container-backend.test.ts test/podman/container.test.ts > "$area/contract.log" 2>&1 || code=$?
cat "$area/contract.log"
grep -E '^ +Tests ' "$area/contract.log" | sed 's/^ *//'
exit "${code:-0}"
