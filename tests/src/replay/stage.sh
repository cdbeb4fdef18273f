# The first process of a scenario, in namespaces of names, mounts, processes and network of its own: what it makes goes
# with it. Arguments: this program (ipvs-diff), ferrovs, the text of topo.sh, that of the scenario, seconds that it may take.
set -eu
exec 2>&1
mount -t tmpfs stage /run
mkdir -p /run/netns /run/stage/bin /run/stage/scenarios
touch /run/stage/bin/nt /run/stage/bin/ferrovs
mount --bind "$1" /run/stage/bin/nt
mount --bind "$2" /run/stage/bin/ferrovs
printf %s "$3" >/run/stage/scenarios/topo.sh
printf %s "$4" >/run/stage/scenarios/scenario.sh
# Scenarios write files of fixed names there.
mount -t tmpfs stage /tmp
export PATH=/run/stage/bin:$PATH FERROVS_AUTOSTART=0

program() {
    cat >"/run/stage/bin/$1"
    chmod +x "/run/stage/bin/$1"
}

# Like `ip netns exec`, which takes five times as long to mount what nobody here looks at.
program L <<'END'
#!/bin/sh
exec nsenter --net=/run/netns/lb "$@"
END
program C <<'END'
#!/bin/sh
exec nsenter --net=/run/netns/cl "$@"
END
program RS <<'END'
#!/bin/sh
n=$1
shift
exec nsenter --net="/run/netns/rs$n" "$@"
END
# sysctl [-q] -w NAME=VALUE
program sysctl <<'END'
#!/bin/sh
for setting; do :; done
name=${setting%%=*} value=${setting#*=}
case "$DIRECTOR $name" in
    kernel*) ;;
    *net.ipv4.vs.*) exec ferrovs sysctl "${name#net.ipv4.vs.}=$value" >/dev/null 2>&1 ;;
esac
echo "$value" >"/proc/sys/$(echo "$name" | tr . /)"
END
if [ "$DIRECTOR" = kernel ]; then
    # The kernel adds its counters up every two seconds.
    program ipvsadm <<'END'
#!/bin/sh
case " $* " in *" --stats "*) sleep 2.2 ;; esac
exec /usr/sbin/ipvsadm "$@"
END
else
    ln -s ferrovs /run/stage/bin/ipvsadm
    program modprobe </dev/null
fi
cd /run/stage/scenarios
timeout --signal=KILL "$5" bash ./scenario.sh || echo "the scenario ended with status $?"
