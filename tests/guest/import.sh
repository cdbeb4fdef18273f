#!/bin/bash
# On a kernel that has IPVS (cargo xtask vm 6.12 -- tests/guest/import.sh): what `ferrovs import --kernel` reads there is what
# ipvsadm saves, and ferrovs takes it over whole.
set -euo pipefail
here=$(dirname "$0")
work=$(mktemp -d)
trap 'ferrovs down >/dev/null; rm -rf "$work"' EXIT

fail() {
    echo "import.sh: $*" >&2
    exit 1
}

if ferrovs import --kernel >"$work/none" 2>&1; then
    fail 'import succeeded without IPVS in the kernel'
fi
grep -q 'modprobe ip_vs' "$work/none" || fail "said $(cat "$work/none")"

modprobe ip_vs
ferrovs import --kernel >"$work/empty.toml"
! grep -q '^\[\[service' "$work/empty.toml" || fail 'an empty table is not empty'

ipvsadm -R <"$here/import.rules"
ipvsadm --set 901 121 301
ipvsadm -Sn | sort >"$work/kernel.rules"
ipvsadm -Ln --thresholds >"$work/kernel.thresholds"
[ "$(wc -l <"$work/kernel.rules")" = "$(wc -l <"$here/import.rules")" ] || fail 'the kernel did not take all rules'
ferrovs import --kernel "$work/state.toml"

# Two directors for the same packets would fight.
if ferrovs restore "$work/state.toml" 2>"$work/refused"; then
    fail 'restored beside services of the kernel'
fi
grep -q 'ferrovs import' "$work/refused" || fail "said $(cat "$work/refused")"

ipvsadm -C
ferrovs restore "$work/state.toml"
ferrovs ipvsadm -Sn | sort | diff "$work/kernel.rules" - || fail 'ipvsadm -S differs'
ferrovs ipvsadm -Ln --thresholds | diff "$work/kernel.thresholds" - || fail 'thresholds differ'
ferrovs ipvsadm -L --timeout | grep -q ' 901 121 301$' || fail 'timeouts differ'
ferrovs save | diff "$work/state.toml" - || fail 'ferrovs save differs'
echo "import.sh: $(wc -l <"$work/kernel.rules") services and servers came over from $(uname -r)"
