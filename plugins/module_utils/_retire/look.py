# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the engine, the archive folder and the host, for a stack that goes out of service."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Optional, Protocol, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.model import (
    LABEL,
    Archive,
    Live,
    Wish,
    choose,
    label,
    name_of,
    parse_memory,
    running,
    volumes_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.volumes import (
    Backups,
    folder_of,
    newest,
)

LOOK_SECONDS = 60.0
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


class Answer(Protocol):
    rc: int
    out: str
    err: str


class Docker:
    """The docker command line; ``run`` carries out one command."""

    def __init__(self, run: Callable[..., Answer], docker: Optional[str] = None) -> None:
        self.run = run
        self._docker = docker or shutil.which("docker") or "docker"

    def ask(self, *args: str, timeout: float = LOOK_SECONDS) -> Answer:
        return self.run([self._docker, *args], timeout=timeout)

    def must(self, what: str, *args: str, timeout: float = LOOK_SECONDS) -> str:
        answer = self.ask(*args, timeout=timeout)
        if answer.rc != 0:
            raise StackError(f"{what} failed: {' '.join(answer.err.split()[-40:])}", command=["docker", *args[:2]])
        return answer.out

    def inspect(self, kind: str, names: Sequence[str]) -> list[Mapping[str, Any]]:
        """What there is of these; one that went meanwhile is no error."""
        answer = self.ask(kind, "inspect", *names) if names else None
        try:
            return json.loads(answer.out or "[]") if answer else []
        except ValueError:
            raise Unreachable(f"docker {kind} inspect gave no answer: {' '.join(answer.err.split())}") from None


def note_path(wish: Wish) -> Path:
    return Path(wish.archive_dir) / f".{wish.name}.retiring"


def read_archive(path: str) -> Archive:
    stem = Path(path[: -len(".yml")])
    folder = Path(f"{stem}.volumes")
    try:
        sidecar = json.loads(Path(f"{stem}.json").read_text(encoding="utf-8"))
        modes = {f"{os.stat(name).st_mode & 0o7777:04o}" for name in (path, f"{stem}.json")}
        mode = max(modes, key=lambda one: one != "0600")
        complete = isinstance(sidecar, dict) and "containers" in sidecar
    except (OSError, ValueError):
        complete = False
    if not complete:
        sidecar, mode = {}, ""
    names = os.listdir(folder) if folder.is_dir() else []
    return Archive(
        path=path,
        complete=complete,
        mode=mode,
        foreign=not complete and os.path.lexists(path),
        sidecar=sidecar,
        backups=newest(folder),
        half_restored=frozenset(one[: -len(".restoring")] for one in names if one.endswith(".restoring")),
    )


def archives_of(wish: Wish) -> list[str]:
    """Paths of the whole archives of this stack, the oldest first; one of nothing hides none that holds something."""
    try:
        names = os.listdir(wish.archive_dir)
    except OSError:
        return []
    found = [name for name in names if re.fullmatch(rf"{re.escape(wish.name)}-\d{{8}}\.yml", name)]
    whole = [
        one for one in (read_archive(os.path.join(wish.archive_dir, name)) for name in sorted(found)) if one.complete
    ]
    return [one.path for one in whole if one.sidecar["containers"]] or [one.path for one in whole]


def look(docker: Docker, wish: Wish, known_volumes: Iterable[str] = ()) -> Live:
    """Everything that concerns the stack: containers, networks, volumes, its archive, and what it uses.

    :param known_volumes: names of volumes that were seen before, when there still were containers that told of them
    """
    ids = docker.must("listing the containers", "ps", "--all", "--quiet", "--no-trunc").split()
    inspected = docker.inspect("container", ids)
    made = archives_of(wish)
    known = read_archive(made[-1]).sidecar.get("projects") or [] if made else []
    ours, others, projects = choose(inspected, wish, known)
    networks = _networks(docker, projects)
    note = _read_note(wish)
    # What networks are left is no stack.
    archive = read_archive(_archive_path(wish, bool(ours), note, made))
    names = {name for one in ours for name in volumes_of(one)} | _labelled_volumes(docker, projects)
    names |= {*(archive.sidecar.get("volumes") or {}), *known_volumes}
    volumes = {one["Name"]: one for one in docker.inspect("volume", sorted(names))}
    stale = _stale(docker, wish, archive, volumes, ours)
    lacking = [name for name in volumes if name not in archive.backups or name in stale]
    ids = [one["Id"] for one in ours if running(one)]
    images, unpublished = _images(docker, ours, archive) if wish.remove_images else ({}, frozenset())
    return Live(
        containers=ours,
        others=others,
        projects=projects,
        networks=networks,
        volumes=volumes,
        archive=archive,
        note=bool(note),
        compose=_compose(docker),
        memory=usage(docker, ids) if wish.state == "retired" and ids and not archive.complete else {},
        sizes={name: size_of(folder_of(volumes[name])) for name in lacking if folder_of(volumes[name])}
        if wish.backup_volumes
        else {},
        images=images,
        unpublished=unpublished,
        stale=stale,
    )


def _stale(
    docker: Docker,
    wish: Wish,
    archive: Archive,
    volumes: Mapping[str, Mapping[str, Any]],
    ours: Sequence[Mapping[str, Any]],
) -> dict[str, str]:
    """Why a backup is not enough: somebody wrote to the volume after it. Only where something goes on."""
    if wish.state == "restored":
        return {}
    used = {name for one in ours for name in volumes_of(one)}
    backups = Backups(docker.run, Path(f"{archive.stem}.volumes"), lambda *_args: None)
    found = {}
    for name in sorted(archive.backups):
        source = folder_of(volumes.get(name) or {"Driver": ""})
        if source and (wish.remove_volumes or name in used):
            found[name] = backups.stale(name, source)
    return {name: why for name, why in found.items() if why}


def _archive_path(wish: Wish, stands: bool, note: str, made: Sequence[str]) -> str:
    """A retirement that was begun goes on with its archive; a stack that is gone has its last one."""
    if wish.state == "restored" and wish.archive:
        return wish.archive
    if not note and made and (wish.state == "restored" or not stands):
        return made[-1]
    return os.path.join(wish.archive_dir, f"{wish.name}-{note or wish.date}.yml")


def _read_note(wish: Wish) -> str:
    try:
        text = note_path(wish).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    return text if re.fullmatch(r"\d{8}", text) else wish.date


def _compose(docker: Docker) -> str:
    answer = docker.ask("compose", "version", "--short")
    return answer.out.strip() if answer.rc == 0 else ""


def _networks(docker: Docker, projects: Sequence[str]) -> dict[str, str]:
    form = f'{{{{.Name}}}}\t{{{{.Label "{LABEL}.project"}}}}\t{{{{.Label "{LABEL}.network"}}}}'
    rows = (
        row.split("\t") for row in docker.must("listing the networks", "network", "ls", "--format", form).splitlines()
    )
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] in projects and row[1]}


def _labelled_volumes(docker: Docker, projects: Sequence[str]) -> set[str]:
    form = f'{{{{.Name}}}}\t{{{{.Label "{LABEL}.project"}}}}'
    rows = (
        row.split("\t") for row in docker.must("listing the volumes", "volume", "ls", "--format", form).splitlines()
    )
    return {row[0] for row in rows if len(row) == 2 and row[1] in projects and row[1]}


def usage(docker: Docker, ids: Sequence[str] = ()) -> dict[str, int]:
    """Bytes of memory by container, as ``docker stats`` shows them."""
    form = "{{.Name}}\t{{.MemUsage}}"
    out = docker.must("docker stats", "stats", "--no-stream", "--no-trunc", "--format", form, *ids)
    return {row[0]: parse_memory(row[1]) for row in (line.split("\t") for line in out.splitlines()) if len(row) == 2}


def _images(
    docker: Docker, ours: Sequence[Mapping[str, Any]], archive: Archive
) -> tuple[dict[str, str], frozenset[str]]:
    """The stack's images by name, and those among them that no registry has."""
    containers = [*ours, *(archive.sidecar.get("containers") or [])]
    wanted = {one["Config"]["Image"]: one["Image"] for one in containers}
    there = {one["Id"]: one for one in docker.inspect("image", sorted(wanted))}
    found = {name: number for name, number in wanted.items() if number in there}
    return found, frozenset(name for name, number in found.items() if not there[number].get("RepoDigests"))


def size_of(folder: str) -> int:
    """Bytes of the files in a folder, links not followed.

    :raises StackError: where this user may not look into it
    """

    def refuse(error: OSError) -> None:
        if isinstance(error, FileNotFoundError) and error.filename != folder:
            return  # it went meanwhile
        raise StackError(
            f"{error.filename} cannot be read ({error.strerror}); run this as root, or leave the backup out"
        )

    total = 0
    for parent, _folders, files in os.walk(folder, onerror=refuse):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def available_memory(meminfo: str = "/proc/meminfo") -> int:
    """Bytes that ``free`` calls available."""
    try:
        text = Path(meminfo).read_text(encoding="ascii")
    except OSError:
        return 0
    seen = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(seen.group(1)) * 1024 if seen else 0


def existing_parent(path: str) -> str:
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def source_of(live: Live, wish: Wish) -> tuple[str, list[str]]:
    """The stack's working directory and its Compose files, as far as they are there."""
    projects = {label(one, "project") for one in live.containers}
    if len(projects) > 1:
        return "", []
    for one in live.containers:
        directory = label(one, "project.working_dir")
        given = [name for name in label(one, "project.config_files").split(",") if name]
        files = [os.path.join(directory, name) for name in given]
        if files and all(os.path.isfile(name) for name in files):
            return directory, files
    directory = wish.directory or next((label(one, "project.working_dir") for one in live.containers), "")
    found = [os.path.join(directory, name) for name in COMPOSE_FILES if directory]
    return directory, [name for name in found if os.path.isfile(name)][:1]


def project_of(live: Live, wish: Wish) -> str:
    named = [label(one, "project") for one in live.containers if label(one, "project") in live.projects]
    return named[0] if named else (wish.projects or (wish.name,))[0]


def names(containers: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name_of(one) for one in containers]
