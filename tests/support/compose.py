# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole of compose_stack against a docker command line in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import engine

from tests.support.fake_docker import FakeDocker
from tests.support.run_module import ModuleFailed, run_module

DEFINITION = """\
services:
  web:
    image: img:1
    container_name: web
    mem_limit: 200m
    cpus: 0.5
    restart: unless-stopped
    env_file: [web.env]
"""
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    fake = FakeDocker()
    monkeypatch.setattr(engine.Engine.__init__, "__defaults__", (fake, "docker"))
    return fake


@pytest.fixture
def run(docker: FakeDocker, tmp_path: Path) -> Run:
    def call(
        definition: str = DEFINITION, *, check: bool = False, project: Any = None, more: Any = (), **options: Any
    ) -> dict[str, Any]:
        docker.calls.clear()
        first = {"name": "web", "definition": definition, "env": {"PASSWORD": "top-secret", "USER": "web"}}
        params = {"projects": [{**first, **(project or {})}, *more], "services_dir": str(tmp_path / "srv"), **options}
        return run_module("compose_stack", params, check=check)

    return call


def fails(run: Run, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ModuleFailed) as failed:
        run(*args, **kwargs)
    return str(failed.value)
