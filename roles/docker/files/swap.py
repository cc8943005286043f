# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps one swap file on a host: control start|stop|status, with its path and its size in settings.json beside it.

A file is known as ours by the label in its swap header; any other is left alone, and refused where it is in the way.
"""

from __future__ import annotations

import contextlib
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


def moves(swaps: str, path: str) -> bool:
    """Whether what is on this swap has room on the others."""
    used, free = 0, 0
    for fields in (line.split() for line in swaps.splitlines()[1:]):
        if unescaped(fields[0]) == path:
            used = int(fields[3])
        else:
            free += int(fields[2]) - int(fields[3])
    return used <= free


def named(text: str, name: str) -> Optional[int]:
    """The number behind a name in a file such as memory.stat, or alone in a file (an empty name)."""
    for line in text.splitlines():
        words = line.split()
        if words[-1].isdigit() and words[:-1] == ([name] if name else []):
            return int(words[-1])
    return None


def crowded(cgroup: Path) -> dict[Path, tuple[int, int]]:
    """Groups that the kernel would kill in without swap: folder -> bytes in memory and swap, bytes of its limit."""

    def number(folder: Path, file: str, name: str = "") -> Optional[int]:
        try:
            return named((folder / file).read_text(), name)
        except OSError:
            return None

    found = {}
    version_2 = (cgroup / "cgroup.controllers").exists()
    for base, _folders, files in os.walk(cgroup if version_2 else cgroup / "memory"):
        folder = Path(base)
        if version_2 and "memory.max" in files:
            limit, held = number(folder, "memory.max"), number(folder, "memory.stat", "anon")
            swapped = number(folder, "memory.swap.current")
        elif "memory.limit_in_bytes" in files:
            limit, held = number(folder, "memory.limit_in_bytes"), number(folder, "memory.stat", "total_rss")
            swapped = number(folder, "memory.stat", "total_swap")
        else:
            continue
        if limit and swapped and limit < swapped + (held or 0):
            found[folder] = (swapped + (held or 0), limit)
    return found


def relieve(group: Path, much: int) -> None:
    """Have the kernel swap out what a group holds: what swapoff brings back does not wait for room, it kills for it."""
    file, text = ("memory.reclaim", str(much)) if (group / "memory.max").exists() else ("memory.force_empty", "0")
    with contextlib.suppress(OSError):  # some of it stays, which is no harm
        (group / file).write_text(text)


def called(group: Path) -> str:
    """The container behind a control group, where it is one's."""
    name = group.name.removeprefix("docker-").removesuffix(".scope")
    code, said = run("docker", "inspect", "--format", "{{.Name}}", name)
    return f"container {said.lstrip('/')}" if code == 0 and said else f"control group {group.name}"


def is_ours(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(mmap.PAGESIZE)
    except OSError:
        return False
    label = head[LABEL_AT : LABEL_AT + 16].rstrip(b"\0")
    return head.endswith(b"SWAPSPACE2") and label == LABEL.encode()


class Swap:
    """The swap file of the settings; ``proc`` and ``cgroup`` are where the kernel tells of them and of their users."""

    def __init__(self, settings: dict[str, Any], proc: str = "/proc", cgroup: str = "/sys/fs/cgroup") -> None:
        self.path = str(settings["path"])
        self.mb = int(settings["mb"])
        self.bytes = self.mb * MB + mmap.PAGESIZE  # the header is a page of its own
        self.proc = Path(proc)
        self.cgroup = Path(cgroup)

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
        # Where it changes its size, another one as large as now holds meanwhile what is on it.
        own -= os.path.getsize(self.path) if self.path in self.active() else 0
        free = (shutil.disk_usage(folder).free + own) // MB
        if free < self.mb + RESERVE_MB:
            raise Refused(
                f"{self.path} is to have {self.mb} MB and leave {RESERVE_MB} MB free, but there are {free} MB;"
                " make room, or ask for less"
            )
        return kind

    def start(self) -> None:
        """On; what is on another file of ours moves over, through the memory of those whose it is."""
        if self.status()["state"] != "on":
            self.bring()
        for other in [path for path in self.active() if path != self.path and is_ours(path)]:
            self.drop(other)

    def bring(self) -> None:
        kind = self.refuse_place()
        if self.path in self.active():
            aside = {"path": f"{self.path}.aside", "mb": self.active()[self.path]}
            Swap(aside, str(self.proc), str(self.cgroup)).start()
        if not os.path.exists(self.path) or os.path.getsize(self.path) != self.bytes:
            self.drop(self.path)
            self.make(kind, zeros=False)
        swapon = ["swapon", *self.before_the_others(), self.path]
        code, said = run(*swapon)
        if code != 0 and "Invalid argument" in said:
            # Some file systems swap only on blocks that were once written.
            self.make(kind, zeros=True)
            code, said = run(*swapon)
        if code != 0:
            os.unlink(self.path)
            hint = "; in a container only its host can" if "permitted" in said else ""
            raise Refused(f"the kernel does not swap to {self.path}: {said}{hint}")

    def before_the_others(self) -> list[str]:
        """Where another one of ours is to go, what is swapped out from now on goes to the new one."""
        swaps = (self.proc / "swaps").read_text()
        if not any(is_ours(path) for path in active(swaps)):
            return []
        highest = max(int(line.split()[4]) for line in swaps.splitlines()[1:])
        return ["--priority", str(max(highest, 0) + 1)]

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
            self.make_room(path)
            must(f"{path} cannot be given up, for what is on it does not fit into memory", "swapoff", path)
        try:
            os.unlink(path)
        except OSError as error:
            hint = (
                "; is it swapped to under another name, from within a container?" if error.errno == errno.EPERM else ""
            )
            raise Refused(f"{path} cannot be removed: {error.strerror}{hint}") from error

    def make_room(self, path: str) -> None:
        """For what comes back from a swap that goes, in the groups whose limit has no room for it.

        :raises Refused: where there is no other swap for it, and the kernel would kill
        """
        crowd = sorted(crowded(self.cgroup).items())
        if moves((self.proc / "swaps").read_text(), path):
            for group, (held, _limit) in crowd:
                relieve(group, held)
        elif crowd:
            those = ", ".join(
                f"{called(group)} has {held // MB} MB in memory and swap and a limit of {limit // MB} MB"
                for group, (held, limit) in crowd
            )
            raise Refused(
                f"{path} cannot be given up, for {those}, where the kernel would kill; give it more memory, or stop it"
                " first"
            )

    def stop(self) -> None:
        for one in (f"{self.path}.aside", self.path):
            self.drop(one)


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
