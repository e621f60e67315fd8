# shellcheck shell=bash
# Sourced by test-distribution.sh: packages written by hand. `spec NAME VERSION [RELEASE]` takes the
# rest of the header and the sections from its standard input.
# shellcheck disable=SC2154  # hand is set by test-distribution.sh

spec filesystem 1.0 <<'X'
AutoReqProv: no
Provides: filesystem(unmerged-sbin-symlinks)
%description
Directories, and the symlinks of a merged /usr.
%install
mkdir -p %{buildroot}; cd %{buildroot}
mkdir -p usr/{bin,sbin,lib,lib64,include,libexec,share,src,local} usr/lib/%{_arch}-linux-gnu \
  etc/ld.so.conf.d etc/profile.d var/{lib,cache,log,spool,tmp,opt,local} \
  dev proc sys run tmp root home opt mnt media srv boot
for d in bin sbin lib lib64; do ln -s usr/$d $d; done
ln -s ../run var/run; ln -s ../run/lock var/lock
printf '/usr/lib64\n/usr/local/lib\ninclude /etc/ld.so.conf.d/*.conf\n' > etc/ld.so.conf
%files
%defattr(-,root,root,0755)
/bin
/sbin
/lib
/lib64
/usr
/var
/etc
/run
/home
/opt
/mnt
/media
/srv
/boot
/dev
%attr(0555,root,root) /proc
%attr(0555,root,root) /sys
%attr(1777,root,root) /tmp
%attr(1777,root,root) %dir /var/tmp
%attr(0550,root,root) /root
X

spec setup 1.0 <<'X'
BuildArch: noarch
AutoReqProv: no
Requires(pre): filesystem
%description
Users, groups, and what else belongs into a bare /etc.
%install
mkdir -p %{buildroot}/etc/{profile.d,pam.d}; cd %{buildroot}/etc
cat > passwd <<Y
root:x:0:0:root:/root:/bin/bash
bin:x:1:1:bin:/bin:/sbin/nologin
daemon:x:2:2:daemon:/sbin:/sbin/nologin
mail:x:8:12:mail:/var/spool/mail:/sbin/nologin
nobody:x:65534:65534:Kernel Overflow User:/:/sbin/nologin
Y
cat > group <<Y
root:x:0:
bin:x:1:
daemon:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:12:
utmp:x:22:
shadow:x:42:
utempter:x:35:
users:x:100:
nobody:x:65534:
Y
for n in root bin daemon mail nobody; do echo "$n:*:19000:0:99999:7:::"; done > shadow
for n in root bin daemon mail users nobody; do echo "$n:::"; done > gshadow
printf '127.0.0.1 localhost\n::1 localhost\n' > hosts
printf 'export PATH=/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin\nfor i in /etc/profile.d/*.sh; do [ -r "$i" ] && . "$i"; done\nunset i\n' > profile
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' > nsswitch.conf
for t in auth account password session; do echo "$t required pam_permit.so" > pam.d/common-$t; done
echo "session required pam_permit.so" > pam.d/common-session-noninteractive
: > environment; : > securetty
echo /bin/bash > shells
%files
%defattr(-,root,root,0755)
%config(noreplace) /etc/passwd
%config(noreplace) /etc/group
%config(noreplace) %attr(0000,root,root) /etc/shadow
%config(noreplace) %attr(0000,root,root) /etc/gshadow
%config(noreplace) /etc/hosts
%config(noreplace) /etc/profile
%config(noreplace) /etc/nsswitch.conf
%config(noreplace) /etc/pam.d/common-*
%config(noreplace) /etc/environment
%config(noreplace) /etc/securetty
%config(noreplace) /etc/shells
X

spec testdistro-release 1 <<'X'
BuildArch: noarch
Provides: system-release = 1
Provides: system-release(releasever) = 1
Requires: redhat-rpm-config
%description
What the distribution is called.
%install
mkdir -p %{buildroot}/etc %{buildroot}/usr/lib
printf 'NAME="Test Distro"\nID=testdistro\nID_LIKE=fedora\nVERSION_ID=1\nPRETTY_NAME="Test Distro 1"\n' > %{buildroot}/usr/lib/os-release
ln -s ../usr/lib/os-release %{buildroot}/etc/os-release
echo "Test Distro release 1" > %{buildroot}/etc/system-release
%files
/usr/lib/os-release
/etc/os-release
/etc/system-release
X

spec redhat-rpm-config 1 <<'X'
BuildArch: noarch
AutoReqProv: no
Requires: rpm
%description
Macros for package builds.
%install
mkdir -p %{buildroot}/usr/lib/rpm/macros.d
# @ stands for the percent sign: rpm would take the lines for its own. From 4.20 on, which has builddir, rpm makes the
# debug packages by itself.
tr @ '\045' > %{buildroot}/usr/lib/rpm/macros.d/macros.testdistro <<'Y'
@dist .td1
@_vendor testdistro
@vendor Test Distro
@packager Test Distro
@td 1
@_binary_payload w2.zstdio
@_enable_debug_packages 1
@_missing_build_ids_terminate_build 0
@__find_debuginfo /usr/bin/find-debuginfo
@install @{!?builddir:@{?_enable_debug_packages:@{?buildsubdir:@{debug_package}}}}\
@@install\
@{nil}
Y
%files
/usr/lib/rpm/macros.d/macros.testdistro
X

# Leaf packages: something to require.
for v in 1.0 2.1; do spec leaf-tool $v <<X
BuildArch: noarch
Requires: /bin/sh
%description
A command, in two versions.
%install
mkdir -p %{buildroot}/usr/bin
printf '#!/bin/sh\necho leaf-tool $v\n' > %{buildroot}/usr/bin/leaf-tool
chmod 755 %{buildroot}/usr/bin/leaf-tool
%files
/usr/bin/leaf-tool
X
done

# datafile NAME VERSION RELEASE [header line...]  - one noarch file in /usr/share
datafile() {
  local name=$1 version=$2 release=$3; shift 3
  { echo "BuildArch: noarch"; printf '%s\n' "$@"
    printf '%%description\nTest.\n%%install\nmkdir -p %%{buildroot}/usr/share/%s\necho %s %s > %%{buildroot}/usr/share/%s/data.txt\n%%files\n/usr/share/%s\n' \
      "$name" "$name" "$version" "$name" "$name"
  } | spec "$name" "$version" "$release"
}
datafile leaf-data 1.5 2
datafile leaf-data 1.6 1
datafile leaf-a 1 1 'Provides: leaf-choice = 1' 'Conflicts: leaf-b'
datafile leaf-b 2 1 'Provides: leaf-choice = 2' 'Conflicts: leaf-a'
datafile leaf-epoch 1.0 1 'Epoch: 3'
datafile leaf-rich 1 1 'Requires: (leaf-a or leaf-b)' 'Requires: (leaf-data if leaf-tool)'
datafile leaf-weak 1 1 'Recommends: leaf-recommended' 'Suggests: leaf-suggested'
datafile leaf-recommended 1 1
datafile leaf-suggested 1 1
datafile leaf-filedep 1 1 'Requires: /usr/bin/leaf-tool' 'Requires: /usr/share/leaf-data/data.txt'
datafile leaf-broken 1 1 'Requires: no-such-package >= 7'
datafile leaf-old 1 1
datafile leaf-new 2 1 'Obsoletes: leaf-old < 2' 'Provides: leaf-old = 2'
datafile leaf-dyn-one 1 1 'Requires: leaf-tool'
datafile leaf-dyn-two 1 1

spec foo-libs 1.2.3 <<'X'
Provides: libfoo.so.1()(64bit)
%description
Runs ldconfig.
%install
mkdir -p %{buildroot}/usr/share/foo; echo foo > %{buildroot}/usr/share/foo/foo.conf
%post -p /sbin/ldconfig
%postun -p /sbin/ldconfig
%files
/usr/share/foo
X
spec foo-devel 1.2.3 <<'X'
Requires: foo-libs%{?_isa} = %{version}-%{release}
Provides: pkgconfig(foo) = 1.2.3
Provides: foo-static = %{version}-%{release}
AutoReqProv: no
%description
A header and a .pc file.
%install
mkdir -p %{buildroot}/usr/include %{buildroot}/usr/lib64/pkgconfig %{buildroot}/usr/share/pkgconfig
echo 'static inline int foo(void) { return 123; }' > %{buildroot}/usr/include/foo.h
printf 'Name: foo\nDescription: foo\nVersion: 1.2.3\nCflags: -DFOO\n' > %{buildroot}/usr/share/pkgconfig/foo.pc
%files
/usr/include/foo.h
/usr/share/pkgconfig/foo.pc
X
spec leaf-macros 1 <<'X'
BuildArch: noarch
AutoReqProv: no
%description
An RPM macro for spec files.
%install
mkdir -p %{buildroot}/usr/lib/rpm/macros.d
echo '%%leaf_macro leafy' > %{buildroot}/usr/lib/rpm/macros.d/macros.leaf
%files
/usr/lib/rpm/macros.d/macros.leaf
X
spec leaf-users 1 <<'X'
AutoReqProv: no
Requires(pre): shadow-utils
%description
Makes a user, owns files with it.
%pre
getent group leafgroup >/dev/null || groupadd -r leafgroup
getent passwd leafuser >/dev/null || useradd -r -g leafgroup -d / -s /sbin/nologin leafuser
%install
mkdir -p %{buildroot}/var/lib/leaf-users; echo x > %{buildroot}/var/lib/leaf-users/x
%files
%attr(0750,leafuser,leafgroup) /var/lib/leaf-users
X
spec leaf-caps 1 <<'X'
AutoReqProv: no
%description
A file with capabilities, a setuid one, one of group tty.
%install
mkdir -p %{buildroot}/usr/bin
for f in leaf-caps leaf-setuid leaf-tty; do echo '#!/bin/sh' > %{buildroot}/usr/bin/$f; chmod 755 %{buildroot}/usr/bin/$f; done
%files
%caps(cap_net_raw=ep) /usr/bin/leaf-caps
%attr(4755,root,root) /usr/bin/leaf-setuid
%attr(2755,root,tty) /usr/bin/leaf-tty
X
spec leaf-dev 1 <<'X'
AutoReqProv: no
%description
Device nodes as the contents of a package.
%install
%files
%dev(c,1,3) %attr(0666,root,root) /usr/lib/leaf-null
X
spec leaf-chown 1 <<'X'
AutoReqProv: no
%description
A scriptlet that chowns to ids beyond what a user namespace may map.
%install
mkdir -p %{buildroot}/var/lib/leaf-chown; echo x > %{buildroot}/var/lib/leaf-chown/x
%post
for id in 1000 65534 70000 4000000; do
  chown $id:$id /var/lib/leaf-chown/x && echo "chown $id ok" || echo "chown $id failed"
done
exit 0
%files
/var/lib/leaf-chown
X
spec leaf-mknod 1 <<'X'
AutoReqProv: no
%description
A scriptlet that makes a device node and mounts something.
%install
mkdir -p %{buildroot}/var/lib/leaf-mknod
%post
mknod /var/lib/leaf-mknod/null c 1 3 && echo "mknod ok" || echo "mknod failed"
mount -t tmpfs none /var/lib/leaf-mknod 2>/dev/null && echo "mount ok" && umount /var/lib/leaf-mknod || echo "mount failed"
exit 0
%files
/var/lib/leaf-mknod
X
spec leaf-proc 1 <<'X'
AutoReqProv: no
%description
A scriptlet that tells what it sees.
%post
for f in /proc/self/status /proc/mounts /sys/kernel /dev/null /dev/urandom /dev/pts/ptmx /dev/shm /etc/resolv.conf; do
  [ -e $f ] && echo "$f there" || echo "$f missing"
done
[ -c /dev/null ] || echo "/dev/null is no device"
echo "uid $(id -u) $(grep CapEff /proc/self/status 2>/dev/null)"
exit 0
%install
%files
X
spec leaf-trigger 1 <<'X'
BuildArch: noarch
AutoReqProv: no
%description
Scriptlets of all kinds.
%install
mkdir -p %{buildroot}/usr/share/leaf-trigger
%pre
echo pre >> /var/log/leaf-trigger
%post
echo post >> /var/log/leaf-trigger
%posttrans
echo posttrans >> /var/log/leaf-trigger
%post -p <lua>
%transfiletriggerin -- /usr/share/leaf
echo transfiletriggerin >> /var/log/leaf-trigger
%files
/usr/share/leaf-trigger
X
sed -i '/^%post -p <lua>/d' "$hand/leaf-trigger-1.spec"
for k in post pre; do spec leaf-bad$k 1 <<X
BuildArch: noarch
AutoReqProv: no
%description
A %%$k scriptlet that fails.
%$k
echo "leaf-bad$k fails" >&2
exit 1
%files
X
done
