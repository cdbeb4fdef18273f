#!/bin/bash
# In one guest (cargo xtask vm 6.12 -- tests/guest/together.sh import.sh 'selftest.sh /path' ...), as many at a time as the guest
# has processors, in this order: each argument is a command, a script of this folder or a program. They have namespaces of their own
# with names of their own; only modules are for all, so a script that needs one to be missing at first (import.sh) comes first.
#
# Ends with a line for each, "ok" or "FAILED", with its seconds.
set -uo pipefail
PATH=$(cd "$(dirname "$0")" && pwd):$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() {
    local name=$1 before=$SECONDS verdict=ok
    # No pipe: that would be waited for until the last process that a script may have left has ended too.
    bash -c "$1" > >(sed -u "s|^|${name%%[. ]*}: |") 2>&1 || verdict=FAILED
    printf '%-6s %4d s  %s\n' $verdict $((SECONDS - before)) "$name" >>"$work/report"
}

for command in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    run "$command" &
done
wait
# The last lines are on their way.
sleep 1
cat "$work/report"
[ "$(grep -c ^ok "$work/report")" = $# ]
