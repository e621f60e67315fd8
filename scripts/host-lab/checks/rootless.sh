# An ordinary user whom systemd gives cgroups of his own: set-up, doctor, builds, limits.
. "$(dirname "$0")/lib.sh"
user=lab
id $user > /dev/null 2>&1 || useradd --create-home --shell /bin/bash $user
grep -q "^$user:" /etc/subuid || usermod --add-subuids 200000-265535 --add-subgids 200000-265535 $user
loginctl enable-linger $user
uid=$(id -u $user) home=$(getent passwd $user | cut -d: -f6)
until [ -S "/run/user/$uid/bus" ]; do sleep 0.5; done
mkdir -p "$home/.local/state/koji-adjutant/cache"
cp -r /var/lib/koji-adjutant/cache/packages "$home/.local/state/koji-adjutant/cache/"
chown -R $user: "$home/.local"
runuser -u $user -- env -i HOME="$home" USER=$user PATH="$PATH" LC_ALL=C.UTF-8 XDG_RUNTIME_DIR="/run/user/$uid" \
  DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/$uid/bus" KOJI_ADJUTANT_STATE="$home/.local/state/koji-adjutant" \
  LAB_AREA="$home/host-lab" bash scripts/host-lab/checks/rootless-user.sh
