# For the other scripts: starts a daemon, and waits until it answers. An emulated processor may take half a minute to verify
# its programs.

# start_daemon NAMESPACE HOOK LOG: the process is $daemon.
start_daemon() {
    ip netns exec "$1" ferrovs run --hook "$2" >"$3" 2>&1 &
    daemon=$!
    until FERROVS_AUTOSTART=0 ip netns exec "$1" ferrovs status >/dev/null 2>&1; do
        kill -0 $daemon || fail "the daemon has ended: $(cat "$3")"
        sleep 0.5
    done
}
