#!/bin/sh
# Installs docker-compose of another Debian release from the mirror that this host's apt already uses.
# apt itself checks the release signature and the package's checksum; the host's own apt lists stay as they are.
set -eu
release=$1

if docker compose version --short 2>/dev/null | grep -q '^v\{0,1\}[2-9]'; then
    echo "nothing to do: $(docker compose version --short)"
    exit 0
fi

mirror=$(apt-get indextargets --format "\$(SITE)" 'Identifier: Packages' 'Origin: Debian' 'Component: main' | head -n 1)
if [ -z "$mirror" ]; then
    echo "no Debian mirror among this host's apt sources: name one, or set docker_apt_repository" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial"
chmod 755 "$work" "$work/lists" "$work/archives"
if id _apt >/dev/null 2>&1; then chown _apt "$work/lists/partial" "$work/archives/partial"; fi
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >"$work/sources.list"

apt_alone() {
    apt-get -q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=- \
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache::archives=$work/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@"
}
apt_alone update
# Only Compose: its one dependency, libc6, is in every Debian since 12.
cd "$work/archives" && apt_alone download docker-compose
DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$work"/archives/docker-compose_*.deb
echo "installed $(docker compose version --short) of Debian $release"
