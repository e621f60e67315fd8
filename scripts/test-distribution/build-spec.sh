#!/bin/bash
# build-spec.sh SPEC - builds one hand-written package. Run by test-distribution.sh.
# shellcheck disable=SC2154  # work comes from the environment
set -euo pipefail
n=$(basename "$1" .spec); t=$work/top/hand-$n; sum=$(cat "$1" "$0" | sha1sum)
[ "$(head -1 "$work/done/hand-$n" 2>/dev/null)" = "$sum" ] && exit 0
rm -rf "$t"; mkdir -p "$t"
HOME=$work/home rpmbuild -bb --quiet --define "_topdir $t" --define "_rpmdir $work/rpms" --define "_builddir $t" \
  --define "_buildrootdir $t/root" --define "_binary_payload w1.gzdio" --define "debug_package %{nil}" \
  --define "__os_install_post %{nil}" --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
  --define "_build_id_links none" --define "_buildshell /bin/bash" "$1" > "$t/log" 2>&1 || { echo "$n FAILED" >&2; tail -5 "$t/log" >&2; exit 1; }
{ echo "$sum"; rpmspec -q --qf '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\n' "$1" 2>/dev/null; } > "$work/done/hand-$n"
rm -rf "$t"
