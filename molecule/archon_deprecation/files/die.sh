#!/bin/sh
# In the place of a tool: kills the run that called it before or after the call whose words stand in /tmp/die_at.
name=${0##*/}
when=$(sed -n 1p /tmp/die_at 2>/dev/null)
words=$(sed -n 2p /tmp/die_at 2>/dev/null)
case " $name $* " in
  *" ${words:-nothing} "*)
    rm /tmp/die_at
    [ "$when" = before ] || "/usr/bin/$name" "$@" >/dev/null 2>&1
    kill -9 "$PPID"
    ;;
  *) exec "/usr/bin/$name" "$@" ;;
esac
