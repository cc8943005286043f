#!/bin/sh
# Starts the engine where no init does: containers of CI systems, minimal virtual machines.
set -eu
log=/var/log/dockerd.log
pidfile=/var/run/docker.pid

if [ -r "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; then
    echo "dockerd runs already, pid $(cat "$pidfile")"
    exit 0
fi
rm -f "$pidfile"

# Without every hierarchy mounted before the first start, limits and OOM reports of containers are wrong.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo "cgroup v2 is mounted"
elif command -v cgroupfs-mount >/dev/null 2>&1; then
    cgroupfs-mount
    for name in $(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups); do
        if ! awk '$3 == "cgroup" { print "," $4 "," }' /proc/mounts | grep -q ",$name,"; then
            mkdir -p "/sys/fs/cgroup/$name"
            mount -n -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" && echo "mounted cgroup hierarchy $name" || rmdir "/sys/fs/cgroup/$name"
        fi
    done
else
    echo "cgroupfs-mount is not installed: limits may not hold" >&2
fi

setsid dockerd --pidfile "$pidfile" >>"$log" 2>&1 </dev/null &
echo "started dockerd in the background: this host has no init that works, so it does not come back after a reboot; log in $log"
