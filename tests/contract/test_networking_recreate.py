# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that differs is kept, refused with the list of who is in it, and made anew after a second yes."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from tests.support.containers import docker
from tests.support.playbook import Run, run_playbook

IMAGE = "valkey/valkey:8.1.1"
TAG = f"pm-contract-{secrets.token_hex(3)}"
OLD, OTHER, GUEST = f"{TAG}-a", f"{TAG}-b", f"{TAG}-guest"


@pytest.fixture(scope="module")
def networks() -> Iterator[None]:
    docker("network", "create", "--subnet", "10.217.8.0/24", OLD)
    docker("network", "create", "--subnet", "10.217.12.0/24", "--gateway", "10.217.12.1",
           "--opt", f"com.docker.network.bridge.name=br{TAG[-6:]}b", OTHER)  # fmt: skip
    docker("run", "-d", "--name", GUEST, "--label", "planner-memory.test=contract", "--network", OLD, IMAGE)
    yield
    docker("rm", "-f", "-v", GUEST, check=False)
    for name in (OLD, OTHER):
        docker("network", "rm", name, check=False)


def seen() -> dict[str, Any]:
    network = json.loads(docker("network", "inspect", OLD))[0]
    guest = json.loads(docker("inspect", GUEST))[0]
    return {
        "id": network["Id"],
        "subnet": network["IPAM"]["Config"][0]["Subnet"],
        "bridge": network["Options"].get("com.docker.network.bridge.name"),
        "guest": guest["NetworkSettings"]["Networks"].get(OLD, {}).get("IPAddress", ""),
        "started": guest["State"]["StartedAt"],
    }


def run(folder: Path, *options: str, env: Optional[dict[str, str]] = None, **variables: Any) -> Run:
    """The role as site.yml calls it, without a firewall table, on this machine."""
    shared = {
        "stack_network_proxy": OLD, "stack_network_internal": OTHER, "networking_firewall": "absent",
        "networking_proxy_subnet": "10.217.10.0/24", "networking_proxy_gateway": "10.217.10.1",
        "networking_proxy_bridge": f"br{TAG[-6:]}a", "networking_internal_subnet": "10.217.12.0/24",
        "networking_internal_gateway": "10.217.12.1", "networking_internal_bridge": f"br{TAG[-6:]}b",
    }  # fmt: skip
    tasks = [
        {"bestviable.planner_memory.host_info": {}, "register": "read"},
        # Whatever firewall this machine has is not this test's.
        {"ansible.builtin.set_fact": {"stack_host": "{{ read.host | combine({'services': {}}) }}"}},
        {"ansible.builtin.import_role": {"name": "bestviable.planner_memory.networking", "tasks_from": "preflight"}},
        {"bestviable.planner_memory.preflight": {"report": True}},
        {"ansible.builtin.import_role": {"name": "bestviable.planner_memory.networking"}},
    ]
    plays = [{"hosts": "all", "gather_facts": False, "vars": {**shared, **variables}, "tasks": tasks}]
    return run_playbook(folder, plays, *options, ANSIBLE_CALLBACK_RESULT_FORMAT="json", **(env or {}))


def test_a_check_run_says_of_a_network_that_comes_what_the_run_says(tmp_path: Path) -> None:
    mine = {
        "stack_network_proxy": f"{TAG}-c", "networking_proxy_bridge": f"br{TAG[-6:]}c",
        "stack_network_internal": f"{TAG}-d", "networking_internal_bridge": f"br{TAG[-6:]}d",
    }  # fmt: skip
    told = {"ANSIBLE_CALLBACKS_ENABLED": "bestviable.planner_memory.progress"}
    lines = [f"  - network {TAG}-{one}: create" for one in "cd"]
    try:
        for options in (["--check"], []):
            done = run(tmp_path, *options, env=told, **mine)
            assert done.rc == 0, done.output
            assert [line for line in done.output.splitlines() if line.startswith("  - ")] == lines
        assert "changed=0" in run(tmp_path, **mine).output
    finally:
        for one in "cd":
            docker("network", "rm", f"{TAG}-{one}", check=False)


def test_a_network_that_differs_is_made_anew_after_a_second_yes_only(networks: None, tmp_path: Path) -> None:
    before = seen()
    kept = run(tmp_path)
    assert kept.rc == 0 and "changed=0" in kept.output
    assert f"network {OLD} has 10.217.8.0/24 instead of 10.217.10.0/24" in " ".join(kept.output.split())
    refused = run(tmp_path, networking_recreate=True)
    assert refused.rc != 0
    assert f"networking_recreate would make anew {OLD} ({GUEST}), in which these containers run" in refused.output
    assert seen() == before

    twice = {"networking_recreate": True, "networking_recreate_disconnect": [OLD]}
    planned = run(tmp_path, "--check", **twice)
    assert planned.rc == 0 and "changed=1" in planned.output
    assert seen() == before
    done = run(tmp_path, **twice)
    assert done.rc == 0 and "changed=1" in done.output, done.output
    after = seen()
    assert after["id"] != before["id"]
    assert (after["subnet"], after["bridge"]) == ("10.217.10.0/24", f"br{TAG[-6:]}a")
    assert after["guest"].startswith("10.217.10."), "who was in it is in it again"
    assert after["started"] == before["started"], "and was not restarted"

    again = run(tmp_path, **twice)
    assert again.rc == 0 and "changed=0" in again.output
    assert seen() == after
