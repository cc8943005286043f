#!/bin/sh
# First argument an option or one of Traefik's own commands: traefik is meant.
set -e

case "${1:-}" in
  -* | version | healthcheck) set -- traefik "$@" ;;
esac
exec "$@"
