# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes and their backups: tar files with checksums, the first called VOLUME.tar.gz, later ones VOLUME@2.tar.gz."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tarfile
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Protocol

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

BACKUP_SECONDS = 4 * 3600.0
ANONYMOUS = "com.docker.volume.anonymous"
# No name of a volume has an '@'.
BACKUP = re.compile(r"(?P<volume>[^@]+)(?:@(?P<number>\d+))?\.tar\.gz")
KEPT = ["--numeric-owner", "--xattrs", "--acls", "--gzip"]


class Answer(Protocol):
    rc: int
    out: str
    err: str


Run = Callable[..., Answer]


def folder_of(volume: Mapping[str, Any]) -> str:
    """Where its files are also while no container uses it, or nothing: the engine mounts some only for a container."""
    if volume.get("Driver", "local") != "local":
        return ""
    options = volume.get("Options") or {}
    if not (options.get("device") or options.get("type")):
        return str(volume.get("Mountpoint") or "")
    device = str(options.get("device") or "")
    bound = {"bind", "rbind"} & set(str(options.get("o") or "").split(","))
    return device if bound and device.startswith("/") else ""


def elsewhere(volume: Mapping[str, Any]) -> bool:
    """Whether its files stay when the volume goes."""
    return bool(folder_of(volume)) and folder_of(volume) != str(volume.get("Mountpoint") or "")


def anonymous(volume: Mapping[str, Any]) -> bool:
    return ANONYMOUS in (volume.get("Labels") or {})


def newest(folder: Path) -> dict[str, str]:
    """By volume, the file of its newest whole backup: one with a checksum beside it."""
    found: dict[str, tuple[int, str]] = {}
    names = set(os.listdir(folder)) if folder.is_dir() else set()
    for name in names:
        match = BACKUP.fullmatch(name)
        if match and f"{name}.sha256" in names:
            number = int(match["number"] or 1)
            found[match["volume"]] = max(found.get(match["volume"], (0, "")), (number, name))
    return {volume: name for volume, (_number, name) in found.items()}


def free_name(folder: Path, volume: str) -> str:
    """For another backup: never the name of one that is there."""
    number = 1
    while os.path.lexists(folder / _name(volume, number)):
        number += 1
    return _name(volume, number)


def _name(volume: str, number: int) -> str:
    return f"{volume}.tar.gz" if number == 1 else f"{volume}@{number}.tar.gz"


def differs(run: Run, file: Path, folder: str) -> str:
    """What of a volume is not as its backup holds it, or nothing. ``tar`` alone does not see what is new."""
    try:
        with tarfile.open(file, "r|gz", encoding="utf-8", errors="surrogateescape") as archive:
            kept = {os.path.normpath(one.name): (one.mode, one.uid, one.gid) for one in archive}
        there = dict(_entries(folder))
    except (OSError, EOFError, tarfile.TarError) as error:
        return str(error) or type(error).__name__
    for name, about in sorted(there.items()):
        if name not in kept:
            return f"{name} is new"
        if kept[name] != about:
            return f"{name} has another mode or owner"
    answer = run(["tar", "--compare", *KEPT, "--file", str(file), "--directory", folder], timeout=BACKUP_SECONDS)
    return " ".join((answer.out or answer.err).split())[:200] or "it differs" if answer.rc else ""


def _entries(folder: str) -> list[tuple[str, tuple[int, int, int]]]:
    found = []

    def refuse(error: OSError) -> None:
        raise error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        for path in (parent, *(os.path.join(parent, name) for name in [*folders, *files])):
            about = os.lstat(path)
            # tar keeps no sockets.
            if not stat.S_ISSOCK(about.st_mode):
                mode = 0o777 if stat.S_ISLNK(about.st_mode) else stat.S_IMODE(about.st_mode)
                found.append((os.path.relpath(path, folder), (mode, about.st_uid, about.st_gid)))
    return found


class Backups:
    """:param write: puts a whole file in place"""

    def __init__(self, run: Run, folder: Path, write: Callable[[Path, str, str], Any]) -> None:
        self._run = run
        self.folder = folder
        self._write = write

    def make(self, volume: str, source: str) -> None:
        target = self._made() / free_name(self.folder, volume)
        partial = self.folder / f"{volume}.part"
        try:
            partial.unlink(missing_ok=True)
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._tar(volume, "--create", *KEPT, "--file", str(partial), "--directory", source, ".")
            # Read back against the volume itself, while nobody writes to it.
            why = differs(self._run, partial, source)
            if why:
                raise StackError(
                    f"the backup of volume {volume} is not what is in it: {why}; nothing was removed, stop who "
                    "writes to it, then run again"
                )
            number = sha256(partial)
            # The checksum first: a backup without one is never taken for whole, and never written over.
            self._write(Path(f"{target}.sha256"), f"{number}  {target.name}\n", "0600")
            os.replace(partial, target)
        except OSError as error:
            raise StackError(f"the backup {target} cannot be written: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()

    def _made(self) -> Path:
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(f"{self.folder} cannot be made: {error.strerror}") from error
        return self.folder

    def verified(self, volume: str) -> Path:
        """:raises StackError: the newest backup is not there, or not what was written"""
        name = newest(self.folder).get(volume)
        if not name:
            raise StackError(f"{self.folder} has no whole backup of volume {volume}")
        file = self.folder / name
        try:
            wanted = Path(f"{file}.sha256").read_text(encoding="ascii").split()[0]
            seen = sha256(file)
        except (OSError, ValueError, IndexError) as error:
            raise StackError(f"the checksum of the backup {file} cannot be read: {error}") from error
        if seen != wanted:
            raise StackError(f"the backup {file} is not what was written: sha256 {seen}, but {wanted} stands beside it")
        return file

    def stale(self, volume: str, source: str) -> Optional[str]:
        """Why the newest backup is not what is in the volume now, nothing where it is."""
        name = newest(self.folder).get(volume)
        return differs(self._run, self.folder / name, source) or None if name else "it has no backup"

    def extract(self, volume: str, file: Path, place: str) -> None:
        way = ["--same-owner", "--preserve-permissions", *KEPT]
        self._tar(volume, "--extract", *way, "--file", str(file), "--directory", place)

    def _tar(self, volume: str, *args: str) -> None:
        answer = self._run(["tar", *args], timeout=BACKUP_SECONDS)
        if answer.rc != 0:
            told = " ".join((answer.err or answer.out).split())[:300]
            raise StackError(
                f"tar {args[0]} of volume {volume} failed: {told}; nothing was removed, run again when that is mended"
            )


def sha256(path: Path) -> str:
    number = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            number.update(piece)
    return number.hexdigest()
