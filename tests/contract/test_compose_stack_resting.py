# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check run of compose_stack can ask of real containers, and what it cannot."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path
from typing import Any

from tests.contract.test_compose_stack import Bench, bench
from tests.support.containers import docker

__all__ = ["bench"]


def free_port() -> int:
    """One that the kernel gives to nobody who asks for any."""
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        with socket.socket() as holder, contextlib.suppress(OSError):
            holder.bind(("127.0.0.1", random.randrange(1024, end)))
            return int(holder.getsockname()[1])


def test_a_container_rests_where_its_ports_are_not_those_that_are_asked_for(bench: Bench) -> None:
    port, other = free_port(), free_port()
    rest = "    networks: [one, two]\nnetworks: {one: {}, two: {}}\n"

    def project(number: int) -> dict[str, Any]:
        return bench.project(body=f"ports: ['127.0.0.1:{number}:6379']", rest=rest)

    def resting(number: int) -> bool:
        return bool(bench.run(project(number), check=True)["projects"][bench.name()]["resting"])

    bench.run(project(port))
    assert (resting(port), resting(other)) == (False, True)
    docker("network", "disconnect", "-f", f"{bench.name()}_one", bench.name())
    assert resting(port) is False
    docker("network", "disconnect", "-f", f"{bench.name()}_two", bench.name())
    assert resting(port) is True
    bench.run(project(other))
    assert (resting(other), bench.run(project(other))["changed"]) == (False, False)
