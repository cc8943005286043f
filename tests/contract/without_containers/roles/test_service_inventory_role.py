# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of the services: kept from what the engine says, and predicted by a check run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_socket import engine_socket
from tests.support.playbook import Run, run_playbook

ROLE = "bestviable.planner_memory.service_inventory"
DOCUMENT = "# Services\n\n### 1. Traefik\n\n**Container**: traefik  \n**Status**: Running, by hand  \n"
SECTION = """
### 2. valkey

**Container**: valkey \x20
**Image**: valkey/valkey:8.1.1 \x20
**Networks**: docker_syncbricks \x20
**Limits**: 448m memory, 0.5 CPUs \x20
**Health**: redis-cli ping every 10s \x20
**Status**: Running \x20
**Purpose**: Short-term memory cache \x20
**Location**: /srv/valkey \x20
"""
VALKEY = {
    "Name": "/valkey",
    "Config": {
        "Image": "valkey/valkey:8.1.1",
        "Healthcheck": {"Test": ["CMD", "redis-cli", "ping"], "Interval": 10**10},
        "Labels": {"com.docker.compose.project.working_dir": "/srv/valkey"},
    },
    "HostConfig": {"Memory": 448 * 2**20, "NanoCpus": 5 * 10**8},
    "NetworkSettings": {"Networks": {"docker_syncbricks": {}}},
    "State": {"Status": "running"},
}
COMPOSE = """
services:
  valkey:
    container_name: valkey
    image: valkey/valkey:8.1.1
    networks: [docker_syncbricks]
    mem_limit: 448m
    cpus: 0.5
    healthcheck: {test: [CMD, redis-cli, ping], interval: 10s}
"""


def host(path: Path, **more: Any) -> dict[str, Any]:
    looked = {"markdown": True, "engine": {"running": True}, "found": {str(path): [str(path)]}}
    return {
        "stack_host": {**looked, **more.pop("stack_host", {})},
        "stack_environment": "production",
        "stack_services_dir": "/srv",
        "service_inventory_path": str(path),
        "service_inventory_containers": ["valkey"],
        "ansible_remote_tmp": str(path.parent / "remote"),
        **more,
    }


def play(folder: Path, hosts: dict[str, Any], *arguments: str, socket: str = "") -> Run:
    plays = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": {"name": ROLE}}]}]
    return run_playbook(folder, plays, "--diff", *arguments, hosts=hosts, DOCKER_HOST=f"unix://{socket}")


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "SERVICE_INVENTORY.md"
    path.write_text(DOCUMENT)
    return path


def added(output: str) -> list[str]:
    return [line[1:] for line in output.splitlines() if re.match(r"\+(?!\+\+)", line)]


def recap(run: Run, name: str) -> str:
    return next(line for line in run.output.splitlines() if re.match(rf"{name} +:", line))


def test_a_check_run_predicts_what_a_run_then_writes_once(tmp_path: Path, document: Path) -> None:
    projects = [{"name": "valkey", "definition": COMPOSE}, {"name": "qdrant", "definition": COMPOSE}]
    bare = host(
        document,
        stack_host={"engine": {"running": False}},
        stack_projects=projects,
        service_inventory_pending=["valkey"],
        service_inventory_containers=["valkey", "memory-gateway"],
    )
    off = host(document, stack_environment="local")
    del off["service_inventory_path"]
    reader = host(document, stack_host={"markdown": False})
    hosts = {"bare": bare, "off": off, "reader": reader}
    predicted = play(tmp_path, hosts, "--check", socket=str(tmp_path / "none.sock"))
    assert predicted.rc == 0, predicted.output
    assert document.read_text() == DOCUMENT
    # Where no document is kept: the check of the arguments, and one task that is skipped.
    assert "ok=1 " in recap(predicted, "off") and "skipped=1 " in recap(predicted, "off")
    assert "would install python3-markdown-it" in predicted.output and "changed=1 " in recap(predicted, "reader")

    with engine_socket(str(tmp_path / "docker.sock"), {"valkey": VALKEY}) as engine:
        socket = str(engine.server_address)
        real = play(tmp_path, {"one": host(document)}, socket=socket)
        assert real.rc == 0 and engine.asked == ["/containers/valkey/json"], real.output
        assert document.read_text() == DOCUMENT + SECTION
        assert added(predicted.output) == added(real.output) == SECTION.splitlines()

        newer = [{"name": "valkey", "definition": COMPOSE.replace("8.1.1", "8.1.2")}]
        coming = host(document, stack_projects=newer, service_inventory_pending=["valkey"])
        same = host(document, stack_projects=projects, service_inventory_pending=[])
        later = play(tmp_path, {"coming": coming, "same": same}, "--check", socket=socket)
    assert added(later.output) == ["**Image**: valkey/valkey:8.1.2  "], later.output
    assert "changed=1 " in recap(later, "coming") and "changed=0 " in recap(later, "same")


def test_mistakes_are_one_sentence_each(tmp_path: Path, document: Path) -> None:
    hosts = {
        "relative": host(document, service_inventory_path="SERVICE_INVENTORY.md"),
        "missing": host(
            document, service_inventory_path="/none/S.md", stack_host={"found": {"/none/S.md": []}}
        ),
        "edits": host(document, service_inventory_hand_edits="keep"),
    }  # fmt: skip
    tasks = [
        {"ansible.builtin.import_role": {"name": ROLE, "tasks_from": "preflight"}},
        {"bestviable.planner_memory.preflight": {"report": True}},
    ]
    run = run_playbook(tmp_path, [{"hosts": "all", "gather_facts": False, "tasks": tasks}], hosts=hosts)
    for name, sentence in {
        "relative": "service_inventory_path is 'SERVICE_INVENTORY.md', which is not an absolute path; write one",
        "missing": "service_inventory_path is /none/S.md, which does not exist on the host; make that file,",
        "edits": "service_inventory_hand_edits is 'keep'",
    }.items():
        assert "failed=1 " in recap(run, name) and sentence in run.of_host(name), run.output
