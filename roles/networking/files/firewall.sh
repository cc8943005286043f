#!/bin/sh
# Loads, unloads and looks at the one table that keeps the network away from this host's containers.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
rules=$(dirname "$0")/rules.nft
record=/run/planner-memory/firewall

# Without counters, so that the same table reads the same for ever.
listed() { nft --stateless list table inet planner_memory 2>/dev/null; }
fingerprint() { { cat "$rules" && listed; } | sha256sum; }

case ${1-} in
    start)
        # One transaction: the old table holds until the new one does, and where the new one is refused.
        nft --file "$rules" || exit 1
        mkdir -p "${record%/*}"
        fingerprint >"$record"
        ;;
    stop)
        rm -f "$record"
        [ -z "$(listed)" ] || nft delete table inet planner_memory
        ;;
    status)
        if [ -z "$(listed)" ]; then
            state=absent
        elif [ -r "$record" ] && [ "$(cat "$record")" = "$(fingerprint)" ]; then
            state=loaded
        else
            state=changed
        fi
        printf '{"table": "%s"}\n' "$state"
        [ "$state" = loaded ]
        ;;
    *)
        echo "usage: $0 start|stop|status" >&2
        exit 2
        ;;
esac
