# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Valkey with the role's own flags has lost after kill -9: at most one second of writes (scenario 1.1)."""

from __future__ import annotations

import contextlib
import itertools
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.containers import Container, docker

ROLE = Path(__file__).resolve().parents[2] / "roles/valkey"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
FLAGS = [
    "--maxmemory", DEFAULTS["valkey_maxmemory"], "--maxmemory-policy", DEFAULTS["valkey_maxmemory_policy"],
    "--appendonly", "yes", "--appendfsync", DEFAULTS["valkey_appendfsync"], "--save", "", "--protected-mode", "no",
]  # fmt: skip


STANDSTILL = 0.1


class Writer(threading.Thread):
    """Counts up in one key for as long as the server takes it, and notes when each number was acknowledged."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.acknowledged: list[float] = []

    def run(self) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                number += 1
                self.socket.sendall(f"SET count {number}\r\n".encode())
                if self.socket.recv(64) != b"+OK\r\n":
                    return
                self.acknowledged.append(time.monotonic())


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory, since a write waits up to two seconds for a disk that others keep busy."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_after_kill_9_at_most_one_second_of_writes_is_gone(container: Callable[..., Container], folder: Path) -> None:
    flags = ["valkey-server", *FLAGS]
    one = container(DEFAULTS["valkey_image"], ports=[6379], args=flags, options=["-v", f"{folder}:/data"])
    one.wait(lambda: docker("exec", one.name, "redis-cli", "ping", check=False) == "PONG")
    writer = Writer(one.port(6379))
    writer.start()
    time.sleep(4)
    one.wait(lambda: len(writer.acknowledged) > 100)
    docker("kill", "--signal=KILL", one.name)
    writer.join(60)
    assert one.inspect()["State"]["ExitCode"] == 137
    docker("start", one.name)
    one.wait(lambda: docker("exec", one.name, "redis-cli", "ping", check=False) == "PONG")
    kept = int(one.exec("redis-cli", "get", "count"))
    written = len(writer.acknowledged)
    stamps = writer.acknowledged[min(kept, written) - 1 :]
    lost = sum(min(later - earlier, STANDSTILL) for earlier, later in itertools.pairwise(stamps))
    assert lost <= 1.0, f"{written - kept} of {written} writes are gone, {lost:.2f} s of them"
