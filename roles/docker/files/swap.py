# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps one swap file on a host: control start|stop|status, with its path and its size in settings.json beside it.

A file is known as ours by the label in its swap header; any other is left alone, and refused where it is in the way.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

HERE = Path(__file__).resolve().parent
LABEL = "planner-memory"
LABEL_AT = 1052
MB = 1048576
RESERVE_MB = 256
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Without blocks of their own on a disk, or with blocks that move.
UNFIT = ("overlay", "aufs", "tmpfs", "ramfs", "zfs", "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "squashfs",
         "ecryptfs", "bcachefs", "ceph", "glusterfs", "erofs", "iso9660")  # fmt: skip


class Refused(Exception):
    """One sentence for the person."""


def run(*argv: str) -> tuple[int, str]:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, env={**os.environ, "PATH": PROGRAMS, "LC_ALL": "C"}
        )
    except OSError as error:
        return 127, str(error)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def must(words: str, *argv: str) -> None:
    code, said = run(*argv)
    if code != 0:
        raise Refused(f"{words}: {said or code}")


def unescaped(text: str) -> str:
    """The kernel writes a blank in a path as \\040."""
    return text.encode("latin-1", "replace").decode("unicode_escape") if "\\" in text else text


def filesystem_of(path: str, mounts: str) -> str:
    """Type of the file system that a path is or would be on, from ``/proc/mounts``."""
    best, found = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        place = unescaped(fields[1]).rstrip("/")
        if (path == place or path.startswith(f"{place}/")) and len(place) >= len(best):
            best, found = place, fields[2]
    return found


def active(swaps: str) -> dict[str, int]:
    """Path → MB of the swap files in use, from ``/proc/swaps``."""
    lines = [line.split() for line in swaps.splitlines()[1:]]
    return {unescaped(fields[0]): round(int(fields[2]) / 1024) for fields in lines if fields[1:2] == ["file"]}


def is_ours(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(mmap.PAGESIZE)
    except OSError:
        return False
    label = head[LABEL_AT : LABEL_AT + 16].rstrip(b"\0")
    return head.endswith(b"SWAPSPACE2") and label == LABEL.encode()


class Swap:
    """The swap file of the settings; ``proc`` is where the kernel tells of mounts and swaps."""

    def __init__(self, settings: dict[str, Any], proc: str = "/proc") -> None:
        self.path = str(settings["path"])
        self.mb = int(settings["mb"])
        self.bytes = self.mb * MB + mmap.PAGESIZE  # the header is a page of its own
        self.proc = Path(proc)

    def active(self) -> dict[str, int]:
        return active((self.proc / "swaps").read_text())

    def status(self) -> dict[str, Any]:
        mb = self.active().get(self.path)
        right = mb == self.mb and is_ours(self.path)
        return {"state": "on" if right else "off" if mb is None else "another", "mb": mb or 0, "path": self.path}

    def refuse_place(self) -> str:
        """The type of the file system, where it can carry the file.

        :raises Refused: where it cannot, or has no room, or where somebody else's file is in the way
        """
        kind = filesystem_of(self.path, (self.proc / "mounts").read_text())
        if kind in UNFIT or kind.startswith("fuse"):
            raise Refused(f"{self.path} would be on {kind}, which cannot carry a swap file; name a path on ext4 or xfs")
        if os.path.lexists(self.path) and not is_ours(self.path):
            raise Refused(
                f"{self.path} is there and is not a swap file of this program; move it away or name another path"
            )
        folder = next(one for one in Path(self.path).parents if one.is_dir())
        own = os.stat(self.path).st_blocks * 512 if os.path.exists(self.path) else 0
        free = (shutil.disk_usage(folder).free + own) // MB
        if free < self.mb + RESERVE_MB:
            raise Refused(
                f"{self.path} is to have {self.mb} MB and leave {RESERVE_MB} MB free, but there are {free} MB;"
                " make room, or ask for less"
            )
        return kind

    def start(self) -> None:
        for other in [path for path in self.active() if path != self.path and is_ours(path)]:
            self.drop(other)
        if self.status()["state"] == "on":
            return
        kind = self.refuse_place()
        made = os.path.exists(self.path) and os.path.getsize(self.path) == self.bytes
        if not made or self.path in self.active():
            self.drop(self.path)
            self.make(kind, zeros=False)
        code, said = run("swapon", self.path)
        if code != 0 and "Invalid argument" in said:
            # Some file systems swap only on blocks that were once written.
            self.make(kind, zeros=True)
            code, said = run("swapon", self.path)
        if code != 0:
            os.unlink(self.path)
            hint = "; in a container only its host can" if "permitted" in said else ""
            raise Refused(f"the kernel does not swap to {self.path}: {said}{hint}")

    def make(self, kind: str, *, zeros: bool) -> None:
        new = Path(f"{self.path}.new")
        new.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                if kind == "btrfs":  # without copy on write, which only an empty file can be set to
                    must(f"{new} cannot be kept from copy on write", "chattr", "+C", str(new))
                if zeros:
                    self.write(file)
                else:
                    os.posix_fallocate(file.fileno(), 0, self.bytes)
                os.fsync(file.fileno())
            must(f"{new} cannot be made a swap file", "mkswap", "--label", LABEL, str(new))
            os.replace(new, self.path)
        except OSError as error:
            raise Refused(f"{self.path} cannot be written: {error.strerror}") from error
        finally:
            new.unlink(missing_ok=True)

    def write(self, file: Any) -> None:
        left, piece = self.bytes, bytes(MB)
        while left > 0:
            left -= file.write(piece[:left])

    def drop(self, path: str) -> None:
        """Off and away, where it is ours."""
        if not is_ours(path):
            return
        if path in self.active():
            must(f"{path} cannot be given up, for what is on it does not fit into memory", "swapoff", path)
        try:
            os.unlink(path)
        except OSError as error:
            hint = (
                "; is it swapped to under another name, from within a container?" if error.errno == errno.EPERM else ""
            )
            raise Refused(f"{path} cannot be removed: {error.strerror}{hint}") from error

    def stop(self) -> None:
        self.drop(self.path)


def main(argv: list[str]) -> Optional[int]:
    if len(argv) != 2 or argv[1] not in ("start", "stop", "status"):
        print(f"usage: {argv[0]} start|stop|status", file=sys.stderr)
        return 2
    swap = Swap(json.loads((HERE / "settings.json").read_text()))
    if argv[1] == "status":
        told = swap.status()
        print(json.dumps(told))
        return 0 if told["state"] == "on" else 1
    try:
        swap.start() if argv[1] == "start" else swap.stop()
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
