#!/bin/sh
# The official image's convention: no argument starts n8n, arguments are n8n's own (`worker`, `export:workflow …`).
if [ -d /opt/custom-certificates ]; then
  export NODE_OPTIONS="--use-openssl-ca ${NODE_OPTIONS:-}" SSL_CERT_DIR=/opt/custom-certificates
fi
exec n8n "$@"
