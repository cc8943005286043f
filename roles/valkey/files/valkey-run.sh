#!/bin/sh
# Starts Valkey as PID 1 where it can read what is in its folder, whose files it marks for synchronous updates or takes the
# mark from; beside it, says in the container's log how many keys were evicted.
set -u
umask 0077

# refuse FILE WRITER: before the server starts, for its own words say neither who wrote the file nor what to do.
refuse() {
    echo "not started: $1 was written by $2 (RDB $format), and $server cannot read that; go back to the image that wrote" \
        "it, or, as this is a cache, move the file out of the volume to begin without its keys" >&2
    exit 78
}

# The first bytes say who wrote a file: REDIS0011 and less everybody reads, REDIS0012 and more are Redis 7.4 and newer,
# VALKEY080 and more are Valkey 9 and newer.
check_format() {
    format=$(head -c 9 "$1" 2>/dev/null | tr -d '\0')
    case $format in
        REDIS00[2-9]? | REDIS001[2-9] | REDIS0[1-9]??) refuse "$1" "Redis 7.4 or newer" ;;
        VALKEY[0-9][0-9][0-9]) [ "$major" -ge 9 ] || refuse "$1" "Valkey 9 or newer" ;;
    esac
}

# option NAME ARGUMENT...: what the server is given for it.
option() {
    name=$1
    shift
    while [ $# -gt 1 ]; do
        [ "$1" != "--$name" ] || echo "$2"
        shift
    done
}

check_files() {
    server=$("$1" --version | sed -n 's/^Valkey server v=\([0-9.]*\).*/Valkey \1/p')
    [ -n "$server" ] || return 0
    major=${server#Valkey }
    major=${major%%.*}
    folder=$(option dir "$@")
    if [ "$(option appendonly "$@")" != yes ]; then
        check_format "$folder/dump.rdb"
        return
    fi
    base=$(sed -n 's/^file \(.*\) seq [0-9]* type b.*/\1/p' "$folder"/appendonlydir/*.manifest 2>/dev/null)
    if [ -n "$base" ]; then
        check_format "$folder/appendonlydir/$base"
    elif [ -e "$folder/appendonly.aof" ]; then
        check_format "$folder/appendonly.aof"
    elif [ -e "$folder/dump.rdb" ]; then
        check_format "$folder/dump.rdb"
        echo "$folder/dump.rdb is not read, for the append-only file is on and there is none yet: to take its keys over," \
            "run once with valkey_appendonly false, send CONFIG SET appendonly yes, and set it true again"
    fi
}

# chattr's +S and -S, which images seldom have; every Debian has Perl. New files take the mark from their folder.
# 0x80086601 is FS_IOC_GETFLAGS, 0x40086602 FS_IOC_SETFLAGS and 8 FS_SYNC_FL on x86-64 and arm64; elsewhere the kernel refuses.
mark_synchronous() {
    perl -e '
        my ($wanted, @paths) = @ARGV;
        for my $path (grep { -d or -f } @paths) {
            open(my $file, "<", $path) or die "$path: $!\n";
            my $said = pack("L", 0);
            ioctl($file, 0x80086601, $said) or die "$path: $!\n";
            my $now = unpack("L", $said);
            my $then = $wanted eq "yes" ? $now | 8 : $now & ~8;
            $then == $now or ioctl($file, 0x40086602, pack("L", $then)) or die "$path: $!\n";
        }' "$@"
}

set_synchronous() {
    folder=$(option dir "$@")
    why=$(mark_synchronous "$SYNCHRONOUS_UPDATES" "$folder" "$folder"/* "$folder"/appendonlydir/* 2>&1) && return
    [ "$SYNCHRONOUS_UPDATES" = no ] || echo "synchronous updates cannot be turned on, so that answers may take 100 ms and more" \
        "while data is swapped: $why" >&2
}

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

check_files "$@"
[ -z "${SYNCHRONOUS_UPDATES:-}" ] || set_synchronous "$@"
watch_evictions "${EVICTION_LOG_INTERVAL:-60}" &
exec "$@"
