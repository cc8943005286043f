# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role on a server that runs already and wants a key: the collections, and the proof of scenarios 3.1 to 3.5."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from tests.support.containers import Container
from tests.support.playbook import Run, run_playbook

IMAGE = "qdrant/qdrant:v1.19.0"
KEY = "canary-contract-key"
SCENARIOS = ("3.1", "3.2", "3.3", "3.4", "3.5")


def test_the_role_keeps_and_proves_the_collections_of_a_server_that_is_not_its_own(
    container: Callable[..., Container], tmp_path: Path
) -> None:
    server = container(IMAGE, env={"QDRANT__SERVICE__API_KEY": KEY}, ports=[6333])
    url = f"http://{server.host}:{server.port(6333)}"
    server.wait(lambda: requests.get(f"{url}/readyz", timeout=2).ok)

    def role(*arguments: str, **more: Any) -> Run:
        known = {"qdrant_manage": False, "qdrant_url": url, "qdrant_api_key": KEY, **more}
        task = {"ansible.builtin.import_role": {"name": "bestviable.planner_memory.qdrant"}, "tags": ["qdrant"]}
        play = {"hosts": "all", "gather_facts": False, "vars": known, "tasks": [task]}
        return run_playbook(tmp_path, [play], "--tags", "qdrant", *arguments)

    def changed(run: Run) -> int:
        found = re.search(r"changed=(\d+)", run.output)
        assert found is not None
        return int(found.group(1))

    made = role("--diff")
    assert made.rc == 0, made.output
    assert changed(made) == 1
    assert all(re.search(rf"^ +{re.escape(number)} +ok ", made.output, re.M) for number in SCENARIOS), made.output
    again = role()
    assert (again.rc, changed(again)) == (0, 0), again.output
    wrong = role(qdrant_api_key="canary-wrong")
    assert wrong.rc != 0
    assert "check api_key" in wrong.output
    assert "canary" not in made.output + again.output + wrong.output
