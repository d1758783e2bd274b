#!/bin/sh
# `meson install` puts the command, the roles, the man pages and the systemd unit where they are looked for, below
# DESTDIR; the installed command finds its roles from there. $1: the build folder.
set -u
build=$1
folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT
failed=0
fail() {
    echo "not ok: $*"
    failed=1
}
DESTDIR=$folder meson install --no-rebuild -C "$build" >"$folder/log" 2>&1 || {
    cat "$folder/log"
    exit 1
}
top=$(find "$folder" -path '*/bin/posthorn' | sed 's,/bin/posthorn$,,')
prefix=${top#"$folder"}
[ -n "$top" ] || fail "there is no bin/posthorn below DESTDIR"
for role in supervisor edge directory accounts account judge relay resolver fetcher keys journal doctor reporter nameserver; do
    [ -x "$top/libexec/posthorn/posthorn-$role" ] || fail "posthorn-$role is not in libexec/posthorn"
done
for page in man1/posthorn.1 man5/posthorn.conf.5; do
    [ -s "$top/share/man/$page" ] || fail "$page is not in share/man"
done
unit=$top/lib/systemd/system/posthorn.service
grep -q "^ExecStart=$prefix/bin/posthorn serve\$" "$unit" || fail "the unit does not start $prefix/bin/posthorn serve"
if grep -q '@[a-z]*@' "$unit"; then fail "the unit has something left to fill in"; fi

# without a server the command starts role directory, so it has to find it; as root it becomes another user for that,
# who may not look into this folder (mode 0700), as with a clone in root's own
printf 'hostname mail.example.org\ndata data\nlisten smtp 127.0.0.1:2525\n' >"$folder/posthorn.conf"
"$top/bin/posthorn" domain add example.org --config "$folder/posthorn.conf" >"$folder/out" 2>&1 ||
    fail "the installed command does not work: $(cat "$folder/out")"
[ "$failed" = 0 ]
