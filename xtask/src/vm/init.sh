#!/bin/busybox sh
# The guest's first program. The machine's files are mounted read-only, with a layer of memory above; what is
# of a running kernel is the guest's own. Standard output is the first serial line; the exit status of the
# script leaves by the third one.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in /modules/*; do $b insmod "$module"; done
$b mount -t virtiofs -o ro host /host || $b poweroff -f
$b mount -t tmpfs layer /layer
$b mkdir /layer/upper /layer/work
$b mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /new || $b poweroff -f
cd /new || $b poweroff -f
$b mkdir -p lib/modules
$b mount --bind ./@MODULES@ lib/modules
for kind in proc:proc sysfs:sys devtmpfs:dev tmpfs:run; do
    $b mount -t ${kind%%:*} ${kind##*:} ${kind##*:}
done
$b mkdir -p dev/pts dev/shm
$b mount -t devpts devpts dev/pts
$b mount -t tmpfs shm dev/shm
$b mount -t cgroup2 cgroup sys/fs/cgroup
$b mount -t bpf bpf sys/fs/bpf
$b ln -sf /proc/self/fd dev/fd
$b hostname director
$b cp /script run/script
$b stty -F /dev/ttyS0 raw
$b mount --move . /
exec $b chroot . /bin/bash -c '
    bash /run/script </dev/null >/dev/ttyS0 2>&1
    echo $? >/dev/ttyS2
    sync
    echo o >/proc/sysrq-trigger
    sleep 60' >/dev/ttyS1 2>&1
