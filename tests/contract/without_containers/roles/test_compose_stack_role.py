# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role compose_stack says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.playbook import run_playbook

ROLE = {"ansible.builtin.import_role": {"name": "bestviable.planner_memory.compose_stack"}}


@pytest.mark.parametrize(
    ("resting", "said"),
    [
        (["traefik", "qdrant", "valkey", "n8n"], "the run starts or makes anew qdrant, n8n first; what is to be done"),
        (["traefik", "memory-gateway"], ""),
    ],
)
def test_only_what_has_contents_is_named_as_not_asked(tmp_path: Path, resting: list[str], said: str) -> None:
    play = {"hosts": "all", "gather_facts": False, "tasks": [ROLE]}
    given = {"stack_projects": [], "stack_resting": resting, "compose_stack_services_dir": str(tmp_path)}
    done = run_playbook(tmp_path, [play], "--check", "-e", json.dumps(given), ANSIBLE_CALLBACK_RESULT_FORMAT="json")
    assert done.rc == 0, done.output
    assert (said or "skipping: [one]") in done.output
    assert ("the run starts" in done.output) is bool(said)
