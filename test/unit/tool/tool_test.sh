#!/bin/sh
# The posthorn command keeps its contract without a server: exit status 0, 1 and 2, one sentence on standard error, JSON
# where it was asked for, passwords never in arguments. $1: the program.
set -u
posthorn=$1
folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT
POSTHORN_CONFIG=$folder/posthorn.conf
export POSTHORN_CONFIG
printf 'hostname mail.example.org\ndata data\nlisten smtp 127.0.0.1:2525\n' >"$POSTHORN_CONFIG"
failed=0
n=0

fail() {
    echo "not ok: $*"
    sed 's/^/    out: /' "$folder/out"
    sed 's/^/    err: /' "$folder/err"
    failed=$((failed + 1))
}
# run STATUS ARGUMENTS...: runs it, standard input empty unless $input says otherwise
input=""
run() {
    want=$1
    shift
    n=$((n + 1))
    printf '%s' "$input" | "$posthorn" "$@" >"$folder/out" 2>"$folder/err"
    got=$?
    [ "$got" = "$want" ] || fail "posthorn $*: status $got, not $want"
    # a failure is one sentence
    if [ "$want" = 1 ] && [ "$(wc -l <"$folder/err")" != 1 ]; then fail "posthorn $*: not one line on standard error"; fi
    if [ "$want" = 0 ] && [ -s "$folder/err" ]; then fail "posthorn $*: words on standard error"; fi
}
says() { grep -q -- "$1" "$folder/out" || fail "nothing like \"$1\" on standard output"; }
complains() { grep -q -- "$1" "$folder/err" || fail "nothing like \"$1\" on standard error"; }

# usage
run 2
run 0 --help && says 'posthorn account add'
run 0 --version && says '^posthorn [0-9]'
run 2 acount list && complains 'did you mean "account"'
run 2 account ad && complains 'did you mean "add"'
run 2 account add && complains 'usage: posthorn account add'
run 2 account list a b && complains 'too much'
run 2 account list --password x && complains 'no option'
run 2 account add a@b.test --quota 5X && complains 'no size'
run 2 account add a@b.test --stdin --random && complains 'exclude'
run 2 trace x --since yesterday && complains 'no time'
run 0 account add --help && says '--random'
run 0 trace --help && says '--since TIME'
run 0 reports --help && says '--since DAYS' # the same word, but it takes only days
run 2 reports example.org --since yesterday && complains 'number of days'
run 0 domain set --help && says 'dmarc *none|quarantine|reject'
run 2 doctor --resolver 192.0.2.53 && complains 'go with --before-install' # would have no effect
run 2 doctor --outward example.net example.org && complains 'go with --before-install'
run 2 doctor --probe example.org && complains 'stands alone'
run 2 doctor --before-install 192.0.2.1 && complains 'name the domain'
run 2 dns example.org --zone --panel && complains 'give one'
run 2 dns example.org --dry-run && complains 'go with --push'
run 2 authcheck --no-message && complains '--ip is missing'

# every command has help, with its usage line
"$posthorn" --help >"$folder/all"
sed -n 's/^  posthorn //p' "$folder/all" | while read -r group verb _; do
    case $verb in [a-z]*) ;; *) verb= ;; esac
    [ -n "$(sed -n "s/^  posthorn $group [a-z].*/x/p" "$folder/all")" ] || verb=
    "$posthorn" "$group" ${verb:+"$verb"} --help >"$folder/out" 2>"$folder/err" &&
        grep -q "^usage: posthorn $group" "$folder/out" && grep -q '^  --json' "$folder/out" ||
        echo "$group $verb"
done >"$folder/helpless"
[ ! -s "$folder/helpless" ] || fail "no help for: $(tr '\n' ' ' <"$folder/helpless")"

# the configuration
run 0 serve --check && says 'is fine'
printf 'hostnam a.b\nlisten smpt 1.2.3.4:25\n' >"$folder/bad.conf"
run 1 serve --check --config "$folder/bad.conf" && says 'did you mean "hostname"' && says 'bad.conf:2: '
run 1 serve --config="$folder/none.conf" && complains 'cannot be read'
run 1 domain list --config "$folder/bad.conf" && complains 'has mistakes'
run 1 serve --check --json --config "$folder/bad.conf" && says '"line": 2'

# domains, accounts, aliases
run 0 domain list && says 'no domain yet'
run 0 domain add Example.org && says 'Added'
run 1 domain add example.org && complains 'there already'
run 1 account add ada@other.org --random && complains 'posthorn domain add other.org'
run 0 account add ada@example.org --random --name 'Ada L' --quota 5G && says '^ada@example.org [a-z0-9-]\{30\}$'
input='correct horse
'
run 0 account add bob@example.org eve@example.org --stdin && says 'Added the account eve@example.org'
run 0 account password eve@example.org --stdin && says 'new password'
input='short
'
run 1 account password eve@example.org --stdin && complains 'shorter than'
input=''
run 1 account password eve@example.org --stdin && complains 'no password came'
run 1 account password zoe@example.org --random && complains 'no account zoe'
run 0 account password eve@example.org --random --json && says '"password": "'
run 1 account add ada@example.org --random && complains 'there already'
run 0 account list && says '^ada@example.org *open'
run 0 account show ada@example.org && says '^name *Ada L'
run 0 account show ada@example.org --json && says '"quota": 5368709120'
run 1 account show zoe@example.org && complains 'no account zoe'
run 0 account suspend bob@example.org eve@example.org
run 0 account list && says '^bob@example.org *suspended'
run 1 account suspend bob@example.org zoe@example.org
run 0 account resume bob@example.org
run 0 alias add info@example.org ada@example.org friend@elsewhere.test && says 'goes to friend'
run 0 alias list --json && says '"target": "friend@elsewhere.test"'
run 0 alias remove info@example.org friend@elsewhere.test
run 0 alias list info@example.org && says 'ada@example.org'
run 1 alias add bob@example.org ada@example.org && complains 'is an account already'
run 1 domain remove example.org && complains 'still has 3 accounts and 1 aliases'
run 0 account remove ada@example.org bob@example.org eve@example.org
run 0 alias remove info@example.org
run 0 domain remove example.org --json && says '"done": true'
run 0 domain list --json && says '^\[\]$'

# what needs a server says so
run 1 status && complains 'not running; start it with: posthorn serve'
run 1 queue list && complains 'not running'
run 1 trace ada@example.org && complains 'not running'

# no password on the disk
if grep -r -q 'correct horse' "$folder/data"; then fail 'the password is in the data folder'; fi

echo "$n runs, $failed failed"
[ "$failed" = 0 ]
