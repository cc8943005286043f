# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Valkey as the role runs it, filled at full rate while its AOF is rewritten each second: does it live and answer?

Usage: .venv/bin/python benchmarks/valkey_load.py [--limit 448m] [--cpus 0.5] [--only 1000] [--pipeline 1]
           [--synchronous-updates yes|no] [--data FOLDER]

Starts the role's image with the role's flags and start script in a container of its own on loopback, and fills it from
a second container with valkey-benchmark, so that the load takes none of Valkey's CPU or memory. Over connections of
their own BGREWRITEAOF is asked each second and PING each 20 ms; an answer that takes longer counts also for each PING
that it kept from being sent (500 ms count as 500, 480, 460 …), so that a stall is not one sample among many. Where the
host has the swap for it, the specification's 200m is run too, with synchronous updates as the role has them then.
--data names a folder that user valkey may write to, on another file system than Docker's volumes. Ends with 0 where
nothing restarted, keys were evicted and p99 of PING is below 100 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.containers import Container, docker, start

ROLE = ROOT / "roles/valkey"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
# Bytes of a value -> how many of them are written.
FILLS = {1000: 2_000_000, 100: 2_000_000, 10_000: 200_000}
PING_EVERY, LONGEST_P99 = 0.02, 100.0
WITHOUT_SWAP, WITH_SWAP = "448m", "200m"
SWAPS_MB, TWICE_MB = 416, 448


@dataclass(frozen=True)
class Load:
    """How Valkey is run and filled."""

    limit: str
    cpus: str
    pipeline: int
    asked_updates: Optional[str]
    data: Optional[str]

    @property
    def swaps(self) -> bool:
        return int(self.limit.rstrip("m")) < SWAPS_MB

    @property
    def updates(self) -> str:
        return self.asked_updates or ("yes" if self.swaps else "no")

    def options(self) -> list[str]:
        chosen = ["--cpus", self.cpus, "--memory", self.limit, "-e", f"SYNCHRONOUS_UPDATES={self.updates}"]
        if self.swaps and self.updates == "yes":
            chosen += ["--memory-swap", f"{int(self.limit.rstrip('m')) + TWICE_MB}m"]
        return [*chosen, *(["-v", f"{self.data}:/data"] if self.data else [])]


@dataclass
class Seen:
    """What was seen of one fill; times in ms."""

    load: Load
    size: int
    rate: float = 0.0
    pings: list[float] = field(default_factory=list)
    unanswered: int = 0
    evicted: int = 0
    rewrites: int = 0
    restarts: int = 0
    peak_mb: float = 0.0
    throttled: str = "?"

    def percentile(self, share: float) -> float:
        ordered = sorted(self.pings) or [math.nan]
        return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)]

    def row(self, count: int) -> str:
        p50, p99, longest = (self.percentile(share) for share in (0.5, 0.99, 1.0))
        load = f"{self.load.limit:5} {self.load.updates:4} {self.size:5} {count:9} {self.rate:8.0f}"
        load += f" {self.evicted:7} {self.rewrites:8}"
        answers = f"{self.restarts:8} {p50:4.1f} {p99:6.1f} {longest:6.1f} {self.unanswered:10}"
        return f"{load} {answers} {self.throttled:>9} {self.peak_mb:.0f} MB"

    @property
    def good(self) -> bool:
        alive = self.restarts == 0 and self.unanswered == 0
        return alive and self.evicted > 0 and self.percentile(0.99) < LONGEST_P99


class Line:
    """Inline commands over one connection."""

    def __init__(self, port: int, patience: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def ask(self, command: str) -> str:
        self.socket.sendall(command.encode() + b"\r\n")
        first = self.file.readline()
        if not first:
            raise ConnectionError("the server hung up")
        if first.startswith(b"$"):
            return self.file.read(int(first[1:]) + 2).decode()
        return first.decode().strip()

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Beside(threading.Thread):
    """Something that goes on in rhythm beside the fill until it is told to stop; connects again when it is cut off."""

    def __init__(self, container: Container, seen: Seen, rhythm: float) -> None:
        super().__init__(daemon=True)
        self.container, self.seen, self.rhythm = container, seen, rhythm
        self.over = threading.Event()

    def step(self, line: Line) -> None:
        raise NotImplementedError

    def run(self) -> None:
        line: Optional[Line] = None
        due = time.monotonic()
        while not self.over.wait(max(0.0, due - time.monotonic())):
            try:
                line = line or Line(self.container.port(6379))
                self.step(line)
            except (OSError, ConnectionError):
                line = None
                self.seen.unanswered += 1
            due = max(due + self.rhythm, time.monotonic())
        if line:
            line.close()


class Pings(Beside):
    def step(self, line: Line) -> None:
        began = time.monotonic()
        answer = line.ask("PING")
        if answer != "+PONG":
            raise ConnectionError(answer)
        left = time.monotonic() - began
        while left > 0:
            self.seen.pings.append(left * 1000)
            left -= self.rhythm


class Rewrites(Beside):
    def step(self, line: Line) -> None:
        if line.ask("BGREWRITEAOF").startswith("+"):
            self.seen.rewrites += 1


class Memory(Beside):
    """The most memory that is not page cache, which the kernel can take back; parent and fork together."""

    def step(self, line: Line) -> None:
        for name in ("total_rss", "anon"):
            value = number(cgroup_file(self.container, "memory", "memory.stat"), name)
            if value is not None:
                self.seen.peak_mb = max(self.seen.peak_mb, value / 1048576)
                return


def cgroup_file(container: Container, controller: str, name: str) -> str:
    """A file of the container's control group, of either version; empty where this host does not show it."""
    pid = container.inspect()["State"]["Pid"]
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _hierarchy, controllers, path = entry.split(":", 2)
            if controllers == "" or controller in controllers.split(","):
                base = Path("/sys/fs/cgroup") / (controller if controllers else "")
                with contextlib.suppress(OSError):
                    return (base / path.lstrip("/") / name).read_text()
    return ""


def number(text: str, name: str) -> Optional[int]:
    found = re.search(rf"^{name}[ :](\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


@contextlib.contextmanager
def valkey(load: Load) -> Iterator[Container]:
    flags = ["--maxmemory", DEFAULTS["valkey_maxmemory"], "--maxmemory-policy", DEFAULTS["valkey_maxmemory_policy"]]
    flags += ["--appendonly", "yes", "--appendfsync", DEFAULTS["valkey_appendfsync"], "--save", ""]
    flags += ["--dir", "/data", "--protected-mode", "no"]
    options = ["--user", "valkey", "--restart", "unless-stopped", "--cap-drop", "ALL", *load.options()]
    options += ["--read-only", "--tmpfs", "/tmp", "--entrypoint", "/bin/sh"]
    options += ["-v", f"{ROLE}/files/valkey-run.sh:/usr/local/bin/valkey-run.sh:ro"]
    args = ["/usr/local/bin/valkey-run.sh", "valkey-server", *flags]
    container = start(DEFAULTS["valkey_image"], ports=[6379], args=args, options=options)
    try:
        container.wait(lambda: Line(container.port(6379)).ask("PING") == "+PONG")
        yield container
    finally:
        docker("rm", "-f", "-v", container.name, check=False)


def fill(container: Container, size: int, count: int, pipeline: int) -> float:
    """Operations a second, as valkey-benchmark counts them; 0 where it was cut off."""
    command = ["docker", "run", "--rm", "--network", f"container:{container.name}", DEFAULTS["valkey_image"]]
    command += ["valkey-benchmark", "-q", "-t", "set", "-n", str(count), "-r", str(count), "-d", str(size)]
    command += ["-c", "50", "-P", str(pipeline)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(r"SET: ([\d.]+) requests per second", done.stdout)
    return float(found[-1]) if found else 0.0


def measure(load: Load, size: int, count: int) -> Seen:
    seen = Seen(load, size)
    with valkey(load) as container:
        beside = [Pings(container, seen, PING_EVERY), Rewrites(container, seen, 1.0), Memory(container, seen, 0.25)]
        for one in beside:
            one.start()
        seen.rate = fill(container, size, count, load.pipeline)
        for one in beside:
            one.over.set()
        for one in beside:
            one.join(15)
        seen.restarts = container.inspect()["RestartCount"]
        with contextlib.suppress(OSError, ConnectionError):
            seen.evicted = number(Line(container.port(6379)).ask("INFO stats"), "evicted_keys") or 0
        cpu = cgroup_file(container, "cpu", "cpu.stat")
        periods, throttled = number(cpu, "nr_periods"), number(cpu, "nr_throttled")
        if periods:
            seen.throttled = f"{100 * (throttled or 0) // periods} %"
    return seen


def swap_mb() -> int:
    return int((number(Path("/proc/meminfo").read_text().replace(" ", "").replace(":", " "), "SwapTotal") or 0) / 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--limit", action="append", help="memory limit; more than one may be named")
    parser.add_argument("--cpus", default=str(DEFAULTS["valkey_cpus"]))
    parser.add_argument("--only", type=int, choices=sorted(FILLS), help="bytes of a value")
    parser.add_argument("--pipeline", type=int, default=1, help="commands that each of the 50 clients sends at once")
    parser.add_argument("--synchronous-updates", choices=["yes", "no"], help="default: yes where the limit needs swap")
    parser.add_argument("--data", help="folder for Valkey's files, instead of a volume")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the values that is written")
    asked = parser.parse_args()
    limits = asked.limit or [WITHOUT_SWAP, *([WITH_SWAP] if swap_mb() >= TWICE_MB else [])]
    print(f"{asked.cpus} CPUs, {swap_mb()} MB of swap, pipeline {asked.pipeline}; PING in ms")
    print("limit sync value    values    ops/s evicted rewrites restarts  p50    p99    max unanswered throttled peak")
    good = True
    for limit in limits:
        load = Load(limit, asked.cpus, asked.pipeline, asked.synchronous_updates, asked.data)
        for size, full in FILLS.items():
            if asked.only in (None, size):
                count = int(full * asked.scale)
                seen = measure(load, size, count)
                print(seen.row(count), flush=True)
                good = good and seen.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
