# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stack is that goes out of service, and what its archive holds. No I/O."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

LABEL = "com.docker.compose"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
SECRET = re.compile(r"pass|secret|token|key|credential|auth|dsn|url", re.IGNORECASE)
UNITS = {"B": 1, "kB": 1000, "KB": 1000, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}


@dataclass(frozen=True)
class Wish:
    """What is asked of the stack ``name``."""

    name: str
    state: str
    archive_dir: str
    date: str
    projects: tuple[str, ...] = ()
    directory: str = ""
    containers: tuple[str, ...] = ()
    backup_volumes: bool = True
    remove_volumes: bool = False
    remove_images: bool = False
    expected_memory_mb: int = 0
    keep_note: bool = False
    archive: str = ""


@dataclass(frozen=True)
class Archive:
    """One archive on disk; ``sidecar`` is what it says beside the configuration.

    :param foreign: a file of that name is there, without what an archive has beside it
    """

    path: str
    complete: bool
    mode: str
    foreign: bool = False
    sidecar: Mapping[str, Any] = field(default_factory=dict)
    backups: Mapping[str, str] = field(default_factory=dict)
    half_restored: frozenset[str] = frozenset()

    @property
    def stem(self) -> str:
        return self.path[: -len(".yml")]


@dataclass(frozen=True)
class Live:
    """The engine and the archive at one moment; ``stale`` says what volumes hold that their backups do not.

    :param unpublished: which of the images no registry has, as far as the engine knows
    """

    containers: Sequence[Mapping[str, Any]]
    others: Sequence[Mapping[str, Any]]
    projects: tuple[str, ...]
    networks: Mapping[str, str]
    volumes: Mapping[str, Mapping[str, Any]]
    archive: Archive
    note: bool
    compose: str = ""
    memory: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    stale: Mapping[str, str] = field(default_factory=dict)
    unpublished: frozenset[str] = frozenset()


def check(wish: Wish) -> None:
    """:raises StackError: naming the option, the value and the way out"""
    if not NAME.fullmatch(wish.name):
        raise StackError(f"name is '{wish.name}'; use small letters, digits, '-' and '_', as in a Compose project")
    if not wish.archive_dir.startswith("/"):
        raise StackError(f"archive_dir is '{wish.archive_dir}', which is not an absolute path")
    try:
        if not re.fullmatch(r"\d{8}", wish.date):
            raise ValueError
        datetime.datetime.strptime(wish.date, "%Y%m%d")
    except ValueError:
        raise StackError(f"date is '{wish.date}', which is no date; write one as YYYYMMDD") from None
    if not (wish.projects or wish.directory or wish.containers):
        raise StackError(f"nothing says which containers are {wish.name}'s; give projects, directory or containers")


def name_of(container: Mapping[str, Any]) -> str:
    return str(container.get("Name", "")).lstrip("/")


def labels_of(container: Mapping[str, Any]) -> Mapping[str, str]:
    return (container.get("Config") or {}).get("Labels") or {}


def label(container: Mapping[str, Any], key: str) -> str:
    return labels_of(container).get(f"{LABEL}.{key}", "")


def running(container: Mapping[str, Any]) -> bool:
    return container["State"]["Status"] in ("running", "paused", "restarting")


def service_of(container: Mapping[str, Any]) -> str:
    return label(container, "service") or name_of(container)


def networks_of(container: Mapping[str, Any]) -> list[str]:
    return sorted((container.get("NetworkSettings") or {}).get("Networks") or {})


def volumes_of(container: Mapping[str, Any]) -> list[str]:
    return sorted({m["Name"] for m in container.get("Mounts") or [] if m.get("Type") == "volume" and m.get("Name")})


def choose(
    inspected: Sequence[Mapping[str, Any]], wish: Wish, known: Iterable[str] = ()
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]], tuple[str, ...]]:
    """Ours, others, and the Compose projects that are wholly ours.

    A container that is found by its name alone does not draw in what else is in its project.
    """
    named = {*wish.projects, *known}
    ours, others = [], []
    for container in inspected:
        project = label(container, "project")
        directory = label(container, "project.working_dir")
        mine = (
            (project and project in named)
            or (wish.directory and directory == wish.directory)
            or name_of(container) in wish.containers
        )
        (ours if mine else others).append(container)
    foreign = {label(one, "project") for one in others}
    found = {label(one, "project") for one in ours} - foreign - {""}
    return sorted(ours, key=name_of), sorted(others, key=name_of), tuple(sorted((named | found) - foreign))


def users(network: str, others: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which containers of others are in a network, also those that do not run."""
    return [name_of(one) for one in others if network in networks_of(one)]


def parse_memory(text: str) -> int:
    """``270.3MiB / 1.9GiB`` → bytes in use."""
    seen = re.match(r"\s*([\d.]+)\s*([A-Za-z]+)", text)
    return round(float(seen.group(1)) * UNITS.get(seen.group(2), 0)) if seen else 0


def megabytes(size: int) -> int:
    return round(size / 2**20)


def human(size: int) -> str:
    return f"{size / 2**20:.0f} MB" if size >= 10 * 2**20 else f"{size / 2**10:.0f} KB"


def secrets_in(containers: Iterable[Mapping[str, Any]]) -> set[str]:
    """Values of environments that must not be in any message."""
    found = set()
    for container in containers:
        for entry in (container.get("Config") or {}).get("Env") or []:
            key, _sign, value = entry.partition("=")
            if SECRET.search(key) and len(value) > 3:
                found.add(value)
    return found


def shown(container: Mapping[str, Any]) -> dict[str, Any]:
    """What a result tells of a container: names of its environment, never values."""
    return {
        "image": container["Config"]["Image"],
        "image_id": container["Image"],
        "project": label(container, "project") or None,
        "status": container["State"]["Status"],
        "networks": networks_of(container),
        "volumes": volumes_of(container),
        "env": {entry.partition("=")[0]: "***" for entry in container["Config"].get("Env") or []},
    }


def unlike_archive(container: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Optional[str]:
    """What of a container that runs now is not in an archive of the same day, or None."""
    archived = {name_of(one): one for one in sidecar.get("containers") or []}
    service = service_of(container)
    before = archived.get(name_of(container))
    restored_as = (sidecar.get("hashes") or {}).get(service)
    now = label(container, "config-hash")
    if before is None:
        return None if now and now == restored_as else "it is not in it"
    if before["Image"] != container["Image"]:
        return "it has another image"
    if now and now in (label(before, "config-hash"), restored_as):
        return None
    same = not now and not label(before, "config-hash") and _configured(before) == _configured(container)
    return None if same else "it has another configuration"


def _configured(container: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody gave a container that no Compose made, so that no hash stands for it."""
    config = dict(container.get("Config") or {})
    if config.get("Hostname") == container.get("Id", "")[:12]:
        del config["Hostname"]
    return {
        "config": config,
        "host": container.get("HostConfig"),
        "networks": networks_of(container),
        "mounts": sorted((one.get("Destination"), one.get("Name") or one.get("Source")) for one in _mounts(container)),
    }


def _mounts(container: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return container.get("Mounts") or []
