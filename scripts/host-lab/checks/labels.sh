# Two builds at once: all containers of one have one level, those of the other another.
. "$(dirname "$0")/lib.sh"
engine
if [ "$(podman info --format '{{ .Host.Security.SELinuxEnabled }}')" != true ]; then
  echo "SELinux is off here: no levels"
  exit
fi
"$ka" cache trim --all --cache-dir "$area/cache" || true
pids=()
for build in hello versioned-br; do
  "$ka" rebuild "$(srpm $build)" --repo "$distribution/repo" --macro dist=.td1 --cache-dir "$area/cache-$build" \
    --result "$area/labels-$build" > "$area/labels-$build.log" 2>&1 &
  pids+=($!)
done
: > "$area/labels"
while [ -n "$(jobs -rp)" ]; do
  for container in $(podman ps --all --quiet --filter label=io.koji.adjutant.worker_id); do
    podman inspect --format '{{ index .Config.Labels "io.koji.adjutant.worker_id" }} {{ index .Config.Labels "io.koji.adjutant.phase" }} {{ .ProcessLabel }} {{ .MountLabel }}' \
      "$container" >> "$area/labels" 2> /dev/null || true
  done
done
for pid in "${pids[@]}"; do wait "$pid" || fail "a build has failed: $(tail -n 3 "$area"/labels-*.log)"; done
sort -u "$area/labels"
workers=$(cut -d ' ' -f 1 "$area/labels" | sort -u | wc -l)
levels=$(sed -E 's/^(\S+) \S+ .*:(s0:c[0-9]+,c[0-9]+) .*:(s0:c[0-9]+,c[0-9]+)$/\1 \2\n\1 \3/' "$area/labels" | sort -u)
[ "$workers" = 2 ] || fail "containers of $workers builds were seen, not of two"
[ "$(wc -l <<< "$levels")" = 2 ] && [ "$(cut -d ' ' -f 2 <<< "$levels" | sort -u | wc -l)" = 2 ] || fail "levels: $levels"
echo "$(getenforce): $(sort -u "$area/labels" | wc -l) kinds of container, levels $(cut -d ' ' -f 2 <<< "$levels" | tr '\n' ' ')"
