#!/bin/sh
# First argument an option: haproxy is meant. It stays in the foreground, under a master that reloads on SIGUSR2.
set -e

case "${1:-}" in
  -*) set -- haproxy "$@" ;;
esac

if [ "${1:-}" = haproxy ]; then
  shift
  set -- haproxy -W -db "$@"
fi
exec "$@"
