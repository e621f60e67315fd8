# Control files of .debs -> one spec file each in the directory `dir`; prints "RPM-NAME DEB-FILE" for each.
# Variables: dir, skip (names that are left out), namefile (Debian name, RPM name), dist (release suffix).
function rpmname(d) { return (d in map) ? map[d] : d }
# Debian version -> [epoch:]version[-release], with the signs RPM allows
function evr(v,   e, r, i) {
  e = ""; r = ""
  if (match(v, /^[0-9]+:/)) { e = substr(v, 1, RLENGTH); v = substr(v, RLENGTH + 1) }
  for (i = length(v); i > 0; i--) if (substr(v, i, 1) == "-") break
  if (i > 0) { r = substr(v, i + 1); v = substr(v, 1, i - 1) }
  gsub(/-/, ".", v); gsub(/[^A-Za-z0-9._+~]/, "_", v); gsub(/[^A-Za-z0-9._+~]/, "_", r)
  E = e; V = v; R = r
  return e v (r == "" ? "" : "-" r)
}
# one alternative "name[:arch] [(op ver)]" -> RPM dependency, "" if not to be had
function dep(s,   n, o, v) {
  gsub(/^[ \t]+|[ \t]+$/, "", s)
  n = s; sub(/[ (].*/, "", n); sub(/:[a-z0-9]+$/, "", n)
  if (n in drop || !((n in have) || (n in virtual))) return ""
  if (match(s, /\([^)]*\)/) && (n in have)) {
    v = substr(s, RSTART + 1, RLENGTH - 2)
    o = v; sub(/[^<>=].*/, "", o); sub(/^[<>= ]+/, "", v); gsub(/ /, "", v)
    sub(/<</, "<", o); sub(/>>/, ">", o)
    v = evr(v); if (o == ">" && R == "") o = ">="   # RPM takes 2.36-9 for equal to 2.36
    return rpmname(n) " " o " " v (o == "=" && R != "" ? dist : "")
  }
  return rpmname(n)
}
function deps(field, f,   i, j, a, b, n, m, d) {
  n = split(field, a, ",")
  for (i = 1; i <= n; i++) {
    m = split(a[i], b, "|")
    for (j = 1; j <= m; j++) if ((d = dep(b[j])) != "") { print "Requires: " d > f; break }
  }
}
BEGIN {
  RS = ""; FS = "\n"
  n = split(skip, s, /[ \n\t]+/); for (i = 1; i <= n; i++) drop[s[i]] = 1
  oldrs = RS; RS = "\n"
  while ((getline line < namefile) > 0) { split(line, w, " "); map[w[1]] = w[2] }
  RS = oldrs
}
{ rec[NR] = $0
  for (i = 1; i <= NF; i++) {
    k = $i; sub(/:.*/, "", k); x = $i; sub(/^[^:]*: */, "", x)
    val[NR, k] = x
  }
  have[val[NR, "Package"]] = 1
  n = split(val[NR, "Provides"], a, ",")
  for (i = 1; i <= n; i++) { v = a[i]; gsub(/^ +| .*| +$/, "", v); sub(/^ */, "", v); virtual[v] = 1 }
}
END {
  for (r = 1; r <= NR; r++) {
    p = val[r, "Package"]
    if (p in drop) continue
    name = rpmname(p); f = dir "/" name ".spec"
    evr(val[r, "Version"]); ver = V; rel = (R == "" ? "1" : R); sub(/~$/, "", rel)
    print "Name: " name "\nVersion: " ver "\nRelease: " rel dist > f
    if (E != "") { ep = E; sub(/:/, "", ep); print "Epoch: " ep > f }
    print "Summary: Debian package " p " as an RPM\nLicense: see Debian\nGroup: Test/Distro" > f
    if (val[r, "Architecture"] == "all") print "BuildArch: noarch" > f
    if (name == "glibc") print "Requires: setup\nRequires(pre): filesystem" > f
    else if (name != "libgcc" && p != "gcc-12-base") print "Requires: glibc" > f
    print "Requires: filesystem" > f
    deps(val[r, "Pre-Depends"], f); deps(val[r, "Depends"], f)
    n = split(val[r, "Provides"], a, ",")
    for (i = 1; i <= n; i++) {
      v = a[i]; gsub(/^ +| .*| +$/, "", v); sub(/:.*/, "", v)
      if (v != "" && v !~ /[^A-Za-z0-9.+_-]/ && v != name) print "Provides: " rpmname(v) " = " ver "-" rel > f
    }
    if (name != p) print "Provides: deb(" p ") = " ver "-" rel > f
    print "%include " dir "/extra/" name > f
    print "%description\n" p "\n%install\nrmdir %{buildroot} 2>/dev/null || :\nmv %{root} %{buildroot}\n%files -f %{filelist}\n%defattr(-,root,root,-)" > f
    close(f)
    print name, (val[r, "File"])
  }
}
