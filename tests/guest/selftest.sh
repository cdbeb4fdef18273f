#!/bin/bash
# On a kernel with ipip (cargo xtask vm 6.12 -- tests/guest/selftest.sh /path/to/ipvs.sh): the kernel's own selftest
# for IPVS, tools/testing/selftests/netfilter/ipvs.sh of Linux 6.1, with ferrovs for ipvsadm. It runs direct routing,
# NAT and a tunnel, with the virtual address on lo. `modprobe` loads everything but ip_vs.
set -euo pipefail
script=$1
tools=$(mktemp -d)
ln -s "$(command -v ferrovs)" "$tools/ipvsadm"
ln -s "$(command -v busybox)" "$tools/nc"
cat >"$tools/modprobe" <<'END'
#!/bin/sh
case "$*" in *ip_vs*) ;; *) exec /sbin/modprobe "$@" ;; esac
END
chmod +x "$tools/modprobe"
PATH=$tools:$PATH
modprobe -q ipip
bash "$script"
echo "selftest.sh: ${script##*/} passed on $(uname -r)"
