#!/bin/bash
# setup.sh - prepares a machine and this checkout; may be run again at any time and then does what is missing.
#
#   setup.sh [--quiet] [--checkout-only] [--with-demo-tools] [--with-test-tools] [--with-test-user] [--with-dnf4-image] [--with-dnf5-image]
#     --quiet            print nothing but errors
#     --with-demo-tools  also what the demo needs: rpmbuild, createrepo_c, gawk, a static busybox
#     --with-test-tools  these and, where there is apt-get and root, what the tests of Kerberos need (they are skipped
#                        without): curl, a KDC, Apache with mod_auth_gssapi; programs only, no service is set up
#     --with-test-user   (root only) an ordinary user `kojiadj` with subordinate ids, with the bootstrap image in
#                        its own storage, for tests of rootless Podman
#     --checkout-only    node packages and the build, nothing else
#     --with-dnf4-image  (Debian only) also a bootstrap image with the dnf 4 and rpm of Debian 13, for tests:
#                        localhost/koji-adjutant-bootstrap:dnf4-<arch>
#     --with-dnf5-image  (Debian only) also a bootstrap image with dnf 5, for tests: localhost/koji-adjutant-bootstrap:dnf5-<arch>,
#                        of packages from the first release of Debian that has dnf 5
#
# What it makes: system packages (apt-get or dnf; an ordinary user is told what to ask the administrator
# for), node packages, the build, Podman's configuration for this host, a private Podman service
# (scripts/engine.sh), the bootstrap image localhost/koji-adjutant-bootstrap:<arch>. Everything but
# packages and images lies in this checkout and in the state directory (scripts/environment.sh); nothing
# is written into /etc or the user's own configuration, the test user's account aside.
set -euo pipefail
quiet=0 checkout_only=0 demo_tools=0 test_tools=0 test_user=0 dnf4_image=0 dnf5_image=0
for option; do
  case $option in
    --quiet) quiet=1 ;;
    --checkout-only) checkout_only=1 ;;
    --with-demo-tools) demo_tools=1 ;;
    --with-test-tools) demo_tools=1 test_tools=1 ;;
    --with-test-user) test_user=1 ;;
    --with-dnf4-image) dnf4_image=1 ;;
    --with-dnf5-image) dnf5_image=1 ;;
    *) sed -n '2,23s/^# \?//p' "$0"; exit 2 ;;
  esac
done
# shellcheck source=scripts/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
readonly test_user_name=kojiadj dnf4_image_name=${image%:*}:dnf4-$arch dnf5_image_name=${image%:*}:dnf5-$arch
is_root() { [ "$(id -u)" = 0 ]; }
[ $dnf4_image$dnf5_image = 00 ] || have apt-get || die "--with-dnf4-image, --with-dnf5-image: made of Debian packages, and there is no apt-get here"
[ $test_user = 0 ] || is_root || die "--with-test-user: only root can make a user"

# Two set-ups at once would step on each other's feet. The lock is not passed on (9>&-).
exec 9> "$state/setup.lock"
flock -n 9 || { say "waiting for another setup.sh"; flock 9; }

# -------------------------------------------------------------- system packages
is_hybrid_cgroup() { [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ] && [ -e /sys/fs/cgroup/unified/cgroup.procs ]; }
has_static_busybox() { have busybox && ! ldd "$(command -v busybox)" > /dev/null 2>&1; }

# need COMMAND DEB-PACKAGE RPM-PACKAGE - the package joins the list when the command is missing
missing=()
need() {
  have "$1" || missing+=("$([ "$packager" = apt-get ] && echo "$2" || echo "$3")")
}

find_missing() {
  missing=()
  need podman podman podman
  need npm npm nodejs-npm
  # crun, the usual choice, cannot work with cgroup v1 in hybrid mode.
  ! is_hybrid_cgroup || need runc runc runc
  if ! is_root || [ $test_user = 1 ]; then need newuidmap uidmap shadow-utils; fi
  [ $demo_tools = 1 ] || return 0
  need rpmbuild rpm rpm-build
  need createrepo_c createrepo-c createrepo_c
  need gawk gawk gawk
  has_static_busybox || missing+=("$([ "$packager" = apt-get ] && echo busybox-static || echo busybox)")
  [ $test_tools = 1 ] && is_root && [ "$packager" = apt-get ] || return 0
  need curl curl curl
  need krb5kdc krb5-kdc krb5-server
  need kadmin.local krb5-admin-server krb5-server
  [ -e /usr/lib/apache2/modules/mod_auth_gssapi.so ] || missing+=(libapache2-mod-auth-gssapi)
}

install_packages() {
  local install=(dnf -y install)
  if [ "$packager" = apt-get ]; then
    install=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install)
    # What a fresh machine knows of its sources may be nothing, or no longer true.
    "${install[@]}" "$@" || { apt-get -q update && "${install[@]}" "$@"; }
  else
    "${install[@]}" "$@"
  fi
}

system_packages() {
  packager=apt-get
  have apt-get || packager=dnf
  find_missing
  [ ${#missing[@]} -gt 0 ] || return 0
  have $packager || die "missing: ${missing[*]}; neither apt-get nor dnf is here to install them"
  is_root || die "missing system packages; ask the administrator for: $packager install ${missing[*]}"
  say "system packages: ${missing[*]}"
  run_logged system-packages install_packages "${missing[@]}" 9>&-
  find_missing
  [ ${#missing[@]} -eq 0 ] || die "still missing after their installation: ${missing[*]}"
}

subordinate_ids() {
  is_root && return 0
  local name file
  name=$(id -un)
  for file in /etc/subuid /etc/subgid; do
    grep -qE "^($name|$(id -u)):" $file 2> /dev/null ||
      die "$name has no range in $file; ask the administrator for: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $name"
  done
}

# --------------------------------------------------------------------- checkout
# A step is done again when the digest of what goes into it differs from the one kept in its stamp.
is_done() { [ "$(cat "$1" 2> /dev/null)" = "$2" ]; }

node_packages() {
  local digest
  digest=$(sha256sum package-lock.json)-$arch
  is_done node_modules/.setup-stamp "$digest" && return 0
  # What a developer installed by hand is left alone when it is right.
  if [ ! -d node_modules ] || ! npm ls --all > "$state/log/npm-ls.log" 2>&1 9>&-; then
    say "node packages"
    run_logged npm-ci npm ci 9>&-
  fi
  echo "$digest" > node_modules/.setup-stamp
}

build() {
  ! scripts/build.sh --is-current || return 0
  say "build"
  run_logged build scripts/build.sh 9>&-
}

# ------------------------------------------------------------- engine and image
# podman_here COMMAND... - the engine of this set-up, without going through its service
podman_here() {
  local vars
  mapfile -t vars < "$state/engine/env"
  "${not_remote[@]}" "${vars[@]}" podman "$@" 9>&-
}

engine() {
  scripts/engine.sh configure 9>&-
  podman_here info > "$state/log/podman-info.log" 2>&1 ||
    { tail -n 5 "$state/log/podman-info.log" >&2; die "Podman does not work on this host"; }
  scripts/engine.sh status > /dev/null 2>&1 9>&- || say "Podman service on $(scripts/engine.sh socket 9>&-)"
  scripts/engine.sh start 9>&-
}

# recipe_of IMAGE PODMAN... - the digest of what the image was made by
recipe_of() { "${@:2}" image inspect --format '{{ index .Labels "io.koji.adjutant.recipe" }}' "$1" 2> /dev/null; }

# The image must do what it is for; a distribution that is put together differently shows here.
check_image() {
  podman_here run --rm --network none "$1" \
    bash -c 'dnf=$(command -v dnf || command -v dnf5) && "$dnf" --version && "$dnf" builddep --help &&
      rpm --version && createrepo_c --version && mergerepo_c --version && useradd --help &&
      { /usr/libexec/platform-python -c "import rpm" 2> /dev/null || python3 -c "import rpm"; }'
}

# bootstrap_image NAME WHAT [OPTION...] - makes it with these options of bootstrap-from-host.sh, unless that was done already
bootstrap_image() {
  local name=$1 what=$2 former recipe fresh=$1-new log=bootstrap-${1##*:}
  local tar=$state/cache/$log.tar
  shift 2
  recipe=$(scripts/build-images/bootstrap-from-host.sh --recipe "$@")
  [ "$(recipe_of "$name" podman_here)" != "$recipe" ] || return 0
  say "$what"
  mkdir -p "$state/cache/packages"
  run_logged "$log-make" scripts/build-images/bootstrap-from-host.sh -c "$state/cache/packages" "$@" "$tar" 9>&-
  say "bootstrap image: import as $name"
  run_logged "$log-import" podman_here import --change 'CMD ["/bin/bash"]' \
    --change "LABEL io.koji.adjutant.recipe=$recipe" "$tar" "$fresh"
  rm "$tar"
  run_logged "$log-check" check_image "$fresh"
  former=$(podman_here image inspect --format '{{ .Id }}' "$name" 2> /dev/null || true)
  podman_here tag "$fresh" "$name"
  podman_here untag "$fresh" "$fresh"
  [ -z "$former" ] || podman_here rmi "$former" > /dev/null 2>&1 || say "the former image $former is still in use"
}

# check_solve IMAGE - asks the package manager of an image for a group of packages, as builds will; once for an image and build
check_solve() {
  local place=$state/cache/solve-trial-${1##*:} seen
  seen=$(podman_here image inspect --format '{{ .Id }}' "$1")-$(cat dist/.source-digest)
  is_done "$place/stamp" "$seen" && return 0
  rm -rf "$place"
  mkdir -p "$place/solve"
  PATH=$root/node_modules/.bin:$PATH run_logged solve-trial-files node scripts/build-images/solve-trial.mjs "$place" 9>&-
  run_logged "solve-trial-${1##*:}" solve_trial "$1" "$place" 9>&-
  echo "$seen" > "$place/stamp"
}

solve_trial() {
  podman_here run --rm --network none --volume "$2/in:/adjutant/in:ro,z" --volume "$2/repo:/adjutant/repo:ro,z" \
    --volume "$2/solve:/adjutant/solve:z" "$1" bash /adjutant/in/solve.sh && grep -q '"trial-1-1.noarch"' "$2/solve/solution.json"
}

# -------------------------------------------------------------------- test user
# The first range of 65536 ids after all that are given away.
free_ids() { cat /etc/sub[ug]id 2> /dev/null | awk -F: '$2 + $3 > top { top = $2 + $3 } END { print top > 100000 ? top : 100000 }'; }

test_user() {
  local name=$test_user_name option=(scripts/engine.sh --user "$test_user_name") first
  if ! id "$name" > /dev/null 2>&1; then
    say "user $name"
    run_logged test-user useradd --create-home --shell /usr/sbin/nologin "$name" 9>&-
  fi
  if ! grep -qs "^$name:" /etc/subuid || ! grep -qs "^$name:" /etc/subgid; then
    first=$(free_ids)
    usermod --add-subuids "$first-$((first + 65535))" --add-subgids "$first-$((first + 65535))" "$name"
  fi
  "${option[@]}" start 9>&-
  local podman_there=("${not_remote[@]}" podman --url "unix://$("${option[@]}" socket)")
  [ "$(recipe_of "$image" "${podman_there[@]}")" = "$(recipe_of "$image" podman_here)" ] ||
    { say "bootstrap image for $name"
      run_logged test-user-image copy_image "${podman_there[@]}"; }
}

copy_image() { podman_here save "$image" | "$@" load 9>&-; }

system_packages
if [ $checkout_only = 1 ]; then
  node_packages
  build
  exit
fi
subordinate_ids
# The two halves do not need each other.
trap wait EXIT
(node_packages; build) &
checkout=$!
engine
bootstrap_image "$image" "bootstrap image: packages of this host's distribution"
[ $dnf4_image = 0 ] || bootstrap_image "$dnf4_image_name" "bootstrap image with packages of Debian trixie" -4 trixie
[ $dnf5_image = 0 ] || bootstrap_image "$dnf5_image_name" "bootstrap image with dnf 5: packages of Debian forky" -5 forky
[ $test_user = 0 ] || test_user
wait $checkout || die "the checkout could not be built"
check_solve "$image"
[ $dnf4_image = 0 ] || check_solve "$dnf4_image_name"
[ $dnf5_image = 0 ] || check_solve "$dnf5_image_name"
say "ready; state in $state"
