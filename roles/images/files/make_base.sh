#!/bin/sh
# Make a slim Debian base image from Debian's own packages and import it under the name that the Dockerfiles start from.
# usage: make_base.sh IMAGE SUITE MIRROR SECURITY_MIRROR WORK_DIR   (an empty mirror means debootstrap's own default)
set -eu

image=$1 suite=$2 mirror=$3 security=$4 work=$5
root=$work/rootfs

mkdir -p "$work"
rm -rf --one-file-system "$root"
trap 'rm -rf --one-file-system "$root"' EXIT

debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"}

sources=$root/etc/apt/sources.list
if [ -n "$mirror" ]; then
  echo "deb $mirror $suite-updates main" >>"$sources"
fi
if [ -n "$security" ]; then
  echo "deb $security $suite-security main" >>"$sources"
fi

cat >"$root/etc/dpkg/dpkg.cfg.d/docker" <<'CFG'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/lintian/*
CFG
cat >"$root/etc/apt/apt.conf.d/docker" <<'CFG'
APT::Install-Recommends "false";
APT::Install-Suggests "false";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
CFG
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"

find "$root/usr/share/doc" -mindepth 2 ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -depth -type d -empty -delete
rm -rf "$root/usr/share/man" "$root/usr/share/info" "$root/usr/share/locale" "$root/usr/share/lintian"
mkdir -p "$root/usr/share/man" "$root/usr/share/locale"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* "$root"/tmp/* "$root"/etc/machine-id
rm -f "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root/etc/hostname" "$root/etc/resolv.conf"
mkdir -p "$root/var/cache/apt/archives/partial" "$root/var/lib/apt/lists/partial"

tar -C "$root" --numeric-owner -c . | docker import \
  --change 'CMD ["bash"]' \
  --change "LABEL io.bestviable.planner_memory.base=$suite" \
  --message "Debian $suite, made by debootstrap" - "$image"
