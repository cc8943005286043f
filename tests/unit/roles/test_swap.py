# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The swap file's control program, with a kernel that is played and files that are real."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SPEC = importlib.util.spec_from_file_location("swap", ROOT / "roles/docker/files/swap.py")
assert SPEC and SPEC.loader
swap = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(swap)
HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


class Kernel:
    """``/proc``, swapon and swapoff; mkswap and chattr are told and, the former, real."""

    def __init__(self, folder: Path, kind: str = "ext4") -> None:
        self.proc = folder / "proc"
        self.proc.mkdir()
        (self.proc / "mounts").write_text(f"/dev/vda / ext4 rw 0 0\ntmpfs {folder} {kind} rw 0 0\n")
        self.on: dict[str, int] = {}
        self.used: dict[str, int] = {}
        self.priority: dict[str, str] = {}
        self.cgroup = folder / "cgroup"
        self.told: list[str] = []
        self.refuses: dict[str, str] = {}
        self.show()

    def show(self) -> None:
        lines = [
            f"{path}\tfile\t\t{size}\t{self.used.get(path, 0)}\t{self.priority[path]}\n"
            for path, size in self.on.items()
        ]
        (self.proc / "swaps").write_text(HEAD + "/dev/sda2 partition 1000 0 -1\n" + "".join(lines))

    def group(self, name: str, version: int, limit: str, held: int, swapped: int) -> None:
        """A control group with MB of memory and of swap."""
        base = self.cgroup if version == 2 else self.cgroup / "memory"
        folder = base / "system.slice" / name
        folder.mkdir(parents=True, exist_ok=True)
        if version == 2:
            (self.cgroup / "cgroup.controllers").write_text("cpu memory\n")
            (folder / "memory.max").write_text(f"{limit}\n")
            (folder / "memory.stat").write_text(f"anon {held * swap.MB}\nfile 7\n")
            (folder / "memory.swap.current").write_text(f"{swapped * swap.MB}\n")
        else:
            (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
            stat = f"rss 1\nswap 1\ntotal_rss {held * swap.MB}\ntotal_swap {swapped * swap.MB}\n"
            (folder / "memory.stat").write_text(stat)

    def run(self, *argv: str) -> tuple[int, str]:
        self.told.append(f"{argv[0]} {argv[-1] if argv[0] in ('swapon', 'swapoff') else argv[1]}")
        if argv[0] == "docker":
            names = {"feed": "/valkey"}
            return (0, names[argv[-1]]) if argv[-1] in names else (1, "no such object")
        if argv[0] in self.refuses:
            return 255, self.refuses[argv[0]]
        if argv[0] == "mkswap":
            done = subprocess.run(argv, capture_output=True, text=True, env={"PATH": swap.PROGRAMS}, check=False)
            return done.returncode, done.stderr
        if argv[0] == "swapon":
            self.on[argv[-1]] = (os.path.getsize(argv[-1]) - 4096) // 1024
            self.priority[argv[-1]] = argv[2] if argv[1] == "--priority" else "-2"
        if argv[0] == "swapoff":
            del self.on[argv[1]]
        self.show()
        return 0, ""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    one = Kernel(tmp_path)
    monkeypatch.setattr(swap, "run", one.run)
    return one


def of(tmp_path: Path, mb: int = 2, name: str = "deep/down/swapfile") -> Any:
    return swap.Swap({"path": str(tmp_path / name), "mb": mb}, str(tmp_path / "proc"), str(tmp_path / "cgroup"))


def test_it_is_made_once_and_goes(kernel: Kernel, tmp_path: Path) -> None:
    one = of(tmp_path)
    assert one.status() == {"state": "off", "mb": 0, "path": one.path}
    one.start()
    assert one.status() == {"state": "on", "mb": 2, "path": one.path}
    assert (os.path.getsize(one.path), os.stat(one.path).st_mode & 0o7777) == (2 * 1048576 + 4096, 0o600)
    told = list(kernel.told)
    one.start()
    assert kernel.told == told, "nothing to do is nothing done"
    one.stop()
    assert one.status()["state"] == "off" and not os.path.exists(one.path)
    one.stop()


def test_after_a_reboot_the_same_file_serves(kernel: Kernel, tmp_path: Path) -> None:
    one = of(tmp_path)
    one.start()
    kernel.on.clear()
    kernel.show()
    kernel.told.clear()
    one.start()
    assert kernel.told == [f"swapon {one.path}"]


def test_another_size_and_another_path(kernel: Kernel, tmp_path: Path) -> None:
    of(tmp_path).start()
    bigger = of(tmp_path, 3)
    assert bigger.status()["state"] == "another"
    bigger.start()
    assert kernel.on == {bigger.path: 3 * 1024}
    moved = of(tmp_path, 3, "elsewhere")
    moved.start()
    assert kernel.on == {moved.path: 3 * 1024} and not os.path.exists(bigger.path)


@pytest.mark.parametrize(
    ("version", "file", "asked"), [(1, "memory.force_empty", "0"), (2, "memory.reclaim", str(305 * swap.MB))]
)
def test_what_is_on_it_always_has_another_swap_to_go_to(
    kernel: Kernel, tmp_path: Path, version: int, file: str, asked: str
) -> None:
    of(tmp_path).start()
    kernel.group("roomy", version, str(448 * swap.MB), 190, 115)
    kernel.group("feed", version, str(200 * swap.MB), 190, 115)
    kernel.told.clear()
    one = of(tmp_path, 3)
    one.start()
    assert [(path.parent.name, path.read_text()) for path in kernel.cgroup.rglob(file)] == [("feed", asked)]
    assert int(kernel.priority[one.path]) > int(kernel.priority[f"{one.path}.aside"]) > 0
    steps = [step.replace(str(tmp_path), "") for step in kernel.told if step.startswith("swapo")]
    path = "/deep/down/swapfile"
    assert steps == [f"swapon {path}.aside", f"swapoff {path}", f"swapon {path}", f"swapoff {path}.aside"]
    assert sorted(os.listdir(tmp_path / "deep/down")) == ["swapfile"]


def test_what_a_killed_run_left_aside_goes(kernel: Kernel, tmp_path: Path) -> None:
    of(tmp_path, name="deep/down/swapfile.aside").start()
    one = of(tmp_path)
    one.start()
    assert kernel.on == {one.path: 2 * 1024}
    of(tmp_path, name="deep/down/swapfile.aside").start()
    one.stop()
    assert kernel.on == {} and os.listdir(tmp_path / "deep/down") == []


@pytest.mark.parametrize(("version", "limitless"), [(1, "9223372036854771712"), (2, "max")])
def test_nobody_is_killed_for_it(kernel: Kernel, tmp_path: Path, version: int, limitless: str) -> None:
    one = of(tmp_path, 3)
    one.start()
    kernel.used[one.path] = 2 * 1024
    kernel.show()
    kernel.group("roomy", version, str(448 * swap.MB), 200, 248)
    kernel.group("free", version, limitless, 900, 900)
    kernel.group("docker-feed.scope", version, str(200 * swap.MB), 190, 115)
    kernel.group("db.service", version, str(100 * swap.MB), 100, 1)
    with pytest.raises(swap.Refused) as caught:
        one.stop()
    assert str(caught.value) == (
        f"{one.path} cannot be given up, for control group db.service has 101 MB in memory and swap and a limit of"
        " 100 MB, container valkey has 305 MB in memory and swap and a limit of 200 MB, where the kernel would kill;"
        " give it more memory, or stop it first"
    )
    assert one.status()["state"] == "on"
    kernel.group("docker-feed.scope", version, str(448 * swap.MB), 190, 115)
    kernel.group("db.service", version, str(101 * swap.MB), 100, 1)
    one.stop()
    assert kernel.on == {}


def test_a_file_of_somebody_else_is_left_alone(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "swapfile").write_text("precious")
    one = of(tmp_path, name="swapfile")
    with pytest.raises(swap.Refused, match="is there and is not a swap file of this program"):
        one.start()
    one.stop()
    assert (tmp_path / "swapfile").read_text() == "precious"


@pytest.mark.parametrize("kind", ["overlay", "tmpfs", "zfs", "nfs4", "fuse.sshfs"])
def test_file_systems_that_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(swap, "run", Kernel(tmp_path, kind).run)
    with pytest.raises(swap.Refused, match=f"would be on {kind}, which cannot carry a swap file"):
        of(tmp_path).start()
    assert not (tmp_path / "deep").exists()


def test_btrfs_is_kept_from_copy_on_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(tmp_path, "btrfs")
    monkeypatch.setattr(swap, "run", kernel.run)
    one = of(tmp_path)
    one.start()
    assert kernel.told == ["chattr +C", "mkswap --label", f"swapon {one.path}"]


def test_room(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(swap.shutil, "disk_usage", lambda _path: usage(0, 0, 257 * swap.MB))
    with pytest.raises(swap.Refused, match="is to have 2 MB and leave 256 MB free, but there are 257 MB"):
        of(tmp_path).start()


def test_blocks_that_were_never_written_are_written_where_the_kernel_wants_that(kernel: Kernel, tmp_path: Path) -> None:
    kernel.refuses["swapon"] = "swapon failed: Invalid argument"
    written: list[int] = []
    one = of(tmp_path)
    one.write = lambda file: written.append(file.write(bytes(one.bytes)))
    with pytest.raises(swap.Refused, match="the kernel does not swap to"):
        one.start()
    assert written == [one.bytes] and not os.path.exists(one.path), "what is of no use does not stay"


def test_a_container_may_not(kernel: Kernel, tmp_path: Path) -> None:
    kernel.refuses["swapon"] = "swapon failed: Operation not permitted"
    with pytest.raises(swap.Refused, match="Operation not permitted; in a container only its host can"):
        of(tmp_path).start()


def test_what_does_not_fit_into_memory_stays(kernel: Kernel, tmp_path: Path) -> None:
    one = of(tmp_path)
    one.start()
    kernel.refuses["swapoff"] = "swapoff failed: Cannot allocate memory"
    with pytest.raises(swap.Refused, match="does not fit into memory: swapoff failed"):
        one.stop()
    assert one.status()["state"] == "on"


def test_what_cannot_be_removed_is_told_of(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = of(tmp_path)
    one.start()

    def busy(_path: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(swap.os, "unlink", busy)
    with pytest.raises(swap.Refused, match="cannot be removed: Operation not permitted; is it swapped to under"):
        one.stop()


def test_the_nearest_mount_decides() -> None:
    mounts = (
        "/dev/a / ext4 rw 0 0\n/dev/b /var xfs rw 0 0\ntmpfs /var/tmp\\040x tmpfs rw 0 0\noverlay / overlay rw 0 0\n"
    )
    assert swap.filesystem_of("/var/lib/swapfile", mounts) == "xfs"
    assert swap.filesystem_of("/variety", mounts) == "overlay", "the later mount hides the earlier"
    assert swap.filesystem_of("/var/tmp x/s", mounts) == "tmpfs"
