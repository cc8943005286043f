# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of retired_stack share: an engine in memory with a stack in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import engine

from tests.support.fake_stack import FakeStack
from tests.support.run_module import ModuleFailed, run_module

Run = Callable[..., dict[str, Any]]


def archive(tmp_path: Path, ending: str = ".yml") -> Path:
    return tmp_path / f"archive/archon-20251201{ending}"


def fails(retire: Run, **options: Any) -> str:
    with pytest.raises(ModuleFailed) as failed:
        retire(**options)
    return str(failed.value)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    fake = FakeStack(tmp_path)
    (tmp_path / "archon").mkdir()
    (tmp_path / "archon/docker-compose.yml").write_text("services: {mcp: {}, server: {}, ui: {}}")
    fake.networks["shared"] = ""
    fake.volume("archon_data")
    fake.start()
    fake.add("other", networks=["shared"])
    fake.calls.clear()
    monkeypatch.setattr(engine, "run_command", fake)
    return fake


@pytest.fixture
def retire(stack: FakeStack, tmp_path: Path) -> Run:
    def call(*, check: bool = False, **options: Any) -> dict[str, Any]:
        stack.calls.clear()
        params = {
            "name": "archon",
            "projects": ["archon"],
            "containers": ["archon-server", "archon-ui", "archon-mcp"],
            "archive_dir": str(tmp_path / "archive"),
            "date": "20251201",
            **options,
        }
        return run_module("retired_stack", params, check=check)

    return call
