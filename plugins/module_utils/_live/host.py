# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is, read from its own files and from its engine: no command where a file says it."""

from __future__ import annotations

import glob
import hashlib
import importlib.util
import json
import mmap
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._docker import RECORD_FILE
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live import (
    edge,
    firewall,
    services,
    valkey_files,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.engine import Engine

LISTEN = "0A"
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
COMPOSE_PLACES = (
    "~/.docker/cli-plugins/docker-compose",
    "/usr/local/lib/docker/cli-plugins/docker-compose",
    "/usr/local/libexec/docker/cli-plugins/docker-compose",
    "/usr/lib/docker/cli-plugins/docker-compose",
    "/usr/libexec/docker/cli-plugins/docker-compose",
)
N8N_VOLUME = "n8n_data"
VALKEY_VOLUME = "valkey_data"
NEEDED_MODULES = ("requests", "psycopg2")
NEEDED_CGROUPS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")


def read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def os_of(release: str) -> dict[str, str]:
    """Distribution, version and code name from ``/etc/os-release``."""
    values = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', release, re.MULTILINE))
    return {
        "id": values.get("ID", ""),
        "version": values.get("VERSION_ID", ""),
        "codename": values.get("VERSION_CODENAME", ""),
    }


def memory_of(meminfo: str) -> tuple[int, int]:
    """MB of memory and of swap from ``/proc/meminfo``."""
    values = dict(re.findall(r"^(\w+):\s+(\d+) kB", meminfo, re.MULTILINE))
    return int(values.get("MemTotal", 0)) // 1024, int(values.get("SwapTotal", 0)) // 1024


def cgroup_of(mountinfo: str, known: str) -> dict[str, Any]:
    """cgroup version, and for version 1 the hierarchies that the kernel has but nobody mounted."""
    mounted = re.findall(r" - (cgroup2?) \S+ (\S+)", mountinfo)
    hierarchies = {name for kind, options in mounted if kind == "cgroup" for name in options.split(",")}
    root = re.search(r" /sys/fs/cgroup \S+.* - (\S+) ", mountinfo)
    if root and root.group(1) == "cgroup2":
        return {"version": 2, "missing": []}
    enabled = {line.split()[0] for line in known.splitlines() if line[:1].isalpha() and line.split()[-1] == "1"}
    if not mounted and not enabled:
        return {"version": None, "missing": []}
    return {"version": 1, "missing": sorted((set(NEEDED_CGROUPS) & enabled) - hierarchies)}


def init_of(first: str, systemd_runs: bool) -> str:
    """Who starts services here: systemd, SysV's init, or nobody."""
    if systemd_runs:
        return "systemd"
    return "sysv" if first.strip() == "init" else "none"


def address_of(hexed: str) -> tuple[str, int]:
    """``0100007F:1BB0`` as the kernel writes it → ``("127.0.0.1", 7088)``."""
    address, port = hexed.split(":")
    order = "<" if sys.byteorder == "little" else ">"
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    packed = struct.pack(f"{order}{len(words)}I", *words)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, packed), int(port, 16)


def sockets_of(table: str) -> list[dict[str, Any]]:
    """Listening sockets of one ``/proc/net/tcp`` table."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTEN:
            address, port = address_of(fields[1])
            found.append({"address": address, "port": port, "inode": fields[9]})
    return found


def listening(proc: str = "/proc") -> list[dict[str, Any]]:
    return sockets_of(read(f"{proc}/net/tcp")) + sockets_of(read(f"{proc}/net/tcp6"))


def owners_of(inodes: Iterable[str], proc: str = "/proc") -> dict[str, int]:
    """Which process holds which socket, as far as this user may see."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, int] = {}
    for entry in glob.iglob(f"{proc}/[0-9]*/fd/*"):
        try:
            inode = wanted.get(os.readlink(entry))
        except OSError:
            continue
        if inode is not None:
            found[inode] = int(entry.split("/")[-3])
            if len(found) == len(wanted):
                break
    return found


def published(containers: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Host port → container, for every published TCP port."""
    return {
        port["PublicPort"]: container["Names"][0].lstrip("/")
        for container in containers
        for port in container.get("Ports") or []
        if port.get("PublicPort") and port.get("Type") == "tcp"
    }


def name_listeners(
    sockets: Iterable[Mapping[str, Any]],
    owners: Mapping[str, int],
    processes: Mapping[int, str],
    ports: Mapping[int, str],
) -> list[dict[str, Any]]:
    """Listening sockets with the process and the container behind them."""
    found = []
    for one in sockets:
        pid = owners.get(one["inode"])
        process = processes.get(pid) if pid is not None else None
        behind = ports.get(one["port"]) if process in ("docker-proxy", None) else None
        found.append(
            {
                "proto": "tcp",
                "address": one["address"],
                "port": one["port"],
                "pid": pid,
                "process": process,
                "container": behind,
            }
        )
    return sorted(found, key=lambda one: (one["port"], one["address"]))


def process_name(pid: int, proc: str = "/proc") -> str:
    """The program's name; the kernel's own is cut at 15 characters."""
    command = read(f"{proc}/{pid}/cmdline").split("\0")[0].split()
    return os.path.basename(command[0]).rstrip(":") if command else read(f"{proc}/{pid}/comm").strip()


def kept_projects(services_dir: str) -> list[str]:
    """The Compose projects whose directories have the note that they are kept by ``compose_stack``."""
    notes = glob.iglob(os.path.join(glob.escape(services_dir), "*", RECORD_FILE))
    return sorted(os.path.basename(os.path.dirname(note)) for note in notes)


def free_mb(path: str) -> int:
    """Free space where ``path`` is or will be."""
    while not os.path.exists(path) and path not in ("", "/"):
        path = os.path.dirname(path)
    return shutil.disk_usage(path or "/").free // 1048576


def unescaped(text: str) -> str:
    """The kernel writes a blank in a path as ``\\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def filesystem_of(path: str, mounts: str) -> Optional[str]:
    """Type of the file system that a path is or would be on, from ``/proc/mounts``; a later mount hides an earlier."""
    best, found = "", None
    for fields in (line.split() for line in mounts.splitlines()):
        place = unescaped(fields[1]).rstrip("/")
        if (path == place or path.startswith(f"{place}/")) and len(place) >= len(best):
            best, found = place, fields[2]
    return found


def swap_label(path: str) -> Optional[str]:
    """The label in the header of a swap file; None where it is none, or nobody shows it."""
    try:
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            head = file.read(mmap.PAGESIZE)
    except OSError:
        return None
    return head[1052:1068].rstrip(b"\0").decode(errors="replace") if head.endswith(b"SWAPSPACE2") else None


def swaps_of(swaps: str) -> dict[str, int]:
    """Path → MB of what is swapped to, from ``/proc/swaps``."""
    lines = [line.split() for line in swaps.splitlines()[1:]]
    return {unescaped(fields[0]): round(int(fields[2]) / 1024) for fields in lines}


def containers_of(containers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every container with the Compose project that it is of, if any."""
    found = []
    for one in containers:
        labels = one.get("Labels") or {}
        found.append(
            {
                "name": one["Names"][0].lstrip("/"),
                "state": one.get("State"),
                "project": labels.get("com.docker.compose.project"),
                "directory": labels.get("com.docker.compose.project.working_dir"),
            }
        )
    return sorted(found, key=lambda one: one["name"])


def compose_version(places: Iterable[str] = COMPOSE_PLACES) -> Optional[str]:
    """The version that the Compose plugin tells of itself; None where there is no plugin."""
    for place in map(os.path.expanduser, places):
        if os.access(place, os.X_OK):
            try:
                said = subprocess.run(
                    [place, "version", "--short"], capture_output=True, text=True, timeout=5, check=False
                ).stdout
            except (OSError, subprocess.SubprocessError):
                continue
            seen = re.search(r"\d+(\.\d+)+", said)
            if seen:
                return seen.group(0)
    return None


def subnets_of(network: Mapping[str, Any]) -> list[str]:
    """The address ranges of one network, as the engine lists it."""
    ranges = (network.get("IPAM") or {}).get("Config") or []
    return [one["Subnet"] for one in ranges if one.get("Subnet")]


def network_of(network: Mapping[str, Any], containers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a network is, with the running containers in it."""
    name = network["Name"]
    ranges = (network.get("IPAM") or {}).get("Config") or []
    options = network.get("Options") or {}
    return {
        "driver": network.get("Driver"),
        "subnets": subnets_of(network),
        "gateways": [one["Gateway"] for one in ranges if one.get("Gateway")],
        "bridge": options.get("com.docker.network.bridge.name") or f"br-{network.get('Id', '')[:12]}",
        "internal": bool(network.get("Internal")),
        "containers": sorted(
            one["Names"][0].lstrip("/")
            for one in containers
            if name in ((one.get("NetworkSettings") or {}).get("Networks") or {})
        ),
    }


def images_of(images: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those images that have a name, with the labels that they were built with."""
    return [
        {"tags": sorted(image["RepoTags"]), "labels": image.get("Labels") or {}}
        for image in images
        if image.get("RepoTags") and image["RepoTags"] != ["<none>:<none>"]
    ]


def engine_of(engine: Engine) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The engine's state, and its containers."""
    exists = os.path.exists(engine.path)
    state: dict[str, Any] = {
        "installed": exists or shutil.which("dockerd", path=PROGRAMS) is not None,
        "running": False,
        "version": None,
        "api_version": None,
        "socket": engine.path if exists else None,
        "socket_gid": os.stat(engine.path).st_gid if exists else None,
        "root_dir": None,
        "cpus": None,
        "containers": [],
        "networks": [],
        "subnets": {},
        "bridges": {},
        "routes": [],
        "images": [],
    }
    try:
        said = engine.get("/version") or {}
        containers = engine.get("/containers/json?all=1") or []
        networks = engine.get("/networks") or []
        images = engine.get("/images/json") or []
        info = engine.get("/info") or {}
    except StackError as error:
        return {**state, "error": str(error) if exists else None}, []
    state.update(
        running=True,
        version=said.get("Version"),
        api_version=said.get("ApiVersion"),
        root_dir=info.get("DockerRootDir"),
        cpus=info.get("NCPU"),
        containers=containers_of(containers),
        networks=sorted(network["Name"] for network in networks),
        subnets={network["Name"]: subnets_of(network) for network in networks},
        bridges={one["Name"]: network_of(one, containers) for one in networks if one.get("Driver") == "bridge"},
        routes=edge.routes_of(containers),
        images=images_of(images),
        error=None,
    )
    return state, containers


def kept_key_of(config: str, env: str, file: str = "") -> Optional[str]:
    """The encryption key of n8n, from the file that it keeps in its volume, else from what its container is given."""
    try:
        key = json.loads(config)["encryptionKey"]
    except (ValueError, KeyError, TypeError):
        seen = re.search(r"^N8N_ENCRYPTION_KEY='([^']+)'$", env, re.MULTILINE)
        key = file.strip() or (seen.group(1) if seen else None)
    return key if isinstance(key, str) and key else None


def digest(secret: Optional[str]) -> Optional[str]:
    """Enough to tell whether a secret is the same, and too little to stand for it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16] if secret else None


def describe(
    services_dir: str, path: Optional[str] = None, look_for: Iterable[str] = (), filesystems_of: Iterable[str] = ()
) -> dict[str, Any]:
    """Everything that the roles decide on."""
    engine, containers = engine_of(Engine(path, timeout=5.0))
    mounts = read("/proc/mounts")
    memory, swap = memory_of(read("/proc/meminfo"))
    swaps = swaps_of(read("/proc/swaps"))
    sockets = listening()
    owners = owners_of(one["inode"] for one in sockets)
    processes = {pid: process_name(pid) for pid in set(owners.values())}
    volumes = f"{engine['root_dir']}/volumes" if engine["root_dir"] else ""
    config = read(f"{volumes}/{N8N_VOLUME}/_data/config") if volumes else ""
    given = os.path.join(services_dir, "n8n")
    key = kept_key_of(config, read(f"{given}/n8n.env"), read(f"{given}/secrets/N8N_ENCRYPTION_KEY"))
    return {
        "os": os_of(read("/etc/os-release")),
        "arch": os.uname().machine,
        "python": ".".join(map(str, sys.version_info[:3])),
        "found": {pattern: sorted(glob.glob(pattern)) for pattern in look_for},
        "kept_projects": kept_projects(services_dir),
        "markdown": importlib.util.find_spec("markdown_it") is not None,
        "python_lacks": [name for name in NEEDED_MODULES if importlib.util.find_spec(name) is None],
        "root": os.geteuid() == 0,
        "memory_mb": memory,
        "swap_mb": swap,
        "swaps": swaps,
        "swap_labels": {path: swap_label(path) for path in swaps},
        "filesystems": {
            place: {
                "type": filesystem_of(place, mounts),
                "free_mb": free_mb(place),
                "exists": os.path.lexists(place),
                "swap_label": swap_label(place),
            }
            for place in filesystems_of
        },
        "disk_free_mb": min(free_mb(engine["root_dir"] or "/var/lib/docker"), free_mb(services_dir)),
        "init": init_of(read("/proc/1/comm"), os.path.isdir("/run/systemd/system")),
        "engine": engine,
        "compose": {"version": compose_version()},
        "cgroup": cgroup_of(read("/proc/self/mountinfo"), read("/proc/cgroups")),
        "listeners": name_listeners(sockets, owners, processes, published(containers)),
        "interfaces": firewall.interfaces(),
        "routes": firewall.routes_of(read("/proc/net/route")),
        "firewall": firewall.describe(),
        "services": services.installed(),
        "n8n_key_digest": digest(key),
        "valkey_files": valkey_files.held(f"{volumes}/{VALKEY_VOLUME}/_data") if volumes else {},
    }
