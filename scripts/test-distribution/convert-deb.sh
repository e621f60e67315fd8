#!/bin/bash
# convert-deb.sh NAME DEBFILE - one .deb into one RPM, by the spec that specs.awk made. Run by test-distribution.sh.
# shellcheck disable=SC2154  # work and archives come from the environment
set -euo pipefail
name=$1 deb=$archives/$2 root=$work/roots/$1 spec=$work/specs/$1.spec
stamp=$work/done/$name sum=$(cat "$spec" "$work/specs/extra/$name" "$0" | sha1sum)-$2
[ -f "$stamp" ] && [ "$(head -1 "$stamp")" = "$sum" ] && exit 0
rm -rf "$root"
mkdir -p "$root"
dpkg-deb -x "$deb" "$root"
rm -rf "$root"/usr/share/{doc,man,info,locale,lintian,bug,menu,gnulocal,doc-base,bash-completion}
for d in bin sbin lib lib32 lib64 libx32; do        # usrmerge
  if [ ! -d "$root/$d" ] || [ -L "$root/$d" ]; then continue; fi
  mkdir -p "$root/usr/$d"; cp -al "$root/$d/." "$root/usr/$d/"; rm -rf "${root:?}/$d"
done
case $name in                                       # what postinst scripts would do
  bash)  ln -sf bash "$root/usr/bin/sh" ;;
  glibc-common) rm -f "$root/etc/ld.so.conf" ;;      # in filesystem, with lib64
  gawk)  ln -sf gawk "$root/usr/bin/awk" ;;
  which) ln -sf which.debianutils "$root/usr/bin/which" ;;
  gcc)   ln -sf gcc "$root/usr/bin/cc" ;;
  gcc-c++) ln -sf g++ "$root/usr/bin/c++" ;;
  rpm)   mkdir -p "$root/var/lib/rpm"
         # Debian's rpm keeps its database in $HOME; a distribution does not
         sed -i 's|^%_dbpath.*|%_dbpath\t\t/var/lib/rpm|' "$root/usr/lib/rpm/macros" ;;
esac
find "$root" -mindepth 1 \( ! -type d -o -type d -empty \) \
  \( -type d -printf '%%dir "/%P"\n' -o -printf '"/%P"\n' \) | sed 's|%\([^d]\)|%%\1|g' > "$root.list"
auto=no
case $name in lib*|glibc|zlib|elfutils*) auto=yes ;; esac
sed -i "/^Auto/d; 1i AutoReq: no\nAutoProv: $auto" "$spec"
HOME=$work/home rpmbuild -bb --quiet --define "_topdir $work/top" --define "_rpmdir $work/rpms" \
  --define "_builddir $work/top" --define "_buildrootdir $work/buildroot/$name" --define "_tmppath $work/top" \
  --define "root $root" --define "filelist $root.list" --define "_binary_payload w1.gzdio" \
  --define "__os_install_post %{nil}" --define "debug_package %{nil}" --define "_build_id_links none" \
  --define "__spec_install_pre %{nil}set -e" --define "_binaries_in_noarch_packages_terminate_build 0" \
  --define "__brp_mangle_shebangs %{nil}" --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
  --define "_unpackaged_files_terminate_build 0" --define "_use_internal_dependency_generator 1" \
  "$spec" > "$work/done/$name.log" 2>&1 || { echo "$name FAILED" >&2; tail -5 "$work/done/$name.log" >&2; exit 1; }
rm -rf "$root" "$root.list" "$work/buildroot/$name"
{ echo "$sum"; rpmspec -q --qf '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\n' "$spec" 2>/dev/null | head -1; } > "$stamp"
