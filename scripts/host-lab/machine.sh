# shellcheck shell=bash
# Sourced by host-lab.sh: a virtual machine with a host of today in it, made from packages of Debian. Its functions work on
# $work, where tree, disk, key and logs of one machine lie.
#
# The machine has no network but ssh from here. What it needs is put into its tree of files before the disk is made: its
# packages, this checkout with node_modules and dist, the packages of the bootstrap image, the test distribution.
# shellcheck disable=SC2154  # suite, machine_arch, selinux, work, memory, cpus, port, disk come from host-lab.sh

tree=$work/root disk_image=$work/disk.img key=$work/key serial=$work/serial.log pid_file=$work/qemu.pid
base=systemd,systemd-sysv,dbus,openssh-server,linux-image-cloud-$machine_arch,initramfs-tools,ca-certificates,iproute2,procps,kmod,zstd
packages=(podman crun runc netavark aardvark-dns passt uidmap slirp4netns nftables iptables dbus-user-session
  rpm createrepo-c gawk busybox-static npm curl git)
selinux_packages=(selinux-policy-default selinux-basics selinux-utils policycoreutils policycoreutils-python-utils
  auditd checkpolicy semodule-utils)
place=/opt/koji-adjutant

# in_tree COMMAND... - in the machine's tree of files, with mounts that only it sees
in_tree() {
  # shellcheck disable=SC2016  # expanded by the inner shell
  unshare -m bash -c '
    tree=$1; shift
    mount -t proc proc "$tree/proc"; mount -t tmpfs tmpfs "$tree/run"; mount --bind /dev "$tree/dev"
    [ -e "$tree/etc/resolv.conf" ] || touch "$tree/etc/resolv.conf"
    mount --bind /etc/resolv.conf "$tree/etc/resolv.conf"
    exec chroot "$tree" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"' in_tree "$tree" "$@"
}

# The mirror that this host has Debian from.
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sed -n 1p; }

make_tree() {
  local uri foreign=()
  uri=$(mirror)
  [ -n "$uri" ] || die "this host has no packages of Debian"
  mkdir -p "$work"
  rm -rf "$tree.new"
  say "machine: debootstrap $suite $machine_arch"
  [ "$machine_arch" = "$(dpkg --print-architecture)" ] || foreign=(--foreign)
  (tree=$tree.new
   debootstrap "${foreign[@]}" --arch="$machine_arch" --variant=minbase --include="$base" "$suite" "$tree" "$uri" &&
     { [ ${#foreign[@]} = 0 ] || in_tree /debootstrap/debootstrap --second-stage; }) > "$work/debootstrap.log" 2>&1 ||
    die "debootstrap has failed: $work/debootstrap.log"
  echo "deb $uri $suite main" > "$tree.new/etc/apt/sources.list"
  # How this host reaches its mirror, for the tree too.
  { apt-config dump --format '%F "%v";%n' Acquire; echo 'APT::Sandbox::User "root";'; } > "$tree.new/etc/apt/apt.conf.d/90host"
  # No service starts in the tree.
  printf '#!/bin/sh\nexit 101\n' > "$tree.new/usr/sbin/policy-rc.d"
  chmod 755 "$tree.new/usr/sbin/policy-rc.d"
  say "machine: packages"
  (tree=$tree.new
   in_tree apt-get -q update &&
     in_tree apt-get -q -y --no-install-recommends install "${packages[@]}" "${selinux_packages[@]}") > "$work/apt.log" 2>&1 ||
    die "apt-get has failed: $work/apt.log"
  (tree=$tree.new; settle)
  mv "$tree.new" "$tree"
}

settle() {
  rm -f "$tree/usr/sbin/policy-rc.d"
  in_tree apt-get clean
  echo host-lab > "$tree/etc/hostname"
  printf '127.0.0.1 localhost\n10.0.2.15 host-lab.example.com host-lab\n' > "$tree/etc/hosts"
  printf '/dev/vda / ext4 defaults,noatime 0 1\n' > "$tree/etc/fstab"
  printf '[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' > "$tree/etc/systemd/network/50-host-lab.network"
  in_tree systemctl -q enable systemd-networkd ssh
  in_tree systemctl -q mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service
}

# put_checkout - this checkout into the tree, and what would need a mirror or long hours in the machine
put_checkout() {
  say "machine: checkout"
  rm -rf "${tree:?}$place"
  mkdir -p "$tree$place"
  tar -C "$root" --exclude ./.git -c . | tar -C "$tree$place" -x --no-same-owner
  ln -sfn $place/bin/koji-adjutant "$tree/usr/bin/koji-adjutant"
  [ -f "$key" ] || ssh-keygen -q -t ed25519 -N '' -f "$key"
  install -m 700 -d "$tree/root/.ssh"
  install -m 600 "$key.pub" "$tree/root/.ssh/authorized_keys"
  say "machine: packages of the bootstrap image, test distribution"
  # The image itself is made by setup.sh in the machine, of the packages that are left in the cache.
  # shellcheck disable=SC2016  # expanded by the inner shell
  in_tree bash -c 'set -e; cd "$1"; state=/var/lib/koji-adjutant
    mkdir -p $state/log $state/cache/packages
    scripts/build-images/bootstrap-from-host.sh -c $state/cache/packages /var/tmp/bootstrap.tar
    rm /var/tmp/bootstrap.tar
    scripts/ensure-test-distribution.sh' put_checkout $place > "$work/prepare.log" 2>&1 || die "it has failed: $work/prepare.log"
}

# label_tree - the labels of SELinux, written here in seconds; in the machine it would take many minutes
label_tree() {
  cp -r "$here/selinux" "$tree/var/tmp/"
  in_tree sh -c 'cd /var/tmp/selinux && checkmodule -M -m -o host-lab.mod host-lab.te &&
    semodule_package -o host-lab.pp -m host-lab.mod -f host-lab.fc && semodule -N -i host-lab.pp &&
    semanage boolean -N -m --on allow_execmem && semanage boolean -N -m --on container_use_host_all_caps' > "$work/policy.log" 2>&1 ||
    die "the policy module cannot be installed: $work/policy.log"
  in_tree setfiles -m -F -e /proc -e /dev -e /run -e /sys /etc/selinux/default/contexts/files/file_contexts / > "$work/labels.log" 2>&1 ||
    die "setfiles has failed: $work/labels.log"
}

make_disk() {
  say "machine: disk"
  cp "$tree"/boot/vmlinuz-* "$work/vmlinuz"
  cp "$tree"/boot/initrd.img-* "$work/initrd"
  rm -f "$disk_image"
  [ "$selinux" = 0 ] || label_tree
  mke2fs -q -t ext4 -d "$tree" -L root "$disk_image" "$disk"
}

is_up() { [ -f "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2> /dev/null; }

# A /dev/kvm may be there and of no use.
is_emulated() {
  ! [ -w /dev/kvm ] || ! grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo || [ "$machine_arch" != "$(dpkg --print-architecture)" ]
}

start_machine() {
  local append='root=/dev/vda rw nowatchdog nokaslr' qemu=()
  case $machine_arch in
    amd64) append+=' console=ttyS0 mitigations=off' qemu=(qemu-system-x86_64 -cpu max,la57=off) ;;
    arm64) append+=' console=ttyAMA0' qemu=(qemu-system-aarch64 -machine virt -cpu cortex-a72) ;;
    *) die "no machine of $machine_arch is known here" ;;
  esac
  if is_emulated; then qemu+=(-accel tcg,thread=multi,tb-size=1024); else qemu+=(-accel kvm); fi
  [ -n "$cpus" ] || { is_emulated && cpus=1 || cpus=2; }
  [ "$selinux" = 0 ] || append+=' security=selinux selinux=1 enforcing=1'
  "${qemu[@]}" -smp "$cpus" -m "$memory" -nodefaults -display none -no-reboot \
    -kernel "$work/vmlinuz" -initrd "$work/initrd" -append "$append" \
    -drive file="$disk_image",format=raw,if=virtio,cache=unsafe,discard=unmap \
    -nic user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:"$port"-:22 \
    -device virtio-rng-pci -serial file:"$serial" -monitor none -daemonize -pidfile "$pid_file"
}

boot() {
  ! is_up || die "the machine runs already: process $(cat "$pid_file")"
  say "machine: boot"
  start_machine
  until guest true 2> /dev/null; do
    is_up || die "the machine has ended: $serial"
    sleep 2
  done
  say "machine: up"
}

# guest COMMAND... - as root in the machine
guest() {
  ssh -q -i "$key" -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=20 \
    -o ServerAliveInterval=60 root@127.0.0.1 "$@"
}

power_off() {
  is_up || return 0
  guest systemctl poweroff || true
  local left=180
  while is_up && [ $((left -= 1)) -gt 0 ]; do sleep 1; done
  ! is_up || die "the machine does not end: process $(cat "$pid_file")"
  rm -f "$pid_file"
}
