#!/bin/sh
# First argument an option or a .conf file: the server is meant. Root is dropped for user valkey.
set -e

case "${1:-}" in
  -* | *.conf) set -- valkey-server "$@" ;;
esac

if [ "${1##*/}" = valkey-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user valkey -exec chown valkey '{}' +
  exec setpriv --reuid=valkey --regid=valkey --init-groups "$0" "$@"
fi

if [ "$(umask)" = 0022 ]; then
  umask 0077
fi
exec "$@"
