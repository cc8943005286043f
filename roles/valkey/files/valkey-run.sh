#!/bin/sh
# Starts Valkey as PID 1 where it can read what is in its folder. Beside it, keeps the mark for synchronous updates on its
# files or off them, and says in the container's log how many keys were evicted. With --marks FOLDER it only shows the mark.
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

# marks yes|no|show FOLDER: chattr's +S and -S, which images seldom have; every Debian has Perl. New files take the mark
# from their folder. 0x80086601 is FS_IOC_GETFLAGS, 0x40086602 FS_IOC_SETFLAGS and 8 FS_SYNC_FL on x86-64 and arm64;
# elsewhere the kernel refuses. Says what could not be done, and of whom.
marks() {
    perl -e '
        my ($wanted, @paths) = @ARGV;
        my (%shown, @wrong);
        for my $path (grep { !-l and (-d or -f) } @paths) {
            my ($file, $flags) = (undef, pack("L", 0));
            if (!open($file, "<", $path) or !ioctl($file, 0x80086601, $flags)) {
                push(@wrong, "$path: $!") if -e $path;
                next;
            }
            my $now = unpack("L", $flags);
            my $then = $wanted eq "yes" ? $now | 8 : $now & ~8;
            $shown{$now & 8 ? "yes" : "no"} = 1;
            next if $wanted eq "show" or $then == $now;
            ioctl($file, 0x40086602, pack("L", $then)) or push(@wrong, "$path: $!");
        }
        print(join(", ", $wanted eq "show" ? sort(keys(%shown)) : (), @wrong));' \
        "$1" "$2" "$2"/appendonlydir "$2"/appendonlydir/* 2>&1
}

keep_marks() {
    [ -n "${SYNCHRONOUS_UPDATES:-}" ] || return 0
    why=$(marks "$SYNCHRONOUS_UPDATES" "$folder")
    if [ -n "$why" ] && [ "$why" != "${told:-}" ] && [ "$SYNCHRONOUS_UPDATES" = yes ]; then
        echo "synchronous updates cannot be turned on everywhere, so that answers may take 100 ms and more while data is swapped: $why" >&2
    fi
    told=$why
}

info() {
    redis-cli -p 6379 -t 2 info "$1" 2>/dev/null | tr -d '\r' | sed -n "s/^$2://p"
}

watch() {
    seen=0
    while sleep "$1"; do
        keep_marks
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

if [ "$1" = --marks ]; then
    marks show "$2"
    exit
fi
check_files "$@"
folder=$(option dir "$@")
keep_marks
watch "${EVICTION_LOG_INTERVAL:-60}" &
exec "$@"
