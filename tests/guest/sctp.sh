#!/bin/bash
# On a kernel that has SCTP (cargo xtask vm 6.12 -- tests/guest/sctp.sh): real associations through ferrovs, to servers that
# have another port than the service. At tc and XDP, over IPv4 and IPv6, with checksums that the devices compute and that the
# hosts compute. The kernel's own IPVS then does the same, and lists the same.
set -euo pipefail
source "$(dirname "$0")/daemon.sh"
work=$(mktemp -d)
helpers=()

cleanup() {
    local helper
    for helper in "${helpers[@]}"; do kill "$helper" 2>/dev/null || true; done
    in_director ferrovs down >/dev/null 2>&1 || true
    for name in client director one two; do
        # The servers: what was killed above only started them.
        ip netns pids "sctp-$name" | xargs -r kill
        ip netns del "sctp-$name" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "sctp.sh: $*" >&2
    exit 1
}

in_director() { ip netns exec sctp-director "$@"; }
of() { ip netns exec "sctp-$1" "${@:2}"; }
# end HOST COMMAND ARGUMENTS...: see `ends --help`.
end() { of "$1" ends "$2" sctp "${@:3}"; }

# --- The network: client - director - two servers, each behind a link of its own.

modprobe -a sctp veth
for name in client director one two; do
    ip netns add "sctp-$name"
    ip -n "sctp-$name" link set lo up
done
sysctl -qw net.ipv4.ip_forward=1
in_director sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

# link HOST NUMBER: a link between the director and a host, which has the director as its gateway.
link() {
    ip link add "$1" netns sctp-director type veth peer name wire netns "sctp-$1"
    ip -n sctp-director address add "10.0.$2.1/24" dev "$1"
    ip -n sctp-director address add "fd00:$2::1/64" dev "$1" nodad
    ip -n "sctp-$1" address add "10.0.$2.2/24" dev wire
    ip -n "sctp-$1" address add "fd00:$2::2/64" dev wire nodad
    ip -n sctp-director link set "$1" up
    ip -n "sctp-$1" link set wire up
    ip -n "sctp-$1" route add default via "10.0.$2.1"
    ip -n "sctp-$1" route add default via "fd00:$2::1"
    # What XDP redirects to a veth arrives only if the other end takes whole frames.
    of "$1" ethtool -K wire gro on
}
link client 1
link one 2
link two 3

# checksums HOST on|off: whether the devices of a host's link compute checksums of SCTP, and cut packets.
checksums() {
    of "$1" ethtool -K wire tx-checksum-sctp "$2" tx-sctp-segmentation "$2" >/dev/null
    in_director ethtool -K "$1" tx-checksum-sctp "$2" tx-sctp-segmentation "$2" >/dev/null
}

for number in 2 3; do
    host=$([ $number = 2 ] && echo one || echo two)
    for address in "10.0.$number.2" "fd00:$number::2"; do
        end $host serve $((number - 1)) "$address" 6000 &
        helpers+=($!)
    done
done

# --- What is done, with one director or the other ($ipvsadm).

services() {
    "${ipvsadm[@]}" -R <<-RULES
	-A --sctp-service 10.0.1.1:5000 -s rr
	-a --sctp-service 10.0.1.1:5000 -r 10.0.2.2:6000 -m
	-a --sctp-service 10.0.1.1:5000 -r 10.0.3.2:6000 -m
	-A --sctp-service [fd00:1::1]:5000 -s rr
	-a --sctp-service [fd00:1::1]:5000 -r [fd00:2::2]:6000 -m
	-a --sctp-service [fd00:1::1]:5000 -r [fd00:3::2]:6000 -m
RULES
}

# listed SERVICE: what -L and -L -c say of it, but for the seconds and the client's port.
listed() {
    "${ipvsadm[@]}" -Ln --sctp-service "$1"
    "${ipvsadm[@]}" -Lnc | awk -v service="$1" \
        '$5 == service { sub(/:[0-9]+$/, "", $4); print $1, $3, $4, $5, $6 }' | sort
}

# say WORD: has `hold` do it, and waits until it is done.
say() {
    local answer
    echo "$1" >&"${hold[1]}"
    read -r -t 60 -u "${hold[0]}" answer || fail "\"$1\" was not done"
}

# associations FROM VIP: four at once; one ends, one is aborted; and what the director says of all this.
associations() {
    local names service
    service=$([[ $2 == *:* ]] && echo "[$2]:5000" || echo "$2:5000")
    coproc hold { end client hold "$1" "$2" 5000 4; }
    read -r -t 120 -u "${hold[0]}" names || fail "no associations with $2"
    # Whose turn it is does not begin with this.
    echo "servers $(fold -w1 <<<"$names" | sort | tr -d '\n')"
    listed "$service"
    say end
    say abort
    # The last packets are on their way.
    sleep 1
    listed "$service"
    exec {hold[1]}>&-
    wait "$hold_PID" || true
}

# transfers BYTES: over each family, to each server, there and back.
transfers() {
    local turn
    for turn in 1 2; do
        end client talk 10.0.1.2 10.0.1.1 5000 "$1"
        end client talk fd00:1::2 fd00:1::1 5000 "$1"
    done | sort | tr -d '\n'
}

bad_checksums() {
    local name
    for name in client one two; do
        of $name awk '/SctpChecksumErrors/ { print $2 }' /proc/net/sctp/snmp
    done | paste -sd+ | { read -r sum; echo $((sum)); }
}

# --- ferrovs.

ipvsadm=(in_director ferrovs ipvsadm)
for hook in tc xdp; do
    start_daemon sctp-director $hook "$work/log"
    helpers+=("$daemon")
    services
    ! grep -q 'not forwarded' "$work/log" || fail "the log says $(cat "$work/log")"
    { associations 10.0.1.2 10.0.1.1; associations fd00:1::2 fd00:1::1; } >"$work/ferrovs.$hook"
    for mode in 'on on' 'off off' 'off on' 'on off'; do
        read -r outside inside <<<"$mode"
        checksums client "$outside"
        checksums one "$inside"
        checksums two "$inside"
        watchers=()
        if [ "$mode" = 'off off' ]; then
            # What was under way before has been sent otherwise.
            sleep 2
            for name in client one two; do
                of $name ends watch 40 >"$work/watch.$name" &
                watchers+=($!)
                until [ -s "$work/watch.$name" ]; do sleep 0.1; done
            done
        fi
        echo "at $hook, checksums of SCTP by devices of the client $outside, of the servers $inside"
        names=$(transfers 120000)
        [ "$names" = 1122 ] || fail "$hook, checksums by devices $mode: servers $names"
        for watcher in "${watchers[@]}"; do wait "$watcher" || fail "$hook: wrong checksums"; done
    done
    wrong=$(bad_checksums)
    [ "$wrong" = 0 ] || fail "$hook: $wrong wrong checksums"
    in_director ferrovs status | grep -q "$hook" || fail "not at $hook: $(in_director ferrovs status)"
    in_director ferrovs down
done
diff "$work/ferrovs.tc" "$work/ferrovs.xdp" || fail 'tc and XDP list otherwise'

# --- The kernel's own IPVS.

modprobe ip_vs
ipvsadm=(in_director ipvsadm)
services
{ associations 10.0.1.2 10.0.1.1; associations fd00:1::2 fd00:1::1; } >"$work/kernel"
grep -q 'SCTP ESTABLISHED' "$work/kernel" && grep -q 'SCTP CLOSED' "$work/kernel" || fail "the kernel lists $(cat "$work/kernel")"
diff "$work/kernel" "$work/ferrovs.tc" || fail 'the kernel lists otherwise'
echo "sctp.sh: $(grep -c ^SCTP "$work/kernel") lines of connections as on $(uname -r)"
