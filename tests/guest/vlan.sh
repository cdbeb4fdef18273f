#!/bin/bash
# On a kernel that has VLANs (cargo xtask vm 6.12 -- tests/guest/vlan.sh): the virtual address, the servers or both are on
# VLANs (802.1Q) of one interface, at tc and with XDP asked for, over IPv4 and IPv6, with tags beside the frames (as network
# cards put them) and in them.
set -euo pipefail
source "$(dirname "$0")/daemon.sh"
work=$(mktemp -d)
helpers=()

in_director() { ip netns exec vlan-director "$@"; }
end() { ip netns exec "vlan-$1" ends "$2" tcp "${@:3}"; }

cleanup() {
    local helper
    for helper in "${helpers[@]}"; do kill "$helper" 2>/dev/null || true; done
    in_director ferrovs down >/dev/null 2>&1 || true
    for name in director 0 10 20; do
        # The servers: what was killed above only started them.
        ip netns pids "vlan-$name" | xargs -r kill
        ip netns del "vlan-$name" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "vlan.sh: $*" >&2
    exit 1
}

# The director's one interface, eth0, leads to three networks: one without a tag and VLANs 10 and 20. A host in each.
modprobe -a veth 8021q
for name in director 0 10 20; do
    ip netns add "vlan-$name"
    ip -n "vlan-$name" link set lo up
done
in_director sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link add eth0 netns vlan-director type veth peer name wire netns vlan-0
ip netns exec vlan-0 ethtool -K wire gro on
ip -n vlan-director link set eth0 up
ip -n vlan-0 link set wire up
for vlan in 10 20; do
    ip -n vlan-director link add link eth0 name eth0.$vlan type vlan id $vlan
    ip -n vlan-director link set eth0.$vlan up
    ip -n vlan-0 link add link wire name wire.$vlan netns vlan-$vlan type vlan id $vlan
    ip -n vlan-$vlan link set wire.$vlan name wire
    ip -n vlan-$vlan link set wire up
done

declare -A device=([0]=eth0 [10]=eth0.10 [20]=eth0.20)
for network in 0 10 20; do
    ip -n vlan-director address add 10.0.$network.1/24 dev "${device[$network]}"
    ip -n vlan-director address add fd00:$network::1/64 dev "${device[$network]}" nodad
    ip -n vlan-$network address add 10.0.$network.2/24 dev wire
    ip -n vlan-$network address add fd00:$network::2/64 dev wire nodad
    for address in 10.0.$network.2 fd00:$network::2; do
        end $network serve 1 $address 6000 &
        helpers+=($!)
    done
    ip -n vlan-$network route add default via 10.0.$network.1
    ip -n vlan-$network route add default via fd00:$network::1
done
sleep 2

# forward CLIENTS SERVERS: a server answers over each family.
forward() {
    local names
    echo "at $hook, tags beside frames $beside: from $1 to $2"
    in_director ferrovs ipvsadm -C
    in_director ferrovs ipvsadm -R <<-RULES
	-A -t 10.0.$1.1:5000 -s rr
	-a -t 10.0.$1.1:5000 -r 10.0.$2.2:6000 -m
	-A -t [fd00:$1::1]:5000 -s rr
	-a -t [fd00:$1::1]:5000 -r [fd00:$2::2]:6000 -m
RULES
    names=$(end "$1" talk 10.0.$1.2 10.0.$1.1 5000 100000)$(end "$1" talk fd00:$1::2 fd00:$1::1 5000 100000)
    [ "$names" = 11 ] || fail "servers $names; $(cat "$work/log")"
}

for hook in tc xdp; do
    if [ $hook = xdp ]; then
        # On a veth, XDP needs whole checksums of TCP.
        in_director ethtool -K eth0 tx off >/dev/null
        ip netns exec vlan-0 ethtool -K wire tx off >/dev/null
    fi
    start_daemon vlan-director $hook "$work/log"
    helpers+=("$daemon")
    for beside in on off; do
        in_director ethtool -K eth0 txvlan $beside rxvlan $beside >/dev/null
        ip netns exec vlan-0 ethtool -K wire txvlan $beside rxvlan $beside >/dev/null
        forward 10 20
        forward 0 20
        forward 10 0
    done
    grep -q "tc on eth0.10" "$work/log" || fail "$hook on a VLAN: $(cat "$work/log")"
    grep -q "$hook on eth0:" "$work/log" || fail "$hook on eth0: $(cat "$work/log")"
    told=$(grep -c 'a VLAN device runs no XDP' "$work/log" || true)
    [ $((told > 0)) = $([ $hook = xdp ] && echo 1 || echo 0) ] || fail "$hook said $(cat "$work/log")"
    in_director ferrovs down
done
echo "vlan.sh: from and to VLANs at tc and with XDP on $(uname -r)"
