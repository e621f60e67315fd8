# The daemon under the project's units, with a development hub: a repository, builds through restarts and kills, a cancel.
. "$(dirname "$0")/lib.sh"
scripts/engine.sh stop
mkdir -p /etc/kojid /etc/sysconfig "$area/hub" /var/tmp/koji
cp config/*.service /etc/systemd/system/
cp config/adjutant.conf /etc/kojid/
cp "$state/engine/env" /etc/sysconfig/koji-adjutant-podman
systemctl daemon-reload
stop_all() {
  systemctl stop koji-adjutant host-lab-hub koji-adjutant-podman || true
  journalctl -q -u koji-adjutant -o cat | tail -n 100
}
trap stop_all EXIT
systemctl restart koji-adjutant-podman
rm -rf "$area/hub" /var/tmp/koji
mkdir -p "$area/hub" /var/tmp/koji
systemd-run -q --unit host-lab-hub --working-directory "$PWD" "$PWD/node_modules/.bin/node" scripts/host-lab/hub.mjs \
  "$area/hub" 8930 "$distribution"
url=http://127.0.0.1:8930/kojihub
client() { node_modules/.bin/node scripts/host-lab/client.mjs $url "$@"; }
until curl -s -o /dev/null $url; do sleep 1; done
{ printf '[kojid]\nuser = builder\npassword = builder\nworkdir = /var/tmp/koji\nminspace = 1024\nsleeptime = 2\nfailed_buildroot_lifetime = 0\n'
  printf 'server = %s\ntopurl = http://127.0.0.1:8930/kojifiles\ntopdir = %s/hub/koji\n' $url "$area"; } > /etc/kojid/kojid.conf
export CONTAINER_HOST=unix:///run/koji-adjutant/podman.sock
"$ka" check-config
systemctl start koji-adjutant
began=$SECONDS
closed() { local how; how=$(client wait "$1"); [ "$how" = CLOSED ] || fail "$2: task $1 has ended $how"; }
# until_builds - waits until rpmbuild of a slow package runs in a container
until_builds() { until pgrep -f '^sleep 47$' > /dev/null; do sleep 1; done; }
printf 'Name: slow\nVersion: 1\nRelease: 1\nSummary: Slow\nLicense: MIT\nBuildArch: noarch\n%%description\nSlow.\n%%build\nsleep 47\n%%files\n' > "$area/slow.spec"
rpmbuild -bs --quiet --define "_topdir $area/top" --define "_srcrpmdir $area" "$area/slow.spec"
slow=$area/slow-1-1.src.rpm

closed "$(client repo)" newRepo
closed "$(client build "$(srpm hello)")" 'scratch build'
said="newRepo and scratch build $((SECONDS - began)) s"

through() { # WHAT COMMAND... - a build has to be closed although this happens while rpmbuild runs
  local task what=$1
  shift
  task=$(client build "$slow")
  until_builds
  "$@"
  closed "$task" "$what"
  said+=", $what"
}
through 'restart of the daemon' systemctl restart koji-adjutant
through 'kill -9 of the daemon' sh -c 'systemctl kill -s KILL koji-adjutant; sleep 2; systemctl start koji-adjutant'
through 'restart of the engine' systemctl restart koji-adjutant-podman
through 'kill -9 of the engine' systemctl kill -s KILL --kill-whom=main koji-adjutant-podman

task=$(client build "$slow")
until_builds
client cancel "$task"
how=$(client wait "$task")
[ "$how" = CANCELED ] || fail "a cancelled build has ended $how"
left=180
while pgrep -f '^sleep 47$' > /dev/null; do [ $((left -= 1)) -gt 0 ] || fail "a cancelled build keeps running"; sleep 1; done
said+=', cancel'

systemctl stop koji-adjutant
[ "$(systemctl show -P Result koji-adjutant)" = success ] || fail "the daemon has not stopped in order"
containers=$(podman ps --all --quiet --filter label=io.koji.adjutant.worker_id | wc -l)
[ "$containers" = 0 ] || fail "$containers containers are left over"
trap - EXIT
stop_all > "$area/journal"
echo "closed: $said"
