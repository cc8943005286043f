# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role docker says of the swap file beforehand, with what the site tells it of Valkey."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.support.playbook import Run, run_playbook
from tests.support.valkey import ROOT

PATH = "/var/lib/planner-memory/swapfile"
WIRING = yaml.safe_load((ROOT / "playbooks/vars/wiring.yml").read_text())


def host(
    *,
    swap_mb: int = 0,
    ours_mb: int = 0,
    kept: bool = False,
    label: str | None = None,
    free_mb: int = 9000,
    **more: Any,
) -> dict[str, Any]:
    return {
        "stack_host": {
            "os": {"id": "debian", "version": "12"},
            "arch": "x86_64",
            "root": True,
            "disk_free_mb": 9000,
            "python_lacks": [],
            "compose": {"version": "2.26.1"},
            "engine": {"installed": True, "running": True, "version": "26.1", "containers": [{"name": "valkey"}]},
            "swap_mb": swap_mb,
            "swaps": {f"{PATH}-of-before": ours_mb, "/dev/sda2": 7} if ours_mb else {},
            "swap_labels": {f"{PATH}-of-before": OURS, "/dev/sda2": None} if ours_mb else {},
            "services": {"swap": {"enabled": True, "running": True, "files": {}}} if kept else {},
            "filesystems": {
                PATH: {"type": "ext4", "free_mb": free_mb, "exists": label is not None, "swap_label": label}
            },
        },
        **more,
    }


OURS = "planner-memory"
LOADED = host(swap_mb=1024, ours_mb=1024, kept=True, label=OURS)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "under-valkey": (
        {**LOADED, "asked_tags": ["docker"]},
        "docker_swap_file is '', which leaves the host 0 MB of swap, but what runs has a limit that stands by 200 MB",
    ),
    "too-small-for-valkey": (
        {**LOADED, "asked_tags": ["docker"], "docker_swap_file": "128m"},
        "docker_swap_file is '128m', which leaves the host 128 MB of swap",
    ),
    "somebody-elses": (
        host(kept=True, label="", docker_swap_file="1g"),
        f"docker_swap_file_path is {PATH}, where something is",
    ),
    "no-room-to-change": (
        host(swap_mb=4096, ours_mb=4096, kept=True, label=OURS, free_mb=4000, docker_swap_file="1g"),
        f"with 256 MB that are to stay free {PATH} has no room for it",
    ),
}
TAKEN: dict[str, dict[str, Any]] = {
    "with-valkey": LOADED,
    "with-valkey-by-tag": {**LOADED, "asked_tags": ["docker", "valkey"]},
    "not-this-role": {**LOADED, "asked_tags": ["traefik"]},
    "enough-is-left": {**LOADED, "asked_tags": ["docker"], "docker_swap_file": "256m"},
    "valkey-in-memory": {**LOADED, "asked_tags": ["docker"], "valkey_memory_limit": "448m"},
    "another-swap-is-left": {**host(swap_mb=2048, ours_mb=1024, kept=True, label=OURS), "asked_tags": ["docker"]},
    "our-own-file-after-a-reboot": host(kept=True, label=OURS, docker_swap_file="1g"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """One run for each choice of tags, as a run has only one."""
    cases = {**{name: variables for name, (variables, _words) in REFUSED.items()}, **TAKEN}
    runs: dict[str, Run] = {}
    asked = {name: ",".join(variables.get("asked_tags", ["all"])) for name, variables in cases.items()}
    for tags in set(asked.values()):
        hosts = {name: variables for name, variables in cases.items() if asked[name] == tags}
        tasks = [
            {"ansible.builtin.import_role": {"name": "bestviable.planner_memory.docker", "tasks_from": "preflight"}},
            {"bestviable.planner_memory.preflight": {"report": True}},
            {
                "ansible.builtin.import_role": {"name": "bestviable.planner_memory.valkey", "tasks_from": "define"},
                "when": False,
            },
        ]
        play = {"hosts": "all", "gather_facts": False, "vars": WIRING, "tags": ["always"], "tasks": tasks}
        run = run_playbook(
            tmp_path_factory.mktemp("swap"), [play], "--tags", tags, hosts=hosts,
            ANSIBLE_CALLBACK_RESULT_FORMAT="json",
        )  # fmt: skip
        runs.update(dict.fromkeys(hosts, run))
    return runs


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_told_before_anything_is_touched(told: dict[str, Run], name: str) -> None:
    told[name].refuses(name, REFUSED[name][1])


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_taken(told: dict[str, Run], name: str) -> None:
    assert "fatal:" not in told[name].of_host(name), told[name].output
