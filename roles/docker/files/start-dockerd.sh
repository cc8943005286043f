#!/bin/sh
# Starts the engine where no init does: containers of CI systems, minimal virtual machines.
set -eu
log=/var/log/dockerd.log
pidfile=/var/run/docker.pid

# A number in an old file may be another process's by now.
if [ -r "$pidfile" ] && [ "$(cat "/proc/$(cat "$pidfile")/comm" 2>/dev/null)" = dockerd ]; then
    echo "dockerd runs already, pid $(cat "$pidfile")"
    exit 0
fi
rm -f "$pidfile"

# Every hierarchy of version 1 before the first start: without one, limits and OOM reports of containers are wrong.
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    mountpoint -q /sys/fs/cgroup || mount -t tmpfs -o mode=0755 cgroup /sys/fs/cgroup
    awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups | while read -r name; do
        if ! awk '$3 == "cgroup" { print "," $4 "," }' /proc/mounts | grep -q ",$name,"; then
            mkdir -p "/sys/fs/cgroup/$name"
            if mount -n -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" 2>/dev/null; then
                echo "mounted cgroup hierarchy $name"
            else
                rmdir "/sys/fs/cgroup/$name"
                echo "cgroup hierarchy $name cannot be mounted here"
            fi
        fi
    done
fi

setsid dockerd --pidfile "$pidfile" >>"$log" 2>&1 </dev/null &
echo "started dockerd in the background, as this host has no init that works: it does not come back after a reboot; log in $log"
