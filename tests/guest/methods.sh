#!/bin/bash
# On a kernel that has tunnels (cargo xtask vm 6.12 -- tests/guest/methods.sh [tc|xdp]...): servers as LVS administrators
# set them up, which hold the virtual addresses on lo and answer the client past the director, by direct routing and
# through each kind of tunnel, IPv4 and IPv6 in each other; pages, and uploads that the kernel joins and cuts.
#
#   client eth0 10.0.1.2 ---- 10.0.1.1 outer director inner 10.0.2.1 ---- 10.0.2.2 eth0 server
#   client eth1 10.0.3.1 --------------------------------------------------- 10.0.3.2 eth1 server
set -euo pipefail
source "$(dirname "$0")/daemon.sh"
work=$(mktemp -d)
hooks=("$@")
[ ${#hooks[@]} != 0 ] || hooks=(tc xdp)
VIP=10.0.1.100 VIP6=fd00:1::100
RIP=10.0.2.2 RIP6=fd00:2::2

fail() {
    echo "methods.sh: $*" >&2
    d ferrovs status >&2 || true
    cat "$work/log" >&2
    exit 1
}
for end in c d s; do
    eval "$end() { ip netns exec $end \"\$@\"; }"
done

# cable NAMESPACE LINK ADDRESS NAMESPACE LINK ADDRESS: a network of two, 10.0.N.0/24 and fd00:N::/64.
cable() {
    ip link add "$2" netns "$1" type veth peer name "$5" netns "$4"
    local part
    for part in "$1 $2 $3" "$4 $5 $6"; do
        # shellcheck disable=SC2086
        set -- $part
        ip -n "$1" link set "$2" up
        ip -n "$1" address add "10.0.$3/24" dev "$2"
        ip -n "$1" address add "fd00:${3/./::}/64" dev "$2" nodad
    done
}

for module in ipip ip_gre sit ip6_tunnel ip6_gre fou fou6; do modprobe "$module"; done
for name in c d s; do
    ip netns add $name
    ip -n $name link set lo up
    ip netns exec $name sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
done
cable c eth0 1.2 d outer 1.1
cable d inner 2.1 s eth0 2.2
cable c eth1 3.1 s eth1 3.2
ip -n d address add $VIP/32 dev outer
ip -n d address add $VIP6/128 dev outer nodad
d sysctl -qw net.ipv6.conf.all.forwarding=1
s sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
ip -n s address add $VIP/32 dev lo
ip -n s address add $VIP6/128 dev lo nodad
# The answers' way, and room for a tunnel's headers: what LVS-TUN always asked for.
ip -n s route add 10.0.1.2 via 10.0.3.1 advmss 1360
ip -n s route add fd00:1::2 via fd00:3::1 advmss 1340
# What tells a tunnel with checksums is a device of its own; the others unpack whatever comes.
ip -n s link add any6 type ip6tnl mode any local $RIP6 remote fd00:2::1
ip -n s link add gre-sum type gre local $RIP remote 10.0.2.1 icsum
ip -n s link add gre6 type ip6gre local $RIP6 remote fd00:2::1
for device in tunl0 gre0 sit0 any6 gre6 gre-sum; do
    s sysctl -qw "net.ipv4.conf.$device.rp_filter=0"
    [ $device = gre-sum ] || ip -n s link set $device up
done
ip -n s fou add port 6080 gue
ip -n s fou add port 6080 gue -6

servers=()
for address in $VIP $VIP6; do
    for port in 80 5201; do
        ip netns exec s ends serve tcp s $address $port &
        servers+=($!)
    done
done
trap 'kill "${servers[@]}"; rm -rf "$work"' EXIT

# try VIP SERVER OPTIONS...: a few bytes, and unless GRE has a checksum, 1 MB towards the server.
try() {
    local vip=$1 rip=$2 of cip=10.0.1.2
    shift 2
    case $vip in *:*) of="[$vip]" cip=fd00:1::2 ;; *) of=$vip ;; esac
    case $rip in *:*) rip="[$rip]" ;; esac
    for port in 80 5201; do
        echo "-A -t $of:$port -s rr"
        echo "-a -t $of:$port -r $rip:$port $*"
    done | d ferrovs ipvsadm -R
    [ "$(c ends talk tcp $cip "$vip" 80 100)" = s ] || fail "$hook: no answer from $vip by $rip $*"
    case "$*" in
    *gre*--tun-csum*) ;;
    *) [ "$(c ends talk tcp $cip "$vip" 5201 1000000)" = s ] || fail "$hook: no upload to $vip by $rip $*" ;;
    esac
    d ferrovs ipvsadm -Ln --stats --exact >"$work/stats"
    awk -v of="$of:80" '$2 == of { ok = $3 == 1 && $4 > 3 && $5 == 0 } END { exit !ok }' "$work/stats" ||
        fail "$hook: counted $(cat "$work/stats")"
    d ferrovs ipvsadm -C
    echo "$hook: $vip by $rip $*"
}

for hook in "${hooks[@]}"; do
    # XDP meets packets whose checksum is left to the receiver otherwise, and a veth takes what XDP redirects
    # only if its other end joins what it receives.
    if [ "$hook" = xdp ]; then
        c ethtool -K eth0 tx off >/dev/null
        s ethtool -K eth0 gro on >/dev/null
    fi
    start_daemon d "$hook" "$work/log"
    try $VIP $RIP -g
    try $VIP6 $RIP6 -g
    try $VIP $RIP -i
    try $VIP6 $RIP6 -i
    try $VIP6 $RIP -i
    try $VIP $RIP6 -i
    try $VIP $RIP -i --tun-type gue --tun-port 6080
    try $VIP $RIP -i --tun-type gue --tun-port 6080 --tun-csum
    try $VIP $RIP -i --tun-type gue --tun-port 6080 --tun-remcsum
    try $VIP6 $RIP6 -i --tun-type gue --tun-port 6080
    try $VIP6 $RIP6 -i --tun-type gue --tun-port 6080 --tun-csum
    try $VIP $RIP -i --tun-type gre
    try $VIP6 $RIP6 -i --tun-type gre
    ip -n s link set gre0 down
    ip -n s link set gre-sum up
    try $VIP $RIP -i --tun-type gre --tun-csum
    ip -n s link set gre-sum down
    ip -n s link set gre0 up
    d ferrovs down >/dev/null
    wait "$daemon"
done
echo "methods.sh: every method reached its servers on $(uname -r)"
