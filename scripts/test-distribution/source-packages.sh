# shellcheck shell=bash
# Sourced by test-distribution.sh: source packages of known behaviour. `srpm NAME` takes the rest of the
# header and the sections from its standard input; each is version 1.0.
# shellcheck disable=SC2154,SC2016  # src is set by test-distribution.sh; $ is meant for make

mkdir -p "$src/tar/hello-1.0"
cat > "$src/tar/hello-1.0/hello.c" <<'X'
#include <stdio.h>
int main(void) { puts("Hello, buildroot."); return 0; }
X
printf 'all: hello\nhello: hello.c\n\t$(CC) $(CFLAGS) -o hello hello.c\ncheck: hello\n\t./hello | grep -q Hello\ninstall: hello\n\tmkdir -p $(DESTDIR)/usr/bin\n\tcp hello $(DESTDIR)/usr/bin/hello\n' > "$src/tar/hello-1.0/Makefile"
tar -C "$src/tar" --sort=name --mtime=@1600000000 --owner=0 --group=0 --numeric-owner -czf "$src/hello-1.0.tar.gz" hello-1.0

srpm hello <<'X'
Source0: hello-1.0.tar.gz
BuildRequires: gcc make
%description
A C program.
%prep
%setup -q
%build
make CFLAGS="%{optflags}"
%install
make install DESTDIR=%{buildroot}
%check
make check
%files
/usr/bin/hello
%changelog
* Mon Jan 01 2024 Test <test@example.com> - 1.0-1
- first
X
cp "$src/hello-1.0.tar.gz" "$src/hello/"

srpm versioned-br <<'X'
BuildArch: noarch
BuildRequires: leaf-tool >= 2.0
BuildRequires: leaf-data = 1.5-2.td1
BuildRequires: leaf-epoch >= 3:1.0
BuildRequires: pkgconfig(foo) >= 1.2
BuildRequires: (leaf-a or leaf-b)
BuildRequires: (leaf-dyn-two if leaf-tool)
BuildRequires: /usr/bin/pkg-config
BuildRequires: leaf-macros
BuildRequires: leaf-rich leaf-filedep
BuildConflicts: leaf-old
%description
Versioned, rich, pkgconfig, file and macro build requirements.
%build
leaf-tool | grep -x 'leaf-tool 2.1'
grep -x 'leaf-data 1.5' /usr/share/leaf-data/data.txt
pkg-config --exists 'foo >= 1.2'
test -f /usr/share/leaf-dyn-two/data.txt
test %{leaf_macro} = leafy
%files
X

srpm dynamic-br <<'X'
BuildArch: noarch
BuildRequires: coreutils
%description
Two rounds of %%generate_buildrequires.
%generate_buildrequires
echo leaf-dyn-one
if [ -e /usr/share/leaf-dyn-one/data.txt ]; then echo 'leaf-dyn-two >= 1'; fi
%build
test -f /usr/share/leaf-dyn-one/data.txt
test -f /usr/share/leaf-dyn-two/data.txt
%files
X

srpm dynamic-br-missing <<'X'
BuildArch: noarch
%description
A generated requirement that cannot be had.
%generate_buildrequires
echo no-such-dynamic-package
%files
X

srpm noarch-subs <<'X'
BuildArch: noarch
%description
Two subpackages.
%package one
Summary: one
Requires: %{name} = %{version}-%{release}
%description one
1
%package -n other-two
Summary: two
%description -n other-two
2
%install
mkdir -p %{buildroot}/usr/share/%{name}
for f in main one two; do echo $f > %{buildroot}/usr/share/%{name}/$f; done
%files
/usr/share/%{name}/main
%files one
/usr/share/%{name}/one
%files -n other-two
/usr/share/%{name}/two
X

srpm mixed-arch <<'X'
BuildRequires: gcc
%description
An arch package with a noarch subpackage.
%package data
Summary: data
BuildArch: noarch
%description data
d
%prep
%setup -q -c -T
%build
echo 'int main(void){return 0;}' > m.c; gcc %{optflags} -o mixed m.c
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/mixed; cp mixed %{buildroot}/usr/bin; echo x > %{buildroot}/usr/share/mixed/x
%files
/usr/bin/mixed
%files data
/usr/share/mixed
X

srpm fail-compile <<'X'
BuildRequires: gcc
%description
Does not compile.
%build
echo 'int main(void) { return undeclared_thing; }' > x.c
gcc -c x.c
%files
X

srpm fail-check <<'X'
BuildArch: noarch
%description
A failing test.
%check
echo "1 of 7 tests failed" >&2; exit 7
%files
X

srpm fail-unpackaged <<'X'
BuildArch: noarch
%description
Installs a file that is in no package.
%install
mkdir -p %{buildroot}/usr/share/x; echo > %{buildroot}/usr/share/x/stray
%files
X

srpm missing-br <<'X'
BuildArch: noarch
BuildRequires: no-such-package >= 1
BuildRequires: leaf-tool >= 99
%description
A build requirement nobody provides.
%files
X
srpm broken-br <<'X'
BuildArch: noarch
BuildRequires: leaf-broken
%description
A build requirement that is there, but cannot be installed.
%files
X
srpm badpre-br <<'X'
BuildArch: noarch
BuildRequires: leaf-badpre
%description
A build requirement with a failing scriptlet.
%files
X

srpm forever <<'X'
BuildArch: noarch
%description
Never ends by itself.
%build
trap '' TERM
echo "going to sleep"
while :; do sleep 3600; done
%files
X

srpm daemons <<'X'
BuildArch: noarch
%description
Leaves processes behind that hold the log open and ignore signals.
%build
for i in 1 2 3; do (trap '' TERM HUP INT; setsid sh -c 'trap "" TERM HUP INT; while :; do sleep 1000; done' &) ; done
(setsid sleep 100000 >/dev/null 2>&1 </dev/null &)
echo "daemons are running"
%files
X

srpm chatty <<'X'
BuildArch: noarch
%description
50 MB of log.
%build
awk 'BEGIN { for (i = 1; i <= 500000; i++) printf "%08d a line of build output that is about a hundred characters long ............................\n", i }'
%files
X

srpm weird-log <<'X'
BuildArch: noarch
%description
Output that is no clean text.
%build
printf 'latin1 \344\366\374 bad utf8 \377\376 nul \000 end\n'
printf 'progress 1%%%%\rprogress 2%%%%\rprogress 100%%%%\n'
printf '\033[31mred\033[0m\a\n'
head -c 300000 /dev/zero | tr '\0' x; echo
printf 'no newline at the end' 
%files
X

srpm arm-only <<'X'
ExclusiveArch: aarch64
%description
For another architecture.
%files
X

srpm look-around <<'X'
BuildArch: noarch
%description
Prints what the build can see; fails if it is root or has a network.
%build
id; pwd; env | sort; umask; cat /proc/self/status | grep -E 'Cap|NoNewPrivs|Seccomp'; cat /proc/self/mounts; ulimit -a
uname -a; ls -la / /dev /builddir 2>/dev/null || :
ls /sys/class/net 2>/dev/null || :
test "$(id -u)" != 0
! (exec 3<>/dev/tcp/192.0.2.1/80) 2>/dev/null
%files
X

srpm fork-bomb <<'X'
BuildArch: noarch
%description
Starts up to 3000 processes that sleep; harmless, needs a pids limit to fail.
%build
for i in $(seq 3000); do sleep 60 & done
wait
%files
X

srpm memory-hog <<'X'
BuildArch: noarch
BuildRequires: gcc
%description
Takes up to 2 GB of memory.
%build
cat > hog.c <<'Y'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) { for (int i = 0; i < 200; i++) { char *p = malloc(10 << 20); if (!p) { puts("malloc failed"); return 1; } memset(p, i + 1, 10 << 20); if (i % 10 == 0) { printf("%d MB\n", i * 10); fflush(stdout); } } return 0; }
Y
gcc -O0 -o hog hog.c && ./hog
%files
X

srpm disk-hog <<'X'
BuildArch: noarch
%description
Writes up to 3 GB.
%build
dd if=/dev/zero of=big bs=1M count=3000
rm -f big
%files
X
