#!/usr/bin/env bash
# Makes the cluster on the first start (database, user, /docker-entrypoint-initdb.d), drops root, then becomes the server.
set -Eeuo pipefail

die() {
  echo "postgres: $*" >&2
  exit 1
}

# from_file VARIABLE DEFAULT: the value of VARIABLE, or the content of the file that VARIABLE_FILE names
from_file() {
  local name=$1 file_name="$1_FILE" value=${2:-}
  if [ -n "${!name:-}" ] && [ -n "${!file_name:-}" ]; then
    die "$name and $file_name are both set; set one of them."
  fi
  if [ -n "${!name:-}" ]; then
    value=${!name}
  elif [ -n "${!file_name:-}" ]; then
    value=$(<"${!file_name}") || die "$file_name names ${!file_name}, which cannot be read."
  fi
  export "$name"="$value"
  unset "$file_name"
}

run_sql() {
  PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --no-password "$@"
}

run_init_file() {
  echo "postgres: running $1"
  case "$1" in
    *.sh)
      if [ -x "$1" ]; then "$1"; else
        # shellcheck source=/dev/null
        . "$1"
      fi
      ;;
    *.sql) run_sql --dbname "$POSTGRES_DB" -f "$1" ;;
    *.sql.gz) gunzip -c "$1" | run_sql --dbname "$POSTGRES_DB" ;;
    *.sql.xz) xzcat "$1" | run_sql --dbname "$POSTGRES_DB" ;;
    *) echo "postgres: ignoring $1" ;;
  esac
}

make_cluster() {
  from_file POSTGRES_PASSWORD
  from_file POSTGRES_USER postgres
  from_file POSTGRES_DB "$POSTGRES_USER"
  from_file POSTGRES_INITDB_ARGS
  local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
    die "POSTGRES_PASSWORD is empty; give it (or POSTGRES_PASSWORD_FILE), or set POSTGRES_HOST_AUTH_METHOD=trust for a database without passwords."
  fi

  local -a initdb_args
  eval "initdb_args=($POSTGRES_INITDB_ARGS)"
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    ${POSTGRES_INITDB_WALDIR:+--waldir="$POSTGRES_INITDB_WALDIR"} ${initdb_args[@]+"${initdb_args[@]}"}
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"

  # Until everything is in place the server listens on the socket only: nobody sees a half-made database.
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
  if [ "$POSTGRES_DB" != postgres ]; then
    run_sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
  fi
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    if [ -e "$file" ]; then run_init_file "$file"; fi
  done
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
  unset POSTGRES_PASSWORD
  echo "postgres: the cluster is made and ready for start up."
}

if [[ "${1:-}" == -* ]]; then
  set -- postgres "$@"
fi

if [ "${1##*/}" = postgres ] && [[ " $* " != *" --help "* && " $* " != *" --version "* && " $* " != *" -V "* ]]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 0700 "$PGDATA" 2>/dev/null || true
  if [ "$(id -u)" = 0 ]; then
    find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
    chown postgres /var/run/postgresql 2>/dev/null || true
    chmod 3775 /var/run/postgresql 2>/dev/null || true
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH" "$0" "$@"
  fi
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    ls /docker-entrypoint-initdb.d/ >/dev/null
    make_cluster
  fi
fi

exec "$@"
