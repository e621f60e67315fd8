#!/bin/bash
# host-lab.sh - runs checks of this checkout on a host of today: a virtual machine made of Debian packages, with systemd,
# cgroup v2, Podman 5, crun and runc. Prints a table; exit code 1 when a check has failed.
#
#   host-lab.sh [--keep] [--as-is] [CHECK...]
#     CHECK    names of files in checks/; without any, all that are meant for the machine
#     --keep   leave the machine running at the end; `host-lab.sh run COMMAND` gets into it, `host-lab.sh down` ends it
#     --as-is  use the disk, or the running machine, as the last run has left it: no new checkout
#   host-lab.sh run COMMAND... | down
#
#   HOST_LAB=DIR        where machines lie, 12 GiB each (default: STATE/host-lab, see environment.sh)
#   SUITE=trixie        suite of Debian
#   MACHINE_ARCH=amd64  or arm64: emulated, and set up with Debian's qemu-user (binfmt)
#   SELINUX=0           1: SELinux enforcing, with the policy module in selinux/ (docs/hosts.md)
#   MEMORY=8192 DISK=16G PORT=2222 (of ssh, on the loopback)
#   CPUS=2              emulated 1: with two the kernel of Debian 13 crashes now and then as it patches itself
#
# Needs root; the node packages and dist of the checkout (setup.sh); debootstrap, e2fsprogs, openssh-client and
# qemu-system-x86 (or qemu-system-arm, qemu-user-static) of Debian. Where the processor's virtualization cannot be used
# the machine is emulated: about ten times as slow, all checks take an hour. Not part of the tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/environment.sh
. "$here/../environment.sh"
usage() { sed -n '2,22s/^# \?//p' "$0"; exit 2; }

suite=${SUITE:-trixie} machine_arch=${MACHINE_ARCH:-amd64} selinux=${SELINUX:-0}
memory=${MEMORY:-8192} cpus=${CPUS:-} disk=${DISK:-16G} port=${PORT:-2222}
work=${HOST_LAB:-$state/host-lab}/$suite-$machine_arch
# shellcheck source=scripts/host-lab/machine.sh
. "$here/machine.sh"

keep=0 as_is=0
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=1 ;;
    --as-is) as_is=1 ;;
    run) shift; guest "$@"; exit ;;
    down) power_off; exit ;;
    -*) usage ;;
    *) break ;;
  esac
  shift
done
checks=("$@")
[ $# -gt 0 ] || mapfile -t checks < <(sed 's/#.*//; /^ *$/d' "$here/checks/order")
for check in "${checks[@]}"; do [ -f "$here/checks/$check.sh" ] || die "there is no check $check: see $here/checks"; done
[ "$(id -u)" = 0 ] || die "has to be root"
for tool in debootstrap mke2fs ssh; do have $tool || die "$tool is missing"; done

# What is run is what is here now.
[ -d "$root/node_modules" ] || die "run scripts/setup.sh first"
[ -d "$tree" ] || make_tree
if ! is_up; then
  if [ $as_is = 0 ] || [ ! -f "$disk_image" ]; then
    "$root/scripts/setup.sh" --checkout-only
    put_checkout
    make_disk
  fi
  boot
elif [ $as_is = 0 ]; then
  say "machine: new checkout"
  "$root/scripts/setup.sh" --checkout-only
  tar -C "$root" --exclude ./.git --exclude ./node_modules -c . | guest "tar -C $place -x --no-same-owner"
fi
finish() { [ $keep = 1 ] || power_off; }
trap finish EXIT

mkdir -p "$work/log"
report=$work/report
{ date -u '+# %F %T UTC'; echo "# commit $(git -C "$root" describe --always --dirty 2> /dev/null || echo unknown), emulated: $(is_emulated && echo yes || echo no)"
  guest ". /etc/os-release; echo \"# \$PRETTY_NAME, kernel \$(uname -r), \$(podman --version), \$(crun --version | head -n 1), \$(runc --version | head -n 1), \$(systemctl --version | head -n 1 | cut -d ' ' -f 1,2), cgroup \$(stat -fc %T /sys/fs/cgroup), SELinux \$(getenforce)\""
} | tee "$report"
code=0
for check in "${checks[@]}"; do
  log=$work/log/$check.log began=$SECONDS outcome=ok
  guest "cd $place && bash scripts/host-lab/checks/$check.sh" > "$log" 2>&1 < /dev/null || { outcome=FAILED; code=1; }
  printf '%-16s %-7s %5s s  %s\n' "$check" "$outcome" "$((SECONDS - began))" "$(tail -n 1 "$log" | cut -c 1-150)" | tee -a "$report"
  [ $outcome = ok ] || guest true || die "the machine does not answer any more: $serial"
done
say "logs in $work/log, the table in $report"
exit $code
