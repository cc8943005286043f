#!/bin/sh
# Loads, unloads, guards and looks at the one table that keeps the network away from this host's containers.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
rules=$(dirname "$0")/rules.nft
record=/run/planner-memory/firewall

# Without counters, so that the same table reads the same for ever.
listed() { nft --stateless list table inet planner_memory 2>/dev/null; }
fingerprint() { { cat "$rules" && listed; } | sha256sum; }

load() {
    # One transaction: the old table holds until the new one does, and where the new one is refused.
    nft --file "$rules" || return 1
    mkdir -p "${record%/*}"
    # Until the new one is whole, the old one tells of the same table.
    fingerprint >"$record.new" && mv "$record.new" "$record"
}

# Who flushes the whole ruleset takes this table along: a hand, or nftables.service whenever it starts, reloads or stops.
guard() {
    # Looked at by itself too, and twice: nft takes its time until it listens, and tells of nothing that was before.
    { nft monitor tables & sleep 1; echo; sleep 9; echo; wait; } | while read -r _; do
        [ -z "$(listed)" ] || continue
        load && echo "the table was removed, and is loaded again"
    done
    echo "nft monitors the tables no longer" >&2
    return 1
}

case ${1-} in
    start) load ;;
    guard) guard ;;
    stop)
        # A guard that died is started again, and meanwhile the table holds.
        [ "${SERVICE_RESULT:-success}" = success ] || exit 0
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
        echo "usage: $0 start|guard|stop|status" >&2
        exit 2
        ;;
esac
