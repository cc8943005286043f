#!/bin/sh
# A configuration file as the only argument is served; anything else is run as it stands.
set -e

case "${1:-}" in
  *.yml | *.yaml) set -- registry serve "$@" ;;
  serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
