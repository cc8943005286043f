#!/bin/sh
# Starts Valkey as PID 1 and, beside it, says in the container's log how many keys were evicted.
set -u
umask 0077

info() {
    redis-cli -p 6379 -t 2 info "$1" 2>/dev/null | tr -d '\r' | sed -n "s/^$2://p"
}

watch_evictions() {
    seen=0
    while sleep "$1"; do
        total=$(info stats evicted_keys)
        [ -n "$total" ] || continue
        [ "$total" -ge "$seen" ] || seen=0
        if [ "$total" -gt "$seen" ]; then
            echo "eviction: $((total - seen)) keys in $1s, $total since start," \
                "using $(info memory used_memory_human) of $(info memory maxmemory_human)"
        fi
        seen=$total
    done
}

watch_evictions "${EVICTION_LOG_INTERVAL:-60}" &
exec "$@"
